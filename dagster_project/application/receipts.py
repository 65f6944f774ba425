"""Receipts: writing down what happened to a version at a recipient, and what its bridge lead said of it.

Belongs here: recording one, once. Nothing is inferred: a version that was acknowledged is not thereby handed off.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from dagster_project.application.decision_checks import AHEAD
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected, UsageError
from dagster_project.integrity.audit_entries import AuditAction
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.store.audit import NewAuditEntry, append_entry
from dagster_project.store.receipts import ReceiptRow, add_receipt, find_receipt
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, versions_of

VERDICTS: Final = ("accepted", "rejected")
RECEIPT_KINDS: Final = ("handed_off", "fetched", "acknowledged", "read_aloud", *VERDICTS)


@dataclass(frozen=True)
class VersionName:
    """Which version of which bridge."""

    incident: str
    bridge: str
    version: int

    def __str__(self) -> str:
        return f"version {self.version} of incident {self.incident}, bridge {self.bridge}"


Row = TypeVar("Row")


@dataclass(frozen=True)
class Recorded(Generic[Row]):
    """What is stored now; `is_new` is False where the very same was recorded before."""

    row: Row
    is_new: bool


def require_version(transaction: Transaction, name: VersionName) -> VersionRow:
    """Return a version that was released.

    Raises:
        UsageError: there is no such version.
    """
    for one in versions_of(transaction, name.incident, name.bridge):
        if one.version == name.version:
            return one
    raise UsageError(
        "no_such_version",
        what="there is no such version",
        where=str(name),
        what_to_do=f"See what was released with `channelsafe history {name.incident}`.",
    )


def record_receipt(
    workspace: Workspace,
    name: VersionName,
    kind: str,
    *,
    recipient: str,
    reopened: bool | None = None,
    at: datetime | None = None,
) -> Recorded[ReceiptRow]:
    """Record what happened to a version at a recipient; recording the same again changes nothing.

    Args:
        workspace: The deployment.
        name: The version.
        kind: One of `RECEIPT_KINDS`.
        recipient: Who, as the bridge calls them.
        reopened: With a verdict, whether an internal system had to be reopened for it; None where nobody said.
        at: When it happened; None for now.

    Raises:
        UsageError: no such version or kind, no recipient, or an answer without a verdict.
        UnsafeOrRejected: it cannot have happened then, or another answer is recorded already; nothing was changed.
    """
    recipient = unicodedata.normalize("NFC", recipient.strip())
    _refuse_unusable(name, kind, recipient, reopened=reopened)
    with workspace.store.begin() as transaction:
        now = workspace.clock.now()
        row = ReceiptRow(
            **vars(name),
            recipient=recipient,
            kind=kind,
            reopened_internal=reopened,
            at=at or now,
            recorded_at=now,
        )
        _refuse_impossible(row, require_version(transaction, name), now)
        if not add_receipt(transaction, row):
            return Recorded(_same_as_before(transaction, row), is_new=False)
        append_entry(transaction, _entry(transaction, row))
        return Recorded(row, is_new=True)


def _refuse_unusable(name: VersionName, kind: str, recipient: str, *, reopened: bool | None) -> None:
    if kind not in RECEIPT_KINDS:
        raise _unusable("receipt_kind_unknown", "no such kind of receipt", name, f"Use {', '.join(RECEIPT_KINDS)}.")
    if not recipient or not recipient.isprintable():
        raise _unusable("recipient_missing", "a receipt needs a recipient", name, "Name one with --recipient.")
    if reopened is not None and kind not in VERDICTS:
        raise _unusable(
            "answer_without_verdict",
            "whether an internal system was reopened is asked with a verdict alone",
            name,
            f"Leave --reopened out, or record {' or '.join(VERDICTS)}.",
        )


def _unusable(code: str, what: str, name: VersionName, what_to_do: str) -> UsageError:
    return UsageError(code, what=what, where=str(name), what_to_do=what_to_do)


def _refuse_impossible(row: ReceiptRow, version: VersionRow, now: datetime) -> None:
    if version.issued_at <= row.at <= now + AHEAD:
        return
    is_early = row.at < version.issued_at
    raise UnsafeOrRejected(
        "receipt_before_version" if is_early else "receipt_from_the_future",
        what="a receipt is of an instant before its version" if is_early else "a receipt is of an instant to come",
        where=f"version {row.version} of incident {row.incident}, bridge {row.bridge}",
        what_to_do="Nothing was changed. Name with --at when it happened.",
    )


def _same_as_before(transaction: Transaction, row: ReceiptRow) -> ReceiptRow:
    stored = find_receipt(transaction, row)
    if stored is not None and stored.reopened_internal == row.reopened_internal:
        return stored
    raise UnsafeOrRejected(
        "receipt_differs",
        what="this recipient's receipt of this kind is recorded with another answer",
        where=f"version {row.version} of incident {row.incident}, bridge {row.bridge}",
        what_to_do=f"Nothing was changed. See it with `channelsafe history {row.incident}`.",
    )


def _entry(transaction: Transaction, row: ReceiptRow) -> NewAuditEntry:
    return NewAuditEntry(
        at=row.recorded_at,
        # Who types a receipt in does not sign it: the log says no more than that it came in.
        actor="channelsafe",
        action=AuditAction.RECEIPT_RECORDED,
        subject=f"bridge/{row.bridge}/version/{row.version}/receipt/{row.kind}",
        details_digest=transaction.put_sealed(canonical_bytes(document_of(row))),
        incident=row.incident,
    )
