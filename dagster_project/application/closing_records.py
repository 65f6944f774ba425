"""Closing records: what is written down about closures by more than one use case, each in the caller's transaction.

Belongs here: handing work to people with its evidence, finishing a plan with its audit row, entries of the audit log.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from dagster_project.closure.audit_row import AuditRow, audit_row_bytes, fill_audit_row
from dagster_project.closure.commands import read_command
from dagster_project.closure.follow_ups import GUIDES, FollowUpKind
from dagster_project.closure.plan import Plan, direction_of, is_finished, last_to_wake, read_plan, states_by_name
from dagster_project.closure.states import Direction, PlanState, StepState
from dagster_project.closure.verification import Finding
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.integrity.signatures import read_envelope
from dagster_project.store import closure_follow_ups, closures
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.closure_follow_ups import NewFollowUp
from dagster_project.store.closures import EventRow, PlanRow, StepRow
from dagster_project.store.transaction import Transaction

# What nobody but this program does is written down under its name.
THE_PROGRAM: Final = "channelsafe"
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def plan_of(transaction: Transaction, row: PlanRow) -> Plan:
    """Return the plan that a row is of."""
    return read_plan(transaction.get_sealed(row.body_digest))


def known_code(code: str) -> str:
    """Return the code of another system's failure where it is one: its text is kept nowhere."""
    return code if _CODE.fullmatch(code) else "unnamed_failure"


def write_entry(
    transaction: Transaction,
    action: AuditAction,
    subject: str,
    details: bytes,
    at: datetime,
    *,
    actor: str = THE_PROGRAM,
) -> None:
    """Append an entry to the audit log; `details` are sealed."""
    digest = transaction.put_sealed(details)
    append_entry(transaction, NewAuditEntry(at=at, actor=actor, action=action, subject=subject, details_digest=digest))


def hand_over_event(
    transaction: Transaction, kind: FollowUpKind, event: EventRow, evidence: Mapping[str, Any], at: datetime
) -> None:
    """Open a follow-up about an event that was stopped before anything was written."""
    document = {"source": event.source, "event_id": event.event_id, **evidence}
    new = NewFollowUp(
        kind=kind.value,
        owner_role=GUIDES[kind].owner_role,
        case_id=event.case_id,
        event_number=event.event_number,
        evidence=canonical_bytes(document),
    )
    _open(transaction, new, at)


def hand_over_plan(
    transaction: Transaction,
    kind: FollowUpKind,
    row: PlanRow,
    evidence: Mapping[str, Any],
    at: datetime,
    *,
    step: str = "",
) -> None:
    """Open a follow-up about a plan, or one step of it; it lists what was applied and where every step stands."""
    steps = closures.steps_of(transaction, row.plan_id)
    new = NewFollowUp(
        kind=kind.value,
        owner_role=GUIDES[kind].owner_role,
        case_id=row.case_id,
        plan_id=row.plan_id,
        step=step,
        evidence=canonical_bytes({**evidence, "steps": [step_evidence(one) for one in steps]}),
    )
    _open(transaction, new, at)


def findings_evidence(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as evidence."""
    return {"findings": document_of(tuple(findings))}


def step_evidence(step: StepRow) -> dict[str, Any]:
    """Return where a step stands, and what its target said of it."""
    return {
        "step": step.name,
        "direction": step.direction,
        "state": step.state,
        "target": step.target,
        "subject": step.subject,
        "reference": step.receipt_reference,
        "version": step.receipt_version,
        "last_error": step.last_error,
    }


def _open(transaction: Transaction, new: NewFollowUp, at: datetime) -> None:
    number = closure_follow_ups.open_follow_up(transaction, new, at)
    if number is not None:
        subject = f"closure/{new.case_id}/follow-up/{number}/{new.kind}"
        write_entry(transaction, AuditAction.CLOSURE_FOLLOW_UP_OPENED, subject, new.evidence, at)


def end_follow_ups_of_step(transaction: Transaction, plan_id: int, step: str, at: datetime) -> None:
    """Resolve the follow-ups of a step that end by themselves, now that it is done."""
    found = closure_follow_ups.open_follow_ups_of_plan(transaction, plan_id)
    ended = [one.follow_up_id for one in found if one.step == step and GUIDES[FollowUpKind(one.kind)].ends_by_itself]
    closure_follow_ups.resolve_follow_ups(transaction, ended, by=THE_PROGRAM, at=at)


def end_follow_ups_of_event(transaction: Transaction, event: EventRow, at: datetime) -> None:
    """Resolve the follow-ups of an event that end by themselves, now that it is verified."""
    found = closure_follow_ups.follow_ups_of(transaction, event.case_id)
    ours = [one for one in found if one.event_number == event.event_number and not one.plan_id]
    ended = [one.follow_up_id for one in ours if GUIDES[FollowUpKind(one.kind)].ends_by_itself]
    closure_follow_ups.resolve_follow_ups(transaction, ended, by=THE_PROGRAM, at=at)


def move_plan_on(transaction: Transaction, plan_id: int, plan: Plan, at: datetime) -> None:
    """Do what follows from the states of a plan's steps: let the last one begin, or finish the plan.

    A plan is finished with its audit row, or taken back, in the transaction of its last step.
    """
    row = closures.find_plan(transaction, plan_id)
    if row is None or row.state not in {PlanState.OPEN, PlanState.REVERTING}:
        return
    steps = closures.steps_of(transaction, plan_id)
    direction = direction_of(row.state)
    if not is_finished(steps, direction):
        last = last_to_wake(plan, [one for one in steps if one.direction == direction])
        if last is not None:
            closures.change_step(transaction, last, next_at=at)
    elif direction is Direction.APPLY:
        _complete(transaction, row, plan, steps, at)
    else:
        closures.change_plan(transaction, row, state=PlanState.REVERTED.value, finished_at=at)
        evidence = canonical_bytes({"steps": [step_evidence(one) for one in steps]})
        write_entry(transaction, AuditAction.CLOSURE_REVERTED, _subject(row), evidence, at)


def _complete(transaction: Transaction, row: PlanRow, plan: Plan, steps: Sequence[StepRow], at: datetime) -> None:
    body = audit_row_bytes(audit_row_of(transaction, plan, steps))
    closures.change_plan(transaction, row, state=PlanState.COMPLETE.value, finished_at=at)
    closure_follow_ups.add_audit_row(transaction, row.plan_id, body, at)
    write_entry(transaction, AuditAction.CLOSURE_COMPLETED, _subject(row), body, at)


def audit_row_of(transaction: Transaction, plan: Plan, steps: Sequence[StepRow]) -> AuditRow:
    """Return the audit row that follows from where the steps of a plan stand.

    Raises:
        ValueError: a step is not finished.
    """
    forward = [one for one in steps if one.direction == Direction.APPLY]
    reasons = {one.name: _reason(transaction, one) for one in forward if one.state == StepState.SKIPPED_BY_OPERATOR}
    order = [one.name for one in plan.steps]
    states = states_by_name(sorted(forward, key=lambda one: order.index(one.name)), Direction.APPLY)
    return fill_audit_row(plan, states, reasons)


def _reason(transaction: Transaction, step: StepRow) -> str:
    command = closure_follow_ups.find_command(transaction, step.command_digest or "")
    if command is None:  # the table's constraint names a command; it is never deleted
        raise LookupError("a step was skipped without a command")
    return read_command(read_envelope(transaction.get_sealed(command.body_digest))).reason


def _subject(row: PlanRow) -> str:
    return f"closure/{row.case_id}/plan/{row.plan_id}"
