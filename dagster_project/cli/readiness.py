"""`channelsafe readiness`: what would stop a release tonight, by bridge."""

from collections.abc import Sequence

import click

from dagster_project.application.readiness import BridgeReadiness, Readiness, StatedObstacle, readiness
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, plain, print_json, short
from dagster_project.settings import Settings


@click.command("readiness")
@click.option("--incident", help="Only of this incident; default of all, and of one that is not declared yet.")
@click.option("--bridge", help="Only this bridge.")
@json_option
@click.pass_obj
def show_readiness(settings: Settings, incident: str | None, bridge: str | None, *, as_json: bool) -> int:
    """List by bridge what would stop a release tonight: within the day that begins now.

    Looked at are the profile and its end, trust and the keys of the services, contract and entitlements, values in
    current records that the profile does not map, and whether the people who are trusted can approve each class of
    change. What ends within 30 days, and a missing anchor, are warnings. Changes that wait for a decision are no
    obstacle: `channelsafe review list` shows them.

    Exit code 0 when nothing stops a release, 1 when something does.
    """
    found = readiness(open_workspace(settings), None if incident is None else incident.upper(), bridge)
    if as_json:
        print_json(plain(found) | {"ready": found.ready})
    else:
        _print(found)
    return 0 if found.ready else 1


def _print(found: Readiness) -> None:
    click.echo(f"as of {short(found.at)}")
    _print_place("every bridge", found.deployment)
    for one in found.bridges:
        _print_place(_name(one), one.obstacles)
    if not found.bridges:
        click.echo("no bridge is on record")


def _name(one: BridgeReadiness) -> str:
    return f"{one.incident or 'an incident not declared yet'}, {one.bridge}"


def _print_place(name: str, obstacles: Sequence[StatedObstacle]) -> None:
    stopping = sum(1 for one in obstacles if one.stops)
    click.echo(f"{name}: {f'{stopping} would stop a release' if stopping else 'nothing stops a release'}")
    for one in obstacles:
        click.echo(f"  {'STOPS' if one.stops else 'warns'} {one.code}{f' ({one.where})' if one.where else ''}")
        click.echo(f"        {one.meaning}")
