"""Closing invariants: whether what is stored of a case's closures is as the protocol promises (invariants I4 and I7).

Belongs here: judging rows, from the store alone. What the rows are made of is never believed: keys, requests and audit
rows are derived from the plan again. Counts, codes and plan numbers are all that is told.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dagster_project.application.closing_promises import PROMISES
from dagster_project.application.closing_records import audit_row_of, plan_of
from dagster_project.application.workspace import Workspace
from dagster_project.closure.audit_row import audit_row_bytes
from dagster_project.closure.follow_ups import KIND_OF
from dagster_project.closure.plan import Plan, idempotency_key, skipped_steps
from dagster_project.closure.states import Direction, EventState, PlanState, StepState
from dagster_project.closure.steps import notice_values
from dagster_project.integrity.digests import digest_of
from dagster_project.integrity.documents import read_document
from dagster_project.store import closure_follow_ups, closures
from dagster_project.store.closures import PlanRow, StepRow
from dagster_project.store.transaction import Transaction

# May have written, or did.
_APPLIED: Final = frozenset({StepState.INTENT, StepState.UNKNOWN, StepState.DONE})
_NOT_BEGUN: Final = frozenset({StepState.PENDING, StepState.REFUSED})
_STOPS: Final = frozenset(kind.value for kind in KIND_OF.values())
# Of these, whatever stopped the plan still stands.
_STANDS: Final = frozenset({PlanState.STOPPED, PlanState.REVERTING, PlanState.REVERTED})


@dataclass(frozen=True)
class InvariantResult:
    """One invariant over the closures of a case: how many plans were judged, and what was found, as codes."""

    name: str
    passed: bool
    plans_judged: int
    codes: tuple[str, ...]
    plans: tuple[int, ...]


@dataclass(frozen=True)
class _Judged:
    """One plan with its steps, in the transaction that read them."""

    transaction: Transaction
    row: PlanRow
    plan: Plan
    steps: tuple[StepRow, ...]


def judge_closures(workspace: Workspace, case: str) -> tuple[InvariantResult, ...]:
    """Judge every plan of a case by every invariant, in their order."""
    with workspace.store.read() as transaction:
        judged = [
            _Judged(transaction, row, plan_of(transaction, row), tuple(closures.steps_of(transaction, row.plan_id)))
            for row in closures.plans_of(transaction, case)
        ]
        return tuple(_result(name, judged) for name in PROMISES)


_Judge = Callable[[_Judged], Iterator[str]]


def _result(name: str, judged: list[_Judged]) -> InvariantResult:
    found = {one.row.plan_id: tuple(_JUDGES[name](one)) for one in judged}
    codes = sorted({code for codes in found.values() for code in codes})
    plans = tuple(plan for plan, codes in found.items() if codes)
    return InvariantResult(name, not codes, len(judged), tuple(codes), plans)


def _each_effect_at_most_once(one: _Judged) -> Iterator[str]:
    for step in one.steps:
        if step.key != idempotency_key(one.plan, step.name, Direction(step.direction)):
            yield "other_key"
    receipts = [(step.target, step.receipt_reference, step.receipt_version) for step in one.steps]
    received = [receipt for receipt in receipts if receipt[1] is not None]
    if len(received) > len(set(received)):
        yield "receipt_of_two_steps"


def _nothing_applied_after_a_difference(one: _Judged) -> Iterator[str]:
    event = closures.find_event(one.transaction, one.row.event_number)
    if event is None or event.state in {EventState.STOPPED, EventState.PENDING}:
        yield "event_not_verified"
    found = closure_follow_ups.follow_ups_of(one.transaction, one.row.case_id)
    stops = [item for item in found if item.plan_id == one.row.plan_id and item.kind in _STOPS]
    if one.row.state == PlanState.STOPPED and not stops:
        yield "stopped_without_follow_up"
    if one.row.state in _STANDS and stops:
        told = read_document(one.transaction.get_sealed(stops[-1].body_digest))
        states = {step["step"]: step["state"] for step in told["steps"] if step["direction"] == Direction.APPLY}
        forward = [step for step in one.steps if step.direction == Direction.APPLY]
        if any(states[step.name] in _NOT_BEGUN and step.state in _APPLIED for step in forward):
            yield "applied_after_a_difference"


def _audit_row_complete(one: _Judged) -> Iterator[str]:
    digest = closure_follow_ups.audit_row_digest(one.transaction, one.row.plan_id)
    if one.row.state == PlanState.COMPLETE:
        if digest is None:
            yield "audit_row_missing"
        elif one.transaction.get_sealed(digest) != _derived_audit_row(one):
            yield "audit_row_differs"
    elif digest is not None and one.row.state in {PlanState.OPEN, PlanState.STOPPED}:
        yield "audit_row_too_early"


def _derived_audit_row(one: _Judged) -> bytes | None:
    try:
        return audit_row_bytes(audit_row_of(one.transaction, one.plan, one.steps))
    except ValueError:  # a step is not finished, so there is no such row
        return None


def _receipts_read_back(one: _Judged) -> Iterator[str]:
    for step in one.steps:
        if step.state == StepState.DONE:
            if step.receipt_reference is None or step.receipt_version is None:
                yield "receipt_missing"
            if step.read_back_digest is None or step.read_back_digest != step.request_digest:
                yield "read_back_differs"
            if step.direction == Direction.APPLY and step.request_digest != digest_of(dict(_written(one, step))):
                yield "request_is_not_the_plan_s"


def _written(one: _Judged, step: StepRow) -> Mapping[str, object]:
    planned = one.plan.step(step.name)
    if not one.plan.definition(step.name).is_last:
        return planned.values
    order = [each.name for each in one.plan.steps]
    return notice_values(planned, sorted(skipped_steps(one.steps, Direction.APPLY), key=order.index))


_JUDGES: Final[Mapping[str, _Judge]] = {
    "each_effect_at_most_once": _each_effect_at_most_once,
    "nothing_applied_after_a_difference": _nothing_applied_after_a_difference,
    "audit_row_complete": _audit_row_complete,
    "receipts_read_back": _receipts_read_back,
}
