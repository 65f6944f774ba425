"""Verification: whether what an event or a plan says is still what the source record says.

Belongs here: comparing, and typed findings, each of which stops. Whoever reads the record and the archive is the
application. A finding shows identifiers of both sides and nothing else of the record.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from dagster_project.closure.disposition import ArchiveReference, Disposition, DispositionEvent
from dagster_project.closure.schemas import is_identifier, is_instant
from dagster_project.closure.steps import STEP_NAMES

FINAL_STATE: Final = "closure_approved"
_REOPENED: Final = "reopened"
_NOT_SHOWN: Final = "(not an identifier)"
_MAPPINGS: Final = ("tracker_record", "ledger_record", "queue_item", "coordinator")


class Standing(StrEnum):
    """How what was announced stands to the source record: overtaken by it, not of it, or asking for too much."""

    STALE = "stale"
    MISMAPPED = "mismapped"
    OUT_OF_BOUNDS = "out_of_bounds"


class Difference(StrEnum):
    """What is not as it was announced."""

    REOPENED = "reopened"
    NOT_FINAL = "not_final"
    SUPERSEDED = "superseded"
    VERSION_UNKNOWN = "version_unknown"
    RECORD_MISSING = "record_missing"
    OTHER_CASE = "other_case"
    OTHER_ESCALATION = "other_escalation"
    OTHER_EPISODE = "other_episode"
    MAPPING_MISSING = "mapping_missing"
    MAPPING_CHANGED = "mapping_changed"
    REFERENCE_CHANGED = "reference_changed"
    ARCHIVE_DIFFERS = "archive_differs"
    INSTANT_CHANGED = "instant_changed"
    RECORD_UNREADABLE = "record_unreadable"
    SUBJECT_MISSING = "subject_missing"
    SUBJECT_OF_ANOTHER = "subject_of_another"
    STEP_OUTSIDE = "step_outside"


_STALE: Final = frozenset({Difference.REOPENED, Difference.NOT_FINAL, Difference.SUPERSEDED})


class Finding(msgspec.Struct, frozen=True, order=True):
    """One difference: in which field, what was expected and what was found; identifiers, versions and digests only."""

    difference: Difference
    field: str
    expected: str = ""
    found: str = ""


def standing_of(findings: tuple[Finding, ...]) -> Standing:
    """Say in one word how the findings stand: a step outside goes first, then what was overtaken.

    Raises:
        ValueError: there are none.
    """
    differences = {one.difference for one in findings}
    if not differences:
        raise ValueError("nothing was found")
    if Difference.STEP_OUTSIDE in differences:
        return Standing.OUT_OF_BOUNDS
    return Standing.STALE if differences & _STALE else Standing.MISMAPPED


def references_of(announced: DispositionEvent | Disposition) -> tuple[ArchiveReference, ArchiveReference]:
    """Return the closure packet and the internal review note."""
    return announced.closure_packet, announced.internal_review_note


def verify_event(
    event: DispositionEvent, record: Disposition | None, archived: Mapping[str, str | None]
) -> tuple[Finding, ...]:
    """Compare an event with the source record as it was just read; nothing is found where all agrees.

    Args:
        event: What was announced.
        record: The record of its case; None where there is none.
        archived: The digest of what each reference of the event holds now; None where it holds nothing.
    """
    outside = sorted(set(event.requested_steps) - set(STEP_NAMES))
    findings = [Finding(Difference.STEP_OUTSIDE, "requested_steps", found=name) for name in outside]
    return (*findings, *_compare(event, record, archived))


def verify_plan(
    pinned: Disposition, record: Disposition | None, archived: Mapping[str, str | None]
) -> tuple[Finding, ...]:
    """Compare the disposition that a plan was made of with the source record as it was just read.

    Args:
        pinned: What the plan was made of.
        record: The record of its case; None where there is none.
        archived: The digest of what each reference of the plan holds now; None where it holds nothing.
    """
    findings = list(_compare(pinned, record, archived))
    if record is not None and record.disposition_version == pinned.disposition_version:
        findings += [
            _differs(Difference.MAPPING_CHANGED, name, getattr(pinned, name), getattr(record, name))
            for name in _MAPPINGS
            if getattr(record, name) is not None and getattr(record, name) != getattr(pinned, name)
        ]
        if record.closed_at != pinned.closed_at:
            findings.append(_differs(Difference.INSTANT_CHANGED, "closed_at", pinned.closed_at, record.closed_at))
    return tuple(findings)


def _compare(
    announced: DispositionEvent | Disposition, record: Disposition | None, archived: Mapping[str, str | None]
) -> Iterator[Finding]:
    if record is None:
        yield _differs(Difference.RECORD_MISSING, "case", announced.case, None)
        return
    for judge in _JUDGES:
        yield from judge(announced, record)
    for field in ("closure_packet", "internal_review_note"):
        approved: ArchiveReference = getattr(announced, field)
        if archived.get(approved.reference) != approved.digest:
            yield _differs(Difference.ARCHIVE_DIFFERS, field, approved.digest, archived.get(approved.reference))


def _state(_announced: DispositionEvent | Disposition, record: Disposition) -> Iterator[Finding]:
    if record.state != FINAL_STATE:
        difference = Difference.REOPENED if record.state == _REOPENED else Difference.NOT_FINAL
        yield _differs(difference, "state", FINAL_STATE, record.state)


def _version(announced: DispositionEvent | Disposition, record: Disposition) -> Iterator[Finding]:
    if record.disposition_version != announced.disposition_version:
        is_older = announced.disposition_version < record.disposition_version
        difference = Difference.SUPERSEDED if is_older else Difference.VERSION_UNKNOWN
        versions = (str(announced.disposition_version), str(record.disposition_version))
        yield Finding(difference, "disposition_version", *versions)


def _identity(announced: DispositionEvent | Disposition, record: Disposition) -> Iterator[Finding]:
    for difference, field in (
        (Difference.OTHER_CASE, "case"),
        (Difference.OTHER_ESCALATION, "escalation"),
        (Difference.OTHER_EPISODE, "episode"),
    ):
        if getattr(announced, field) != getattr(record, field):
            yield _differs(difference, field, getattr(announced, field), getattr(record, field))


def _mapping(_announced: DispositionEvent | Disposition, record: Disposition) -> Iterator[Finding]:
    for field in _MAPPINGS:
        value = getattr(record, field)
        if value is None:
            yield Finding(Difference.MAPPING_MISSING, field)
        elif not is_identifier(value):
            yield Finding(Difference.RECORD_UNREADABLE, field)


def _references(announced: DispositionEvent | Disposition, record: Disposition) -> Iterator[Finding]:
    for field in ("closure_packet", "internal_review_note"):
        approved, found = getattr(announced, field), getattr(record, field)
        if approved.reference != found.reference:
            yield _differs(Difference.REFERENCE_CHANGED, field, approved.reference, found.reference)
        elif approved.digest != found.digest:
            yield _differs(Difference.REFERENCE_CHANGED, field, approved.digest, found.digest)


def _instant(_announced: DispositionEvent | Disposition, record: Disposition) -> Iterator[Finding]:
    if not is_instant(record.closed_at):
        yield Finding(Difference.RECORD_UNREADABLE, "closed_at")


_JUDGES: Final[tuple[Callable[[DispositionEvent | Disposition, Disposition], Iterator[Finding]], ...]] = (
    _state,
    _version,
    _identity,
    _mapping,
    _references,
    _instant,
)


def _differs(difference: Difference, field: str, expected: str | None, found: str | None) -> Finding:
    return Finding(difference, field, _shown(expected), _shown(found))


def _shown(value: str | None) -> str:
    if value is None:
        return ""
    return value if is_identifier(value) else _NOT_SHOWN
