"""`channelsafe demo`: the sample scenario, played through Dagster step by step.

Belongs here: what the demo prints. The scenario is `demo.scenario`; its records go the way of all records: landing
folder, admission, Dagster run.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from dagster_project.application.analytics import publish
from dagster_project.application.closing_overview import ClosureOverview, closure_overview
from dagster_project.application.demo_reviews import begin_reviews
from dagster_project.application.demo_store import make_demo_store
from dagster_project.application.landing import admit_landing
from dagster_project.application.overview import (
    CandidateOverview,
    OpenItem,
    candidate_history,
    open_items_now,
)
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.version_history import version_history
from dagster_project.application.view_layout import lay_out_views
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.cli.demo_closures import closure_lines, play_closures
from dagster_project.cli.development import seed_dagster_home
from dagster_project.cli.output import json_option, print_json
from dagster_project.cli.printing import headline, held_text, history_lines, open_item_line, reason_text
from dagster_project.cli.review_printing import version_lines_in_short
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import Scenario, ScenarioStep, load_scenario
from dagster_project.settings import HOME_VARIABLE, KEYS_VARIABLE, Settings, read_settings

MOST_FILES = 10


Say = Callable[[str], None]


@click.command()
@json_option
@click.pass_obj
def demo(settings: Settings, *, as_json: bool) -> None:
    """Play the sample scenario through Dagster in a fresh demo store, and print what the customers' pages said.

    The store is made anew each time; a store that the demo did not make is never touched.
    """
    # Dagster takes seconds to import; the other commands do without it.
    from dagster_project.jobs import demo_runner

    say: Say = _silent if as_json else click.echo
    scenario = load_scenario()
    make_demo_store(settings)
    clock = FixedClock(scenario.steps[0].at)
    workspace = open_workspace(settings, clock=clock)
    digests = _load_profiles(workspace, scenario)
    say(f"{scenario.title}\n{scenario.incident}, {len(scenario.steps)} steps, two customer bridges\n")
    review = begin_reviews(workspace, scenario.incident)
    seed_dagster_home(settings)
    with demo_runner(workspace) as run:
        for step in scenario.steps:
            clock.set(step.at)
            _play(workspace, step, digests, say)
            outcome = run(scenario.incident)
            _say_step(workspace, scenario, say, succeeded=outcome.success)
            for line in (*review.left_by_policy(), *review.after_step(step.number)):
                say(f"       {line}")
    play_closures(workspace, clock, review.keys, say)
    end = _end(workspace, scenario)
    if as_json:
        print_json(end)
    else:
        _print_end(workspace, end)


def _silent(_text: str) -> None:
    """Say nothing: a program reads the end alone."""


@dataclass(frozen=True)
class DemoEnd:
    """What the demo leaves behind."""

    incident: str
    history: tuple[CandidateOverview, ...]
    open_items: tuple[OpenItem, ...]
    pages: tuple[str, ...]
    analytics: str
    published_candidates: int
    closures: ClosureOverview


def _end(workspace: Workspace, scenario: Scenario) -> DemoEnd:
    pages = lay_out_views(workspace, scenario.incident)
    report = publish(workspace)
    return DemoEnd(
        incident=scenario.incident,
        history=candidate_history(workspace, scenario.incident),
        open_items=open_items_now(workspace, scenario.incident),
        pages=tuple(map(str, pages)),
        analytics=str(workspace.settings.published_analytics / "internal.duckdb"),
        published_candidates=report.candidates,
        closures=closure_overview(workspace),
    )


def _load_profiles(workspace: Workspace, scenario: Scenario) -> dict[str, str]:
    return {
        name: load_profile(workspace, shipped_profile(file.removesuffix(".yaml")))
        for name, file in scenario.profiles.items()
    }


def _play(workspace: Workspace, step: ScenarioStep, digests: dict[str, str], say: Say) -> None:
    for bridge, name in step.profiles.items():
        assign_profile(workspace, digests[name], bridge=bridge)
    landing = workspace.settings.landing
    landing.mkdir(parents=True, exist_ok=True)
    part = landing / f".{step.file}.part"
    part.write_bytes(step.body)
    part.rename(landing / step.file)
    report = admit_landing(workspace, limit=MOST_FILES)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items())
    say(f"{step.at:%H:%M}  {step.title}\n       {counts}")
    for one in report.rejected:
        say(f"       kept aside: {one.locator}: {one.reason_code} at {one.where}")


def _say_step(workspace: Workspace, scenario: Scenario, say: Say, *, succeeded: bool) -> None:
    newest = {one.bridge: one for one in candidate_history(workspace, scenario.incident)}
    for bridge in sorted(newest):
        one = newest[bridge]
        if one.publication_state == "failed_check":
            rules = ", ".join(sorted({reason.rule for reason in one.reasons}))
            say(f"       {bridge}: UNSAFE, stopped by its check ({rules}); the page before it stays")
        elif one.content_changed:
            say(f"       {bridge}: content {one.content_number}: {headline(one)}")
            say(f"         on hold: {held_text(one)}")
        else:
            say(f"       {bridge}: no visible change")
    if not succeeded:
        say("       the run stops here: an unsafe page goes no further")


def _command(settings: Settings) -> str:
    """Return how this program is called for the same deployment."""
    if settings == read_settings({}, base=Path.cwd()):
        return sys.argv[0]
    return f"{HOME_VARIABLE}={settings.home} {KEYS_VARIABLE}={settings.keys} {sys.argv[0]}"


def _print_end(workspace: Workspace, end: DemoEnd) -> None:
    click.echo("\nHistory")
    for line in history_lines(end.history):
        click.echo(f"  {line}")
    click.echo("\nVersions")
    for line in version_lines_in_short(version_history(workspace, end.incident)):
        click.echo(f"  {line}")
    click.echo("\nOpen items")
    for item in end.open_items:
        click.echo(f"  {open_item_line(item)}")
    failed = [one for one in end.history if one.publication_state == "failed_check"]
    click.echo(f"\nFailed release checks: {len(failed)}")
    for one in failed:
        click.echo(f"  {one.bridge} at {one.evaluated_at:%H:%M}: {reason_text(one.reasons)}; no internal manifest")
    for line in closure_lines(end.closures):
        click.echo(line)
    settings = workspace.settings
    click.echo(f"\nPages:     {settings.views / end.incident} ({len(end.pages)} contents; open the last package.html)")
    click.echo(f"DuckDB:    {end.analytics} ({end.published_candidates} candidates)")
    click.echo(f"Published: {settings.published} (what customers get; `channelsafe verify FOLDER` proves it)")
    click.echo(f"Explain:   {_command(settings)} explain {end.incident} harbourline /incident_status")
    click.echo(f"Closures:  {_command(settings)} closure show CASE-2045")
    click.echo("Dagster:   make dev, then http://127.0.0.1:3000")
