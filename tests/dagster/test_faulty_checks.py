"""A check that cannot report properly stops the run: Dagster itself would let several of these faults pass.

Each fault is planted in the real check of the real job, on an incident whose candidates are safe, so that nothing but
the fault can be what stops it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from checks import safety
from checks.safety import release_check
from dagster_project.application.checks import CheckedCandidate
from dagster_project.application.overview import candidate_history
from dagster_project.application.reporting import RuleResult, rule_results
from dagster_project.application.workspace import Workspace
from dagster_project.partitions import INCIDENTS
from resources.workspace import OpenedWorkspace
from tests.dagster.scenario_runs import INCIDENT, SAFE_BRIDGE, copy_of, latest, run_whole_job
from tests.support.workspaces import make_workspace, play_scenario

RANGE_TAGS = {"dagster/asset_partition_range_start": INCIDENT, "dagster/asset_partition_range_end": "INC-4712"}
Report = Callable[[tuple[CheckedCandidate, ...]], object]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = make_workspace(tmp_path_factory.mktemp("played"))
    play_scenario(made, until_step=3)
    return made


@pytest.fixture
def workspace(played: Workspace, tmp_path: Path) -> Workspace:
    return copy_of(played, tmp_path)


def _last_result_omitted(checked: tuple[CheckedCandidate, ...]) -> tuple[RuleResult, ...]:
    return rule_results(checked)[:-1]


def _no_result(_checked: tuple[CheckedCandidate, ...]) -> tuple[RuleResult, ...]:
    return ()


def _one_result_twice(checked: tuple[CheckedCandidate, ...]) -> tuple[RuleResult, ...]:
    return (*rule_results(checked), rule_results(checked)[0])


def _an_exception(_checked: tuple[CheckedCandidate, ...]) -> tuple[RuleResult, ...]:
    raise RuntimeError("planted")


@pytest.mark.parametrize("fault", [_last_result_omitted, _no_result, _one_result_twice, _an_exception])
def test_a_check_that_reports_wrongly_stops_the_run_before_the_manifest(
    fault: Report, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safety, "rule_results", fault)
    done = run_whole_job(workspace, instance)
    assert not done.result.success
    assert done.materialized() == {"source_snapshot", "service_state_package"}


@pytest.mark.parametrize("result", [None, True, "passed"])
def test_a_check_that_reports_something_else_stops_the_run_before_the_manifest(
    result: object, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safety, "as_check_result", lambda _one: result)
    done = run_whole_job(workspace, instance)
    assert not done.result.success
    assert done.materialized() == {"source_snapshot", "service_state_package"}


def test_a_failure_reported_as_a_warning_stops_the_run_before_the_manifest(
    workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    proper = safety.as_check_result
    monkeypatch.setattr(
        safety,
        "as_check_result",
        lambda one: proper(one)._replace(passed=False, severity=dg.AssetCheckSeverity.WARN),
    )
    done = run_whole_job(workspace, instance)
    assert not done.result.success
    assert done.materialized() == {"source_snapshot", "service_state_package"}


def test_without_the_wrapper_a_warning_would_have_let_the_run_go_on(
    workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    proper = safety.as_check_result
    monkeypatch.setattr(safety, "proper_results", lambda results, *, names: [one for one in results if names])
    monkeypatch.setattr(
        safety,
        "as_check_result",
        lambda one: proper(one)._replace(passed=False, severity=dg.AssetCheckSeverity.WARN),
    )
    assert "release_manifest" in run_whole_job(workspace, instance).materialized()


@pytest.mark.parametrize(
    "chosen",
    [
        [source_snapshot, service_state_package, release_manifest, package_lineage, release_check],
        [source_snapshot, service_state_package, release_manifest],
        [release_manifest],
    ],
)
def test_a_run_over_a_range_of_incidents_is_refused_and_makes_nothing(
    chosen: list[dg.AssetsDefinition | dg.AssetChecksDefinition], workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(INCIDENTS, [INCIDENT, "INC-4712"])
    before = candidate_history(workspace, INCIDENT)
    assert latest(workspace, SAFE_BRIDGE).publication_state == "candidate"
    done = dg.materialize(
        chosen,
        instance=instance,
        tags=RANGE_TAGS,
        resources={"channelsafe": OpenedWorkspace(workspace)},
        raise_on_error=False,
    )
    assert not done.success
    assert [one for one in done.all_events if one.event_type_value == "ASSET_MATERIALIZATION"] == []
    assert candidate_history(workspace, INCIDENT) == before
    (told,) = [one.step_failure_data.error for one in done.all_events if one.is_step_failure]
    assert told is not None
    assert "[one_incident_per_run]" in str(told.cause)
    assert "refresh_pending_incidents" in str(told.cause)
