"""`channelsafe keys`: the key files of a deployment."""

from pathlib import Path

import click

from dagster_project.application.trust_ceremony import make_person_key
from dagster_project.application.workspace import create_keys
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
