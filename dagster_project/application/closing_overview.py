"""Closing overview: what people see of closures: plans, steps, events and follow-ups with what resolves them.

Belongs here: reading. Nothing is shown but identifiers, states, codes and instants, and the reasons that people gave.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster_project.application.workspace import Workspace
from dagster_project.closure.follow_ups import GUIDES, FollowUpKind
from dagster_project.closure.states import EventState
from dagster_project.closure.steps import STEP_NAMES
from dagster_project.errors import UsageError
from dagster_project.integrity.documents import read_document
from dagster_project.store import closure_follow_ups, closures
from dagster_project.store.closure_follow_ups import FollowUpRow
from dagster_project.store.closures import EventRow, PlanRow, StepRow
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class StepOverview:
    """One step, where it stands, and what its target said."""

    step: str
    direction: str
    target: str
    subject: str
    state: str
    attempts: int
    next_at: datetime | None
    last_error: str | None
    reference: str | None
    version: str | None


@dataclass(frozen=True)
class FollowUpOverview:
    """A follow-up, whose it is, what to look at, what resolves it, and its evidence."""

    follow_up: int
    kind: str
    case: str
    plan: int
    event: int
    step: str
    owner_role: str
    look_at: str
    resolved_by_doing: str
    opened_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class PlanOverview:
    """A plan with its steps, and its audit row once it is complete."""

    plan: int
    case: str
    episode: str
    disposition_version: int
    state: str
    created_at: datetime
    finished_at: datetime | None
    steps: tuple[StepOverview, ...]
    audit_row: Mapping[str, Any] | None


@dataclass(frozen=True)
class EventOverview:
    """An event and what became of it."""

    event: int
    source: str
    event_id: str
    case: str
    state: str
    received_at: datetime
    last_error: str | None


@dataclass(frozen=True)
class ClosureOverview:
    """Everything about one case, or about all; `deliveries` counts what was ever handed in, by outcome."""

    events: tuple[EventOverview, ...]
    plans: tuple[PlanOverview, ...]
    follow_ups: tuple[FollowUpOverview, ...]
    deliveries: Mapping[str, int]


def closure_overview(workspace: Workspace, case: str | None = None) -> ClosureOverview:
    """Return what there is to see of a case, or of every case.

    Raises:
        UsageError: no event ever told of this case.
    """
    with workspace.store.read() as transaction:
        events = closures.events_of(transaction, case)
        if case is not None and not events:
            raise _no_such_case(case)
        plans = closures.plans_of(transaction, case)
        found = closure_follow_ups.follow_ups_of(transaction, case)
        return ClosureOverview(
            tuple(map(_event, events)),
            tuple(_plan(transaction, row) for row in plans),
            tuple(_follow_up(transaction, row) for row in found),
            closures.count_deliveries(transaction),
        )


def newest_plan(workspace: Workspace, case: str) -> int:
    """Return the number of the newest plan of a case.

    Raises:
        UsageError: it has none.
    """
    with workspace.store.read() as transaction:
        plans = closures.plans_of(transaction, case)
    if not plans:
        raise _no_such_case(case)
    return plans[-1].plan_id


def newest_stopped_event(workspace: Workspace, case: str) -> int:
    """Return the number of the newest event of a case that was stopped, or 0."""
    with workspace.store.read() as transaction:
        stopped = [one for one in closures.events_of(transaction, case) if one.state == EventState.STOPPED]
    return stopped[-1].event_number if stopped else 0


def case_of_follow_up(workspace: Workspace, follow_up: int) -> str:
    """Return the case that a follow-up is about.

    Raises:
        UsageError: there is no such follow-up.
    """
    with workspace.store.read() as transaction:
        row = closure_follow_ups.find_follow_up(transaction, follow_up)
    if row is None:
        raise UsageError(
            "no_such_follow_up",
            what="there is no such follow-up",
            where=f"follow-up {follow_up}",
            what_to_do="See them with `channelsafe closure list`.",
        )
    return row.case_id


def _no_such_case(case: str) -> UsageError:
    return UsageError(
        "no_such_closure",
        what="no closure of this case is known",
        where=f"case {case}",
        what_to_do="See what there is with `channelsafe closure list`.",
    )


def _event(row: EventRow) -> EventOverview:
    return EventOverview(
        row.event_number, row.source, row.event_id, row.case_id, row.state, row.received_at, row.last_error
    )


def _plan(transaction: Transaction, row: PlanRow) -> PlanOverview:
    steps = sorted(closures.steps_of(transaction, row.plan_id), key=lambda one: (one.direction, _place(one.name)))
    digest = closure_follow_ups.audit_row_digest(transaction, row.plan_id)
    audit_row = None if digest is None else read_document(transaction.get_sealed(digest))
    return PlanOverview(
        row.plan_id,
        row.case_id,
        row.episode,
        row.disposition_version,
        row.state,
        row.created_at,
        row.finished_at,
        tuple(map(_step, steps)),
        audit_row,
    )


def _place(name: str) -> int:
    return STEP_NAMES.index(name) if name in STEP_NAMES else len(STEP_NAMES)


def _step(row: StepRow) -> StepOverview:
    return StepOverview(
        row.name,
        row.direction,
        row.target,
        row.subject,
        row.state,
        row.attempts,
        row.next_at,
        row.last_error,
        row.receipt_reference,
        row.receipt_version,
    )


def _follow_up(transaction: Transaction, row: FollowUpRow) -> FollowUpOverview:
    guide = GUIDES[FollowUpKind(row.kind)]
    return FollowUpOverview(
        row.follow_up_id,
        row.kind,
        row.case_id,
        row.plan_id,
        row.event_number,
        row.step,
        row.owner_role,
        guide.look_at,
        guide.resolved_by,
        row.opened_at,
        row.resolved_at,
        row.resolved_by,
        read_document(transaction.get_sealed(row.body_digest)),
    )
