"""The record log: every admitted record version, append-only, in the order of admission.

Belongs here: reading records; adding to the log is `record_appending`. Units that were delivered but not admitted are
in `intake`; which version wins and what conflicts is the domain's question (`sources.conflicts`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from dagster_project.sources.record import Classification
from dagster_project.store.chunks import chunks
from dagster_project.store.tables import source_records
from dagster_project.store.transaction import Transaction

_COLUMNS: Final = source_records.c
_CLASSIFICATIONS: Final = {one.value: one for one in Classification}


class Outcome(StrEnum):
    """What became of one delivered unit."""

    ADMITTED = "admitted"
    DUPLICATE = "duplicate"
    CONFLICTING_COPY = "conflicting_copy"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class RecordRow:
    """One row of the log. `classification` is that of the stored body: the narrowest of all it holds."""

    sequence: int
    event_id: str
    source: str
    type: str
    subject: str
    recordid: str
    recordversion: int
    recorded_at: datetime
    occurred_at: datetime
    recorded_by: str | None
    classification: Classification
    data_digest: str
    body_digest: str
    admitted_at: datetime


def records_for_subjects(
    transaction: Transaction,
    subjects: Sequence[str],
    *,
    recorded_until: datetime | None = None,
    sequence_until: int | None = None,
) -> list[RecordRow]:
    """Return all record versions about any of `subjects`, in the order of the log.

    Args:
        transaction: Any transaction.
        subjects: Incidents and accounts.
        recorded_until: Only what its source had recorded at this instant (inclusive); None for all.
        sequence_until: Only what the log held up to this sequence (inclusive); None for all.
    """
    statement = sa.select(source_records).where(*_about(subjects, recorded_until, sequence_until))
    return _rows(transaction, statement.order_by(_COLUMNS.sequence))


def heads_by_subject(
    transaction: Transaction, subjects: Collection[str], record_type: str
) -> dict[str, list[RecordRow]]:
    """Return for each subject the newest versions of its records that are of this type, in the order of the log.

    The newest is the greatest version per (source, recordid) of what is about the subject; conflicting copies at the
    head are all returned.
    """
    found: dict[str, list[RecordRow]] = {subject: [] for subject in subjects}
    place = sa.func.rank().over(
        partition_by=(_COLUMNS.subject, _COLUMNS.source, _COLUMNS.recordid), order_by=_COLUMNS.recordversion.desc()
    )
    for chunk in chunks(subjects):
        inner = sa.select(source_records, place.label("place")).where(_COLUMNS.subject.in_(chunk)).subquery()
        is_head = sa.and_(inner.c.place == 1, inner.c.type == record_type)
        columns = [inner.c[column.name] for column in _COLUMNS]
        for row in _rows(transaction, sa.select(*columns).where(is_head).order_by(inner.c.sequence)):
            found[row.subject].append(row)
    return found


def records_after(transaction: Transaction, sequence: int, *, limit: int) -> list[RecordRow]:
    """Return up to `limit` rows after `sequence`, in the order of the log: for cursors."""
    statement = sa.select(source_records).where(_COLUMNS.sequence > sequence)
    return _rows(transaction, statement.order_by(_COLUMNS.sequence).limit(limit))


def last_sequence(transaction: Transaction) -> int:
    """Return the sequence of the newest record, 0 for an empty log."""
    return transaction.connection.execute(sa.select(sa.func.max(_COLUMNS.sequence))).scalar_one() or 0


def count_records(transaction: Transaction) -> int:
    """Return how many records the log holds."""
    count: int = transaction.connection.execute(sa.select(sa.func.count()).select_from(source_records)).scalar_one()
    return count


def record_bodies(transaction: Transaction, rows: Sequence[RecordRow]) -> list[bytes]:
    """Return the stored bytes of records in the order of `rows`, verified.

    Raises:
        IntegrityViolation: one is missing or not what was stored.
    """
    bodies = transaction.blobs.get_many((row.body_digest, row.classification) for row in rows)
    return [bodies[row.body_digest] for row in rows]


def _about(
    subjects: Sequence[str], recorded_until: datetime | None, sequence_until: int | None
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [_COLUMNS.subject.in_(subjects)]
    if recorded_until is not None:
        conditions.append(_COLUMNS.recorded_at <= recorded_until)
    if sequence_until is not None:
        conditions.append(_COLUMNS.sequence <= sequence_until)
    return conditions


def _rows(transaction: Transaction, statement: sa.Select[Any]) -> list[RecordRow]:
    # Hundreds of rows for every refresh: all fetched at once, and by name without a mapping for each.
    found = transaction.connection.execute(statement)
    names = tuple(found.keys())
    place = names.index("classification")
    return [
        RecordRow(**dict(zip(names, (*row[:place], _CLASSIFICATIONS[row[place]], *row[place + 1 :]), strict=True)))
        for row in found.all()
    ]


def records_of_type(
    transaction: Transaction, record_type: str, *, after: int = 0, until: int | None = None
) -> list[RecordRow]:
    """Return the record versions of one type, in the order of the log: for the few types that concern accounts.

    Args:
        transaction: Any transaction.
        record_type: The type.
        after: Only what came after this sequence.
        until: Only what the log held up to this sequence (inclusive); None for all.
    """
    statement = sa.select(source_records).where(_COLUMNS.type == record_type, _COLUMNS.sequence > after)
    if until is not None:
        statement = statement.where(_COLUMNS.sequence <= until)
    return _rows(transaction, statement.order_by(_COLUMNS.sequence))


def records_at(transaction: Transaction, sequences: Collection[int]) -> list[RecordRow]:
    """Return the rows of these sequences that are there, in the order of the log."""
    return [
        row
        for chunk in chunks(sorted(sequences))
        for row in _rows(
            transaction,
            sa.select(source_records).where(_COLUMNS.sequence.in_(chunk)).order_by(_COLUMNS.sequence),
        )
    ]
