"""The audit entries: who did what, when; digests and ids only. Append-only: nothing here changes or removes one.

Belongs here: appending with the head of the log, and reading. A writing transaction is alone, so places are given
without gaps and nobody can fork the log. Its checkpoints are `audit_checkpoints`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

import sqlalchemy as sa

from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.audit_entries import AuditAction, AuditEntry, leaf_of
from dagster_project.integrity.merkle import CompactRange
from dagster_project.store.audit_tables import audit_checkpoints, audit_log_head
from dagster_project.store.tables import audit_entries
from dagster_project.store.transaction import Transaction

__all__ = [
    "FIRST",
    "AuditAction",
    "AuditEntry",
    "NewAuditEntry",
    "all_entries_after",
    "append_entries",
    "append_entry",
    "entries_after",
    "head_for_appending",
    "log_head",
    "readable_entries_after",
    "write_hashes",
]

# Before every place that a row can have, those that no entry ever gets included.
FIRST: Final = -(2**63)
_PAGE: Final = 1000
_checkpoints = audit_checkpoints.c
# Built once: building it takes longer than running it, and every refresh appends.
_STATE: Final = sa.select(
    audit_log_head.c.size,
    audit_log_head.c.hashes,
    sa.func.coalesce(sa.select(sa.func.max(audit_entries.c.sequence)).scalar_subquery(), 0).label("last"),
    sa.select(sa.func.max(_checkpoints.size))
    .where(_checkpoints.anchored_at.is_not(None))
    .scalar_subquery()
    .label("anchored_size"),
    sa.select(_checkpoints.note).where(_checkpoints.size == sa.bindparam("at")).scalar_subquery().label("note"),
)
_APPEND: Final = sa.insert(audit_entries)
_MOVE_HEAD: Final = sa.update(audit_log_head)


@dataclass(frozen=True, kw_only=True)
class NewAuditEntry:
    """An act to write down; `subject` names what it was done to, `details_digest` names a sealed body."""

    at: datetime
    actor: str
    action: AuditAction
    subject: str
    details_digest: str
    incident: str | None = None


def append_entry(transaction: Transaction, new: NewAuditEntry) -> int:
    """Append one entry in the transaction of the act itself; return its sequence.

    Raises:
        As `append_entries`.
    """
    return append_entries(transaction, [new])


def append_entries(transaction: Transaction, news: Sequence[NewAuditEntry]) -> int:
    """Append entries in this order, in the transaction of the acts themselves; return the sequence of the last.

    Raises:
        IntegrityViolation: ``audit_log_rolled_back``, the log ends before, or is not what, its head or the newest
            anchored checkpoint says: going on would bury that.
        Unavailable: the anchor is gone or cannot be read.
    """
    head = head_for_appending(transaction)
    if not news:
        return head.size
    entries = [AuditEntry(sequence=place, **vars(new)) for place, new in enumerate(news, start=head.size + 1)]
    log = head.appended(map(leaf_of, entries))
    transaction.connection.execute(_APPEND, [vars(entry) for entry in entries])
    transaction.connection.execute(_MOVE_HEAD, {"size": log.size, "hashes": write_hashes(log)})
    return log.size


def head_for_appending(transaction: Transaction) -> CompactRange:
    """Return the head of the log once it was held against its entries and against the anchor.

    Only what costs the same however long the log is; `integrity.audit_verification` compares all of it.

    Raises:
        As `append_entries`.
    """
    anchored = None if transaction.anchor is None else transaction.anchor.newest()
    found = transaction.connection.execute(_STATE, {"at": None if anchored is None else anchored.size}).first()
    if found is None or found.last != found.size:
        _refuse_rolled_back("its entries end elsewhere than its head says")
    if anchored is not None and (found.note != anchored.note or found.size < anchored.size):
        _refuse_rolled_back("it does not hold the newest checkpoint that was anchored")
    is_behind = found.anchored_size is not None and (anchored is None or anchored.size < found.anchored_size)
    if transaction.anchor is not None and is_behind:
        raise Unavailable(
            "anchor_missing",
            what="the anchor of the audit log is gone, or is an older copy",
            where="CHANNELSAFE_ANCHOR",
            what_to_do="Name the file that was the anchor so far. Nothing was written.",
        )
    head = _parse_hashes(found.size, found.hashes)
    if head is None:
        _refuse_rolled_back("its head is not one that a log of this size has")
    return head


def log_head(transaction: Transaction) -> CompactRange | None:
    """Return what the log says that it is; None where that is gone, or is nothing that a log has."""
    found = transaction.connection.execute(sa.select(audit_log_head.c.size, audit_log_head.c.hashes)).first()
    return None if found is None else _parse_hashes(found.size, found.hashes)


def entries_after(
    transaction: Transaction, sequence: int, *, limit: int, incident: str | None = None
) -> list[AuditEntry]:
    """Return up to `limit` entries after `sequence`, in order; of one incident where it is named."""
    statement = sa.select(audit_entries).where(audit_entries.c.sequence > sequence)
    if incident is not None:
        statement = statement.where(audit_entries.c.incident == incident)
    found = transaction.connection.execute(statement.order_by(audit_entries.c.sequence).limit(limit))
    return [AuditEntry(**row) for row in found.mappings()]


def all_entries_after(transaction: Transaction, sequence: int) -> Iterator[AuditEntry]:
    """Yield every entry after `sequence`, in order."""
    while page := entries_after(transaction, sequence, limit=_PAGE):
        yield from page
        sequence = page[-1].sequence


def readable_entries_after(transaction: Transaction, sequence: int) -> Iterator[tuple[int, AuditEntry | None]]:
    """Yield the sequence of every row after `sequence`, in order, with its entry, or with None where it holds none."""
    column = audit_entries.c.sequence
    following = sa.select(column).where(column > sa.bindparam("after")).order_by(column).limit(_PAGE)
    while places := transaction.connection.execute(following, {"after": sequence}).scalars().all():
        try:
            page: list[AuditEntry | None] = list(entries_after(transaction, sequence, limit=_PAGE))
        except ValueError:  # somebody wrote what is no instant: which row, is found one by one
            page = [_readable_entry(transaction, place) for place in places]
        yield from zip(places, page, strict=True)
        sequence = places[-1]


def _readable_entry(transaction: Transaction, sequence: int) -> AuditEntry | None:
    try:
        return entries_after(transaction, sequence - 1, limit=1)[0]
    except ValueError:
        return None


def write_hashes(log: CompactRange) -> str:
    """Return the hashes of a range as they lie in a column."""
    return ",".join(one.hex() for one in log.hashes)


def _parse_hashes(size: int, hashes: str) -> CompactRange | None:
    try:
        return CompactRange(size, tuple(bytes.fromhex(one) for one in hashes.split(",") if one))
    except ValueError:
        return None


def _refuse_rolled_back(what: str) -> NoReturn:
    raise IntegrityViolation(
        "audit_log_rolled_back",
        what=f"the audit log is not the one that was written: {what}",
        where="the audit log",
        what_to_do="Nothing was written. Find the range with `channelsafe audit verify`, keep a copy of the store, and "
        "restore the newest backup; docs/security.md says what to do where none is new enough.",
    )
