"""`channelsafe refresh` and `channelsafe replay`: making candidates, and making them again.

Belongs here: the commands that render. Exit code 1 where a candidate did not pass its release check.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import click

from dagster_project.application.feeds import Feed, PlayedMoment, play_feed
from dagster_project.application.google_cloud import GOOGLE_CLOUD
from dagster_project.application.refresh import (
    RefreshReport,
    known_incidents,
    pending_incidents,
)
from dagster_project.application.refresh import (
    refresh as refresh_incident,
)
from dagster_project.application.replaying import replay_candidate
from dagster_project.application.snapshots import newest_recorded
from dagster_project.application.statuspage import STATUSPAGE
from dagster_project.application.version_verification import replay_one_version
from dagster_project.application.workspace import Workspace, create_keys_if_new, open_workspace
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.cli.printing import candidate_line
from dagster_project.clock import parse_instant
from dagster_project.errors import UsageError
from dagster_project.settings import Settings

FEED_END = "feed-end"
EVERY = 1_000_000


def _chosen(workspace: Workspace, incidents: tuple[str, ...], *, every: bool) -> tuple[str, ...]:
    if incidents and every:
        raise UsageError(
            "incidents_and_all",
            what="either incidents are named or all are meant",
            where="channelsafe refresh",
            what_to_do="Leave out one of the two.",
        )
    if every:
        return known_incidents(workspace)
    return tuple(name.upper() for name in incidents) or pending_incidents(workspace, limit=EVERY)


def _instant(workspace: Workspace, incident: str, at: str | None) -> datetime | None:
    if at is None:
        return None
    return newest_recorded(workspace, incident) if at == FEED_END else parse_instant(at)


def _refreshed(workspace: Workspace, incidents: Iterable[str], at: str | None) -> Iterator[RefreshReport]:
    for incident in incidents:
        yield refresh_incident(workspace, incident, _instant(workspace, incident, at))


@click.command()
@click.argument("incidents", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every known incident, not only those with a pending change.")
@click.option(
    "--at",
    default=None,
    help="Evaluate history at this instant (RFC 3339), or `feed-end`: when each incident's newest record was recorded.",
)
@json_option
@click.pass_obj
def refresh(settings: Settings, incidents: tuple[str, ...], at: str | None, *, every: bool, as_json: bool) -> int:
    """Refresh INCIDENTS, or all with a pending change: snapshot, candidates, release check, internal manifest.

    Exit code 1 if a candidate did not pass its release check, or a bridge has no profile to be rendered with.
    """
    if at not in {None, FEED_END}:
        parse_instant(at or "")
    workspace = open_workspace(settings)
    chosen = _chosen(workspace, incidents, every=every)
    reports = _with_progress(_refreshed(workspace, chosen, at), len(chosen), "Refreshing", as_json=as_json)
    if as_json:
        print_json([_summary(report) for report in reports])
    else:
        _print_reports(reports)
    return 0 if all(report.passed or not report.checked for report in reports) else 1


def _with_progress(reports: Iterator[RefreshReport], length: int, label: str, *, as_json: bool) -> list[RefreshReport]:
    if as_json or length < 5:  # noqa: PLR2004 - a bar for a handful is noise
        return list(reports)
    with click.progressbar(reports, length=length, label=label, file=sys.stderr) as bar:
        return list(bar)


def _summary(report: RefreshReport) -> dict[str, object]:
    return {
        "incident": report.snapshot.refresh.incident,
        "evaluated_at": report.snapshot.refresh.evaluation_instant,
        "records": report.snapshot.records,
        "candidates": [
            {
                "bridge": one.row.bridge,
                "ordinal": one.row.ordinal,
                "content_number": one.row.content_number,
                "content_changed": one.row.content_changed,
                "outcome": one.row.outcome.value,
                "passed": one.manifest_digest is not None,
                "valid_until": one.check.valid_until,
                "reasons": one.check.reasons,
            }
            for one in report.checked
        ],
        "without_profile": report.without_profile,
    }


def _print_reports(reports: list[RefreshReport]) -> None:
    for report in reports:
        for one in report.checked:
            click.echo(candidate_line(report, one))
        for bridge in report.without_profile:
            incident = report.snapshot.refresh.incident
            click.echo(f"{incident} {bridge}: NOTHING RENDERED, no disclosure profile is in use for this bridge")
        if not report.checked:
            click.echo(f"{report.snapshot.refresh.incident}: no contract opens a bridge for it")
    passed = sum(1 for report in reports if report.passed)
    click.echo(f"{len(reports)} incidents refreshed, {passed} with every candidate passed")


@click.group()
def replay() -> None:
    """Make again what was made: one candidate from its pins, or a feed's history under a simulated clock."""


@replay.command("candidate")
@click.argument("incident")
@click.argument("bridge")
@click.option("--ordinal", type=click.IntRange(min=1), default=None, help="Which candidate; default the latest.")
@json_option
@click.pass_obj
def candidate(settings: Settings, incident: str, bridge: str, ordinal: int | None, *, as_json: bool) -> int:
    """Rebuild one candidate of INCIDENT on BRIDGE from what it pins, and compare it byte for byte."""
    report = replay_candidate(open_workspace(settings), incident.upper(), bridge, ordinal)
    if as_json:
        print_json(report)
    else:
        what = f"{incident.upper()} {bridge} candidate {report.ordinal}"
        _print_comparison(what, report.equal, same=report.same_renderer)
    return 0 if report.reproduced else 4


@replay.command("version")
@click.argument("incident")
@click.argument("bridge")
@click.option("--version", type=click.IntRange(min=1), default=None, help="Which version; default the newest.")
@json_option
@click.pass_obj
def released_version(settings: Settings, incident: str, bridge: str, version: int | None, *, as_json: bool) -> int:
    """Rebuild one released version of INCIDENT on BRIDGE from what it pins, and compare it byte for byte."""
    report = replay_one_version(open_workspace(settings), incident.upper(), bridge, version)
    if as_json:
        print_json(report)
        return 0 if report.reproduced else 4
    _print_comparison(f"{incident.upper()} {bridge} version {report.version}", report.equal, same=report.same_renderer)
    return 0 if report.reproduced else 4


def _print_comparison(what: str, parts: Mapping[str, bool], *, same: bool) -> None:
    click.echo(f"{what}, made again by {'the same renderer' if same else 'ANOTHER renderer than it was made with'}")
    for part, equal in sorted(parts.items()):
        click.echo(f"  {part:<8} {'equal byte for byte' if equal else 'differs'}")


@replay.command("google-cloud")
@click.argument("location")
@json_option
@click.pass_obj
def google_cloud(settings: Settings, location: str, *, as_json: bool) -> int:
    """Play the updates of a Google Cloud status feed (file or URL) in time order under a simulated clock."""
    return _play(settings, GOOGLE_CLOUD, location, as_json=as_json)


@replay.command("statuspage")
@click.argument("location")
@json_option
@click.pass_obj
def statuspage(settings: Settings, location: str, *, as_json: bool) -> int:
    """Play the updates of a Statuspage's incidents.json (file or URL) in time order under a simulated clock."""
    return _play(settings, STATUSPAGE, location, as_json=as_json)


def _play(settings: Settings, feed: Feed, location: str, *, as_json: bool) -> int:
    create_keys_if_new(settings)
    workspace = open_workspace(settings)
    moments = list(_playing(play_feed(workspace, feed, location), as_json=as_json))
    contents = sum(
        1 for moment in moments for report in moment.refreshes for one in report.checked if one.row.content_changed
    )
    failed = sum(1 for moment in moments for report in moment.refreshes if report.checked and not report.passed)
    played = {"moments": len(moments), "contents": contents, "refreshes_with_failed_check": failed}
    if as_json:
        print_json(played)
    else:
        last = moments[-1].at if moments else None
        click.echo(f"played {len(moments)} moments up to {short(last)}: {contents} contents")
        click.echo(f"{failed} refreshes failed their check")
        click.echo("See one history with `channelsafe history INCIDENT`; incidents with `channelsafe status`.")
    return 1 if failed else 0


def _playing(moments: Iterator[PlayedMoment], *, as_json: bool) -> Iterator[PlayedMoment]:
    if as_json:
        yield from moments
        return
    with click.progressbar(moments, label="Playing", show_pos=True, file=sys.stderr) as bar:
        yield from bar
