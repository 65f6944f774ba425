"""An unsafe candidate leaves no manifest, no passed check and no row among the passed, whatever way it is run.

Each way has a twin with the gate switched off, which shows that the gate is what stopped it. The database's own refusal
is switched off too where the twin needs it: it is the second lock on the same door.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from assets.packages import release_manifest, service_state_package, source_snapshot
from dagster_project.application import checks as gate
from dagster_project.application.workspace import Workspace
from dagster_project.cli.main import channelsafe
from dagster_project.cli.output import run as run_command
from dagster_project.packaging import release_check as domain_check
from dagster_project.packaging.release_rules import RELEASE_RULES
from dagster_project.store import gates
from tests.dagster.scenario_runs import (
    ALL_ASSETS,
    INCIDENT,
    SAFE_BRIDGE,
    UNSAFE_BRIDGE,
    UNSAFE_STEP,
    copy_of,
    forget_gates_of_latest_refresh,
    latest,
    manifests_of_unsafe,
    passed_checks_of_unsafe,
    rows_among_the_passed,
    run_assets,
    run_whole_job,
)
from tests.support.workspaces import make_workspace, play_scenario

Way = Callable[[Workspace, dg.DagsterInstance], bool]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The scenario up to where the faulty profile has rendered an unsafe candidate and nothing was judged."""
    made = make_workspace(tmp_path_factory.mktemp("played"))
    play_scenario(made, until_step=UNSAFE_STEP)
    forget_gates_of_latest_refresh(made)
    return made


@pytest.fixture
def workspace(played: Workspace, tmp_path: Path) -> Workspace:
    return copy_of(played, tmp_path)


def whole_job(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    return run_whole_job(workspace, instance).result.success


def manifest_alone(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    return run_assets(workspace, instance, [release_manifest]).result.success


def without_checks(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    return run_assets(workspace, instance, [source_snapshot, service_state_package, release_manifest]).result.success


def command_line(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    assert instance is not None
    arguments = ["refresh", INCIDENT, "--at", "2026-03-04T10:30:00Z"]
    settings = workspace.settings
    environment = {"CHANNELSAFE_HOME": str(settings.home), "CHANNELSAFE_KEYS": str(settings.keys)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["channelsafe", *arguments])
        for name, value in environment.items():
            patch.setenv(name, value)
        return run_command(channelsafe) == 0


WAYS = [whole_job, manifest_alone, without_checks, command_line]


@pytest.mark.parametrize("way", WAYS)
def test_an_unsafe_candidate_has_no_row_among_the_passed_and_the_safe_one_beside_it_has(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    way(workspace, instance)
    assert rows_among_the_passed(workspace, UNSAFE_BRIDGE) == 0
    assert rows_among_the_passed(workspace, SAFE_BRIDGE) == 1


@pytest.mark.parametrize("way", WAYS)
def test_an_unsafe_candidate_leaves_no_manifest_and_no_passed_check(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    assert not way(workspace, instance)
    assert manifests_of_unsafe(workspace) == 0
    assert passed_checks_of_unsafe(workspace) == 0
    assert latest(workspace, UNSAFE_BRIDGE).publication_state == "failed_check"


@pytest.mark.parametrize("way", WAYS)
def test_the_other_bridge_of_the_incident_has_its_manifest_all_the_same(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    way(workspace, instance)
    assert latest(workspace, SAFE_BRIDGE).publication_state == "candidate"


@pytest.mark.parametrize("way", WAYS)
def test_with_the_leak_rule_off_the_unsafe_candidate_gets_its_manifest(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = tuple(rule for rule in RELEASE_RULES if rule.__name__ != "leak")
    monkeypatch.setattr(domain_check, "RELEASE_RULES", rest)
    way(workspace, instance)
    assert manifests_of_unsafe(workspace) == 1
    assert passed_checks_of_unsafe(workspace) == 1
    assert rows_among_the_passed(workspace, UNSAFE_BRIDGE) == 1


@pytest.mark.parametrize("way", WAYS)
def test_with_the_application_gate_open_the_database_still_refuses(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "is_open", lambda *_arguments: True)
    way(workspace, instance)
    assert manifests_of_unsafe(workspace) == 0


@pytest.mark.parametrize("way", WAYS)
def test_with_both_locks_off_the_unsafe_candidate_gets_its_manifest(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "is_open", lambda *_arguments: True)
    add = gates.add_release_checks
    monkeypatch.setattr(
        gates,
        "add_release_checks",
        lambda transaction, news: add(transaction, [replace(new, passed=True) for new in news]),
    )
    way(workspace, instance)
    assert manifests_of_unsafe(workspace) == 1


def test_the_blocking_check_stops_what_comes_after_it_in_the_same_run(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    done = run_whole_job(workspace, instance)
    assert done.failed_checks() == {"leak"}
    assert done.materialized() == {"source_snapshot", "service_state_package"}


def test_a_safe_incident_goes_all_the_way(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=3)
    done = run_whole_job(workspace, instance)
    assert done.result.success
    assert done.failed_checks() == set()
    assert done.materialized() == {asset.key.to_user_string() for asset in ALL_ASSETS}
    record = instance.get_run_by_id(done.result.run_id)
    assert record is not None
    assert record.tags["outcome"] == "held"


def test_a_check_past_its_end_opens_nothing(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=3)
    forget_gates_of_latest_refresh(workspace)
    workspace.clock.set(latest(workspace, SAFE_BRIDGE).evaluated_at.replace(hour=23))  # type: ignore[attr-defined] # a FixedClock
    assert not manifest_alone(workspace, instance)
    assert latest(workspace, SAFE_BRIDGE).publication_state == "failed_check"
