"""Events, plans and steps of closures: what a completion stands on, every commit a step of its own.

Belongs here: reading and writing these rows. Leases are `closure_leases`; follow-ups, audit rows and commands are
`closure_follow_ups`. What may follow what is the domain's (`closure.plan`) and the application's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from dagster_project.store.closure_tables import (
    closure_deliveries,
    closure_events,
    closure_leases,
    closure_plans,
    closure_steps,
)
from dagster_project.store.transaction import Transaction, first_row, insert_new, insert_rows

_EVENTS: Final = closure_events.c
_PLANS: Final = closure_plans.c
_STEPS: Final = closure_steps.c
# Built once: building them takes longer than running them, and every step of a completion runs them several times.
_FIND_PLAN: Final = sa.select(closure_plans).where(_PLANS.plan_id == sa.bindparam("of_plan"))
_STEPS_OF: Final = (
    sa.select(closure_steps).where(_STEPS.plan_id == sa.bindparam("of_plan")).order_by(_STEPS.direction, _STEPS.name)
)
_CHANGE_STEP: Final = sa.update(closure_steps).where(
    _STEPS.plan_id == sa.bindparam("of_plan"),
    _STEPS.name == sa.bindparam("of_name"),
    _STEPS.direction == sa.bindparam("of_direction"),
    _STEPS.state == sa.bindparam("was_state"),
    _STEPS.attempts == sa.bindparam("had_attempts"),
)


@dataclass(frozen=True, kw_only=True)
class NewDelivery:
    """Something that was handed in, and what became of it; of refused input only digest and length."""

    source: str | None
    event_id: str | None
    digest: str
    length: int
    outcome: str
    reason_code: str | None
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """A stored event; its document is a sealed body."""

    event_number: int
    source: str
    event_id: str
    digest: str
    case_id: str
    state: str
    body_digest: str
    attempts: int
    next_at: datetime | None
    last_error: str | None
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """A stored plan; its document is a sealed body."""

    plan_id: int
    event_number: int
    case_id: str
    episode: str
    disposition_version: int
    plan_version: int
    state: str
    body_digest: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """A stored step, in one direction. What is written and what stood before are sealed bodies.

    `first_held_up_at` is when a system first could not be used for it, or refused it; None where none ever did.
    """

    plan_id: int
    name: str
    direction: str
    target: str
    subject: str
    state: str
    key: str
    request_digest: str | None
    prior_body: str | None
    expected_version: str | None
    receipt_reference: str | None
    receipt_version: str | None
    read_back_digest: str | None
    attempts: int
    fence: int | None
    next_at: datetime | None
    last_error: str | None
    command_digest: str | None
    finished_at: datetime | None
    first_held_up_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NewStep:
    """A step of a plan, not begun; one that waits for others has no `next_at` yet."""

    name: str
    direction: str
    target: str
    subject: str
    key: str
    next_at: datetime | None


def add_delivery(transaction: Transaction, new: NewDelivery) -> None:
    """Keep that something was handed in."""
    transaction.connection.execute(sa.insert(closure_deliveries).values(**vars(new)))


def count_deliveries(transaction: Transaction) -> dict[str, int]:
    """Return how many deliveries had each outcome."""
    outcome = closure_deliveries.c.outcome
    statement = sa.select(outcome, sa.func.count()).group_by(outcome).order_by(outcome)
    return {row[0]: row[1] for row in transaction.connection.execute(statement)}


def add_event(
    transaction: Transaction, *, source: str, event_id: str, case_id: str, body: bytes, digest: str, at: datetime
) -> int | None:
    """Store an event that is to be verified, and return its number; None where there is one of its id already."""
    values = {
        "source": source,
        "event_id": event_id,
        "digest": digest,
        "case_id": case_id,
        "state": "pending",
        "body_digest": transaction.put_sealed(body),
        "attempts": 0,
        "next_at": at,
        "last_error": None,
        "received_at": at,
    }
    found: int | None = insert_new(transaction, closure_events, values)
    return found


def find_event_by_id(transaction: Transaction, source: str, event_id: str) -> EventRow | None:
    """Return the event of an id, or None."""
    return _event(transaction, _EVENTS.source == source, _EVENTS.event_id == event_id)


def find_event(transaction: Transaction, event_number: int) -> EventRow | None:
    """Return an event, or None where there is none of that number."""
    return _event(transaction, _EVENTS.event_number == event_number)


def _event(transaction: Transaction, *conditions: sa.ColumnElement[bool]) -> EventRow | None:
    row = first_row(transaction, sa.select(closure_events).where(*conditions))
    return None if row is None else EventRow(**row)


def events_of(transaction: Transaction, case_id: str | None = None) -> list[EventRow]:
    """Return every event, or those of a case, in the order of arrival."""
    statement = sa.select(closure_events).order_by(_EVENTS.event_number)
    if case_id is not None:
        statement = statement.where(_EVENTS.case_id == case_id)
    return [EventRow(**row) for row in transaction.connection.execute(statement).mappings()]


def due_events(transaction: Transaction, now: datetime, *, limit: int, case_id: str | None = None) -> list[EventRow]:
    """Return events, of one case or of any, that are to be verified now, the longest due first."""
    statement = sa.select(closure_events).where(_EVENTS.state == "pending", _EVENTS.next_at <= now)
    if case_id is not None:
        statement = statement.where(_EVENTS.case_id == case_id)
    found = transaction.connection.execute(statement.order_by(_EVENTS.next_at, _EVENTS.event_number).limit(limit))
    return [EventRow(**row) for row in found.mappings()]


def change_event(transaction: Transaction, row: EventRow, **values: Any) -> bool:  # noqa: ANN401 - columns
    """Change an event that still is as it was read; False where it is not."""
    same = (_EVENTS.event_number == row.event_number, _EVENTS.state == row.state, _EVENTS.attempts == row.attempts)
    return transaction.connection.execute(sa.update(closure_events).where(*same).values(**values)).rowcount == 1


def add_plan(
    transaction: Transaction,
    *,
    event_number: int,
    case_id: str,
    episode: str,
    disposition_version: int,
    plan_version: int,
    body: bytes,
    at: datetime,
) -> int | None:
    """Store a plan and return its id; None where the disposition has one already."""
    values = {
        "event_number": event_number,
        "case_id": case_id,
        "episode": episode,
        "disposition_version": disposition_version,
        "plan_version": plan_version,
        "state": "open",
        "body_digest": transaction.put_sealed(body),
        "created_at": at,
        "finished_at": None,
    }
    found: int | None = insert_new(transaction, closure_plans, values)
    return found


def add_steps(transaction: Transaction, plan_id: int, news: Sequence[NewStep]) -> None:
    """Store the steps of one direction of a plan."""
    begun = {"plan_id": plan_id, "state": "pending", "attempts": 0}
    insert_rows(transaction, closure_steps, [{**vars(new), **begun} for new in news])


def find_plan(transaction: Transaction, plan_id: int) -> PlanRow | None:
    """Return a plan, or None where there is none of that number."""
    row = transaction.connection.execute(_FIND_PLAN, {"of_plan": plan_id}).mappings().one_or_none()
    return None if row is None else PlanRow(**row)


def plans_of(transaction: Transaction, case_id: str | None = None) -> list[PlanRow]:
    """Return every plan, or those of a case, in the order in which they were made."""
    statement = sa.select(closure_plans).order_by(_PLANS.plan_id)
    if case_id is not None:
        statement = statement.where(_PLANS.case_id == case_id)
    return [PlanRow(**row) for row in transaction.connection.execute(statement).mappings()]


def change_plan(transaction: Transaction, row: PlanRow, **values: Any) -> bool:  # noqa: ANN401 - columns
    """Change a plan that still stands where it stood when it was read; False where it does not."""
    same = (_PLANS.plan_id == row.plan_id, _PLANS.state == row.state)
    return transaction.connection.execute(sa.update(closure_plans).where(*same).values(**values)).rowcount == 1


def steps_of(transaction: Transaction, plan_id: int) -> list[StepRow]:
    """Return the steps of a plan, by direction and name."""
    found = transaction.connection.execute(_STEPS_OF, {"of_plan": plan_id})
    return [StepRow(**row) for row in found.mappings()]


def change_step(transaction: Transaction, row: StepRow, **values: Any) -> bool:  # noqa: ANN401 - columns
    """Change a step that still stands where it stood when it was read; False where it does not."""
    same = {
        "of_plan": row.plan_id,
        "of_name": row.name,
        "of_direction": row.direction,
        "was_state": row.state,
        "had_attempts": row.attempts,
    }
    return transaction.connection.execute(_CHANGE_STEP, {**values, **same}).rowcount == 1


def plans_to_work(
    transaction: Transaction,
    now: datetime,
    plan_versions: Sequence[int],
    *,
    limit: int,
    case_id: str | None = None,
) -> list[PlanRow]:
    """Return plans that have a step to be tried now and that nobody works, the longest due first.

    Args:
        transaction: Any transaction.
        now: When.
        plan_versions: Those that this program can finish.
        limit: The most to return.
        case_id: Only those of this case; None for all.
    """
    open_step = sa.and_(_PLANS.state.in_(["open", "reverting"]), _STEPS.state.in_(["pending", "intent", "unknown"]))
    to_settle = sa.and_(_PLANS.state == "stopped", _STEPS.state.in_(["intent", "unknown"]))
    direction = sa.case((_PLANS.state.in_(["reverting", "reverted"]), "undo"), else_="apply")
    leased = sa.exists().where(closure_leases.c.plan_id == _PLANS.plan_id, closure_leases.c.expires_at > now)
    due = (
        sa.select(_STEPS.plan_id, sa.func.min(_STEPS.next_at).label("since"))
        .join(closure_plans, _PLANS.plan_id == _STEPS.plan_id)
        .where(_STEPS.next_at <= now, _STEPS.direction == direction, sa.or_(open_step, to_settle), ~leased)
        .group_by(_STEPS.plan_id)
        .subquery()
    )
    statement = (
        sa.select(closure_plans)
        .join(due, due.c.plan_id == _PLANS.plan_id)
        .where(_PLANS.plan_version.in_(plan_versions))
        .order_by(due.c.since, _PLANS.plan_id)
        .limit(limit)
    )
    if case_id is not None:
        statement = statement.where(_PLANS.case_id == case_id)
    return [PlanRow(**row) for row in transaction.connection.execute(statement).mappings()]
