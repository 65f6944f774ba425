"""Forms: which fields of each target may be written at all, of what kind, and the words for a refusal.

Belongs here: what every adapter asks before it writes, so that all refuse the same in the same words. What a step
writes is narrower and is `closure`'s business; how a target is reached is the adapter's.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from dagster_project.closure.targets import TargetRequest
from dagster_project.integrity.canonical import MAX_SAFE_INTEGER, NotCanonical, canonical_bytes
from dagster_project.integrity.digests import digest_of

ARCHIVE: Final = "archive_attachments"
TRACKER: Final = "escalation_tracker"
LEDGER: Final = "case_ledger"
QUEUE: Final = "review_queue"
NOTICES: Final = "coordinator_notices"

LONGEST_TEXT: Final = 512  # characters of a value, a subject or a key
MOST_NAMES: Final = 16

# Every reason for which a target refuses for good. An adapter says no other word, whatever the other system answers.
FIELD_NOT_ALLOWED: Final = "field_not_allowed"
VALUE_NOT_ALLOWED: Final = "value_not_allowed"
NOTHING_TO_WRITE: Final = "nothing_to_write"
NAME_NOT_ALLOWED: Final = "name_not_allowed"
SUBJECT_UNKNOWN: Final = "subject_unknown"
KEY_REUSED: Final = "key_reused"
FENCE_SUPERSEDED: Final = "fence_superseded"
REFUSALS: Final = frozenset(
    {
        FIELD_NOT_ALLOWED,
        VALUE_NOT_ALLOWED,
        NOTHING_TO_WRITE,
        NAME_NOT_ALLOWED,
        SUBJECT_UNKNOWN,
        KEY_REUSED,
        FENCE_SUPERSEDED,
    }
)
SUBJECT_CHANGED: Final = "subject_changed"


class Kind(StrEnum):
    """What a field holds; every field may also hold nothing (None), so that a prior nothing can be written back."""

    TEXT = "text"
    NUMBER = "number"
    NAMES = "names"


class TargetForm(msgspec.Struct, frozen=True, kw_only=True):
    """One target: the fields that may be written, those that say whose a subject is, and whether a write opens one.

    What says whose it is (`identity`) is read and never written, so that a record of another escalation or episode is
    found before anything is written to it. A field that the other system does not keep is None.

    Where a write opens none, an unknown subject is refused: a record that the other system does not have is a wrong
    mapping, and nothing to be made up.
    """

    name: str
    fields: Mapping[str, Kind]
    identity: tuple[str, ...] = ()
    opens_subjects: bool = False


_REFERENCES: Final = {
    "closure_packet": Kind.TEXT,
    "closure_packet_digest": Kind.TEXT,
    "internal_review_note": Kind.TEXT,
    "internal_review_note_digest": Kind.TEXT,
}
_WHOSE: Final = {"case": Kind.TEXT, "escalation": Kind.TEXT, "episode": Kind.TEXT}
_NOTICE: Final = {"coordinator": Kind.TEXT, "notice": Kind.TEXT, "skipped": Kind.NAMES}
_CLOSED: Final = {"disposition_version": Kind.NUMBER, "closed_at": Kind.TEXT}

FORMS: Final[Mapping[str, TargetForm]] = MappingProxyType(
    {
        form.name: form
        for form in (
            TargetForm(name=ARCHIVE, fields={**_REFERENCES, **_CLOSED}, opens_subjects=True),
            TargetForm(
                name=TRACKER,
                fields={"review_state": Kind.TEXT, **_REFERENCES, **_CLOSED},
                identity=("escalation", "episode"),
            ),
            TargetForm(name=LEDGER, fields={"review_marker": Kind.TEXT, **_CLOSED}, identity=("case",)),
            TargetForm(
                name=QUEUE, fields={"queue_state": Kind.TEXT, **_CLOSED}, identity=("case", "escalation", "episode")
            ),
            TargetForm(name=NOTICES, fields={**_NOTICE, **_WHOSE, **_CLOSED}, opens_subjects=True),
        )
    }
)


def refusal_of(form: TargetForm, request: TargetRequest) -> str | None:
    """Return why a request may not be made of a target, as one of `REFUSALS`; None where it may."""
    if not (is_name(request.subject) and is_name(request.key)):
        return NAME_NOT_ALLOWED
    if not request.values:
        return NOTHING_TO_WRITE
    if not set(request.values) <= set(form.fields):
        return FIELD_NOT_ALLOWED
    sound = all(is_value(form.fields[field], value) for field, value in request.values.items())
    return None if sound else VALUE_NOT_ALLOWED


def readable(form: TargetForm) -> Mapping[str, Kind]:
    """Return the fields that a read of a subject gives: those that may be written, and those that say whose it is."""
    return {**form.fields, **dict.fromkeys(form.identity, Kind.TEXT)}


def is_name(text: str) -> bool:
    """Tell whether a text can be a subject, a key or a reference: printable ASCII without spaces, not too long.

    "." and ".." are none: in the path of a URL they would name something else.
    """
    fits = type(text) is str and 0 < len(text) <= LONGEST_TEXT and text.isascii()
    return fits and text.isprintable() and " " not in text and text not in {".", ".."}


def is_value(kind: Kind, value: object) -> bool:
    """Tell whether a field of a kind may hold a value."""
    if value is None:
        return True
    if kind is Kind.NUMBER:
        return type(value) is int and abs(value) <= MAX_SAFE_INTEGER
    if kind is Kind.TEXT:
        return _is_text(value)
    return type(value) is list and len(value) <= MOST_NAMES and all(_is_text(name) for name in value)


def request_digest(request: TargetRequest) -> str:
    """Return the digest of what is asked: subject and values. Two requests with one key must agree in it.

    The expected version and the fence are left out: a worker that repeats a request may hold another lease.
    """
    return digest_of({"subject": request.subject, "values": dict(request.values)})


def _is_text(value: object) -> bool:
    if type(value) is not str or not value.isprintable() or len(value) > LONGEST_TEXT:
        return False
    try:
        canonical_bytes(value)
    except NotCanonical:
        return False
    return True
