"""The lanes: every pending incident is refreshed once, whatever happens to others or to the worker."""

import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dagster_project.application import lanes
from dagster_project.application.admit import DeliveredUnit
from dagster_project.application.attempts import FIRST_PAUSE
from dagster_project.application.candidates import render_candidates
from dagster_project.application.checks import check_candidates
from dagster_project.application.lanes import (
    LEASE_SECONDS,
    PendingChange,
    Shares,
    due_changes,
    share_out,
    work_bulk_lane,
)
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.receiving import receive
from dagster_project.application.refresh import refresh, refresh_together
from dagster_project.application.snapshots import LONGEST_UNFINISHED, continue_or_take_snapshot, take_snapshot
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.store import lanes as leases
from dagster_project.store.candidates import latest_candidates
from dagster_project.store.refreshes import Lane
from dagster_project.store.tables import refreshes
from tests.support.many_incidents import accounts, assign_customer_bridge, deliver, incident_name, lines_of
from tests.support.workspaces import make_workspace

_BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
LONG = timedelta(hours=1)


@pytest.fixture(params=_BOTH)
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A workspace with the sample accounts and a profile, without incidents, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = make_workspace(tmp_path, database_url=url)
    deliver(made, accounts())
    assign_customer_bridge(made)
    return made


def _deliver(workspace: Workspace, count: int, **options: str | int) -> list[str]:
    for number in range(count):
        deliver(workspace, lines_of(number, **options))  # type: ignore[arg-type] # as lines_of
    return [incident_name(number) for number in range(count)]


def _pass_time(workspace: Workspace, time: timedelta) -> None:
    clock = workspace.clock
    assert isinstance(clock, FixedClock)
    clock.set(clock.now() + time)


def _refreshes(workspace: Workspace) -> Counter[str]:
    with workspace.store.read() as transaction:
        return Counter(transaction.connection.execute(sa.select(refreshes.c.incident)).scalars())


def _contents(workspace: Workspace, names: list[str]) -> dict[tuple[str, str], str]:
    with workspace.store.read() as transaction:
        found = latest_candidates(transaction, names)
    return {key: row.content_digest for key, row in found.items()}


def _changes(count: int, *, urgent: int = 0) -> tuple[PendingChange, ...]:
    return tuple(PendingChange(f"INC-{number}", 1, urgent=number < urgent) for number in range(count))


def test_up_to_five_pending_changes_get_single_runs_and_more_go_to_the_bulk_lane() -> None:
    assert share_out(_changes(5), bulk_lane_is_worked=False) == Shares(_changes(5), bulk=False)
    assert share_out(_changes(6), bulk_lane_is_worked=False) == Shares((), bulk=True)


def test_an_urgent_change_gets_a_single_run_whatever_the_bulk_lane_does() -> None:
    changes = _changes(9, urgent=2)
    assert share_out(changes, bulk_lane_is_worked=False) == Shares(changes[:2], bulk=True)
    assert share_out(changes, bulk_lane_is_worked=True) == Shares(changes[:2], bulk=False)


def test_the_bulk_lane_refreshes_every_pending_incident_once(workspace: Workspace) -> None:
    names = _deliver(workspace, 23)
    tally = work_bulk_lane(workspace, at_most=LONG)
    assert (tally.refreshed, tally.not_refreshed, tally.overtaken) == (23, 0, 0)
    assert _refreshes(workspace) == dict.fromkeys(names, 1)
    assert due_changes(workspace, limit=100) == ()
    assert work_bulk_lane(workspace, at_most=LONG).batches == 0


def test_the_bulk_lane_and_the_steps_of_a_run_give_equal_bytes(workspace: Workspace, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "other")
    deliver(other, accounts())
    assign_customer_bridge(other)
    for version in (1, 2):
        names = _deliver(workspace, 3, version=version)
        _deliver(other, 3, version=version)
        work_bulk_lane(workspace, at_most=LONG)
        for name in names:
            take_snapshot(other, name)
            render_candidates(other, name)
            check_candidates(other, name)
    with workspace.store.read() as left, other.store.read() as right:
        ours, theirs = latest_candidates(left, names), latest_candidates(right, names)
    parts = ("content_digest", "lineage_digest", "delta_digest", "annex_digest", "view_digest", "snapshot_digest")
    assert ours.keys() == theirs.keys()
    assert len(ours) == 6
    for key, row in ours.items():
        assert [getattr(row, part) for part in parts] == [getattr(theirs[key], part) for part in parts]


def test_severity_one_is_refreshed_by_whoever_admits_it_and_the_others_wait(workspace: Workspace) -> None:
    for number, severity in enumerate(("SEV1", "SEV2", "P0", "no such term")):
        lines = enumerate(lines_of(number, severity=severity).splitlines())
        receive(workspace, [DeliveredUnit("drop", f"line {place}", line) for place, line in lines])
    assert set(_refreshes(workspace)) == {incident_name(0), incident_name(2), incident_name(3)}
    assert [one.incident for one in due_changes(workspace, limit=9)] == [incident_name(1)]


def test_a_record_of_another_type_about_an_incident_of_severity_one_is_urgent_too(workspace: Workspace) -> None:
    deliver(workspace, lines_of(1, severity="SEV1"))
    refresh(workspace, incident_name(1))
    without_incident = [line for line in lines_of(1, version=2).splitlines() if b'"incident"' not in line]
    deliver(workspace, b"\n".join(without_incident))
    assert [one.urgent for one in due_changes(workspace, limit=9)] == [True]


def test_an_incident_that_cannot_be_refreshed_stops_no_other(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    deliver(workspace, accounts())
    names = _deliver(workspace, 4)
    digest = load_profile(workspace, shipped_profile("customer_bridge"))
    for name in names[1:]:  # the first has no profile
        assign_profile(workspace, digest, incident=name)
    tally = work_bulk_lane(workspace, at_most=LONG)
    assert (tally.refreshed, tally.not_refreshed) == (3, 1)
    assert set(_refreshes(workspace)) == set(names[1:])
    assert due_changes(workspace, limit=9) == ()
    _pass_time(workspace, FIRST_PAUSE)
    assert [one.incident for one in due_changes(workspace, limit=9)] == names[:1]


def test_a_second_worker_leaves_the_lane_to_the_first(workspace: Workspace) -> None:
    _deliver(workspace, 1)
    with workspace.store.begin() as transaction:
        leases.acquire(transaction, Lane.BULK, now=workspace.clock.now(), seconds=LEASE_SECONDS)
    assert work_bulk_lane(workspace, at_most=LONG).lane_was_taken
    assert lanes.bulk_lane_is_worked(workspace)
    _pass_time(workspace, timedelta(seconds=LEASE_SECONDS))
    assert work_bulk_lane(workspace, at_most=LONG).refreshed == 1
    assert not lanes.bulk_lane_is_worked(workspace)


def test_a_worker_that_lost_its_lease_commits_nothing(workspace: Workspace) -> None:
    names = _deliver(workspace, 2)
    now = workspace.clock.now()
    with workspace.store.begin() as transaction:
        lost = leases.acquire(transaction, Lane.BULK, now=now, seconds=0)
        held = leases.acquire(transaction, Lane.BULK, now=now, seconds=LEASE_SECONDS)
    assert lost is not None
    assert refresh_together(workspace, names, lane=Lane.BULK, lease=lost) == []
    assert not _refreshes(workspace)
    assert len(refresh_together(workspace, names, lane=Lane.BULK, lease=held)) == 2


def test_what_a_killed_worker_had_claimed_is_taken_up_after_a_pause_and_one_by_one(workspace: Workspace) -> None:
    names = _deliver(workspace, 3)
    with workspace.store.begin() as transaction:
        lease = leases.acquire(transaction, Lane.BULK, now=workspace.clock.now(), seconds=LEASE_SECONDS)
    assert lease is not None
    assert [row.incident for row in lanes._claim(workspace, lease)] == names  # and here it is killed
    assert due_changes(workspace, limit=9) == ()
    _pass_time(workspace, max(FIRST_PAUSE, timedelta(seconds=LEASE_SECONDS)))
    tally = work_bulk_lane(workspace, at_most=LONG)
    assert (tally.batches, tally.refreshed) == (3, 3)


def test_two_that_refresh_the_same_incidents_at_once_refresh_each_once(workspace: Workspace) -> None:
    names = _deliver(workspace, 4)
    done: list[int] = []
    both = threading.Barrier(2)

    def work() -> None:
        both.wait()
        done.append(len(refresh_together(workspace, names, lane=Lane.BULK)))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(done) == 4
    assert _refreshes(workspace) == dict.fromkeys(names, 1)


def test_a_run_that_comes_after_another_lane_reports_that_refresh_and_makes_no_other(workspace: Workspace) -> None:
    (name,) = _deliver(workspace, 1)
    (change,) = due_changes(workspace, limit=9)
    work_bulk_lane(workspace, at_most=LONG)
    taken = continue_or_take_snapshot(workspace, name, change.revision)
    assert taken.refresh.lane is Lane.BULK
    assert _refreshes(workspace) == {name: 1}


def test_a_refresh_that_a_dead_run_began_is_finished_by_the_next_one(workspace: Workspace) -> None:
    (name,) = _deliver(workspace, 1)
    (change,) = due_changes(workspace, limit=9)
    begun = continue_or_take_snapshot(workspace, name, change.revision)
    rendered = render_candidates(workspace, name)  # and here it is killed
    _pass_time(workspace, FIRST_PAUSE)
    assert continue_or_take_snapshot(workspace, name, change.revision).refresh == begun.refresh
    assert work_bulk_lane(workspace, at_most=LONG).batches == 0  # the run that goes on has it, and is killed too
    _pass_time(workspace, FIRST_PAUSE * 2)
    assert work_bulk_lane(workspace, at_most=LONG).refreshed == 1
    assert _refreshes(workspace) == {name: 1}
    assert _contents(workspace, [name]) == {(name, row.bridge): row.content_digest for row in rendered}


def test_what_was_begun_too_long_ago_is_begun_again(workspace: Workspace) -> None:
    (name,) = _deliver(workspace, 1)
    (change,) = due_changes(workspace, limit=9)
    begun = continue_or_take_snapshot(workspace, name, change.revision)
    _pass_time(workspace, LONGEST_UNFINISHED)
    assert continue_or_take_snapshot(workspace, name, change.revision).refresh != begun.refresh
