"""Silence is never success: what failed, waits too long, went stale or lies undelivered is counted and named."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from dagster_project.application.lanes import work_bulk_lane
from dagster_project.application.refresh import refresh
from dagster_project.application.standing import MOST_NAMED, OVERDUE_AFTER, standing, sweep_stale
from dagster_project.application.unreported import next_to_report, set_reported
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.store.audit import entries_after
from tests.dagster.scenario_runs import INCIDENT, UNSAFE_STEP
from tests.support.command_line import command_line_of
from tests.support.many_incidents import accounts, assign_customer_bridge, deliver, incident_name, lines_of
from tests.support.workspaces import make_workspace, play_scenario

_BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=_BOTH)
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A workspace with one refreshed incident, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = make_workspace(tmp_path, database_url=url)
    deliver(made, accounts())
    assign_customer_bridge(made)
    deliver(made, lines_of(1))
    refresh(made, incident_name(1))
    return made


def _pass_time(workspace: Workspace, time: timedelta) -> None:
    clock = workspace.clock
    assert isinstance(clock, FixedClock)
    clock.set(clock.now() + time)


def test_a_refreshed_incident_is_in_order(workspace: Workspace) -> None:
    found = standing(workspace)
    assert found.in_order
    assert (found.failed, found.waiting, found.overdue, found.stale, found.worst) == (0, 0, 0, 0, ())


def test_a_change_waits_and_after_five_minutes_is_overdue_and_named(workspace: Workspace) -> None:
    deliver(workspace, lines_of(2))
    assert (standing(workspace).waiting, standing(workspace).in_order) == (1, True)
    _pass_time(workspace, OVERDUE_AFTER + timedelta(seconds=1))
    found = standing(workspace)
    assert (found.overdue, found.in_order, found.worst) == (1, False, (incident_name(2),))


def test_a_candidate_goes_stale_without_a_record_is_marked_once_and_freed_by_a_newer_one(workspace: Workspace) -> None:
    assert sweep_stale(workspace) == ()
    _pass_time(workspace, timedelta(hours=2))
    assert standing(workspace).stale == 1  # counted before anybody swept
    marked = sweep_stale(workspace)
    assert {one.incident for one in marked} == {incident_name(1)}
    assert sweep_stale(workspace) == ()
    found = standing(workspace)
    assert (found.stale, found.in_order, found.worst) == (1, False, (incident_name(1),))
    with workspace.store.read() as transaction:
        actions = [one.action for one in entries_after(transaction, 0, limit=100)]
    assert actions.count("candidate_stale") == len(marked) == 2
    refresh(workspace, incident_name(1))
    assert standing(workspace).stale == 0


def test_an_evaluation_of_history_never_counts_as_stale(workspace: Workspace) -> None:
    sweep_stale(workspace)
    refresh(workspace, incident_name(1), workspace.clock.now())
    _pass_time(workspace, timedelta(hours=2))
    assert sweep_stale(workspace) == ()


def test_an_incident_whose_newest_candidate_failed_its_check_is_counted_and_named(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=UNSAFE_STEP)
    found = standing(workspace)
    assert (found.failed, found.in_order, found.worst) == (1, False, (INCIDENT,))


def test_a_dropped_file_that_nobody_picks_up_is_counted(workspace: Workspace) -> None:
    folder = workspace.settings.landing
    folder.mkdir(parents=True)
    dropped = folder / "dropped.ndjson"
    dropped.write_bytes(b"{}\n")
    now = workspace.clock.now().timestamp()
    os.utime(dropped, (now, now))
    assert standing(workspace).in_order
    _pass_time(workspace, OVERDUE_AFTER + timedelta(seconds=1))
    assert (standing(workspace).undelivered, standing(workspace).in_order) == (1, False)


def test_no_more_than_twenty_are_named(workspace: Workspace) -> None:
    for number in range(2, 25):
        deliver(workspace, lines_of(number))
    _pass_time(workspace, OVERDUE_AFTER + timedelta(seconds=1))
    found = standing(workspace)
    assert (found.overdue, len(found.worst)) == (23, MOST_NAMED)


def test_health_says_so_by_its_exit_code(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    deliver(workspace, accounts())
    channelsafe = command_line_of(workspace.settings)
    assert channelsafe("health").code == 0
    deliver(workspace, lines_of(1))
    done = channelsafe("health")  # by the clock of the machine, for which the sample is long overdue
    assert done.code == 1
    assert "1 of them for more than five minutes" in done.out
    assert incident_name(1) in done.out
    answer = channelsafe("health", "--json").json
    assert (answer["overdue"], answer["in_order"], answer["worst"]) == (1, False, [incident_name(1)])


def test_refreshes_are_reported_worst_first_and_once(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=UNSAFE_STEP)
    for number in (1, 2):
        deliver(workspace, lines_of(number))
    work_bulk_lane(workspace, at_most=timedelta(hours=1))
    first = next_to_report(workspace, limit=2)
    assert [one.refresh.incident for one in first] == [INCIDENT, incident_name(1)]
    set_reported(workspace, first, ())
    rest = next_to_report(workspace, limit=9)
    assert [one.refresh.incident for one in rest] == [incident_name(2)]
    assert standing(workspace).unreported == 1
    set_reported(workspace, rest, ())
    assert (next_to_report(workspace, limit=9), standing(workspace).unreported) == ((), 0)


def test_receive_takes_in_what_was_dropped_and_says_what_it_refreshed_at_once(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    assign_customer_bridge(workspace)
    deliver(workspace, accounts())
    folder = workspace.settings.landing
    folder.mkdir(parents=True)
    for number, severity in enumerate(("SEV1", "SEV2")):
        (folder / f"{number}.ndjson").write_bytes(lines_of(number, severity=severity))
    done = command_line_of(workspace.settings)("receive", "--once", "--json")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [one["refreshed_at_once"] for one in answers] == [[incident_name(0)], []]
    assert [one["admission"]["counts"] for one in answers] == [{"admitted": 3}] * 2
