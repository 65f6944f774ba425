"""Workers that die, freeze or hear nothing, and subjects that others change meanwhile: every effect stays single."""

from datetime import timedelta

import pytest

from dagster_project.application.closing_commands import ClosureAct
from dagster_project.closure.targets import TargetRequest
from dagster_project.store import closure_leases
from tests.support.closure_bench import ClosureBench
from tests.support.closure_points import Killed, killed
from tests.support.closure_targets import (
    ARCHIVE,
    CASE,
    LEDGER,
    NOTICES,
    QUEUE,
    TRACKER,
    MemoryTarget,
)

ONCE_EACH = dict.fromkeys((ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES), 1)


def dies() -> None:
    raise Killed


def faulty(_request: TargetRequest) -> None:
    raise ZeroDivisionError


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


@pytest.mark.parametrize(("took", "stands"), [(timedelta(), "intent"), (timedelta(seconds=40), "done")])
def test_a_finished_step_is_committed_with_the_next_intent_unless_it_took_long(
    quick: ClosureBench, took: timedelta, stands: str
) -> None:
    tracker, ledger = quick.support.targets[TRACKER], quick.support.targets[LEDGER]
    tracker.after = lambda _request: quick.pass_time(took)
    ledger.looked_at = dies
    quick.admit()
    with pytest.raises(Killed):
        quick.work()
    assert quick.states()["tracker_synchronized"] == stands
    tracker.after, ledger.looked_at = lambda _request: None, lambda: None
    quick.pass_time(timedelta(minutes=5))
    quick.work()
    assert quick.plan().state == "complete"
    assert quick.support.effects == ONCE_EACH
    assert quick.support.asked_again == 0


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


def test_the_memory_targets_would_count_a_second_effect() -> None:
    target = MemoryTarget(QUEUE, subjects={"Q-1": (1, {})})
    for key in ("one", "two"):
        target.apply(TargetRequest(key=key, subject="Q-1", values={"queue_state": "closed"}, fence=1))
    target.apply(TargetRequest(key="two", subject="Q-1", values={"queue_state": "closed"}, fence=1))
    assert dict(target.effects) == {"one": 1, "two": 1}


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
