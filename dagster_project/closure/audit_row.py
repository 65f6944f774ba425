"""The audit row of a completion: what it did, in exactly these members.

Belongs here: the row, its schema, and filling it from a plan and the states of its steps. A member is filled, or it
says `skipped` and why: none is ever left out.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from dagster_project.closure import steps as closure_steps
from dagster_project.closure.plan import Plan
from dagster_project.closure.states import StepState
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of


class Skipped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stands for what was not written, because an operator skipped it, with their reason."""

    skipped: str


class SkippedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step that an operator skipped, with their reason."""

    step: str
    reason: str


class AuditRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one completion did."""

    source_event_id: str
    verified_disposition_version: int
    queue_item_closed: str | Skipped
    tracker_records_updated: tuple[str, ...] | Skipped
    archive_references_attached: tuple[str, ...] | Skipped
    notification_target: str | Skipped
    steps_already_completed: tuple[str, ...]
    steps_skipped: tuple[SkippedStep, ...]


_TEXT: Final = {"type": "string", "minLength": 1}
_SKIPPED: Final = {
    "type": "object",
    "properties": {"skipped": _TEXT},
    "required": ["skipped"],
    "additionalProperties": False,
}
_STEP: Final = {"enum": list(closure_steps.STEP_NAMES)}
_LISTED: Final = {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}
_MEMBERS: Final[Mapping[str, Any]] = {
    "source_event_id": _TEXT,
    "verified_disposition_version": {"type": "integer", "minimum": 1},
    "queue_item_closed": {"anyOf": [_TEXT, _SKIPPED]},
    "tracker_records_updated": {"anyOf": [_LISTED, _SKIPPED]},
    "archive_references_attached": {"anyOf": [_LISTED, _SKIPPED]},
    "notification_target": {"anyOf": [_TEXT, _SKIPPED]},
    "steps_already_completed": {"type": "array", "items": _STEP, "uniqueItems": True},
    "steps_skipped": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"step": _STEP, "reason": _TEXT},
            "required": ["step", "reason"],
            "additionalProperties": False,
        },
    },
}
AUDIT_ROW_SCHEMA: Final = {
    "type": "object",
    "properties": dict(_MEMBERS),
    "required": list(_MEMBERS),
    "additionalProperties": False,
}


def fill_audit_row(plan: Plan, states: Mapping[str, str], reasons: Mapping[str, str]) -> AuditRow:
    """Return the row of a plan whose steps are all finished.

    Args:
        plan: What was planned.
        states: The state of every step by name.
        reasons: Why an operator skipped a step, by name.

    Raises:
        ValueError: a step is not finished: there is no such row yet.
    """
    subjects = {one.name: one.subject for one in plan.steps}
    records = [
        subjects[name]
        for name in (closure_steps.TRACKER_SYNCHRONIZED, closure_steps.LEDGER_MARKED)
        if states[name] != StepState.SKIPPED_BY_OPERATOR
    ]
    references = tuple(
        sorted({plan.disposition.closure_packet.reference, plan.disposition.internal_review_note.reference})
    )
    row = AuditRow(
        source_event_id=plan.event_id,
        verified_disposition_version=plan.disposition.disposition_version,
        queue_item_closed=_told(closure_steps.QUEUE_CLOSED, subjects[closure_steps.QUEUE_CLOSED], reasons),
        tracker_records_updated=tuple(records) or Skipped(reasons[closure_steps.TRACKER_SYNCHRONIZED]),
        archive_references_attached=_told(closure_steps.ARCHIVE_ATTACHED, references, reasons),
        notification_target=_told(closure_steps.COORDINATOR_NOTIFIED, plan.disposition.coordinator or "", reasons),
        steps_already_completed=tuple(n for n, state in states.items() if state == StepState.ALREADY_COMPLETED),
        steps_skipped=tuple(SkippedStep(name, reason) for name, reason in reasons.items()),
    )
    finished = {StepState.DONE, StepState.ALREADY_COMPLETED, StepState.SKIPPED_BY_OPERATOR}
    if not set(states.values()) <= finished or not _validator().is_valid(document_of(row)):
        raise ValueError("the plan is not finished")
    return row


def _told(name: str, value: Any, reasons: Mapping[str, str]) -> Any:  # noqa: ANN401 - a member's value
    return Skipped(reasons[name]) if name in reasons else value


def audit_row_bytes(row: AuditRow) -> bytes:
    """Write the row as canonical JSON."""
    return canonical_bytes(document_of(row))


def audit_row_kind(document: Mapping[str, Any]) -> str:
    """Return what a stored audit row is: ``filled``, ``skipped`` where a member is typed so, ``wrong`` in no form."""
    if not _validator().is_valid(dict(document)):
        return "wrong"
    return "skipped" if document["steps_skipped"] else "filled"


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(AUDIT_ROW_SCHEMA)
