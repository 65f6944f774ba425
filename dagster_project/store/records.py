"""The record log: every admitted record version, append-only, in the order of admission.

Belongs here: inserting and reading records. Units that were delivered but not admitted are in `intake`; which
version wins and what conflicts is the domain's question (`sources.conflicts`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from dagster_project.sources.record import Classification, Record
from dagster_project.store.tables import source_records
from dagster_project.store.transaction import Transaction, first_row, insert_new

_COLUMNS: Final = source_records.c


class Outcome(StrEnum):
    """What became of one delivered unit."""

    ADMITTED = "admitted"
    DUPLICATE = "duplicate"
    CONFLICTING_COPY = "conflicting_copy"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """What became of one record: its place in the log, new or old.

    `envelope_differs` marks a duplicate (equal data) that came with other envelope attributes than the stored
    one, for example another classification; the stored one stays.
    """

    outcome: Outcome
    sequence: int
    envelope_differs: bool = False


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


def insert_record(
    transaction: Transaction,
    record: Record,
    *,
    body: bytes,
    body_classification: Classification,
    admitted_at: datetime,
) -> Insertion:
    """Append one record to the log, once.

    Args:
        transaction: A writing transaction.
        record: The admitted record.
        body: The canonical bytes of its envelope. A duplicate in another envelope is stored as a blob too, without
            a row: nothing that was delivered is lost.
        body_classification: The narrowest classification of anything in `body`.
        admitted_at: When it was admitted.

    Returns:
        ``duplicate`` where the same record version, or the same event, is there with equal data; else the record
        is new, and ``conflicting_copy`` where one of the two is there with other data (both are kept).
    """
    body_digest = transaction.blobs.put(body, body_classification)
    sequence = insert_new(
        transaction,
        source_records,
        {
            "event_id": record.id,
            "source": record.source,
            "type": record.type,
            "subject": record.subject,
            "recordid": record.recordid,
            "recordversion": record.recordversion,
            "recorded_at": record.recordedtime,
            "occurred_at": record.time,
            "recorded_by": record.recordedby,
            "classification": body_classification.value,
            "data_digest": record.datadigest,
            "body_digest": body_digest,
            "admitted_at": admitted_at,
        },
    )
    if sequence is None:
        return _duplicate(transaction, record, body_digest)
    copy = first_row(
        transaction,
        sa.select(_COLUMNS.sequence).where(_same_object(record), _COLUMNS.data_digest != record.datadigest),
    )
    return Insertion(outcome=Outcome.ADMITTED if copy is None else Outcome.CONFLICTING_COPY, sequence=sequence)


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


def heads_for_subjects(
    transaction: Transaction,
    subjects: Sequence[str],
    *,
    recorded_until: datetime | None = None,
    sequence_until: int | None = None,
) -> list[RecordRow]:
    """Return the rows with the greatest version per (source, recordid), in the order of the log.

    Conflicting copies at the head are all returned. The arguments are those of `records_for_subjects`.
    """
    place = sa.func.rank().over(
        partition_by=(_COLUMNS.source, _COLUMNS.recordid), order_by=_COLUMNS.recordversion.desc()
    )
    ranked = sa.select(source_records, place.label("place")).where(*_about(subjects, recorded_until, sequence_until))
    inner = ranked.subquery()
    columns = [inner.c[column.name] for column in _COLUMNS]
    return _rows(transaction, sa.select(*columns).where(inner.c.place == 1).order_by(inner.c.sequence))


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


def record_body(transaction: Transaction, row: RecordRow) -> bytes:
    """Return the stored bytes of a record, verified.

    Raises:
        IntegrityViolation: they are missing or not what was stored.
    """
    return transaction.blobs.get(row.body_digest, row.classification)


def record_bodies(transaction: Transaction, rows: Sequence[RecordRow]) -> list[bytes]:
    """Return the stored bytes of records in the order of `rows`, verified.

    Raises:
        IntegrityViolation: one is missing or not what was stored.
    """
    bodies = transaction.blobs.get_many((row.body_digest, row.classification) for row in rows)
    return [bodies[row.body_digest] for row in rows]


def _same_object(record: Record) -> sa.ColumnElement[bool]:
    same_version = sa.and_(_COLUMNS.recordid == record.recordid, _COLUMNS.recordversion == record.recordversion)
    return sa.and_(_COLUMNS.source == record.source, sa.or_(same_version, _COLUMNS.event_id == record.id))


def _duplicate(transaction: Transaction, record: Record, body_digest: str) -> Insertion:
    stored = transaction.connection.execute(
        sa.select(_COLUMNS.sequence, _COLUMNS.body_digest)
        .where(_same_object(record), _COLUMNS.data_digest == record.datadigest)
        .order_by(_COLUMNS.sequence)
        .limit(1)
    ).one()
    return Insertion(
        outcome=Outcome.DUPLICATE,
        sequence=stored.sequence,
        envelope_differs=stored.body_digest != body_digest,
    )


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
    found = transaction.connection.execute(statement).mappings()
    return [RecordRow(**{**row, "classification": Classification(row["classification"])}) for row in found]


def records_of_type(transaction: Transaction, record_type: str) -> list[RecordRow]:
    """Return all record versions of one type, in the order of the log: for the few types that concern accounts."""
    statement = sa.select(source_records).where(_COLUMNS.type == record_type)
    return _rows(transaction, statement.order_by(_COLUMNS.sequence))
