"""The sensor: pending changes become run requests, each once, and a failed read is never an empty source."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.application.landing import admit_landing
from dagster_project.application.snapshots import take_snapshot
from dagster_project.application.workspace import Workspace
from dagster_project.definitions import build_definitions
from dagster_project.demo.scenario import load_scenario
from dagster_project.partitions import INCIDENTS
from dagster_project.sensors import new_records
from resources.workspace import OpenedWorkspace, WorkspaceResource
from tests.dagster.scenario_runs import INCIDENT
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
    (workspace.settings.landing / chosen.file).write_bytes(chosen.body)


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


def test_the_run_key_names_incident_revision_and_attempt(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    _drop(workspace, 1)
    first = _tick(instance, OpenedWorkspace(workspace))
    again = _tick(instance, OpenedWorkspace(workspace))
    take_snapshot(workspace, INCIDENT)  # a run that started and ended before it observed the revision
    retried = _tick(instance, OpenedWorkspace(workspace))
    keys = []
    for result in (first, again, retried):
        assert isinstance(result, dg.SensorResult)
        keys.append([one.run_key for one in result.run_requests or ()])
    assert keys[0] == keys[1]
    assert keys[2] != keys[0]
    assert str(keys[0][0]).startswith(f"{INCIDENT}:")


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
