"""`channelsafe show|history|explain|verify|status`: questions that change nothing.

Only `verify FOLDER` keeps something: what its caller saw, in a file of the caller's.
"""

from pathlib import Path

import click

from dagster_project.application.explain import explain as explain_field
from dagster_project.application.explain import explain_all
from dagster_project.application.intake_status import intake_status
from dagster_project.application.overview import (
    candidate_history,
    candidate_views,
    incident_overviews,
    one_candidate,
    open_items_now,
)
from dagster_project.application.verify import verify as verify_store
from dagster_project.application.verify_published import STATE_FOLDER, verify_published
from dagster_project.application.version_history import version_history
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.cli.printing import (
    explanation_lines,
    headline,
    held_text,
    history_lines,
    incident_lines,
    open_item_line,
    reason_text,
    verified_lines,
)
from dagster_project.cli.review_printing import version_history_lines
from dagster_project.clock import SystemClock, parse_instant
from dagster_project.settings import Settings

_VIEWS = {"html": "package.html", "markdown": "package.md", "text": "package.txt"}
_ordinal = click.option(
    "--ordinal", type=click.IntRange(min=1), default=None, help="Which candidate; default the latest."
)


@click.command()
@click.argument("incident")
@click.argument("bridge")
@_ordinal
@click.option("--view", type=click.Choice(sorted(_VIEWS)), default=None, help="Print the page as people would see it.")
@click.option("--output", type=click.Path(path_type=Path), default=None, help="Write the page to this file.")
@json_option
@click.pass_obj
def show(
    settings: Settings,
    incident: str,
    bridge: str,
    ordinal: int | None,
    view: str | None,
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    """Show one candidate of INCIDENT on BRIDGE: content, holds, open items, and why it did not pass."""
    workspace = open_workspace(settings)
    if view is not None:
        body = candidate_views(workspace, incident.upper(), bridge, ordinal)[_VIEWS[view]]
        if output is None:
            click.echo(body.decode(), nl=False)
        else:
            output.write_bytes(body)
            click.echo(f"wrote {output}")
        return
    one = one_candidate(workspace, incident.upper(), bridge, ordinal)
    items = [item for item in open_items_now(workspace, incident.upper()) if item.bridge == bridge]
    if as_json:
        print_json({"candidate": one, "open_items": items})
        return
    click.echo(
        f"{one.incident} {one.bridge} candidate {one.ordinal}, content {one.content_number}, {one.publication_state}"
    )
    click.echo(f"  evaluated {short(one.evaluated_at)}, as of {short(one.as_of)}, valid until {short(one.valid_until)}")
    click.echo(f"  {headline(one)}")
    click.echo(f"  on hold: {held_text(one)}")
    if one.reasons:
        click.echo(f"  NOT PASSED: {reason_text(one.reasons)}")
    for item in items:
        click.echo(f"  open: {open_item_line(item)}")


@click.command()
@click.argument("incident")
@click.option("--bridge", default=None, help="Only this bridge.")
@json_option
@click.pass_obj
def history(settings: Settings, incident: str, bridge: str | None, *, as_json: bool) -> None:
    """Show the successive contents of INCIDENT on each bridge, with the causes of every change.

    Then the versions that were shared: when, their state now, who decided what, which annexes stayed withheld, what was
    heard of them. None of these is inferred from another: what is not recorded is said to be unknown.
    """
    workspace = open_workspace(settings)
    found = candidate_history(workspace, incident.upper(), bridge)
    shared = version_history(workspace, incident.upper(), bridge)
    if as_json:
        print_json({"candidates": found, "versions": shared.versions, "decisions": shared.decisions})
        return
    for line in (*history_lines(found), *version_history_lines(shared)):
        click.echo(line)


@click.command()
@click.argument("incident")
@click.argument("bridge")
@click.argument("pointer", required=False)
@_ordinal
@json_option
@click.pass_obj
def explain(
    settings: Settings, incident: str, bridge: str, pointer: str | None, ordinal: int | None, *, as_json: bool
) -> None:
    """Explain field POINTER of a candidate, or every field: rule, record versions, source fields, holds."""
    workspace = open_workspace(settings)
    if pointer is None:
        found = explain_all(workspace, incident.upper(), bridge, ordinal)
    else:
        found = (explain_field(workspace, incident.upper(), bridge, pointer, ordinal),)
    if as_json:
        print_json(found)
        return
    for one in found:
        for line in explanation_lines(one):
            click.echo(line)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--trust", type=click.Path(path_type=Path), default=None, help="The public trust file that you were given."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=None,
    help=f"What you saw of FOLDER before; default {STATE_FOLDER}/<name>.trusted.json where you are.",
)
@click.option("--at", default=None, help="The instant for what expires in FOLDER (RFC 3339); default now.")
@json_option
@click.pass_obj
def verify(
    settings: Settings, folder: Path | None, trust: Path | None, state: Path | None, at: str | None, *, as_json: bool
) -> int:
    """Read every stored byte back and make every candidate again from its pins.

    With FOLDER and --trust: verify a published package that you were given, on any machine, against public trust and
    against what you saw of it before; nothing else is read.

    Exit code 4 on any difference; for FOLDER 1 if it is expired or its publisher had not finished.
    """
    if folder is None:
        if (trust, state, at) != (None, None, None):
            raise click.UsageError("--trust, --state and --at are for a FOLDER", click.get_current_context())
        return _verify_store(settings, as_json=as_json)
    if trust is None:
        raise click.UsageError("FOLDER needs --trust: whose keys count?", click.get_current_context())
    instant = parse_instant(at) if at is not None else SystemClock().now()
    verified = verify_published(folder, trust_file=trust, state_file=state, at=instant)
    if as_json:
        print_json(verified)
        return 0
    for line in verified_lines(verified):
        click.echo(line)
    return 0


def _verify_store(settings: Settings, *, as_json: bool) -> int:
    report = verify_store(open_workspace(settings), progress=lambda _name: None)
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"{report.bodies} bodies, {report.records} records, {report.candidates} candidates "
            f"and {report.versions} released versions verified"
        )
        if report.unused_packs:
            click.echo(f"{report.unused_packs} packs of bodies are unused: their transactions never committed")
        if report.other_renderer:
            click.echo(f"{report.other_renderer} candidates were made by another renderer: content compared only")
        for one in report.violations:
            click.echo(f"  NOT AS STORED: {one.where}: {one.code}")
        click.echo("everything is as stored" if not report.violations else f"{len(report.violations)} differences")
    return 4 if report.violations else 0


@click.command()
@json_option
@click.pass_obj
def status(settings: Settings, *, as_json: bool) -> None:
    """Show where every incident stands, what was kept aside, and which sources lag."""
    workspace = open_workspace(settings)
    incidents = incident_overviews(workspace)
    intake = intake_status(workspace)
    if as_json:
        print_json({"incidents": incidents, "intake": intake})
        return
    for one in incidents:
        for line in incident_lines(one):
            click.echo(line)
    for count in intake.deliveries:
        click.echo(f"delivered: {count.count} {count.outcome.value}")
    for rejected in intake.rejected:
        click.echo(
            f"kept aside: {rejected.reason_code} at {rejected.where_pointer}, from {rejected.source or 'unreadable'}"
        )
    for lagging in intake.lagging:
        click.echo(f"lagging: {lagging.source} since {short(lagging.since)} ({lagging.reason_code})")
    for file in intake.unreadable_files:
        click.echo(f"unreadable file in the landing folder: {file.name} ({file.reason_code})")
    if not incidents:
        click.echo("no incident is known yet")
