"""Dispositions: what the case-review system decided of a case, and the event by which it said so.

Belongs here: the typed event and the typed source record, and the protocol by which the record is read again. Does not
belong here: comparing the two (`verification`) and reading another system (`connections`).
"""

from typing import Protocol

import msgspec


class ArchiveReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """One document in the archive: its reference there, and the digest of what was approved (``sha256:<hex>``)."""

    reference: str
    digest: str


class DispositionEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the case-review system announces. It starts a completion and is believed in nothing: the record is read."""

    event_id: str
    source: str
    case: str
    escalation: str
    episode: str
    disposition_version: int
    closure_packet: ArchiveReference
    internal_review_note: ArchiveReference
    requested_steps: tuple[str, ...] = ()


class Disposition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The source record of one case, as the case-review system holds it now.

    `state` is `closure_approved` where the disposition is final; every other word stops a plan. The record itself
    carries what its escalation, ledger entry and queue item are called in other systems; None where it carries none.
    `closed_at` is an instant in UTC to the second, and the only time that a completion writes anywhere.
    """

    case: str
    escalation: str
    episode: str
    disposition_version: int
    state: str
    closure_packet: ArchiveReference
    internal_review_note: ArchiveReference
    tracker_record: str | None
    ledger_record: str | None
    queue_item: str | None
    coordinator: str | None
    closed_at: str


class CaseReviewSystem(Protocol):
    """The authority: read again before every intent, and never written to."""

    def read(self, case: str) -> Disposition | None:
        """Return the record of a case as it is now; None where there is none.

        Raises:
            TargetUnavailable: it cannot be reached.
        """
        ...


class Archive(Protocol):
    """The archive as it is read: whether a reference still is what was approved."""

    def digest_of(self, reference: str) -> str | None:
        """Return the digest of what an archive reference holds now; None where it holds nothing.

        Raises:
            TargetUnavailable: it cannot be reached.
        """
        ...
