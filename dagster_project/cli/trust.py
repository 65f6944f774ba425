"""`channelsafe trust`: who may decide and sign, and the ceremony by which people change it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dagster_project.application.trust_ceremony import (
    CeremonyStep,
    Terms,
    add_person,
    adopt_draft,
    begin_trust,
    renew_trust,
    revoke_person,
    revoke_person_key,
    revoke_roles,
    rotate_person,
    rotate_service,
    sign_draft,
)
from dagster_project.application.trust_overview import (
    SERVICES,
    TrustOverview,
    trust_in_draft,
    trust_overview,
    write_public_trust,
)
from dagster_project.application.workspace import create_keys_if_new, open_workspace
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.clock import parse_instant
from dagster_project.settings import Settings

_FILE = click.Path(dir_okay=False, path_type=Path)


_key_option = click.option(
    "--key", "keys", type=_FILE, multiple=True, help="A custodian's private key file; may be given several times."
)


def _terms(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that every change of trust has."""
    for option in (
        _key_option,
        click.option("--draft", type=_FILE, help="Where the draft goes while custodians are missing."),
        click.option("--expires", help="When the next version expires (RFC 3339)."),
        click.option("--threshold", type=click.IntRange(min=1), help="How many custodians must sign from then on."),
        json_option,
        click.pass_obj,
    ):
        command = option(command)
    return command


@click.group()
def trust() -> None:
    """Say who may decide and sign.

    Every change is a new version, signed by the threshold of custodians of the old version and of the new one. While
    custodians are missing it waits in a draft file (exit code 1).
    """


@trust.command("init")
@click.argument("people", type=_FILE, metavar="PEOPLE_FILE")
@_terms
def init(settings: Settings, people: Path, *, as_json: bool, **terms: Any) -> int:  # noqa: ANN401 - click's options
    """Make the first version of the people in PEOPLE_FILE (YAML: expires, threshold, people with roles and keys)."""
    create_keys_if_new(settings)
    return _say(begin_trust(open_workspace(settings), people, _read_terms(terms)), as_json=as_json)


@trust.command("add")
@click.argument("person")
@click.option("--role", "roles", multiple=True, help="A role to give; may be given several times.")
@click.option("--custodian", is_flag=True, help="The person may change trust.")
@click.option("--public", "publics", multiple=True, help="A public key, as `channelsafe keys person` prints it.")
@_terms
def add(
    settings: Settings,
    person: str,
    *,
    roles: tuple[str, ...],
    custodian: bool,
    publics: tuple[str, ...],
    as_json: bool,
    **terms: Any,  # noqa: ANN401 - click's options
) -> int:
    """Add PERSON, or give a known PERSON further roles and keys."""
    workspace = open_workspace(settings)
    step = add_person(workspace, person, _read_terms(terms), roles=roles, custodian=custodian, publics=publics)
    return _say(step, as_json=as_json)


@trust.command("rotate")
@click.argument("name", metavar="SERVICE|PERSON")
@click.option("--public", "publics", multiple=True, help="The new public key of a person.")
@_terms
def rotate(settings: Settings, name: str, *, publics: tuple[str, ...], as_json: bool, **terms: Any) -> int:  # noqa: ANN401 - click's options
    """Replace the key of a service (release, index, audit) by a new one, or all keys of a person by those named."""
    is_service = name in SERVICES
    if is_service == bool(publics):
        raise click.UsageError("name the new keys of a person with --public; those of a service are made here")
    workspace = open_workspace(settings)
    if is_service:
        return _say(rotate_service(workspace, name, _read_terms(terms)), as_json=as_json)
    return _say(rotate_person(workspace, name, publics, _read_terms(terms)), as_json=as_json)


@trust.command("revoke")
@click.argument("person")
@click.option("--keyid", help="Only this key.")
@click.option("--role", "roles", multiple=True, help="Only this role; may be given several times.")
@_terms
def revoke(
    settings: Settings,
    person: str,
    *,
    keyid: str | None,
    roles: tuple[str, ...],
    as_json: bool,
    **terms: Any,  # noqa: ANN401 - click's options
) -> int:
    """Revoke all keys of PERSON and take all roles, or one key, or some roles."""
    if keyid and roles:
        raise click.UsageError("revoke one key or some roles, one after the other")
    workspace = open_workspace(settings)
    if keyid:
        step = revoke_person_key(workspace, person, keyid, _read_terms(terms))
    elif roles:
        step = revoke_roles(workspace, person, roles, _read_terms(terms))
    else:
        step = revoke_person(workspace, person, _read_terms(terms))
    return _say(step, as_json=as_json)


@trust.command("renew")
@_terms
def renew(settings: Settings, *, as_json: bool, **terms: Any) -> int:  # noqa: ANN401 - click's options
    """Change nothing but --expires or --threshold."""
    return _say(renew_trust(open_workspace(settings), _read_terms(terms)), as_json=as_json)


@trust.command("sign")
@click.argument("draft", type=_FILE)
@_key_option
@click.option("--only-sign", is_flag=True, help="Do not adopt it: for a machine that has no deployment.")
@json_option
@click.pass_obj
def sign(settings: Settings, draft: Path, *, keys: tuple[Path, ...], only_sign: bool, as_json: bool) -> int:
    """Sign DRAFT, and adopt it where enough custodians did. Read it first: `channelsafe trust show --draft DRAFT`."""
    sign_draft(draft, keys)
    if only_sign:
        if as_json:
            print_json({"draft": draft.name})
        else:
            click.echo(f"signed {draft}")
        return 0
    return _say(adopt_draft(open_workspace(settings), draft), as_json=as_json)


@trust.command("show")
@click.option("--draft", type=_FILE, help="Show this draft instead of what holds; needs no deployment.")
@click.option("--public", type=_FILE, help="Write the file that outsiders verify with.")
@json_option
@click.pass_obj
def show(settings: Settings, *, draft: Path | None, public: Path | None, as_json: bool) -> None:
    """Print people, roles, key ids and versions."""
    if draft is not None and public is not None:
        raise click.UsageError("a draft is nothing for outsiders: leave out --draft or --public")
    if draft is not None:
        overview = trust_in_draft(draft)
    else:
        workspace = open_workspace(settings)
        overview = trust_overview(workspace)
        if public is not None:
            write_public_trust(workspace, public)
    if as_json:
        print_json(overview)
    else:
        _print(overview)


def _read_terms(given: dict[str, Any]) -> Terms:
    expires = parse_instant(given["expires"]) if given["expires"] else None
    return Terms(given["keys"], given["draft"], expires, given["threshold"])


def _say(step: CeremonyStep, *, as_json: bool) -> int:
    if as_json:
        draft = None if step.draft is None else str(step.draft)
        print_json(
            {"version": step.version, "trust_digest": step.trust_digest, "missing": step.missing, "draft": draft}
        )
    elif step.missing:
        click.echo(f"version {step.version} is not adopted: at least {step.missing} more custodians must sign")
        click.echo(f"draft: {step.draft}, {step.trust_digest}")
    else:
        click.echo(f"adopted version {step.version}, {step.trust_digest}")
    return 1 if step.missing else 0


def _print(overview: TrustOverview) -> None:
    kind = "demo trust" if overview.demo else "trust"
    state = "EXPIRED" if overview.expired else "expires"
    click.echo(f"{kind} of deployment {overview.deployment}, version {overview.version}, {overview.trust_digest}")
    click.echo(f"{state} {short(overview.expires)}; {overview.threshold} custodians must sign a change")
    for person in overview.people:
        roles = ", ".join(person.roles) or "no role"
        click.echo(f"{person.person}: {roles}{', custodian' if person.custodian else ''}")
        for key in person.keys:
            click.echo(f"    {key.keyid}{f'  revoked {short(key.revoked_at)}' if key.revoked_at else ''}")
    for service, keyids in overview.services.items():
        click.echo(f"service {service}: {', '.join(keyids) or 'no key'}")
    for version in overview.versions:
        click.echo(f"version {version.version}: adopted {short(version.adopted_at)}, {version.trust_digest}")
