"""The promises of closures, judged from the store: kept wherever the protocol went, and broken rows are found."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dagster_project.application.analytics import publish
from dagster_project.application.closing_commands import ClosureAct
from dagster_project.application.closing_due import due_cases
from dagster_project.application.closing_invariants import judge_closures
from dagster_project.application.closing_promises import PROMISES
from dagster_project.store.closure_tables import (
    closure_audit_rows,
    closure_events,
    closure_follow_ups,
    closure_plans,
    closure_steps,
)
from tests.support.closure_bench import ClosureBench, make_closure_bench
from tests.support.closure_targets import CASE, QUEUE, TRACKER, event

STEPS = closure_steps.c


@pytest.fixture
def bench(tmp_path: Path) -> ClosureBench:
    return make_closure_bench(tmp_path)


def broken(bench: ClosureBench, case: str = CASE) -> dict[str, tuple[str, ...]]:
    found = judge_closures(bench.workspace, case)
    assert [one.name for one in found] == list(PROMISES)
    assert all(one.passed is (not one.codes) and bool(one.plans) is bool(one.codes) for one in found)
    return {one.name: one.codes for one in found if not one.passed}


def change(bench: ClosureBench, statement: sa.UpdateBase) -> None:
    with bench.workspace.store.begin() as transaction:
        assert transaction.connection.execute(statement).rowcount > 0


def complete(bench: ClosureBench) -> None:
    bench.admit()
    bench.work()
    assert bench.plan().state == "complete"


def stopped(bench: ClosureBench) -> None:
    """Stop a plan in the middle: its tracker was down, and the case was reopened before it came back."""
    bench.support.targets[TRACKER].is_down = True
    bench.admit()
    bench.work()
    bench.support.change(state="reopened")
    bench.support.targets[TRACKER].is_down = False
    bench.work_on(2)
    assert bench.plan().state == "stopped"


def reverted(bench: ClosureBench) -> None:
    complete(bench)
    bench.command(ClosureAct.REVERT, plan=1)
    bench.work_on(2)
    assert bench.plan().state == "reverted"


def skipped(bench: ClosureBench) -> None:
    bench.support.targets[QUEUE].refuses = True
    bench.admit()
    bench.work()
    bench.command(ClosureAct.SKIP, plan=1, step="queue_closed")
    bench.work_on(2)
    assert bench.plan().state == "complete"


def retried(bench: ClosureBench) -> None:
    stopped(bench)
    bench.support.change(state="closure_approved")
    bench.command(ClosureAct.RETRY, plan=1, step="tracker_synchronized")
    assert bench.open_follow_ups() == []
    bench.work_on(2)


def under_way(bench: ClosureBench) -> None:
    bench.support.targets[TRACKER].is_down = True
    bench.admit()
    bench.work()


@pytest.mark.parametrize("story", [complete, stopped, reverted, skipped, retried, under_way])
def test_every_promise_is_kept_however_a_closure_goes(
    bench: ClosureBench, story: Callable[[ClosureBench], None]
) -> None:
    story(bench)
    assert broken(bench) == {}


def step(name: str = "ledger_marked", direction: str = "apply") -> sa.Update:
    return sa.update(closure_steps).where(STEPS.name == name, STEPS.direction == direction)


DIGEST = "sha256:" + "0" * 64
TAMPERED = [
    (complete, step().values(key="another"), ("each_effect_at_most_once", "other_key")),
    (
        reverted,
        step(direction="undo").values(
            {
                name: sa.select(STEPS[name])
                .where(STEPS.name == "ledger_marked", STEPS.direction == "apply")
                .correlate(None)
                .scalar_subquery()
                for name in ("receipt_reference", "receipt_version")
            }
        ),
        ("each_effect_at_most_once", "receipt_of_two_steps"),
    ),
    (
        complete,
        sa.update(closure_events).values(state="stopped"),
        ("nothing_applied_after_a_difference", "event_not_verified"),
    ),
    (
        stopped,
        sa.delete(closure_follow_ups),
        ("nothing_applied_after_a_difference", "stopped_without_follow_up"),
    ),
    (
        stopped,
        step("tracker_synchronized").values(state="intent", request_digest=DIGEST, fence=1),
        ("nothing_applied_after_a_difference", "applied_after_a_difference"),
    ),
    (complete, sa.delete(closure_audit_rows), ("audit_row_complete", "audit_row_missing")),
    (
        complete,
        sa.update(closure_audit_rows).values(
            body_digest=sa.select(closure_plans.c.body_digest).scalar_subquery(),
        ),
        ("audit_row_complete", "audit_row_differs"),
    ),
    (
        complete,
        sa.update(closure_plans).values(state="open", finished_at=None),
        ("audit_row_complete", "audit_row_too_early"),
    ),
    (complete, step().values(receipt_version=None), ("receipts_read_back", "receipt_missing")),
    (
        complete,
        step().values(request_digest=DIGEST, read_back_digest=DIGEST),
        ("receipts_read_back", "request_is_not_the_plan_s"),
    ),
]


@pytest.mark.parametrize(("story", "tampering", "found"), TAMPERED, ids=[one[2][1] for one in TAMPERED])
def test_what_is_not_as_the_protocol_writes_it_is_found(
    bench: ClosureBench,
    story: Callable[[ClosureBench], None],
    tampering: sa.UpdateBase,
    found: tuple[str, str],
) -> None:
    story(bench)
    change(bench, tampering)
    promise, code = found
    assert broken(bench) == {promise: (code,)}


def test_a_case_is_due_while_something_waits_to_be_tried_and_no_worker_has_it(bench: ClosureBench) -> None:
    bench.support.targets[TRACKER].is_down = True
    assert due_cases(bench.workspace, limit=5) == ()
    bench.admit()
    assert [one.case for one in due_cases(bench.workspace, limit=5)] == [CASE]
    bench.work()
    assert due_cases(bench.workspace, limit=5) == ()
    bench.pass_time(timedelta(minutes=10))
    assert [one.case for one in due_cases(bench.workspace, limit=5)] == [CASE]
    bench.support.targets[TRACKER].is_down = False
    bench.work_on(2)
    assert due_cases(bench.workspace, limit=5) == ()


def test_going_on_after_the_last_case_reaches_all_that_are_due(tmp_path: Path) -> None:
    cases = [f"CASE-{number}" for number in range(5)]
    bench = make_closure_bench(tmp_path, *cases)
    for number, case in enumerate(cases):
        bench.admit(event(f"evt-{number}", case))
    asked, after = [], 0
    for _ in range(3):
        found = due_cases(bench.workspace, limit=2, after=after)
        after = found[-1].event_number
        asked.append([one.case for one in found])
    assert asked == [["CASE-0", "CASE-1"], ["CASE-2", "CASE-3"], ["CASE-4", "CASE-0"]]


@pytest.mark.postgresql
def test_a_closure_in_postgresql_is_judged_found_due_and_published_too(tmp_path: Path, postgresql_url: str) -> None:
    bench = make_closure_bench(tmp_path, database_url=postgresql_url)
    bench.admit()
    assert [one.case for one in due_cases(bench.workspace, limit=5)] == [CASE]
    bench.work()
    bench.command(ClosureAct.REVERT, plan=1)
    bench.work_on(2)
    assert broken(bench) == {}
    assert publish(bench.workspace).is_new
    assert not publish(bench.workspace).is_new
