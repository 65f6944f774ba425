"""Plan: one completion as it was planned, which of its steps may run now, and what is to be undone.

Belongs here: the plan that is stored once and never changed, keys, and what follows from the states of its steps.
Rows are the store's: what is asked of one is `StepRecord`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol, TypeVar

import msgspec

from dagster_project.closure.disposition import Disposition
from dagster_project.closure.states import FINISHED, UNSETTLED, Direction, PlanState, StepState
from dagster_project.closure.steps import STEPS, PlannedStep, StepDefinition, planned_steps
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_of
from dagster_project.integrity.documents import document_of, read_document

PLAN_VERSION: Final = 1


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A completion: the event that began it, the disposition as it was verified, and what is written where.

    What is written stands here, so that a later program writes for an old plan what the old one would have.
    """

    plan_version: int
    source: str
    event_id: str
    disposition: Disposition
    steps: tuple[PlannedStep, ...]

    def step(self, name: str) -> PlannedStep:
        """Return a step by its name.

        Raises:
            KeyError: the plan has none of that name.
        """
        return {one.name: one for one in self.steps}[name]

    def definition(self, name: str) -> StepDefinition:
        """Return how a step of this plan's version is done and undone.

        Raises:
            KeyError: there is none of that name in that version.
        """
        return {one.name: one for one in STEPS[self.plan_version]}[name]


class StepRecord(Protocol):
    """What is asked of the row of a step."""

    @property
    def name(self) -> str:
        """The step's name."""
        ...

    @property
    def direction(self) -> str:
        """Whether it is done or undone."""
        ...

    @property
    def state(self) -> str:
        """Where it stands."""
        ...

    @property
    def next_at(self) -> datetime | None:
        """From when on it may be tried; None where it waits for a person."""
        ...

    @property
    def receipt_version(self) -> str | None:
        """The version that the target gave the subject, where it said so."""
        ...


Step = TypeVar("Step", bound=StepRecord)


def make_plan(source: str, event_id: str, disposition: Disposition, plan_version: int = PLAN_VERSION) -> Plan:
    """Plan the completion of a disposition that was verified.

    Raises:
        ValuesRefused: the record holds something that may not be written.
    """
    return Plan(
        plan_version=plan_version,
        source=source,
        event_id=event_id,
        disposition=disposition,
        steps=planned_steps(disposition, plan_version),
    )


def plan_bytes(plan: Plan) -> bytes:
    """Write a plan as canonical JSON."""
    return canonical_bytes(document_of(plan))


def read_plan(body: bytes) -> Plan:
    """Read a plan back from stored bytes that were verified by their digest."""
    return msgspec.convert(read_document(body), Plan)


def idempotency_key(plan: Plan, name: str, direction: Direction) -> str:
    """Return the key of a step: the same whenever it is repeated, and no other step's."""
    disposition = plan.disposition
    digest = digest_of(
        {
            "case": disposition.case,
            "episode": disposition.episode,
            "disposition_version": disposition.disposition_version,
            "step": name,
            "direction": direction.value,
        }
    )
    return f"closure.{name}.{direction.value}.{digest.removeprefix('sha256:')[:32]}"


def direction_of(state: str) -> Direction:
    """Return which way a plan in a state goes."""
    return Direction.UNDO if state in {PlanState.REVERTING, PlanState.REVERTED} else Direction.APPLY


def next_steps(plan: Plan, state: str, steps: Iterable[Step], now: datetime) -> tuple[Step, ...]:
    """Return the steps that may be tried now, in the order of the plan.

    A step waits for no other, but the last one for all of them. Of a plan that is stopped only those are tried whose
    outcome is not known, to learn it.
    """
    order = [one.name for one in plan.steps]
    ours = sorted((one for one in steps if one.direction == direction_of(state)), key=lambda one: order.index(one.name))
    due = [one for one in ours if one.next_at is not None and one.next_at <= now and _goes_on(one, state)]
    return tuple(one for one in due if not plan.definition(one.name).is_last or _rest_is_finished(one, ours))


def _goes_on(step: StepRecord, state: str) -> bool:
    if state in {PlanState.OPEN, PlanState.REVERTING}:
        return step.state == StepState.PENDING or step.state in UNSETTLED
    return state == PlanState.STOPPED and step.state in UNSETTLED


def _rest_is_finished(last: StepRecord, ours: Sequence[StepRecord]) -> bool:
    # What was begun already is settled whatever became of the rest since.
    return last.state in UNSETTLED or all(one.state in FINISHED for one in ours if one.name != last.name)


def last_to_wake(plan: Plan, steps: Iterable[Step]) -> Step | None:
    """Return the last step of a direction where it waited for the others and they are all finished; else None.

    Args:
        plan: The plan.
        steps: Those of one direction.
    """
    found = list(steps)
    last = next((one for one in found if plan.definition(one.name).is_last), None)
    if last is None or last.state != StepState.PENDING or last.next_at is not None:
        return None
    return last if _rest_is_finished(last, found) else None


def is_finished(steps: Iterable[StepRecord], direction: Direction) -> bool:
    """Tell whether every step of a direction is finished."""
    return all(one.state in FINISHED for one in steps if one.direction == direction)


def skipped_steps(steps: Iterable[StepRecord], direction: Direction) -> tuple[str, ...]:
    """Return the steps of a direction that an operator skipped; what was completed already is not among them."""
    found = (one for one in steps if one.direction == direction and one.state == StepState.SKIPPED_BY_OPERATOR)
    return tuple(one.name for one in found)


def steps_to_undo(steps: Iterable[StepRecord], unreceipted: Collection[str]) -> tuple[str, ...]:
    """Return the steps that wrote something, or may have.

    Args:
        steps: The rows of a plan.
        unreceipted: Names of steps that were begun and have no receipt: they may have written.
    """
    forward = (one for one in steps if one.direction == Direction.APPLY)
    return tuple(one.name for one in forward if one.receipt_version is not None or one.name in unreceipted)


def states_by_name(steps: Iterable[StepRecord], direction: Direction) -> Mapping[str, str]:
    """Return the states of the steps of a direction by name."""
    return {one.name: one.state for one in steps if one.direction == direction}
