"""The sensor: pending changes become run requests, each once, and a failed read is never an empty source."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import sensors
from dagster_project.application.analytics import publish
from dagster_project.application.attempts import FIRST_PAUSE, LONGEST_PAUSE, Attempts, next_attempt_at
from dagster_project.application.landing import admit_landing
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.snapshots import take_snapshot
from dagster_project.application.workspace import Workspace
from dagster_project.definitions import build_definitions
from dagster_project.demo.scenario import load_scenario
from dagster_project.partitions import INCIDENTS
from dagster_project.sensors import new_records, unpublished_results
from dagster_project.store import incidents
from resources.workspace import OpenedWorkspace, WorkspaceResource
from tests.dagster.scenario_runs import INCIDENT, UNSAFE_STEP, run_whole_job
from tests.support.workspaces import make_workspace, play_scenario


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def _tick(instance: dg.DagsterInstance, resource: WorkspaceResource) -> dg.SensorResult | dg.SkipReason:
    definitions = build_definitions(resource.settings, resources={"channelsafe": resource})
    with dg.build_sensor_context(
        instance=instance, resources={"channelsafe": resource}, definitions=definitions
    ) as context:
        result = new_records(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def _drop(workspace: Workspace, step: int) -> None:
    chosen = load_scenario().steps[step - 1]
    workspace.settings.landing.mkdir(parents=True, exist_ok=True)
    # Not of severity one, which would be refreshed at once.
    (workspace.settings.landing / chosen.file).write_bytes(chosen.body.replace(b"SEV1", b"SEV2"))


def _assign_profiles_of(workspace: Workspace, step: int) -> None:
    scenario = load_scenario()
    for bridge, name in scenario.steps[step - 1].profiles.items():
        digest = load_profile(workspace, shipped_profile(scenario.profiles[name].removesuffix(".yaml")))
        assign_profile(workspace, digest, bridge=bridge)


def _only_request(result: dg.SensorResult | dg.SkipReason) -> dg.RunRequest:
    assert isinstance(result, dg.SensorResult), result
    (request,) = result.run_requests or ()
    return request


def _start_run(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    """Put a run of the request into the instance, in the state in which it was left."""
    tags = {**request.tags, "dagster/partition": str(request.partition_key), "dagster/run_key": str(request.run_key)}
    run = dg.DagsterRun(job_name="refresh_incident", tags=tags)
    instance.add_run(run)
    started = dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=run.job_name)
    ended = {
        dg.DagsterRunStatus.FAILURE: dg.DagsterEvent(event_type_value="PIPELINE_FAILURE", job_name=run.job_name),
        dg.DagsterRunStatus.CANCELED: dg.DagsterEvent(event_type_value="PIPELINE_CANCELED", job_name=run.job_name),
    }
    for event in (started, *([ended[status]] if status in ended else ())):
        instance.report_dagster_event(event, run.run_id)


def test_a_dropped_file_leads_to_a_partition_and_one_run_request(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    result = _tick(instance, OpenedWorkspace(workspace))
    assert isinstance(result, dg.SensorResult)
    assert [one.partition_key for one in result.run_requests or ()] == [INCIDENT]
    added = [key for one in result.dynamic_partitions_requests or () for key in one.partition_keys]
    assert added == [INCIDENT]
    assert result.cursor == "7"


def test_nothing_pending_is_a_skip(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=1)
    result = _tick(instance, OpenedWorkspace(workspace))
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == "no pending change"


def test_a_known_partition_is_not_added_again(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    instance.add_dynamic_partitions(INCIDENTS, [INCIDENT])
    _drop(workspace, 1)
    result = _tick(instance, OpenedWorkspace(workspace))
    assert isinstance(result, dg.SensorResult)
    assert not result.dynamic_partitions_requests


def test_three_ticks_ask_with_one_key_until_there_is_a_run(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    requests = [_only_request(_tick(instance, OpenedWorkspace(workspace))) for _ in range(3)]
    assert [one.run_key for one in requests] == [f"{INCIDENT}:2:0"] * 3


def test_a_refresh_under_way_is_not_asked_for_again(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    _start_run(instance, _only_request(_tick(instance, OpenedWorkspace(workspace))), dg.DagsterRunStatus.STARTED)
    take_snapshot(workspace, INCIDENT)  # the run has come this far, and has observed nothing yet
    workspace.clock.set(datetime.now(UTC) + timedelta(days=1))  # type: ignore[attr-defined] # a FixedClock
    result = _tick(instance, OpenedWorkspace(workspace))
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == "1 pending changes have a run or wait for one"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_run_that_died_before_it_did_anything_is_tried_again_under_a_new_key(
    status: dg.DagsterRunStatus, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    _start_run(instance, _only_request(_tick(instance, OpenedWorkspace(workspace))), status)
    workspace.clock.set(datetime.now(UTC))  # type: ignore[attr-defined] # a FixedClock
    assert isinstance(_tick(instance, OpenedWorkspace(workspace)), dg.SkipReason)
    workspace.clock.set(datetime.now(UTC) + FIRST_PAUSE)  # type: ignore[attr-defined] # a FixedClock
    assert _only_request(_tick(instance, OpenedWorkspace(workspace))).run_key == f"{INCIDENT}:2:1"


def test_a_refresh_that_always_fails_is_tried_ever_more_rarely_and_never_given_up(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    keys = []
    workspace.clock.set(datetime.now(UTC))  # type: ignore[attr-defined] # a FixedClock
    for _ in range(12):
        request = _only_request(_tick(instance, OpenedWorkspace(workspace)))
        keys.append(request.run_key)
        _start_run(instance, request, dg.DagsterRunStatus.FAILURE)
        workspace.clock.set(datetime.now(UTC) + LONGEST_PAUSE)  # type: ignore[attr-defined] # a FixedClock
    assert keys == [f"{INCIDENT}:2:{attempt}" for attempt in range(12)]
    workspace.clock.set(datetime.now(UTC) + LONGEST_PAUSE * 0.9)  # type: ignore[attr-defined] # a FixedClock
    assert isinstance(_tick(instance, OpenedWorkspace(workspace)), dg.SkipReason)


def test_the_pause_doubles_from_half_a_minute_to_an_hour() -> None:
    end = datetime(2026, 3, 4, 10, tzinfo=UTC)
    pauses = [(next_attempt_at(Attempts(ended, end)) - end).total_seconds() for ended in (1, 2, 3, 7, 8, 9, 10_000)]
    assert pauses == [30, 60, 120, 1920, 3600, 3600, 3600]


def test_a_failed_check_is_no_reason_to_try_again(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=UNSAFE_STEP - 1)
    _assign_profiles_of(workspace, UNSAFE_STEP)
    _drop(workspace, UNSAFE_STEP)
    assert _only_request(_tick(instance, OpenedWorkspace(workspace))).partition_key == INCIDENT
    assert not run_whole_job(workspace, instance).result.success
    workspace.clock.set(datetime.now(UTC) + LONGEST_PAUSE)  # type: ignore[attr-defined] # a FixedClock
    result = _tick(instance, OpenedWorkspace(workspace))
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == "no pending change"


def test_a_new_revision_is_asked_for_at_once_whatever_became_of_the_one_before(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    first = _only_request(_tick(instance, OpenedWorkspace(workspace)))
    _start_run(instance, first, dg.DagsterRunStatus.FAILURE)
    _drop(workspace, 2)
    second = _only_request(_tick(instance, OpenedWorkspace(workspace)))
    assert str(second.run_key).startswith(f"{INCIDENT}:")
    assert second.run_key != first.run_key


def test_an_urgent_change_goes_before_others_in_the_queue(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    calm = _only_request(_tick(instance, OpenedWorkspace(workspace)))
    with workspace.store.begin() as transaction:
        incidents.raise_revision(transaction, [INCIDENT], at=workspace.clock.now(), urgent=[INCIDENT])
    urgent = _only_request(_tick(instance, OpenedWorkspace(workspace)))
    assert "dagster/priority" not in calm.tags
    assert int(urgent.tags["dagster/priority"]) > 0


def test_a_landing_folder_that_cannot_be_read_keeps_back_no_change_that_came_another_way(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    admit_landing(workspace, limit=1)
    shutil.rmtree(workspace.settings.landing / ".picked-up")
    (workspace.settings.landing / ".picked-up").write_text("a file where a folder belongs")
    assert _only_request(_tick(instance, OpenedWorkspace(workspace))).partition_key == INCIDENT


def test_a_landing_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    workspace.settings.landing.mkdir(parents=True)
    (workspace.settings.landing / ".picked-up").write_text("a file where a folder belongs")
    result = _tick(instance, OpenedWorkspace(workspace))
    assert isinstance(result, dg.SkipReason)
    assert "landing_folder_unavailable" in (result.skip_message or "")


def test_a_tick_stops_taking_files_when_its_time_is_up_and_the_next_goes_on(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace(tmp_path)
    for step in (1, 2, 3):
        _drop(workspace, step)
    monkeypatch.setattr(sensors, "SECONDS_FOR_LANDING", 0.0)
    done = workspace.settings.landing / ".done"
    finished = []
    for _ in range(3):
        _tick(instance, OpenedWorkspace(workspace))
        finished.append(len(list(done.iterdir())))
    assert finished == [1, 2, 3]


def test_a_store_that_cannot_be_read_is_a_skip_with_a_reason_and_no_request(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    admit_landing(workspace, limit=1)
    (workspace.settings.keys / "channelsafe-keys.json").chmod(0o644)
    result = _tick(instance, WorkspaceResource(workspace.settings))
    assert isinstance(result, dg.SkipReason)
    assert "keys_exposed" in (result.skip_message or "")


def _publication_tick(instance: dg.DagsterInstance, resource: WorkspaceResource) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(instance=instance, resources={"channelsafe": resource}) as context:
        result = unpublished_results(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def test_results_are_published_once_per_position_and_a_failed_publication_again_within_the_hour(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace(tmp_path)
    clock = workspace.clock
    play_scenario(workspace, until_step=1)
    first = _only_request(_publication_tick(instance, OpenedWorkspace(workspace))).run_key
    assert _only_request(_publication_tick(instance, OpenedWorkspace(workspace))).run_key == first
    clock.set(clock.now() + timedelta(hours=1))  # type: ignore[attr-defined] # a FixedClock
    assert _only_request(_publication_tick(instance, OpenedWorkspace(workspace))).run_key != first
    publish(workspace)
    assert isinstance(_publication_tick(instance, OpenedWorkspace(workspace)), dg.SkipReason)
    play_scenario(workspace, from_step=2, until_step=2)
    assert _only_request(_publication_tick(instance, OpenedWorkspace(workspace))).run_key != first


def test_analysts_files_that_somebody_removed_are_published_again(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=1)
    publish(workspace)
    (workspace.settings.published_analytics / "internal.duckdb").unlink()
    assert _only_request(_publication_tick(instance, OpenedWorkspace(workspace))).run_key
