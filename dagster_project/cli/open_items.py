"""`channelsafe open-items`: the conflicts and questions that wait for a person."""

import click

from dagster_project.application.open_questions import open_questions
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.cli.printing import open_item_line
from dagster_project.settings import Settings


@click.command("open-items")
@click.argument("incident", required=False)
@click.option("--bridge", default=None, help="Only items about this bridge.")
@json_option
@click.pass_obj
def open_items(settings: Settings, incident: str | None, bridge: str | None, *, as_json: bool) -> None:
    """List what is open on INCIDENT, or on every incident: who owns it, what resolves it, the records on both sides.

    Records are named by source, id and version; what they say is not shown. An item that puts a current version under
    review says so.
    """
    found = open_questions(open_workspace(settings), None if incident is None else incident.upper(), bridge)
    if as_json:
        print_json(found)
        return
    for one in found:
        review = "; the current version is UNDER REVIEW" if one.puts_under_review else ""
        click.echo(f"{one.incident} since {short(one.opened_at)}{review}")
        click.echo(f"  {open_item_line(one.item)}")
    if not found:
        click.echo("nothing is open")
