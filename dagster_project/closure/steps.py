"""Steps: the five steps of a completion in their order, what each writes, and how each is taken back.

Belongs here: the steps of every plan version as data, and building values from a verified disposition. Values that the
target's allow-list (`schemas`) does not know are refused, never dropped. The only instant written is the disposition's.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from dagster_project.closure.disposition import Disposition
from dagster_project.closure.schemas import TARGET_FIELDS, may_be_restored, may_be_written

Value = str | int | bool | None | list[str]
Values = Mapping[str, Value]

ARCHIVE_ATTACHED: Final = "archive_attached"
TRACKER_SYNCHRONIZED: Final = "tracker_synchronized"
LEDGER_MARKED: Final = "ledger_marked"
QUEUE_CLOSED: Final = "queue_closed"
COORDINATOR_NOTIFIED: Final = "coordinator_notified"


class ValuesRefused(Exception):
    """Values that the allow-list of their target does not know; `target` is its name. No value is in the text."""

    def __init__(self, target: str) -> None:
        super().__init__(f"values outside the allow-list of {target}")
        self.target = target


class Undo(StrEnum):
    """How a step is taken back: by writing what stood there before, or by telling that it does not hold any more."""

    RESTORE = "restore"
    CORRECT = "correct"


class StepDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its target, how it is undone, and whether it makes its subject where the target has none.

    `is_last` waits until every other step of its direction is finished.
    """

    name: str
    target: str
    undo: Undo
    makes_subject: bool = False
    is_last: bool = False


class PlannedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a plan: what it writes to which subject of which target."""

    name: str
    target: str
    subject: str
    values: dict[str, Value]


# By plan version. A version is never changed: plans that were made under it are finished under it.
STEPS: Final[dict[int, tuple[StepDefinition, ...]]] = {
    1: (
        StepDefinition(name=ARCHIVE_ATTACHED, target="archive_attachments", undo=Undo.RESTORE, makes_subject=True),
        StepDefinition(name=TRACKER_SYNCHRONIZED, target="escalation_tracker", undo=Undo.RESTORE),
        StepDefinition(name=LEDGER_MARKED, target="case_ledger", undo=Undo.RESTORE),
        StepDefinition(name=QUEUE_CLOSED, target="review_queue", undo=Undo.RESTORE),
        StepDefinition(
            name=COORDINATOR_NOTIFIED,
            target="coordinator_notices",
            undo=Undo.CORRECT,
            makes_subject=True,
            is_last=True,
        ),
    )
}
STEP_NAMES: Final = tuple(one.name for one in STEPS[1])
# Fields that say whose a subject is: one that says another's is not written to.
IDENTITY_FIELDS: Final = ("case", "escalation", "episode")


def planned_steps(disposition: Disposition, plan_version: int) -> tuple[PlannedStep, ...]:
    """Return what the steps of a plan version write for a verified disposition.

    Raises:
        ValuesRefused: the record holds something that may not be written: no identifier, no instant to the second.
    """
    return tuple(_planned(definition, disposition) for definition in STEPS[plan_version])


def _planned(definition: StepDefinition, disposition: Disposition) -> PlannedStep:
    subject, all_values = _SUBJECTS[definition.target](disposition), _all_values(disposition)
    values = {name: all_values[name] for name in TARGET_FIELDS[definition.target]}
    return PlannedStep(definition.name, definition.target, subject, dict(_checked(definition.target, values)))


def thread_key(disposition: Disposition) -> str:
    """Return what the notice of a disposition and its correction have in common."""
    return f"{disposition.case}~{disposition.episode}~{disposition.disposition_version}"


_SUBJECTS: Final[Mapping[str, Callable[[Disposition], str]]] = {
    "archive_attachments": lambda one: f"{one.case}~{one.episode}",
    "escalation_tracker": lambda one: one.tracker_record or "",
    "case_ledger": lambda one: one.ledger_record or "",
    "review_queue": lambda one: one.queue_item or "",
    "coordinator_notices": thread_key,
}


def _all_values(disposition: Disposition) -> dict[str, Value]:
    return {
        "case": disposition.case,
        "escalation": disposition.escalation,
        "episode": disposition.episode,
        "disposition_version": disposition.disposition_version,
        "review_state": "review_complete",
        "review_marker": "review_complete",
        "queue_state": "closed",
        "closure_packet": disposition.closure_packet.reference,
        "closure_packet_digest": disposition.closure_packet.digest,
        "internal_review_note": disposition.internal_review_note.reference,
        "internal_review_note_digest": disposition.internal_review_note.digest,
        "closed_at": disposition.closed_at,
        "coordinator": disposition.coordinator,
        "notice": "complete",
        "skipped": [],
    }


def notice_values(notice: PlannedStep, skipped: Sequence[str]) -> Values:
    """Return the notice as it is sent, after these steps were skipped by an operator.

    Raises:
        ValuesRefused: as `planned_steps`.
    """
    told = f"incomplete, skipped: {', '.join(skipped)}" if skipped else "complete"
    return _checked(notice.target, {**notice.values, "notice": told, "skipped": list(skipped)})


def correction_values(notice: PlannedStep, skipped: Sequence[str]) -> Values:
    """Return the correction of a notice: the same thread, told that the bookkeeping was taken back.

    Raises:
        ValuesRefused: as `planned_steps`.
    """
    told = f"taken back in part, skipped: {', '.join(skipped)}" if skipped else "taken back"
    return _checked(notice.target, {**notice.values, "notice": told, "skipped": list(skipped)})


def restored_values(target: str, written: Values, prior: Mapping[str, object]) -> Values:
    """Return what stood before in the fields that were written; None in those that held nothing.

    Raises:
        ValuesRefused: what stood there is nothing that may be written back.
    """
    values = {name: prior.get(name) for name in written}
    if not may_be_restored(target, values):
        raise ValuesRefused(target)
    return values  # type: ignore[return-value] # the schema has just said so


def _checked(target: str, values: Values) -> Values:
    if not may_be_written(target, values):
        raise ValuesRefused(target)
    return values
