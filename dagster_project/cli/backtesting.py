"""`channelsafe profile backtest`: what history would have been under a profile and its review policy.

Belongs here: the command and its text. What is predicted, and how, is `application.backtest`.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from dagster_project.application.backtest import run_backtest
from dagster_project.application.backtest_figures import BacktestReport, Spread
from dagster_project.application.backtest_inputs import asked_for
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.settings import Settings


@click.command()
@click.option(
    "--profile", "name", required=True, help="The proposed profile: a YAML file or the name of a shipped one."
)
@click.option("--feed", required=True, help="File or URL of a Google Cloud status feed or a Statuspage incidents.json.")
@click.option(
    "--accounts",
    type=click.Path(path_type=Path),
    default=None,
    help="NDJSON file of contract and entitlement records; default those of the feed's sample bridge.",
)
@click.option("--against", default=None, help="Compare fields with this profile; default those in force here, if any.")
@json_option
@click.pass_obj
def backtest(
    settings: Settings, name: str, feed: str, accounts: Path | None, against: str | None, *, as_json: bool
) -> int:
    """Replay the history of a feed under a profile and its review policy, and print what would have arisen.

    It works in memory: nothing is stored, signed or released, and no deployment is needed. Simulated people approve
    what is put to them three minutes later and answer every reminder; each incident is followed to its last post.
    Account records count from when they were recorded, and for as long as they are valid.

    Printed are counts alone: versions and contents, changes to approve and decisions by role, times in which a page
    would be too old, fields gained and lost by pointer class, and why pages do not pass their release check.

    Exit code 1 if the profile has errors, or the feed or any account record is rejected.
    """
    report = run_backtest(asked_for(settings, profile=name, feed=feed, accounts=accounts, against=against))
    if as_json:
        print_json(report)
    else:
        click.echo("\n".join(_lines(report)))
    return 1 if report.rejected else 0


def _lines(report: BacktestReport) -> Iterator[str]:
    yield f"{report.profile}, {report.profile_digest}"
    yield (
        f"{report.incidents} incidents, {report.moments} moments: {report.bridges} bridges, of which"
        f" {report.never_told} would be told nothing; {report.without_bridge} incidents without a bridge"
    )
    kinds = ", ".join(f"{count} by {kind}" for kind, count in report.versions.items()) or "none"
    yield f"contents: {report.contents}; versions: {sum(report.versions.values())} ({kinds})"
    yield f"releases by policy alone: {report.by_policy_alone}"
    yield f"changes to approve per release: {_spread(report.changes)}"
    yield f"  where people are asked, {report.changes_where_asked.releases}: {_spread(report.changes_where_asked)}"
    yield "decisions per release:"
    for role, spread in report.decisions.items():
        yield f"  {role:<20} {spread.total} in all, {_spread(spread)}"
    answers = ", ".join(f"{count} by {how}" for how, count in report.reminders_answered.items()) or "none"
    yield f"reminders answered: {answers}; sources asked again in {report.sources_asked} incidents"
    yield f"stale intervals: {len(report.stale)}"
    for one in report.stale:
        yield f"  {one.incident} {one.bridge} version {one.version}: {short(one.begin)} to {short(one.end)}"
    yield from _differences(report)
    yield f"refreshes that fail their release check: {report.refreshes_failed} of {report.refreshes}"
    for why in report.failed:
        place = f" at {why.pointer_class}" if why.pointer_class else ""
        yield f"  {why.rule}: {why.code}{place}: {why.refreshes} refreshes of {why.incidents} incidents"
    for code, count in report.rejected.items():
        yield f"rejected: {count} records: {code}"


def _differences(report: BacktestReport) -> Iterator[str]:
    if not report.against:
        yield "fields gained and lost: no profile is in force here to compare with; name one with --against"
        return
    with_what = ", ".join(f"{bridge or 'every bridge'} {digest}" for bridge, digest in report.against.items())
    yield f"fields against {with_what}: {'' if report.fields else 'none differs'}".rstrip(": ")
    for one in report.fields:
        yield f"  {one.pointer_class}: {one.gained} gained, {one.lost} lost, {one.changed} changed"


def _spread(spread: Spread) -> str:
    return f"median {spread.median:g}, most {spread.most}"
