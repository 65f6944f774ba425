"""The lanes as Dagster runs them: which runs are asked for, what they do, and what the UI is told without one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from assets.packages import service_state_package
from checks.standing import STANDING_CHECK
from dagster_project.application.lanes import LEASE_SECONDS
from dagster_project.application.refresh import refresh
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.definitions import build_definitions
from dagster_project.jobs import BULK_JOB, refresh_incident
from dagster_project.partitions import INCIDENTS
from dagster_project.sensors import TIME_TO_TAKE_THE_LANE, finished_refreshes, new_records, stale_candidates
from dagster_project.store import lanes as leases
from dagster_project.store.refreshes import Lane
from dagster_project.store.tables import refreshes
from resources.workspace import OpenedWorkspace
from tests.support.many_incidents import accounts, assign_customer_bridge, deliver, incident_name, lines_of
from tests.support.workspaces import make_workspace


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = make_workspace(tmp_path)
    deliver(made, accounts())
    assign_customer_bridge(made)
    return made


def _tick(sensor: dg.SensorDefinition, workspace: Workspace, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Evaluate one tick, and do with its result what the daemon does."""
    definitions = _definitions(workspace)
    with dg.build_sensor_context(
        instance=instance,
        resources={"channelsafe": OpenedWorkspace(workspace)},
        definitions=definitions,
    ) as context:
        result = sensor(context)
    if isinstance(result, dg.SkipReason):
        return dg.SensorResult(skip_reason=result)
    assert isinstance(result, dg.SensorResult)
    for event in result.asset_events or ():
        instance.report_runless_asset_event(event)
    for request in result.dynamic_partitions_requests or ():
        instance.add_dynamic_partitions(INCIDENTS, list(request.partition_keys))
    return result


def _definitions(workspace: Workspace) -> dg.Definitions:
    return build_definitions(workspace.settings, resources={"channelsafe": OpenedWorkspace(workspace)})


def _execute(request: dg.RunRequest, workspace: Workspace, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    assert request.job_name is not None
    job = _definitions(workspace).resolve_job_def(request.job_name)
    return job.execute_in_process(
        instance=instance, partition_key=request.partition_key, tags=dict(request.tags), raise_on_error=False
    )


def _drop(workspace: Workspace, *bodies: bytes) -> None:
    workspace.settings.landing.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(bodies):
        (workspace.settings.landing / f"{number:04d}.ndjson").write_bytes(body)


def _refresh_as_of_two_hours_later(workspace: Workspace, incident: str) -> None:
    """Refresh an incident for an instant at which its records are too old, so that its release check fails."""
    assert not refresh(workspace, incident, workspace.clock.now() + timedelta(hours=2)).passed


def _lanes(workspace: Workspace) -> list[tuple[str, str]]:
    with workspace.store.read() as transaction:
        found = transaction.connection.execute(sa.select(refreshes.c.incident, refreshes.c.lane))
        return sorted((incident, lane) for incident, lane in found)


def test_severity_one_is_refreshed_in_the_tick_and_its_run_follows_without_another_refresh(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    _drop(workspace, lines_of(1, severity="SEV1"))
    (request,) = _tick(new_records, workspace, instance).run_requests or ()
    assert _lanes(workspace) == [(incident_name(1), "severity_one")]
    assert (request.job_name, request.partition_key) == (refresh_incident.name, incident_name(1))
    assert int(request.tags["dagster/priority"]) > 10
    done = _execute(request, workspace, instance)
    assert done.success
    assert len(done.get_asset_materialization_events()) == 5
    assert _lanes(workspace) == [(incident_name(1), "severity_one")]
    assert not _tick(new_records, workspace, instance).run_requests
    assert not _tick(finished_refreshes, workspace, instance).run_requests


def test_five_pending_incidents_get_runs_of_their_own_and_six_go_to_one_bulk_run(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    _drop(workspace, *(lines_of(number) for number in range(5)))
    singles = _tick(new_records, workspace, instance).run_requests or ()
    assert [one.partition_key for one in singles] == [incident_name(number) for number in range(5)]
    _drop(workspace, lines_of(5))
    (bulk,) = _tick(new_records, workspace, instance).run_requests or ()
    assert bulk.job_name == BULK_JOB
    assert _execute(bulk, workspace, instance).success
    assert _lanes(workspace) == [(incident_name(number), "bulk") for number in range(6)]
    assert not _tick(new_records, workspace, instance).run_requests
    # The runs that were asked for before find their refresh done, and show it.
    assert all(_execute(one, workspace, instance).success for one in singles)
    assert len(_lanes(workspace)) == 6


def test_while_the_bulk_lane_is_worked_nothing_but_urgent_changes_gets_a_run(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    with workspace.store.begin() as transaction:
        leases.acquire(transaction, Lane.BULK, now=workspace.clock.now(), seconds=LEASE_SECONDS)
    _drop(workspace, *(lines_of(number) for number in range(7)))
    assert not _tick(new_records, workspace, instance).run_requests


def test_a_bulk_run_that_died_is_replaced_and_one_on_its_way_is_not(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    _drop(workspace, *(lines_of(number) for number in range(7)))
    (first,) = _tick(new_records, workspace, instance).run_requests or ()
    run = dg.DagsterRun(job_name=BULK_JOB, tags={"dagster/run_key": str(first.run_key)})
    instance.add_run(run)
    assert not _tick(new_records, workspace, instance).run_requests
    started = dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=BULK_JOB)
    instance.report_dagster_event(started, run.run_id)
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(datetime.now(UTC))
    assert not _tick(new_records, workspace, instance).run_requests
    workspace.clock.set(datetime.now(UTC) + TIME_TO_TAKE_THE_LANE)
    (second,) = _tick(new_records, workspace, instance).run_requests or ()
    assert second.run_key != first.run_key


def test_an_incident_that_cannot_be_refreshed_makes_the_bulk_run_red_after_all_others_were_refreshed(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)  # no profile: nothing can be rendered on a bridge
    _drop(workspace, *(lines_of(number) for number in range(5)), accounts())
    for number in range(5, 7):
        deliver(workspace, lines_of(number))
    (bulk,) = _tick(new_records, workspace, instance).run_requests or ()
    done = _execute(bulk, workspace, instance)
    assert not done.success
    assert not _tick(new_records, workspace, instance).run_requests  # each waits for its pause


def _report(workspace: Workspace, instance: dg.DagsterInstance) -> list[str | None]:
    """Let the sensor ask for a run that reports, execute it, and return the partitions in the order of its events."""
    (request,) = _tick(finished_refreshes, workspace, instance).run_requests or ()
    done = _execute(request, workspace, instance)
    assert done.success
    shown = (one.partition for one in done.all_events if one.event_type_value == "ASSET_MATERIALIZATION")
    return list(dict.fromkeys(shown))


def test_the_ui_is_told_of_bulk_refreshes_worst_first_and_of_each_once(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    deliver(workspace, lines_of(1))
    deliver(workspace, lines_of(8))
    refresh(workspace, incident_name(8))
    _refresh_as_of_two_hours_later(workspace, incident_name(1))
    _drop(workspace, *(lines_of(number) for number in range(2, 8)))
    (bulk,) = _tick(new_records, workspace, instance).run_requests or ()
    _execute(bulk, workspace, instance)
    others = [incident_name(8), *(incident_name(number) for number in range(2, 8))]
    assert _report(workspace, instance) == [incident_name(1), *others]
    assert not _tick(finished_refreshes, workspace, instance).run_requests
    history = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(service_state_package.key, "fresh"), limit=99
    )
    assert {(one.partition, one.status.value) for one in history} == {
        (incident_name(1), "FAILED"),
        *((name, "SUCCEEDED") for name in others),
    }
    assert instance.get_materialized_partitions(service_state_package.key) == {incident_name(1), *others}
    assert instance.get_materialized_partitions(dg.AssetKey("release_manifest")) == set(others)


def test_a_second_change_of_the_same_incidents_is_shown_too(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    for version in (1, 2):
        _drop(workspace, *(lines_of(number, version=version) for number in range(6)))
        (bulk,) = _tick(new_records, workspace, instance).run_requests or ()
        _execute(bulk, workspace, instance)
        assert len(_report(workspace, instance)) == 6


def test_a_stale_candidate_turns_its_partition_and_the_standing_check_red_without_a_record(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    deliver(workspace, lines_of(1))
    (request,) = _tick(new_records, workspace, instance).run_requests or ()
    _execute(request, workspace, instance)
    _tick(stale_candidates, workspace, instance)
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(workspace.clock.now() + timedelta(hours=2))
    _tick(stale_candidates, workspace, instance)
    assert _report(workspace, instance) == []
    storage, key = instance.event_log_storage, service_state_package.key
    validity = storage.get_asset_check_execution_history(dg.AssetCheckKey(key, "validity"), limit=9)
    assert [(one.partition, one.status.value) for one in validity] == [
        (incident_name(1), "FAILED"),
        (incident_name(1), "SUCCEEDED"),
    ]
    counted = storage.get_asset_check_execution_history(dg.AssetCheckKey(key, STANDING_CHECK), limit=9)
    assert [one.status.value for one in counted] == ["FAILED", "SUCCEEDED"]
    assert not _tick(finished_refreshes, workspace, instance).run_requests
