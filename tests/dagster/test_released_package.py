"""What the asset `released_package` reports, and that launching it releases nothing that policy does not."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.releases import released_package
from dagster_project.application.drafting_decisions import staged_page, versions_of_incident
from dagster_project.application.releasing import release
from dagster_project.application.verify import verify
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock, format_instant
from dagster_project.review.decisions import Act
from dagster_project.sensors import published_packages
from resources.workspace import OpenedWorkspace
from tests.dagster.scenario_runs import ALL_ASSETS, INCIDENT, SAFE_BRIDGE, UNSAFE_BRIDGE, UNSAFE_STEP, Run, run_assets
from tests.support.moving_sources import say
from tests.support.released_stories import states, told_story
from tests.support.review_people import Bench, make_bench
from tests.support.workspaces import make_workspace, play_scenario

FIRST = ("ines", "selma", "ada")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=2)
    return make_bench(workspace)


def _launch(workspace: Workspace, instance: dg.DagsterInstance) -> dict[str, dict[str, object]]:
    """Launch the asset alone and return what it shows of each bridge."""
    selection = dg.AssetSelection.assets(released_package)
    run = run_assets(workspace, instance, [*ALL_ASSETS, released_package], selection)
    assert run.result.success
    return _shown(run)


def _shown(run: Run) -> dict[str, dict[str, object]]:
    (event,) = run.result.asset_materializations_for_node(released_package.op.name)
    table = event.metadata["by_bridge"]
    assert isinstance(table, dg.TableMetadataValue)
    return {str(one.data["bridge"]): dict(one.data) for one in table.records}


def test_launching_it_without_anybodys_approval_releases_nothing(bench: Bench, instance: dg.DagsterInstance) -> None:
    shown = _launch(bench.workspace, instance)
    assert {row["version"] for row in shown.values()} == {0}
    assert {row["waits_for"] for row in shown.values()} == {"not_releasable"}
    assert versions_of_incident(bench.workspace, INCIDENT) == []


def test_where_nobody_is_trusted_it_says_so_and_releases_nothing(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=1)
    assert {row["waits_for"] for row in _launch(workspace, instance).values()} == {"no_trust"}


def test_one_approval_short_it_still_releases_nothing(bench: Bench, instance: dg.DagsterInstance) -> None:
    for person in FIRST[:2]:
        bench.approve(person, INCIDENT, SAFE_BRIDGE)
    assert _launch(bench.workspace, instance)[SAFE_BRIDGE]["version"] == 0


def test_what_people_approved_is_released_by_the_launch_and_to_no_other_bridge(
    bench: Bench, instance: dg.DagsterInstance
) -> None:
    for person in FIRST:
        bench.approve(person, INCIDENT, SAFE_BRIDGE)
    shown = _launch(bench.workspace, instance)
    assert (shown[SAFE_BRIDGE]["version"], shown[SAFE_BRIDGE]["released_now"]) == (1, True)
    assert shown[UNSAFE_BRIDGE]["version"] == 0
    again = _launch(bench.workspace, instance)
    assert (again[SAFE_BRIDGE]["version"], again[SAFE_BRIDGE]["released_now"]) == (1, False)


def test_a_listed_worsening_leaves_with_the_run_of_its_refresh_and_an_improvement_waits(
    bench: Bench, instance: dg.DagsterInstance
) -> None:
    for person in FIRST:
        bench.approve(person, INCIDENT, SAFE_BRIDGE)
    release(bench.workspace, INCIDENT, SAFE_BRIDGE)
    play_scenario(bench.workspace, from_step=3, until_step=7)
    page = staged_page(bench.workspace, INCIDENT, SAFE_BRIDGE)
    waiting = {one.pointer for one in page.state.changes if not page.state.coverage.covers(one)}
    assert waiting
    shown = _launch(bench.workspace, instance)
    assert shown[SAFE_BRIDGE]["released_now"]
    told = staged_page(bench.workspace, INCIDENT, SAFE_BRIDGE).state.told
    assert told is not None
    by_policy = {pointer: one for pointer, one in told.fields.items() if pointer in waiting}
    assert all(one.hold is not None or one.draft.transformation == "kept_from_version" for one in by_policy.values())


def test_a_version_that_new_evidence_would_change_is_shown_as_under_review(
    bench: Bench, instance: dg.DagsterInstance
) -> None:
    for person in FIRST:
        bench.approve(person, INCIDENT, SAFE_BRIDGE)
    release(bench.workspace, INCIDENT, SAFE_BRIDGE)
    assert not any(row["under_review"] for row in _launch(bench.workspace, instance).values())
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    assert {bridge: row["under_review"] for bridge, row in _launch(bench.workspace, instance).items()} == {
        SAFE_BRIDGE: True,
        UNSAFE_BRIDGE: False,
    }


def test_the_sensor_takes_back_what_lapses_without_a_record(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    bench = told_story(tmp_path, 9)
    lapses = bench.workspace.clock.now() + timedelta(minutes=12)
    say(bench.workspace, "security-review", "SR-77", {"/expires": format_instant(lapses)})
    assert isinstance(bench.workspace.clock, FixedClock)
    for at, last in ((lapses - timedelta(seconds=1), "release"), (lapses, "pull")):
        bench.workspace.clock.set(at)
        with dg.build_sensor_context(
            instance=instance, resources={"channelsafe": OpenedWorkspace(bench.workspace)}
        ) as context:
            published_packages(context)
        assert states(bench)[-1] == (last, "released")


def test_an_unsafe_candidate_of_one_bridge_keeps_the_page_that_was_told_and_stops_no_other(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=2)
    bench = make_bench(workspace)
    for bridge in (SAFE_BRIDGE, UNSAFE_BRIDGE):
        for person in FIRST:
            bench.approve(person, INCIDENT, bridge)
        release(workspace, INCIDENT, bridge)
    play_scenario(workspace, from_step=3, until_step=UNSAFE_STEP)
    shown = _launch(workspace, instance)
    assert (shown[UNSAFE_BRIDGE]["version"], shown[UNSAFE_BRIDGE]["waits_for"]) == (1, "nothing_to_review")
    assert shown[SAFE_BRIDGE]["released_now"]


def test_every_version_of_a_reviewed_story_is_made_again_from_its_pins_byte_for_byte(bench: Bench) -> None:
    bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, SAFE_BRIDGE)
    for step in range(3, 12):
        for person in (*FIRST, "sam", "ivan"):
            bench.approve(person, INCIDENT, SAFE_BRIDGE)
        if staged_page(bench.workspace, INCIDENT, SAFE_BRIDGE).is_news:
            release(bench.workspace, INCIDENT, SAFE_BRIDGE)
        play_scenario(bench.workspace, from_step=step, until_step=step)
    report = verify(bench.workspace, progress=lambda _line: None)
    assert report.versions > 5
    assert report.violations == ()
