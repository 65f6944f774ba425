"""Closures in Dagster: what is due gets a partition and a run, which does what the worker does; checks tell of rows."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import SystemRandom

import dagster as dg
import pytest
import sqlalchemy as sa

from dagster_project.application.closing import admit_event
from dagster_project.application.closing_promises import PROMISES
from dagster_project.application.demo_closures import FILE, DemoSupport, open_demo_support
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.definitions import build_definitions
from dagster_project.demo.closures import event_of
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.partitions import CASES
from dagster_project.sensors import CASES_PER_TICK, SECONDS_UNTIL_ANOTHER_RUN, due_closures
from dagster_project.store.closure_tables import closure_steps
from resources.workspace import OpenedWorkspace, WorkspaceResource
from tests.support.closure_bench import PEOPLE, make_closure_bench
from tests.support.closure_targets import event
from tests.support.workspaces import make_workspace

CASE = "CASE-2041"
WRITTEN = ("TRK-2041", "LED-2041", "QUE-2041", "ESC-4711", "archive/packets", "support-operations")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def support(tmp_path: Path) -> Iterator[DemoSupport]:
    """The demo's support systems, beside a deployment that is told of one final case."""
    workspace = make_workspace(tmp_path)
    with open_demo_support(workspace, make_demo_trust(workspace, PEOPLE, demo=False)) as made:
        body = canonical_bytes(document_of(event_of(made.story, made.moments[0])))
        # Nobody was asked yet: the event waits to be verified.
        admit_event(workspace, None, body, chance=SystemRandom())
        yield made


def resource_of(workspace: Workspace) -> WorkspaceResource:
    """Return the resource of a deployment whose settings name the demo's support systems."""
    resource = OpenedWorkspace(workspace)
    resource.settings = dataclasses.replace(
        workspace.settings, support_systems=f"sqlite:///{workspace.settings.home / FILE}"
    )
    return resource


def tick(
    instance: dg.DagsterInstance, resource: WorkspaceResource, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(
        instance=instance,
        resources={"channelsafe": resource},
        cursor=cursor,
        definitions=build_definitions(resource.settings, resources={"channelsafe": resource}),
    ) as context:
        result = due_closures(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def requests(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    assert isinstance(result, dg.SensorResult), result
    return list(result.run_requests or ())


def run(instance: dg.DagsterInstance, resource: WorkspaceResource, case: str = CASE) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(resource.settings, resources={"channelsafe": resource})
    instance.add_dynamic_partitions(CASES, [case])
    job = definitions.resolve_job_def("propagate_closure")
    return job.execute_in_process(instance=instance, partition_key=case, raise_on_error=False)


def pass_time(workspace: Workspace, seconds: float) -> None:
    clock = workspace.clock
    assert isinstance(clock, FixedClock)
    clock.set(clock.now() + timedelta(seconds=seconds))


def test_what_is_due_gets_a_partition_and_one_run_which_closes_it(
    support: DemoSupport, instance: dg.DagsterInstance
) -> None:
    resource = resource_of(support.workspace)
    result = tick(instance, resource)
    assert isinstance(result, dg.SensorResult)
    (asked,) = requests(result)
    assert asked.partition_key == CASE
    (partitions,) = result.dynamic_partitions_requests or ()
    assert list(partitions.partition_keys) == [CASE]

    done = run(instance, resource)
    assert done.success
    assert support.effects() == (5, 0)
    checks = {one.check_name: one.passed for one in done.get_asset_check_evaluations()}
    assert checks == dict.fromkeys(PROMISES, True)
    (shown,) = done.asset_materializations_for_node("closure_propagation")
    assert shown.metadata["plans"].value == {"complete": 1}
    table = shown.metadata["by_step"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [row.data["state"] for row in table.records] == ["done"] * 5
    assert isinstance(tick(instance, resource), dg.SkipReason)


def test_a_run_too_many_does_nothing(support: DemoSupport, instance: dg.DagsterInstance) -> None:
    resource = resource_of(support.workspace)
    for _ in range(2):
        assert run(instance, resource).success
    assert support.effects() == (5, 0)


def test_neither_keys_nor_events_of_runs_tell_what_is_written(
    support: DemoSupport, instance: dg.DagsterInstance
) -> None:
    resource = resource_of(support.workspace)
    (asked,) = requests(tick(instance, resource))
    done = run(instance, resource)
    told = str(asked.run_key) + "".join(repr(one) for one in instance.all_logs(done.run_id))
    assert [word for word in (*WRITTEN, CASE.lower()) if word in told] == []
    assert CASE not in str(asked.run_key)


def test_a_case_that_stays_due_is_asked_for_again_whatever_dagster_says_of_its_run(
    support: DemoSupport, instance: dg.DagsterInstance
) -> None:
    resource = resource_of(support.workspace)
    (first,) = requests(tick(instance, resource))
    instance.add_run(dg.DagsterRun(job_name="propagate_closure", tags={"dagster/partition": CASE}))
    (same,) = requests(tick(instance, resource))
    assert same.run_key == first.run_key
    pass_time(support.workspace, SECONDS_UNTIL_ANOTHER_RUN)
    (again,) = requests(tick(instance, resource))
    assert again.run_key != first.run_key


def test_a_tick_asks_for_some_and_the_next_goes_on_from_there(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    cases = [f"CASE-{number:02}" for number in range(CASES_PER_TICK + 3)]
    bench = make_closure_bench(tmp_path, *cases)
    for case in cases:
        bench.admit(event(f"evt-{case}", case))
    resource = resource_of(bench.workspace)
    first = tick(instance, resource)
    assert [one.partition_key for one in requests(first)] == cases[:CASES_PER_TICK]
    assert isinstance(first, dg.SensorResult)
    second = tick(instance, resource, first.cursor)
    assert [one.partition_key for one in requests(second)][:3] == cases[CASES_PER_TICK:]


def test_a_case_that_dagster_cannot_name_keeps_no_other_waiting(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    bench = make_closure_bench(tmp_path, "CASE...1", "CASE-2")
    for case in ("CASE...1", "CASE-2"):
        bench.admit(event(f"evt-{case}", case))
    assert [one.partition_key for one in requests(tick(instance, resource_of(bench.workspace)))] == ["CASE-2"]


def test_without_support_systems_nothing_is_asked_for(support: DemoSupport, instance: dg.DagsterInstance) -> None:
    result = tick(instance, OpenedWorkspace(support.workspace))
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == "no support systems are named"
    assert not run(instance, OpenedWorkspace(support.workspace)).success


def test_a_store_that_cannot_be_read_is_no_case_that_is_done(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    resource = WorkspaceResource(
        dataclasses.replace(workspace.settings, keys=tmp_path / "nowhere", support_systems="sqlite:///nothing")
    )
    result = tick(instance, resource)
    assert isinstance(result, dg.SkipReason)
    assert "nothing could be read" in str(result.skip_message)


def test_a_broken_row_fails_the_check_of_its_promise(support: DemoSupport, instance: dg.DagsterInstance) -> None:
    resource = resource_of(support.workspace)
    assert run(instance, resource).success
    with support.workspace.store.begin() as transaction:
        named = sa.update(closure_steps).where(closure_steps.c.name == "ledger_marked")
        transaction.connection.execute(named.values(key="another"))
    failed = {one.check_name: one for one in run(instance, resource).get_asset_check_evaluations() if not one.passed}
    assert set(failed) == {"each_effect_at_most_once"}
    (found,) = failed.values()
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert found.metadata["codes"].value == "other_key"
