"""The checkpoints of the audit log, each once and in order of size. What makes one sound is `integrity.checkpoints`."""

from datetime import datetime

import sqlalchemy as sa

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.checkpoints import KeptCheckpoint, kept_from
from dagster_project.store.audit import write_hashes
from dagster_project.store.audit_tables import audit_checkpoints
from dagster_project.store.transaction import Transaction, insert_rows

_columns = audit_checkpoints.c


def add_checkpoint(transaction: Transaction, kept: KeptCheckpoint, *, at: datetime) -> None:
    """Keep a checkpoint; where it is anchored is said by `mark_anchored`, once it is."""
    row = {"size": kept.size, "note": kept.note, "hashes": write_hashes(kept.compact_range), "made_at": at}
    insert_rows(transaction, audit_checkpoints, [row])


def newest_checkpoint(transaction: Transaction) -> KeptCheckpoint | None:
    """Return the newest checkpoint.

    Raises:
        IntegrityViolation: what is stored is none.
    """
    statement = sa.select(_columns.note, _columns.hashes).order_by(_columns.size.desc()).limit(1)
    found = transaction.connection.execute(statement).first()
    return None if found is None else _read(found.note, found.hashes)


def checkpoints_after(transaction: Transaction, size: int) -> list[KeptCheckpoint]:
    """Return every checkpoint over more than `size` entries, in order.

    Raises:
        IntegrityViolation: what is stored is none.
    """
    statement = sa.select(_columns.note, _columns.hashes).where(_columns.size > size).order_by(_columns.size)
    return [_read(row.note, row.hashes) for row in transaction.connection.execute(statement)]


def readable_checkpoints(transaction: Transaction) -> tuple[list[KeptCheckpoint], list[int]]:
    """Return every checkpoint that can be read, and the sizes at which what is stored is none."""
    readable: list[KeptCheckpoint] = []
    unreadable: list[int] = []
    for row in transaction.connection.execute(sa.select(audit_checkpoints).order_by(_columns.size)):
        try:
            kept = _read(row.note, row.hashes)
        except IntegrityViolation:
            unreadable.append(row.size)  # a fault that verification reports with its range
            continue
        if kept.size == row.size:
            readable.append(kept)
        else:
            unreadable.append(row.size)
    return readable, unreadable


def newest_anchored_size(transaction: Transaction) -> int:
    """Return the size of the newest checkpoint that is marked as anchored; 0 where none is."""
    statement = sa.select(sa.func.max(_columns.size)).where(_columns.anchored_at.is_not(None))
    size: int | None = transaction.connection.execute(statement).scalar_one()
    return size or 0


def mark_anchored(transaction: Transaction, until: int, *, at: datetime) -> None:
    """Mark the checkpoints up to this size as anchored: from then on an anchor without them is a wrong one."""
    unmarked = sa.and_(_columns.size <= until, _columns.anchored_at.is_(None))
    transaction.connection.execute(sa.update(audit_checkpoints).where(unmarked).values(anchored_at=at))


def forget_anchor(transaction: Transaction) -> None:
    """Mark no checkpoint as anchored any more: the anchor that the marks speak of is given up."""
    transaction.connection.execute(sa.update(audit_checkpoints).values(anchored_at=None))


def _read(note: str, hashes: str) -> KeptCheckpoint:
    return kept_from({"note": note, "hashes": [one for one in hashes.split(",") if one]})
