"""A final disposition is propagated exactly once, whatever fails or is repeated on the way."""

import threading
from datetime import timedelta
from pathlib import Path
from random import SystemRandom

import pytest
import sqlalchemy as sa

from dagster_project.application.closing_work import work
from dagster_project.closure import plan as plan_module
from dagster_project.closure.steps import STEPS
from dagster_project.closure.targets import TargetRequest
from dagster_project.store.closure_tables import closure_leases as closure_leases_table
from dagster_project.store.closure_tables import closure_plans
from tests.support.closure_bench import ClosureBench, make_closure_bench
from tests.support.closure_targets import (
    ARCHIVE,
    CASE,
    CLOSED_AT,
    LEDGER,
    NOTICES,
    QUEUE,
    TRACKER,
    event,
    make_support_systems,
)

ONCE_EACH = dict.fromkeys((ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES), 1)


def test_a_final_disposition_reaches_every_target_once_and_leaves_an_audit_row(bench: ClosureBench) -> None:
    assert bench.admit().became == "event_planned"
    bench.work()
    assert bench.support.effects == ONCE_EACH
    assert set(bench.states().values()) == {"done"}
    plan = bench.plan()
    assert plan.state == "complete"
    assert plan.audit_row == {
        "source_event_id": "evt-1",
        "verified_disposition_version": 3,
        "queue_item_closed": f"Q-{CASE}",
        "tracker_records_updated": [f"TRK-{CASE}", f"LED-{CASE}"],
        "archive_references_attached": ["archive/notes/1042", "archive/packets/1042"],
        "notification_target": "support-ops",
        "steps_already_completed": [],
        "steps_skipped": [],
    }
    assert not bench.open_follow_ups()
    assert bench.support.targets[NOTICES].values(f"{CASE}~EP-1~3")["notice"] == "complete"


def test_the_states_of_escalation_and_case_are_not_touched_and_the_instant_is_the_dispositions(
    quick: ClosureBench,
) -> None:
    quick.admit()
    quick.pass_time(timedelta(days=1))
    quick.work()
    tracker = quick.support.targets[TRACKER].values(f"TRK-{CASE}")
    assert tracker["state"] == "open"
    assert quick.support.targets[LEDGER].values(f"LED-{CASE}")["state"] == "active"
    instants = {v.get("closed_at") for t in quick.support.targets.values() for _n, v in t.subjects.values()}
    assert instants == {CLOSED_AT}


def test_the_coordinator_is_notified_only_after_the_other_four(quick: ClosureBench) -> None:
    done_before: list[dict[str, int]] = []
    quick.support.targets[NOTICES].before = lambda _request: done_before.append(quick.support.effects)
    quick.support.targets[TRACKER].is_down = True
    quick.admit()
    quick.work()
    assert quick.support.effects == {**ONCE_EACH, TRACKER: 0, NOTICES: 0}
    assert quick.states()["coordinator_notified"] == "pending"
    quick.support.targets[TRACKER].is_down = False
    quick.work_on(2)
    assert done_before == [{**ONCE_EACH, NOTICES: 0}]
    assert quick.plan().state == "complete"


def test_an_event_that_comes_again_is_recorded_and_has_no_effect(bench: ClosureBench) -> None:
    bench.admit()
    bench.work()
    again = bench.admit()
    assert again.outcome == "duplicate"
    bench.work()
    assert bench.support.effects == ONCE_EACH
    assert bench.overview().deliveries == {"admitted": 1, "duplicate": 1}
    assert not bench.open_follow_ups()


def test_another_event_of_the_same_disposition_makes_no_second_plan(quick: ClosureBench) -> None:
    quick.admit()
    quick.work()
    assert quick.admit(event("evt-2")).became == "event_already_planned"
    quick.work()
    assert quick.support.effects == ONCE_EACH
    assert len(quick.overview().plans) == 1


def test_what_the_target_says_already_is_already_completed_and_told_as_complete(bench: ClosureBench) -> None:
    bench.admit()
    bench.support.targets[QUEUE].edit(f"Q-{CASE}", queue_state="closed", disposition_version=3, closed_at=CLOSED_AT)
    bench.work()
    assert bench.support.effects == {**ONCE_EACH, QUEUE: 0}
    assert bench.states()["queue_closed"] == "already_completed"
    audit_row = bench.plan().audit_row
    assert audit_row is not None
    assert audit_row["steps_already_completed"] == ["queue_closed"]
    assert bench.support.targets[NOTICES].values(f"{CASE}~EP-1~3")["notice"] == "complete"


def test_two_plans_that_write_to_one_subject_have_rising_fences(quick: ClosureBench) -> None:
    quick.admit()
    quick.work()
    quick.support.change(disposition_version=4)
    quick.admit(event("evt-2", disposition_version=4))
    quick.work()
    assert quick.plan().state == "complete"
    assert quick.support.targets[TRACKER].values(f"TRK-{CASE}")["disposition_version"] == 4
    assert all(max(target.fences.values()) == 2 for target in quick.support.targets.values())


def test_the_authority_is_read_again_before_every_step_and_every_retry(quick: ClosureBench) -> None:
    quick.admit()
    reads = quick.support.reads
    quick.support.targets[QUEUE].is_down = True
    quick.work()
    assert quick.support.reads == reads + 4
    quick.pass_time(timedelta(minutes=5))
    quick.work()
    assert quick.support.reads == reads + 5


def test_many_cases_are_each_finished_once_and_a_round_takes_no_more_than_it_may(tmp_path: Path) -> None:
    cases = [f"CASE-{number}" for number in range(6)]
    bench = make_closure_bench(tmp_path, *cases)
    for number, case in enumerate(cases):
        bench.admit(event(f"evt-{number}", case))
    assert bench.work(at_most=4).plans == 4
    assert bench.work(at_most=4).plans == 2
    assert {one.state for one in bench.overview().plans} == {"complete"}
    assert bench.support.duplicated == 0
    assert set(bench.support.effects.values()) == {6}


def test_a_plan_that_another_worker_finished_since_it_was_listed_is_not_taken_again(
    tmp_path: Path, sqlite_template: Path
) -> None:
    cases = ("CASE-1", "CASE-2")
    bench = make_closure_bench(tmp_path, *cases, template=sqlite_template)
    for case in cases:
        bench.admit(event(f"evt-{case}", case))
    others: list[int] = []

    def work_the_other_case(_request: TargetRequest) -> None:
        bench.support.targets[TRACKER].before = lambda _request: None
        others.append(work(bench.workspace, bench.systems, at_most=5, chance=SystemRandom(), case="CASE-2").plans)

    bench.support.targets[TRACKER].before = work_the_other_case
    assert bench.work().plans == 1
    assert others == [1]
    assert bench.support.effects == dict.fromkeys(ONCE_EACH, 2)
    with bench.workspace.store.read() as transaction:
        greatest = sa.select(sa.func.max(closure_leases_table.c.token))
        assert transaction.connection.execute(greatest).scalar_one() == 2


def test_an_event_that_is_verified_at_once_is_claimed_in_the_commit_that_admits_it(quick: ClosureBench) -> None:
    quick.support.faulty_cases = {CASE}
    with pytest.raises(ZeroDivisionError):
        quick.admit()
    quick.support.faulty_cases = set()
    assert quick.work().outcomes == {}
    quick.pass_time(timedelta(minutes=3))
    assert quick.work().outcomes["event_planned"] == 1


def test_workers_that_hurry_to_the_same_events_do_everything_once(bench: ClosureBench) -> None:
    cases = [CASE, "CASE-2", "CASE-3"]
    others = make_support_systems(*cases)
    bench.support.records, bench.support.targets = others.records, others.targets
    start = threading.Barrier(4)

    def hurry() -> None:
        start.wait()
        for number, case in enumerate(cases):
            bench.admit(event(f"evt-{number}", case))
        for _ in range(4):
            bench.work()

    workers = [threading.Thread(target=hurry) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    bench.work_on(2)
    assert bench.support.duplicated == 0
    assert set(bench.support.effects.values()) == {3}
    assert [one.state for one in bench.overview().plans] == ["complete"] * 3
    assert bench.overview().deliveries == {"admitted": 3, "duplicate": 9}


def test_a_plan_of_an_older_program_is_finished_as_it_was_planned(
    quick: ClosureBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer program has another order of steps, and would write other values."""
    quick.admit()
    monkeypatch.setitem(STEPS, 2, tuple(reversed(STEPS[1])))
    monkeypatch.setattr(plan_module, "PLAN_VERSION", 2)
    monkeypatch.setattr(plan_module, "planned_steps", lambda *_parts: ())
    quick.work()
    assert quick.plan().state == "complete"
    assert quick.support.effects == ONCE_EACH


def test_a_plan_of_a_newer_program_is_left_alone(quick: ClosureBench) -> None:
    quick.admit()
    with quick.workspace.store.begin() as transaction:
        transaction.connection.execute(sa.update(closure_plans).values(plan_version=99))
    assert quick.work().plans == 0
    assert not any(quick.support.effects.values())


def test_one_case_can_be_worked_alone(tmp_path: Path) -> None:
    bench = make_closure_bench(tmp_path, CASE, "CASE-2")
    bench.admit()
    bench.admit(event("evt-2", "CASE-2"))
    work(bench.workspace, bench.support.systems, at_most=9, chance=SystemRandom(), case="CASE-2")
    assert bench.plan("CASE-2").state == "complete"
    assert {one.state for one in bench.plan(CASE).steps} == {"pending"}
