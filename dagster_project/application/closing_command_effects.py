"""Closing command effects: what a command that was signed by somebody who may does to the rows of a closure.

Belongs here: refusing what cannot be done as things stand, and doing the rest, in the transaction of the command.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from dagster_project.application.closing_records import move_plan_on, plan_of
from dagster_project.closure.commands import ClosureAct, ClosureCommand
from dagster_project.closure.plan import Plan, direction_of, idempotency_key, steps_to_undo
from dagster_project.closure.states import FINISHED, UNSETTLED, Direction, EventState, PlanState, StepState
from dagster_project.errors import UnsafeOrRejected
from dagster_project.store import closure_follow_ups, closure_leases, closures
from dagster_project.store.closures import NewStep, PlanRow, StepRow
from dagster_project.store.transaction import Transaction

_WORKABLE: Final = frozenset({PlanState.OPEN, PlanState.STOPPED, PlanState.REVERTING})
_REVERTIBLE: Final = frozenset({PlanState.OPEN, PlanState.STOPPED, PlanState.COMPLETE})


@dataclass(frozen=True)
class Given:
    """A command with the person who gave it, in the transaction in which it is taken."""

    transaction: Transaction
    command: ClosureCommand
    digest: str
    person: str
    now: datetime

    def refuse(self, code: str, what: str, what_to_do: str) -> NoReturn:
        """Refuse the command.

        Raises:
            UnsafeOrRejected: always.
        """
        raise UnsafeOrRejected(
            code,
            what=what,
            where=f"{self.command.act.value} of case {self.command.case}",
            what_to_do=f"Nothing was changed. {what_to_do}",
        )

    def plan(self) -> tuple[PlanRow, Plan]:
        """Return the plan that is named, of the case that is named."""
        row = closures.find_plan(self.transaction, self.command.plan)
        if row is None or row.case_id != self.command.case:
            self.refuse("no_such_plan", "the case has no such plan", "See `channelsafe closure show`.")
        return row, plan_of(self.transaction, row)

    def require_rest(self, row: PlanRow) -> None:
        """Refuse while a worker is at the plan: what it is doing is not known yet."""
        if closure_leases.is_held(self.transaction, row.plan_id, self.now):
            self.refuse("plan_in_work", "a worker is at this plan now", "Give the command again in a minute or two.")

    def resolve(self, ids: list[int]) -> None:
        """Resolve follow-ups in the name of the person."""
        closure_follow_ups.resolve_follow_ups(
            self.transaction, ids, by=self.person, at=self.now, command_digest=self.digest
        )


def _retry(given: Given) -> None:
    if given.command.event:
        _retry_event(given)
    else:
        _retry_plan(given)


def _retry_event(given: Given) -> None:
    """Have an event verified again: whatever it lacked, only the source record and the archive can supply."""
    command, transaction = given.command, given.transaction
    row = closures.find_event(transaction, command.event)
    if row is None or row.case_id != command.case or row.state != EventState.STOPPED:
        given.refuse("event_not_stopped", "the case has no such event that was stopped", "See `closure show`.")
    closures.change_event(
        transaction, row, state=EventState.PENDING.value, attempts=0, next_at=given.now, last_error=None
    )
    found = closure_follow_ups.follow_ups_of(transaction, command.case)
    given.resolve([one.follow_up_id for one in found if one.event_number == row.event_number])


def _retry_plan(given: Given) -> None:
    command, transaction = given.command, given.transaction
    row, plan = given.plan()
    if row.state not in _WORKABLE:
        given.refuse("plan_finished", "the plan is finished: nothing is to be tried again", "See `closure show`.")
    given.require_rest(row)
    steps = closures.steps_of(transaction, row.plan_id)
    ours = [one for one in steps if one.direction == direction_of(row.state)]
    waiting = [one for one in ours if one.state not in FINISHED and command.step in {"", one.name}]
    if command.step and not waiting:
        given.refuse("no_such_step", "no such step is unfinished", "See `closure show`.")
    if row.state == PlanState.STOPPED:
        closures.change_plan(transaction, row, state=PlanState.OPEN.value)
    for one in waiting:
        next_at = None if _waits_for_others(plan, one, ours) else given.now
        closures.change_step(transaction, one, state=_tried_again(one), attempts=0, next_at=next_at, last_error=None)
    found = closure_follow_ups.open_follow_ups_of_plan(transaction, row.plan_id)
    # What is about the whole plan is answered by its going on, also where one step alone is tried again.
    given.resolve([one.follow_up_id for one in found if not one.step or command.step in {"", one.step}])
    move_plan_on(transaction, row.plan_id, plan, given.now)


def _tried_again(step: StepRow) -> str:
    """Return the state from which a step is tried again: one that has its receipt is only read back again."""
    if step.state != StepState.REFUSED:
        return step.state
    return (StepState.PENDING if step.receipt_version is None else StepState.UNKNOWN).value


def _waits_for_others(plan: Plan, step: StepRow, ours: list[StepRow]) -> bool:
    rest = [one for one in ours if one.name != step.name]
    is_begun = step.state in UNSETTLED
    return plan.definition(step.name).is_last and not is_begun and any(one.state not in FINISHED for one in rest)


def _skip(given: Given) -> None:
    command, transaction = given.command, given.transaction
    row, plan = given.plan()
    if row.state not in _WORKABLE:
        given.refuse("plan_finished", "the plan is finished: nothing is left to be skipped", "See `closure show`.")
    given.require_rest(row)
    direction = direction_of(row.state)
    steps = closures.steps_of(transaction, row.plan_id)
    found = [one for one in steps if one.name == command.step and one.direction == direction]
    if not found or found[0].state in FINISHED:
        given.refuse("no_such_step", "no such step is unfinished", "See `closure show`.")
    closures.change_step(
        transaction,
        found[0],
        state=StepState.SKIPPED_BY_OPERATOR.value,
        command_digest=given.digest,
        finished_at=given.now,
        next_at=None,
    )
    about = closure_follow_ups.open_follow_ups_of_plan(transaction, row.plan_id)
    given.resolve([one.follow_up_id for one in about if one.step == command.step])
    move_plan_on(transaction, row.plan_id, plan, given.now)


def _resolve(given: Given) -> None:
    """Resolve a follow-up: it says that a person saw to it, and changes nothing else."""
    row = closure_follow_ups.find_follow_up(given.transaction, given.command.follow_up)
    if row is None or row.case_id != given.command.case or row.resolved_at is not None:
        given.refuse("no_such_follow_up", "the case has no such open follow-up", "See `closure show`.")
    given.resolve([row.follow_up_id])


def _revert(given: Given) -> None:
    """Have everything that was written, or may have been, taken back; nothing more is written forward."""
    transaction = given.transaction
    row, plan = given.plan()
    if row.state not in _REVERTIBLE:
        given.refuse("plan_not_revertible", "the plan is reverted, or is being reverted", "See `closure show`.")
    steps = closures.steps_of(transaction, row.plan_id)
    order = [one.name for one in plan.steps]
    names = sorted(steps_to_undo(steps, [one.name for one in steps if _may_have_written(one)]), key=order.index)
    forward = {one.name: one for one in steps if one.direction == Direction.APPLY}
    closures.change_plan(transaction, row, state=PlanState.REVERTING.value, finished_at=None)
    news = [
        NewStep(
            name=name,
            direction=Direction.UNDO.value,
            target=forward[name].target,
            subject=forward[name].subject,
            key=idempotency_key(plan, name, Direction.UNDO),
            next_at=None if plan.definition(name).is_last and len(names) > 1 else given.now,
        )
        for name in names
    ]
    closures.add_steps(transaction, row.plan_id, news)
    move_plan_on(transaction, row.plan_id, plan, given.now)


def _may_have_written(step: StepRow) -> bool:
    """Tell whether a step was begun and nobody knows how it ended."""
    was_skipped = step.state == StepState.SKIPPED_BY_OPERATOR and step.request_digest is not None
    return step.direction == Direction.APPLY and (step.state in UNSETTLED or was_skipped)


EFFECTS: Final[Mapping[ClosureAct, Callable[[Given], None]]] = {
    ClosureAct.RETRY: _retry,
    ClosureAct.SKIP: _skip,
    ClosureAct.RESOLVE: _resolve,
    ClosureAct.REVERT: _revert,
}
