"""Closing verification: reading the authority and the archive again, and what follows for an event.

Belongs here: from an event that was admitted to a plan, or to a follow-up with the evidence. The rules are
`closure.verification`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec

from dagster_project.application.closing_pauses import MOST_ATTEMPTS, named_pause, pause_after
from dagster_project.application.closing_records import (
    end_follow_ups_of_event,
    findings_evidence,
    hand_over_event,
    known_code,
    write_entry,
)
from dagster_project.application.closing_systems import Systems
from dagster_project.application.workspace import Workspace
from dagster_project.closure.disposition import ArchiveReference, Disposition, DispositionEvent
from dagster_project.closure.follow_ups import KIND_OF, FollowUpKind
from dagster_project.closure.plan import Plan, idempotency_key, make_plan, plan_bytes
from dagster_project.closure.states import Direction, EventState
from dagster_project.closure.steps import ValuesRefused
from dagster_project.closure.targets import TargetFailure, TargetUnavailable
from dagster_project.closure.verification import Difference, Finding, references_of, standing_of, verify_event
from dagster_project.integrity.documents import read_document
from dagster_project.store import closures
from dagster_project.store.audit import AuditAction
from dagster_project.store.closures import EventRow, NewStep
from dagster_project.store.transaction import Transaction

# Another worker takes an event up that was claimed and not settled for this long.
_VERIFIED_WITHIN: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class Authority:
    """What the source record of a case and the archive say now; None where they hold nothing."""

    record: Disposition | None
    archived: dict[str, str | None]


def read_authority(systems: Systems, case: str, references: Sequence[ArchiveReference]) -> Authority:
    """Read the record of a case, and what the archive holds under these references.

    Raises:
        TargetUnavailable: one of the two cannot be reached: nothing is known.
    """
    try:
        record = systems.case_review.read(case)
        archived = {one.reference: systems.archive.digest_of(one.reference) for one in references}
    except TargetUnavailable:
        raise
    except TargetFailure as failure:  # a read has no other end, whatever an adapter says
        raise TargetUnavailable(failure.code) from None
    return Authority(record, archived)


def stored_event(workspace: Workspace, row: EventRow) -> DispositionEvent:
    """Return the event that a row is of."""
    with workspace.store.read() as transaction:
        return msgspec.convert(read_document(transaction.get_sealed(row.body_digest)), DispositionEvent)


def verify_admitted(
    workspace: Workspace, systems: Systems, row: EventRow, event: DispositionEvent, chance: Random
) -> str:
    """Verify an event that waits for it, and plan its completion or hand it to a person; return what became of it.

    Nothing is done where others verified it meanwhile.
    """
    try:
        found = read_authority(systems, event.case, references_of(event))
    except TargetUnavailable as failure:
        return _postpone(workspace, row, failure, chance)
    findings = verify_event(event, found.record, found.archived)
    if findings or found.record is None:
        return _stop(workspace, row, findings)
    try:
        plan = make_plan(row.source, row.event_id, found.record)
    except ValuesRefused as refused:
        return _stop(workspace, row, (Finding(Difference.RECORD_UNREADABLE, refused.target),))
    return _plan(workspace, row, plan)


def claim_event(workspace: Workspace, row: EventRow) -> EventRow | None:
    """Count an attempt before it begins, so that an event which nobody can verify keeps no other waiting.

    Returns:
        The event as it is then; None where another worker was quicker.
    """
    with workspace.store.begin() as transaction:
        return claim_within(transaction, row, workspace.clock.now())


def claim_within(transaction: Transaction, row: EventRow, now: datetime) -> EventRow | None:
    """Claim an event in a transaction of the caller's; see `claim_event`."""
    values: dict[str, Any] = {"attempts": row.attempts + 1, "next_at": now + _VERIFIED_WITHIN}
    return replace(row, **values) if closures.change_event(transaction, row, **values) else None


def _postpone(workspace: Workspace, row: EventRow, failure: TargetUnavailable, chance: Random) -> str:
    pause = max(pause_after(row.attempts, chance), named_pause(failure.after))
    with workspace.store.begin() as transaction:
        now, code = workspace.clock.now(), known_code(failure.code)
        is_ours = closures.change_event(transaction, row, next_at=now + pause, last_error=code)
        if is_ours and row.attempts >= MOST_ATTEMPTS:
            hand_over_event(transaction, FollowUpKind.ATTEMPTS_EXHAUSTED, row, {"code": code}, now)
    return "event_postponed"


def _stop(workspace: Workspace, row: EventRow, findings: tuple[Finding, ...]) -> str:
    standing = standing_of(findings)
    with workspace.store.begin() as transaction:
        now = workspace.clock.now()
        if not _settle(transaction, row, EventState.STOPPED, now):
            return "event_overtaken"
        hand_over_event(transaction, KIND_OF[standing], row, findings_evidence(findings), now)
    return f"event_{standing.value}"


def _plan(workspace: Workspace, row: EventRow, plan: Plan) -> str:
    disposition = plan.disposition
    body = plan_bytes(plan)
    with workspace.store.begin() as transaction:
        now = workspace.clock.now()
        if closures.find_event(transaction, row.event_number) != row:
            return "event_overtaken"
        plan_id = closures.add_plan(
            transaction,
            event_number=row.event_number,
            case_id=disposition.case,
            episode=disposition.episode,
            disposition_version=disposition.disposition_version,
            plan_version=plan.plan_version,
            body=body,
            at=now,
        )
        state = EventState.ALREADY_PLANNED if plan_id is None else EventState.PLANNED
        if plan_id is not None:
            closures.add_steps(transaction, plan_id, _new_steps(plan, now))
            subject = f"closure/{disposition.case}/plan/{plan_id}"
            write_entry(transaction, AuditAction.CLOSURE_PLANNED, subject, body, now)
        _settle(transaction, row, state, now)
    return f"event_{state.value}"


def _settle(transaction: Transaction, row: EventRow, state: EventState, at: datetime) -> bool:
    end_follow_ups_of_event(transaction, row, at)
    return closures.change_event(transaction, row, state=state.value, next_at=None, last_error=None)


def _new_steps(plan: Plan, at: datetime) -> list[NewStep]:
    return [
        NewStep(
            name=one.name,
            direction=Direction.APPLY.value,
            target=one.target,
            subject=one.subject,
            key=idempotency_key(plan, one.name, Direction.APPLY),
            next_at=None if plan.definition(one.name).is_last else at,
        )
        for one in plan.steps
    ]
