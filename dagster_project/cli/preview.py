"""`channelsafe preview`: what a channel would say now, for people inside."""

import click

from dagster_project.application.previewing import preview as preview_channel
from dagster_project.application.profiles import find_profile
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.cli.printing import reason_text
from dagster_project.clock import parse_instant
from dagster_project.settings import Settings


@click.command()
@click.argument("incident")
@click.option("--profile", "name", required=True, help="A shipped profile by name, or a YAML file.")
@click.option("--bridge", default=None, help="Only this bridge; default every bridge of the incident.")
@click.option("--at", default=None, help="Evaluate history at this instant (RFC 3339); default now.")
@json_option
@click.pass_obj
def preview(settings: Settings, incident: str, name: str, bridge: str | None, at: str | None, *, as_json: bool) -> int:
    """Show what the channel of a profile would say of INCIDENT now, from the newest records.

    Nothing is stored: a preview is no candidate, and nothing can be released from it. No decision of a reviewer enters
    it. A channel that says the same to everybody, as the public page does, has one page and no bridges.

    Exit code 1 if a page would not pass its release check: then its reasons are shown instead of the page.
    """
    workspace = open_workspace(settings)
    instant = None if at is None else parse_instant(at)
    found = preview_channel(workspace, incident.upper(), find_profile(name), bridge, instant)
    if as_json:
        print_json(found)
    else:
        for one in found:
            whom = f"bridge {one.bridge}" if one.bridge else "everybody"
            click.echo(f"PREVIEW of {one.channel} ({one.tlp}) for {whom}, evaluated {short(one.evaluated_at)}")
            page = one.text if one.passed else f"NOT PASSED: {reason_text(one.reasons)}"
            click.echo("\n".join(f"  | {line}".rstrip() for line in page.splitlines()))
        if not found:
            click.echo("no contract record opens a bridge for this incident")
    return 0 if all(one.passed for one in found) else 1
