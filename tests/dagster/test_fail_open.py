"""Every way in which a blocking check can fail open, and the gate below it that lets nothing unsafe past in any.

The incident has an unsafe candidate that nobody has judged yet. In each way Dagster's check is replaced by one that
fails open, left out or gone round, and then, as a hasty operator would, the manifest is launched by itself. Each way
has a twin with the gate and the database's refusal switched off: there the unsafe candidate does get its manifest, so
it is the gate that stops it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from dagster_project.application import checks as gate
from dagster_project.application.lanes import work_bulk_lane
from dagster_project.application.workspace import Workspace
from dagster_project.partitions import INCIDENTS, incident_partitions
from dagster_project.store import gates, incidents
from resources.workspace import OpenedWorkspace
from tests.dagster.scenario_runs import (
    INCIDENT,
    UNSAFE_BRIDGE,
    UNSAFE_STEP,
    copy_of,
    forget_gates_of_latest_refresh,
    manifests_of_unsafe,
    passed_checks_of_unsafe,
    rows_among_the_passed,
    run_assets,
)
from tests.support.workspaces import make_workspace, play_scenario

Way = Callable[[Workspace, dg.DagsterInstance], None]
GATED = [source_snapshot, service_state_package, release_manifest, package_lineage]


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


def _manifest_alone(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    run_assets(workspace, instance, [release_manifest])


def _with_a_check_that(report: Callable[[], object]) -> Way:
    """Run the whole job under a check of Dagster's that reports so, then the manifest by itself."""

    @dg.asset_check(asset=service_state_package, name="careless", blocking=True, partitions_def=incident_partitions)
    def careless(_context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return report()  # type: ignore[return-value] # that it is something else is the point

    def way(workspace: Workspace, instance: dg.DagsterInstance) -> None:
        run_assets(workspace, instance, [*GATED, careless])
        _manifest_alone(workspace, instance)

    return way


def _omits_a_result() -> Way:
    specs = [
        dg.AssetCheckSpec(name, asset=service_state_package, blocking=True, partitions_def=incident_partitions)
        for name in ("reported", "omitted")
    ]

    @dg.multi_asset_check(specs=specs, name="careless")
    def careless(_context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        yield dg.AssetCheckResult(check_name="reported", asset_key=service_state_package.key, passed=True)

    def way(workspace: Workspace, instance: dg.DagsterInstance) -> None:
        run_assets(workspace, instance, [*GATED, careless])
        _manifest_alone(workspace, instance)

    return way


def _raises() -> object:
    raise RuntimeError("planted")


def _range_run(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(INCIDENTS, [INCIDENT, "INC-4712"])
    done = dg.materialize(
        GATED,
        instance=instance,
        tags={"dagster/asset_partition_range_start": INCIDENT, "dagster/asset_partition_range_end": "INC-4712"},
        resources={"channelsafe": OpenedWorkspace(workspace)},
        raise_on_error=False,
    )
    assert not done.success
    _manifest_alone(workspace, instance)


def _without_checks(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    run_assets(workspace, instance, GATED)


def _automation(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    """Let an eager condition ask for the manifest, which does not look at checks, and launch what it asks for."""
    eager = release_manifest.map_asset_specs(
        lambda spec: spec.replace_attributes(automation_condition=dg.AutomationCondition.eager())
    )
    definitions = dg.Definitions(
        assets=[source_snapshot, service_state_package, eager], resources={"channelsafe": OpenedWorkspace(workspace)}
    )
    instance.add_dynamic_partitions(INCIDENTS, [INCIDENT])
    before = dg.evaluate_automation_conditions(definitions, instance=instance)
    run_assets(workspace, instance, [source_snapshot, service_state_package])
    asked = dg.evaluate_automation_conditions(definitions, instance=instance, cursor=before.cursor)
    assert asked.get_requested_partitions(release_manifest.key) == {INCIDENT}
    _manifest_alone(workspace, instance)


def _bulk_lane(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    assert instance is not None
    with workspace.store.begin() as transaction:
        incidents.raise_revision(transaction, [INCIDENT], at=workspace.clock.now())
    assert work_bulk_lane(workspace, at_most=timedelta(hours=1)).refreshed == 1


WAYS: dict[str, Way] = {
    "wrong return type": _with_a_check_that(lambda: [dg.AssetCheckResult(passed=False)]),
    "bare False": _with_a_check_that(lambda: False),
    "None": _with_a_check_that(lambda: None),
    "numpy bool": _with_a_check_that(lambda: dg.AssetCheckResult(passed=np.bool_(0))),  # type: ignore[arg-type]
    "a failure as a warning": _with_a_check_that(
        lambda: dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)
    ),
    "a check that passes everything": _with_a_check_that(lambda: dg.AssetCheckResult(passed=True)),
    "omitted result": _omits_a_result(),
    "exception": _with_a_check_that(_raises),
    "range run": _range_run,
    "run without checks": _without_checks,
    "downstream-only run": _manifest_alone,
    "automation": _automation,
    "bulk lane": _bulk_lane,
}


@pytest.mark.parametrize("name", WAYS)
def test_nothing_unsafe_gets_past_the_gate(name: str, workspace: Workspace, instance: dg.DagsterInstance) -> None:
    WAYS[name](workspace, instance)
    assert manifests_of_unsafe(workspace) == 0
    assert passed_checks_of_unsafe(workspace) == 0
    assert rows_among_the_passed(workspace, UNSAFE_BRIDGE) == 0


@pytest.mark.parametrize("name", WAYS)
def test_with_the_gate_switched_off_the_unsafe_candidate_gets_its_manifest(
    name: str, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = gates.add_release_checks
    monkeypatch.setattr(gate, "is_open", lambda *_arguments: True)
    monkeypatch.setattr(
        gates,
        "add_release_checks",
        lambda transaction, news: add(transaction, [replace(new, passed=True) for new in news]),
    )
    WAYS[name](workspace, instance)
    assert manifests_of_unsafe(workspace) == 1


def test_no_gated_asset_is_automated() -> None:
    for asset in GATED:
        assert all(spec.automation_condition is None for spec in asset.specs)
