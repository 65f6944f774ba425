"""`channelsafe keys`: the key files of a deployment."""

from pathlib import Path

import click

from dagster_project.application.key_rotation import Rotation, retire_former_key, rotate_body_key
from dagster_project.application.trust_ceremony import make_person_key
from dagster_project.application.workspace import create_keys, open_workspace
from dagster_project.cli.output import json_option, print_json
from dagster_project.settings import Settings


@click.group()
def keys() -> None:
    """Make the keys that stored bodies are encrypted with. They lie outside the data folder; back them up apart."""


@keys.command("create")
@json_option
@click.pass_obj
def create(settings: Settings, *, as_json: bool) -> None:
    """Make new key files (mode 0600). Existing ones are never overwritten."""
    create_keys(settings.keys)
    if as_json:
        print_json({"keys": str(settings.keys)})
        return
    click.echo(f"made keys in {settings.keys}; without them nothing stored can be read, so back them up apart")


@keys.command("rotate")
@click.option(
    "--retire", is_flag=True, help="Then destroy the former key, once every body was opened with the new one."
)
@json_option
@click.pass_obj
def rotate(settings: Settings, *, retire: bool, as_json: bool) -> int:
    """Seal bodies under a new key from now on, and seal again what is stored; nothing else changes.

    Killed in the middle, nothing is lost: run it again, and it carries on. Running processes follow by themselves;
    other machines need a copy of the key file. Back the key file up before and afterwards. A backup of the data that is
    older than the rotation needs the former key: keep a backup of that too for as long as you keep such backups.

    Exit code 4 where a body is not what was stored: it is left as it is, and the former key is kept.
    """
    workspace = open_workspace(settings)
    rotation = rotate_body_key(workspace, progress=lambda count: _say_progress(count, as_json=as_json))
    if not as_json:
        _say_rotated(rotation)
    if retire and not rotation.faults:
        former = rotation.former
        rotation = retire_former_key(workspace, rotation)
        if not as_json:
            click.echo(f"the former key {former} is destroyed; back up the key file in {settings.keys} now")
    if as_json:
        print_json(rotation)
    return 4 if rotation.faults else 0


def _say_progress(count: int, *, as_json: bool) -> None:
    if not as_json:
        click.echo(f"{count} bodies sealed again", err=True)


def _say_rotated(rotation: Rotation) -> None:
    begun = "new" if rotation.begun else "begun before"
    click.echo(f"bodies are sealed under the key {rotation.body_key} ({begun}); {rotation.reencrypted} sealed again")
    for fault in rotation.faults:
        click.echo(f"  NOT AS STORED, left as it is: {fault.name}: {fault.code}")
    if rotation.left:
        click.echo(f"bodies that still need the former key {rotation.former}: {rotation.left}")
    elif rotation.former is not None:
        click.echo(f"no body needs the former key {rotation.former}; `channelsafe keys rotate --retire` destroys it")


@keys.command("person")
@click.argument("person")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The new key file.")
@json_option
def person(person: str, *, out: Path, as_json: bool) -> None:
    """Make the private key of PERSON in a file (mode 0600), and print the public key. Needs no deployment.

    The private key should stay on a machine of the person's own: whoever has it decides in that name.
    """
    made = make_person_key(person, out)
    if as_json:
        print_json(made)
        return
    click.echo(f"made {out}; keep it to yourself. For the file of people, or `channelsafe trust add --public`:")
    click.echo(f"{made.person} {made.public}\nkey id {made.keyid}")
