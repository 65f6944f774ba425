"""What is down, slow or refusing keeps nobody else waiting, and everything is finished once it is back."""

import contextlib
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from dagster_project.closure.targets import TargetRequest
from dagster_project.store import closure_leases
from dagster_project.store.closure_tables import closure_breakers
from tests.support.closure_bench import ClosureBench, make_closure_bench
from tests.support.closure_targets import (
    ARCHIVE,
    CASE,
    LEDGER,
    NOTICES,
    QUEUE,
    TRACKER,
    event,
)

ONCE_EACH = dict.fromkeys((ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES), 1)


def test_a_target_that_is_down_is_left_alone_after_some_failures_and_does_not_keep_others(quick: ClosureBench) -> None:
    target = quick.support.targets[QUEUE]
    target.is_down = True
    quick.admit()
    for _ in range(30):
        quick.work()
        quick.pass_time(timedelta(seconds=1))
    calls_in_half_a_minute = target.calls
    assert calls_in_half_a_minute <= 6
    assert quick.support.effects == {**ONCE_EACH, QUEUE: 0, NOTICES: 0}


def test_a_pause_that_the_target_names_is_kept(quick: ClosureBench) -> None:
    target = quick.support.targets[QUEUE]
    target.is_down, target.after_seconds = True, 900.0
    quick.admit()
    quick.work()
    calls = target.calls
    quick.pass_time(timedelta(seconds=890))
    quick.work()
    assert target.calls == calls
    quick.pass_time(timedelta(seconds=20))
    quick.work()
    assert target.calls > calls


def test_many_attempts_in_vain_become_a_follow_up_that_ends_with_the_step(bench: ClosureBench) -> None:
    target = bench.support.targets[QUEUE]
    target.is_down = True
    bench.admit()
    bench.work_on(8)
    assert bench.kinds == ["attempts_exhausted"]
    (follow_up,) = bench.open_follow_ups()
    assert follow_up.step == "queue_closed"
    assert {one["step"]: one["state"] for one in follow_up.evidence["steps"]}["ledger_marked"] == "done"
    target.is_down = False
    bench.work_on(2)
    assert bench.plan().state == "complete"
    (ended,) = bench.overview().follow_ups
    assert ended.resolved_by == "channelsafe"


def test_an_event_is_kept_while_the_authority_is_down_and_verified_when_it_is_back(bench: ClosureBench) -> None:
    bench.support.authority_is_down = True
    assert bench.admit().became == "event_postponed"
    bench.work_on(2)
    assert bench.support.effects == dict.fromkeys(ONCE_EACH, 0)
    bench.support.authority_is_down = False
    bench.work_on(2)
    assert bench.support.effects == ONCE_EACH


def test_an_authority_that_goes_down_in_mid_plan_stops_nothing_for_good(quick: ClosureBench) -> None:
    quick.admit()
    quick.support.authority_is_down = True
    quick.work_on(2)
    assert quick.support.effects == dict.fromkeys(ONCE_EACH, 0)
    quick.support.authority_is_down = False
    quick.work_on(3)
    assert quick.support.effects == ONCE_EACH


def test_an_authority_that_answered_before_it_went_down_is_left_alone_all_the_same(quick: ClosureBench) -> None:
    def authority_goes_down(_request: TargetRequest) -> None:
        quick.support.authority_is_down = True

    quick.support.targets[ARCHIVE].after = authority_goes_down
    quick.admit()
    quick.work()
    with quick.workspace.store.read() as transaction:
        failures = transaction.connection.execute(sa.select(closure_breakers.c.system, closure_breakers.c.failures))
        assert {row.system: row.failures for row in failures} == {"authority": 3}
        assert closure_leases.left_alone(transaction, quick.workspace.clock.now()).keys() == {"authority"}


def test_an_event_that_waits_long_for_the_authority_becomes_a_follow_up_that_ends_by_itself(
    quick: ClosureBench,
) -> None:
    quick.support.authority_is_down = True
    quick.admit()
    quick.work_on(6)
    assert quick.kinds == ["attempts_exhausted"]
    quick.support.authority_is_down = False
    quick.work_on(2)
    assert quick.support.effects == ONCE_EACH
    assert not quick.open_follow_ups()


def test_a_record_at_which_the_worker_fails_keeps_no_other_case_waiting(tmp_path: Path) -> None:
    bench = make_closure_bench(tmp_path, CASE, "CASE-2")
    bench.support.faulty_cases = {CASE}
    for number, case in enumerate((CASE, "CASE-2")):
        with contextlib.suppress(ZeroDivisionError):
            bench.admit(event(f"evt-{number}", case))
    assert bench.work().outcomes == {"done": 5}
    assert bench.plan("CASE-2").state == "complete"
    assert [one.state for one in bench.overview(CASE).events] == ["pending"]
    bench.support.faulty_cases = set()
    bench.work_on(2)
    assert bench.plan(CASE).state == "complete"


def test_a_system_that_answers_again_is_not_left_alone_for_its_failures_of_before(quick: ClosureBench) -> None:
    quick.support.targets[QUEUE].is_down = True
    quick.admit()
    quick.support.authority_is_down = True
    for _ in range(4):
        quick.work()
        quick.pass_time(timedelta(minutes=5))
    quick.support.authority_is_down = quick.support.targets[QUEUE].is_down = False
    quick.work_on(2)
    with quick.workspace.store.read() as transaction:
        failures = transaction.connection.execute(sa.select(closure_breakers.c.system, closure_breakers.c.failures))
        assert {row.system: row.failures for row in failures} == {"authority": 0}


def test_a_target_that_failed_three_times_is_not_asked_for_further_cases(tmp_path: Path, sqlite_template: Path) -> None:
    cases = [f"CASE-{number}" for number in range(5)]
    bench = make_closure_bench(tmp_path, *cases, template=sqlite_template)
    bench.support.targets[QUEUE].is_down = True
    for number, case in enumerate(cases):
        bench.admit(event(f"evt-{number}", case))
    outcomes = bench.work().outcomes
    assert (outcomes["postponed"], outcomes["deferred"]) == (3, 2)
    assert bench.support.targets[QUEUE].calls == 3
    assert bench.support.effects == {ARCHIVE: 5, TRACKER: 5, LEDGER: 5, QUEUE: 0, NOTICES: 0}


def test_a_plan_whose_notice_waits_for_a_step_that_is_paused_is_not_taken_up(quick: ClosureBench) -> None:
    quick.support.targets[QUEUE].is_down = True
    quick.admit()
    quick.work()
    assert quick.work().plans == 0


def test_a_refusal_for_good_is_a_follow_up_and_is_not_asked_again(quick: ClosureBench) -> None:
    target = quick.support.targets[QUEUE]
    target.refuses = True
    quick.admit()
    quick.work()
    calls = target.calls
    quick.work_on(3)
    assert target.calls == calls
    assert quick.kinds == ["target_refused"]
    assert quick.states()["queue_closed"] == "refused"
