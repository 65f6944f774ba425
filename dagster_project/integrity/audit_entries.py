"""The audit entry: one act as it stands in the log, and the bytes that the log is hashed over.

Belongs here: the words for acts, the record, its one form. Where entries are kept is `store.audit`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dagster_project.clock import format_instant
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes
from dagster_project.integrity.merkle import HASH_LENGTH, leaf_hash

# No leaf has this hash: finding one would break SHA-256.
UNREADABLE: Final = b"\xff" * HASH_LENGTH


class AuditAction(StrEnum):
    """What may be done that is written down. A word is never given another meaning: old entries keep theirs."""

    CANDIDATE_RENDERED = "candidate_rendered"
    NO_VISIBLE_CHANGE = "no_visible_change"
    CANDIDATE_STALE = "candidate_stale"
    REFRESHED = "refreshed"
    DECISION_APPROVE = "decision_approve"
    DECISION_REJECT = "decision_reject"
    DECISION_HOLD = "decision_hold"
    DECISION_LIFT = "decision_lift"
    DECISION_PULL = "decision_pull"
    DECISION_WITHDRAW = "decision_withdraw"
    DECISION_CONFIRM = "decision_confirm"
    DECISION_RESTORE = "decision_restore"
    DECISION_REAFFIRM = "decision_reaffirm"
    DECISION_ACKNOWLEDGE = "decision_acknowledge"
    DECISION_APPROVE_PROFILE = "decision_approve_profile"
    DECISION_REJECT_PROFILE = "decision_reject_profile"
    RELEASED = "released"
    RECEIPT_RECORDED = "receipt_recorded"
    FINDING_RECORDED = "finding_recorded"
    PROFILE_CHANGED = "profile_changed"
    TRUST_CHANGED = "trust_changed"
    ANNEX_OPENED = "annex_opened"
    ANNEX_REFUSED = "annex_refused"
    DATA_ACCESSED = "data_accessed"
    ANCHOR_REPAIRED = "anchor_repaired"
    ANCHOR_REPLACED = "anchor_replaced"
    BODY_KEY_ROTATED = "body_key_rotated"
    BODY_KEY_RETIRED = "body_key_retired"
    CLOSURE_PLANNED = "closure_planned"
    CLOSURE_STOPPED = "closure_stopped"
    CLOSURE_COMPLETED = "closure_completed"
    CLOSURE_REVERTED = "closure_reverted"
    CLOSURE_FOLLOW_UP_OPENED = "closure_follow_up_opened"
    CLOSURE_RETRY = "closure_retry"
    CLOSURE_SKIP = "closure_skip"
    CLOSURE_RESOLVE = "closure_resolve"
    CLOSURE_REVERT = "closure_revert"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One act, at its place in the log: ids and digests only, because a log that proves itself forgets nothing.

    `action` is a word of `AuditAction`, unless a later version or somebody else wrote the row.
    """

    sequence: int
    at: datetime
    actor: str
    action: str
    incident: str | None
    subject: str
    details_digest: str


def entry_document(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as the JSON object whose canonical bytes are its leaf."""
    return {
        "sequence": entry.sequence,
        "at": format_instant(entry.at),
        "actor": entry.actor,
        "action": str(entry.action),
        "incident": entry.incident,
        "subject": entry.subject,
        "details_digest": entry.details_digest,
    }


def leaf_of(entry: AuditEntry) -> bytes:
    """Return the hash of an entry's leaf.

    Raises:
        NotCanonical: a text in it has no canonical form.
    """
    return leaf_hash(canonical_bytes(entry_document(entry)))


def readable_leaf(entry: AuditEntry | None) -> bytes:
    """Return the hash of an entry's leaf as verification takes it: what has no leaf equals none."""
    try:
        return UNREADABLE if entry is None else leaf_of(entry)
    except (NotCanonical, TypeError, AttributeError):  # a row that somebody wrote need not hold what an entry does
        return UNREADABLE
