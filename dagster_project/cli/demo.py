"""`channelsafe demo`: the sample scenario, played through Dagster step by step.

Belongs here: what the demo prints. The scenario is `demo.scenario`; its records go the way of all records: landing
folder, admission, Dagster run.
"""

import click

from dagster_project.application.analytics import publish
from dagster_project.application.demo_store import make_demo_store
from dagster_project.application.landing import admit_landing
from dagster_project.application.overview import (
    CandidateOverview,
    candidate_history,
    incident_overviews,
    open_items_now,
)
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.view_layout import lay_out_views
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.cli.development import seed_dagster_home
from dagster_project.cli.printing import headline, held_text, history_lines, open_item_line, reason_text
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import Scenario, ScenarioStep, load_scenario
from dagster_project.settings import HOME_VARIABLE, Settings

MOST_FILES = 10


@click.command()
@click.pass_obj
def demo(settings: Settings) -> None:
    """Play the sample scenario through Dagster in a fresh demo store, and print what the customers' pages said.

    The store is made anew each time; a store that the demo did not make is never touched.
    """
    # Dagster takes seconds to import; the other commands do without it.
    from dagster_project.jobs import demo_runner

    scenario = load_scenario()
    make_demo_store(settings)
    clock = FixedClock(scenario.steps[0].at)
    workspace = open_workspace(settings, clock=clock)
    digests = _load_profiles(workspace, scenario)
    click.echo(f"{scenario.title}\n{scenario.incident}, {len(scenario.steps)} steps, two customer bridges\n")
    seed_dagster_home(settings)
    with demo_runner(workspace) as run:
        for step in scenario.steps:
            clock.set(step.at)
            _play(workspace, step, digests)
            outcome = run(scenario.incident)
            _print_step(workspace, scenario, succeeded=outcome.success)
    _print_end(workspace, scenario)


def _load_profiles(workspace: Workspace, scenario: Scenario) -> dict[str, str]:
    return {
        name: load_profile(workspace, shipped_profile(file.removesuffix(".yaml")))
        for name, file in scenario.profiles.items()
    }


def _play(workspace: Workspace, step: ScenarioStep, digests: dict[str, str]) -> None:
    for bridge, name in step.profiles.items():
        assign_profile(workspace, digests[name], bridge=bridge)
    landing = workspace.settings.landing
    landing.mkdir(parents=True, exist_ok=True)
    part = landing / f".{step.file}.part"
    part.write_bytes(step.body)
    part.rename(landing / step.file)
    report = admit_landing(workspace, limit=MOST_FILES)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items())
    click.echo(f"{step.at:%H:%M}  {step.title}\n       {counts}")
    for one in report.rejected:
        click.echo(f"       kept aside: {one.locator}: {one.reason_code} at {one.where}")


def _print_step(workspace: Workspace, scenario: Scenario, *, succeeded: bool) -> None:
    history = candidate_history(workspace, scenario.incident)
    newest = {one.bridge: one for one in history}
    for bridge in sorted(newest):
        one = newest[bridge]
        if one.publication_state == "failed_check":
            rules = ", ".join(sorted({reason.rule for reason in one.reasons}))
            click.echo(f"       {bridge}: UNSAFE, stopped by its check ({rules}); the page before it stays")
        elif one.content_changed:
            click.echo(f"       {bridge}: content {one.content_number}: {headline(one)}")
            click.echo(f"         on hold: {held_text(one)}")
        else:
            click.echo(f"       {bridge}: no visible change")
    if not succeeded:
        click.echo("       the run stops here: an unsafe page goes no further")


def _print_end(workspace: Workspace, scenario: Scenario) -> None:
    incident = scenario.incident
    click.echo("\nHistory")
    for line in history_lines(candidate_history(workspace, incident)):
        click.echo(f"  {line}")
    click.echo("\nOpen items")
    for item in open_items_now(workspace, incident):
        click.echo(f"  {open_item_line(item)}")
    _print_failed(candidate_history(workspace, incident))
    pages = lay_out_views(workspace, incident)
    report = publish(workspace)
    settings = workspace.settings
    known = len(incident_overviews(workspace))
    click.echo(f"\nPages:     {settings.views / incident} ({len(pages)} contents; open the last package.html)")
    click.echo(
        f"DuckDB:    {settings.published_analytics / 'internal.duckdb'} ({report.candidates} candidates of {known})"
    )
    click.echo(
        f"Explain:   {HOME_VARIABLE}={settings.home} channelsafe explain {incident} harbourline /incident_status"
    )
    click.echo("Dagster:   make dev, then http://127.0.0.1:3000")


def _print_failed(history: tuple[CandidateOverview, ...]) -> None:
    failed = [one for one in history if one.publication_state == "failed_check"]
    click.echo(f"\nFailed release checks: {len(failed)}")
    for one in failed:
        click.echo(f"  {one.bridge} at {one.evaluated_at:%H:%M}: {reason_text(one.reasons)}; no internal manifest")
