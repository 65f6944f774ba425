"""`channelsafe receipt` and `channelsafe finding`: what was heard of a version after it left."""

import click

from dagster_project.application.findings import FINDING_KINDS, record_finding
from dagster_project.application.receipts import RECEIPT_KINDS, VersionName, record_receipt
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.cli.review import VERSION
from dagster_project.clock import parse_instant
from dagster_project.settings import Settings

_PARTS = 3


@click.command()
@click.argument("incident")
@click.argument("bridge")
@click.argument("version", type=VERSION)
@click.argument("kind", type=click.Choice(RECEIPT_KINDS))
@click.option("--recipient", required=True, help="Who, as the bridge calls them.")
@click.option(
    "--reopened",
    type=click.Choice(["yes", "no"]),
    default=None,
    help="With accepted or rejected: did they have to reopen an internal system? Leave out what nobody said.",
)
@click.option("--at", default=None, help="When it happened (RFC 3339); default now.")
@json_option
@click.pass_obj
def receipt(
    settings: Settings,
    incident: str,
    bridge: str,
    version: int,
    kind: str,
    recipient: str,
    reopened: str | None,
    at: str | None,
    *,
    as_json: bool,
) -> None:
    """Record what happened to VERSION of INCIDENT on BRIDGE at a recipient. The same again changes nothing."""
    recorded = record_receipt(
        open_workspace(settings),
        VersionName(incident.upper(), bridge, version),
        kind,
        recipient=recipient,
        reopened=None if reopened is None else reopened == "yes",
        at=None if at is None else parse_instant(at),
    )
    if as_json:
        print_json({"receipt": recorded.row, "is_new": recorded.is_new})
        return
    new = "recorded" if recorded.is_new else "was recorded before"
    click.echo(f"{new}: version {version} {kind} {short(recorded.row.at)}, {recorded.row.recipient}")


@click.group()
def finding() -> None:
    """Record what was found wrong in a version after it was released."""


@finding.command("record")
@click.argument("version", nargs=-1, required=True, metavar="VERSION")
@click.argument("field", metavar="POINTER")
@click.argument("kind", type=click.Choice(FINDING_KINDS))
@json_option
@click.pass_obj
def record(settings: Settings, version: tuple[str, ...], field: str, kind: str, *, as_json: bool) -> None:
    """Record that field POINTER of VERSION leaked, was stale, or misled. The same again changes nothing.

    VERSION is INCIDENT BRIDGE NUMBER, or INCIDENT/BRIDGE/NUMBER in one word. What is done about it people decide:
    `channelsafe review pull` takes a field back at once.
    """
    recorded = record_finding(open_workspace(settings), _version_name(version), field, kind)
    if as_json:
        print_json({"finding": recorded.row, "is_new": recorded.is_new})
        return
    click.echo(f"{'recorded' if recorded.is_new else 'was recorded before'}: {kind} at {field}")


def _version_name(words: tuple[str, ...]) -> VersionName:
    parts = words if len(words) > 1 else tuple(words[0].split("/"))
    number = parts[-1]
    if len(parts) != _PARTS or not (number.isascii() and number.isdecimal()) or len(number) > len(str(VERSION.max)):
        raise click.UsageError("VERSION is INCIDENT BRIDGE NUMBER, or INCIDENT/BRIDGE/NUMBER")
    return VersionName(parts[0].upper(), parts[1], int(number))
