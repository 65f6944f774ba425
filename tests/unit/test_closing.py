"""A final disposition is propagated exactly once, whatever fails or is repeated on the way."""

import threading
from datetime import timedelta
from pathlib import Path
from random import SystemRandom

import pytest
import sqlalchemy as sa

from dagster_project.application.closing_commands import ClosureAct
from dagster_project.application.closing_work import work
from dagster_project.closure import plan as plan_module
from dagster_project.closure.steps import STEPS
from dagster_project.closure.targets import TargetRequest
from dagster_project.store import closure_leases
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
    MemoryTarget,
    event,
    make_support_systems,
)

ONCE_EACH = dict.fromkeys((ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES), 1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def bench(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> ClosureBench:
    """A deployment with one final case, once on each database."""
    if request.param == "sqlite":
        return make_closure_bench(tmp_path, template=sqlite_template)
    return make_closure_bench(tmp_path, database_url=request.getfixturevalue("postgresql_url"))


@pytest.fixture
def quick(tmp_path: Path, sqlite_template: Path) -> ClosureBench:
    """The same on SQLite, for what does not depend on the database."""
    return make_closure_bench(tmp_path, template=sqlite_template)


class Killed(BaseException):
    """Stands for the end of the process at this very place."""


def killed(_request: TargetRequest) -> None:
    raise Killed


def faulty(_request: TargetRequest) -> None:
    raise ZeroDivisionError


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


@pytest.mark.parametrize("name", [ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_around_an_effect_leaves_what_the_next_one_finishes_once(
    quick: ClosureBench, name: str, moment: str
) -> None:
    quick.admit()
    target = quick.support.targets[name]
    setattr(target, moment, killed)
    with pytest.raises(Killed):
        quick.work()
    setattr(target, moment, lambda _request: None)
    assert quick.work().plans == 0, "the lease of the dead worker still runs"
    quick.work_on(2)
    assert quick.support.effects == ONCE_EACH
    assert set(quick.states().values()) == {"done"}
    assert quick.plan().state == "complete"
    assert quick.support.asked_again == (1 if moment == "before" else 0)


def test_a_lost_answer_is_unknown_and_is_probed_never_sent_again(bench: ClosureBench) -> None:
    target = bench.support.targets[LEDGER]
    target.loses_answers = True
    bench.admit()
    bench.work()
    assert bench.states()["ledger_marked"] == "unknown"
    asked: list[TargetRequest] = []
    target.before = asked.append
    bench.work_on(2)
    assert not asked
    assert bench.support.effects == ONCE_EACH
    assert bench.states()["ledger_marked"] == "done"
    assert bench.plan().state == "complete"


def test_an_unknown_outcome_waits_while_nobody_can_be_asked(quick: ClosureBench) -> None:
    target = quick.support.targets[LEDGER]
    target.after = killed
    quick.admit()
    with pytest.raises(Killed):
        quick.work()
    target.after, target.is_down = (lambda _request: None), True
    quick.work_on(3)
    assert quick.states()["ledger_marked"] == "unknown"
    target.is_down = False
    quick.work_on(3)
    assert quick.support.effects == ONCE_EACH


def test_a_code_error_in_the_worker_compensates_nothing_and_leaves_the_step_as_it_is(bench: ClosureBench) -> None:
    target = bench.support.targets[TRACKER]
    target.after = faulty
    bench.admit()
    with pytest.raises(ZeroDivisionError):
        bench.work()
    assert bench.states()["tracker_synchronized"] == "intent"
    assert not [one for one in bench.plan().steps if one.direction == "undo"]
    target.after = lambda _request: None
    bench.pass_time(timedelta(minutes=5))
    bench.work()
    assert bench.support.effects == ONCE_EACH


def test_a_target_that_shows_something_else_than_was_written_is_not_done(bench: ClosureBench) -> None:
    target = bench.support.targets[LEDGER]
    target.shows = {"review_marker": "none"}
    bench.admit()
    bench.work_on(8)
    assert bench.states()["ledger_marked"] == "unknown"
    assert bench.kinds == ["read_back_differs"]
    assert bench.support.effects == {**ONCE_EACH, NOTICES: 0}
    target.shows = None
    bench.work_on(2)
    assert bench.support.effects == ONCE_EACH
    assert not bench.open_follow_ups()


def test_what_a_person_changes_before_it_was_read_back_is_left_to_people_at_once(bench: ClosureBench) -> None:
    target = bench.support.targets[LEDGER]
    bench.admit()
    target.after = killed
    with pytest.raises(Killed):
        bench.work()
    target.after = lambda _request: None
    target.edit(f"LED-{CASE}", review_marker="disputed")
    bench.pass_time(timedelta(minutes=5))
    bench.work()
    assert bench.states()["ledger_marked"] == "refused"
    assert bench.kinds == ["edited_since"]
    bench.command(ClosureAct.RETRY, plan=bench.plan().plan, step="ledger_marked")
    bench.work()
    assert bench.kinds == ["edited_since"], "it was read again, and nothing was written over"
    assert target.values(f"LED-{CASE}")["review_marker"] == "disputed"
    target.edit(f"LED-{CASE}", review_marker="review_complete")
    bench.command(ClosureAct.RETRY, plan=bench.plan().plan, step="ledger_marked")
    bench.work()
    assert bench.plan().state == "complete"
    assert bench.support.effects == ONCE_EACH
    assert bench.support.duplicated == 0


def test_a_target_that_shows_an_older_version_for_a_while_is_read_back_again(quick: ClosureBench) -> None:
    target = quick.support.targets[LEDGER]
    older = target.read(f"LED-{CASE}")
    quick.admit()
    target.late = older
    quick.work()
    assert quick.states()["ledger_marked"] == "unknown"
    target.late = None
    quick.work_on(2)
    assert quick.plan().state == "complete"
    assert quick.support.effects == ONCE_EACH


def test_a_subject_that_changes_between_look_and_write_is_looked_at_anew(quick: ClosureBench) -> None:
    target = quick.support.targets[QUEUE]
    edits = iter([True])
    target.before = lambda request: target.edit(request.subject, queue_state="parked") if next(edits, False) else None
    quick.admit()
    quick.work_on(2)
    assert quick.support.effects == ONCE_EACH
    assert target.values(f"Q-{CASE}")["queue_state"] == "closed"


def test_a_worker_that_lost_its_lease_writes_nothing_any_more(bench: ClosureBench) -> None:
    """It froze with its request on the way; others finished the plan; then it thaws."""
    target = bench.support.targets[LEDGER]
    bench.admit()

    def freeze(_request: TargetRequest) -> None:
        target.before = lambda _request: None
        bench.pass_time(timedelta(minutes=5))
        bench.work()

    target.before = freeze
    report = bench.work()
    assert report.outcomes["lease_lost"] == 1
    assert bench.support.effects == ONCE_EACH
    assert bench.support.duplicated == 0
    assert bench.plan().state == "complete"


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


def test_the_memory_targets_would_count_a_second_effect() -> None:
    target = MemoryTarget(QUEUE, subjects={"Q-1": (1, {})})
    for key in ("one", "two"):
        target.apply(TargetRequest(key=key, subject="Q-1", values={"queue_state": "closed"}, fence=1))
    target.apply(TargetRequest(key="two", subject="Q-1", values={"queue_state": "closed"}, fence=1))
    assert dict(target.effects) == {"one": 1, "two": 1}


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


def test_a_revert_that_comes_between_look_and_intent_lets_nothing_more_be_written(quick: ClosureBench) -> None:
    target = quick.support.targets[LEDGER]

    def revert() -> None:
        target.looked_at = lambda: None
        quick.command(ClosureAct.REVERT, plan=quick.plan().plan)

    target.looked_at = revert
    quick.admit()
    assert quick.work().outcomes["overtaken"] == 1
    quick.work_on(2)
    assert quick.plan().state == "reverted"
    assert quick.support.effects == {ARCHIVE: 2, TRACKER: 2, LEDGER: 0, QUEUE: 0, NOTICES: 0}


def test_a_revert_that_comes_while_an_effect_is_on_its_way_takes_it_back_too(quick: ClosureBench) -> None:
    target = quick.support.targets[LEDGER]

    def revert(_request: TargetRequest) -> None:
        target.after = lambda _request: None
        quick.command(ClosureAct.REVERT, plan=quick.plan().plan)

    target.after = revert
    quick.admit()
    quick.work_on(2)
    assert quick.plan().state == "reverted"
    assert quick.support.effects == {ARCHIVE: 2, TRACKER: 2, LEDGER: 2, QUEUE: 0, NOTICES: 0}
    assert quick.support.duplicated == 0


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


def test_a_lease_is_one_workers_until_it_ends_and_a_later_one_has_a_greater_token(bench: ClosureBench) -> None:
    bench.admit()
    plan, now = bench.plan().plan, bench.workspace.clock.now()
    with bench.workspace.store.begin() as transaction:
        first = closure_leases.acquire(transaction, plan, now=now, seconds=60)
        assert first is not None
        assert closure_leases.acquire(transaction, plan, now=now + timedelta(seconds=59), seconds=60) is None
        later = closure_leases.acquire(transaction, plan, now=now + timedelta(seconds=60), seconds=60)
        assert later is not None
        assert later.token > first.token
        assert not closure_leases.renew(transaction, first, now=now + timedelta(seconds=61), seconds=60)
        assert closure_leases.renew(transaction, later, now=now + timedelta(seconds=61), seconds=60)
        closure_leases.release(transaction, first, now=now + timedelta(seconds=62))
        assert closure_leases.is_held(transaction, plan, now + timedelta(seconds=63))


def test_a_receipt_that_was_kept_is_not_asked_for_again_even_of_a_target_that_forgets(quick: ClosureBench) -> None:
    target = quick.support.targets[LEDGER]
    target.shows = {"review_marker": "none"}
    quick.admit()
    quick.work()
    target.shows = None
    target.receipts.clear()
    quick.work_on(2)
    assert target.asked.total() == 1
    assert quick.states()["ledger_marked"] == "done"
