"""Appending to the record log: many records at once, each once, with what became of each.

Belongs here: comparing records with the log and with each other, and writing the new ones. Reading is `records`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa

from dagster_project.integrity.digests import digest_bytes
from dagster_project.sources.record import Classification, Record
from dagster_project.store.chunks import chunks
from dagster_project.store.records import Outcome, last_sequence
from dagster_project.store.tables import source_records
from dagster_project.store.transaction import Transaction, insert_rows

_COLUMNS: Final = source_records.c
_COPY: Final = (_COLUMNS.sequence, _COLUMNS.data_digest, _COLUMNS.body_digest)
# Where a record stands that has no sequence yet: behind all that have one.
_NOT_YET: Final = 2**62
# (source, event id), or (source, recordid, recordversion): two records that share one are the same object.
_Key: TypeAlias = tuple[str, str] | tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class NewRecord:
    """A record to append: its body, and for whom the body is, which is the narrowest of all it holds."""

    record: Record
    body: bytes
    body_classification: Classification


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """What became of one record: its place in the log, new or old.

    `envelope_differs` marks a duplicate (equal data) that came with other envelope attributes than the stored
    one, for example another classification; the stored one stays.
    """

    outcome: Outcome
    sequence: int
    envelope_differs: bool = False


class _Copy(NamedTuple):
    """A record of the log, as far as others are compared with it."""

    sequence: int
    data_digest: str
    body_digest: str


def append_records(transaction: Transaction, news: Sequence[NewRecord], *, admitted_at: datetime) -> list[Insertion]:
    """Append records to the log in this order; what comes first counts for what comes after.

    Args:
        transaction: A writing transaction.
        news: What was admitted.
        admitted_at: When.

    Returns:
        What became of each: equal data under the same event id, or under the same (source, recordid, recordversion),
        is a duplicate of the earliest such record; unequal data is a conflicting copy.
    """
    known = _known_copies(transaction, [new.record for new in news])
    ended: list[Insertion] = []
    added: list[NewRecord] = []
    for new in news:
        ended.append(_compare(known, new, _NOT_YET + len(added)))
        if ended[-1].outcome is not Outcome.DUPLICATE:
            added.append(new)
    sequences = _insert(transaction, added, admitted_at)
    return [
        replace(one, sequence=sequences[one.sequence - _NOT_YET]) if one.sequence >= _NOT_YET else one for one in ended
    ]


def _compare(known: dict[_Key, list[_Copy]], new: NewRecord, place: int) -> Insertion:
    """Say what becomes of a record at `place`, and remember it where it is new."""
    digest, body_digest = new.record.datadigest, digest_bytes(new.body)
    same = [copy for key in _keys(new.record) for copy in known.get(key, ())]
    equal = [copy for copy in same if copy.data_digest == digest]
    if equal:
        first = min(equal)
        differs = first.body_digest != body_digest
        return Insertion(outcome=Outcome.DUPLICATE, sequence=first.sequence, envelope_differs=differs)
    for key in _keys(new.record):
        known.setdefault(key, []).append(_Copy(place, digest, body_digest))
    return Insertion(outcome=Outcome.CONFLICTING_COPY if same else Outcome.ADMITTED, sequence=place)


def _keys(record: Record) -> tuple[_Key, _Key]:
    return ((record.source, record.id), record.version_identity)


def _known_copies(transaction: Transaction, records: Sequence[Record]) -> dict[_Key, list[_Copy]]:
    """Return what the log holds of the same objects, by what they share."""
    by_source: dict[str, list[Record]] = {}
    for record in records:
        by_source.setdefault(record.source, []).append(record)
    return {
        key: copies
        for source, own in by_source.items()
        for chunk in chunks(own)
        for find in (_by_event, _by_version)
        for key, copies in find(transaction, source, chunk).items()
    }


def _by_event(transaction: Transaction, source: str, records: Sequence[Record]) -> dict[_Key, list[_Copy]]:
    statement = sa.select(_COLUMNS.event_id, *_COPY).where(
        _COLUMNS.source == source, _COLUMNS.event_id.in_({one.id for one in records})
    )
    found: dict[_Key, list[_Copy]] = {}
    for event_id, *copy in transaction.connection.execute(statement):
        found.setdefault((source, event_id), []).append(_Copy(*copy))
    return found


def _by_version(transaction: Transaction, source: str, records: Sequence[Record]) -> dict[_Key, list[_Copy]]:
    # Two lists instead of pairs: SQLite looks `(a, b) IN (...)` up by reading the whole table.
    statement = sa.select(_COLUMNS.recordid, _COLUMNS.recordversion, *_COPY).where(
        _COLUMNS.source == source,
        _COLUMNS.recordid.in_({one.recordid for one in records}),
        _COLUMNS.recordversion.in_({one.recordversion for one in records}),
    )
    found: dict[_Key, list[_Copy]] = {}
    for recordid, version, *copy in transaction.connection.execute(statement):
        found.setdefault((source, recordid, version), []).append(_Copy(*copy))
    return found


def _row(transaction: Transaction, new: NewRecord, admitted_at: datetime) -> dict[str, Any]:
    record = new.record
    return {
        "event_id": record.id,
        "source": record.source,
        "type": record.type,
        "subject": record.subject,
        "recordid": record.recordid,
        "recordversion": record.recordversion,
        "recorded_at": record.recordedtime,
        "occurred_at": record.time,
        "recorded_by": record.recordedby,
        "classification": new.body_classification.value,
        "data_digest": record.datadigest,
        "body_digest": transaction.blobs.put(new.body, new.body_classification),
        "admitted_at": admitted_at,
    }


def _insert(transaction: Transaction, added: Sequence[NewRecord], admitted_at: datetime) -> list[int]:
    """Insert new records and return their sequences; no other writer can come between."""
    if not added:
        return []
    before = last_sequence(transaction)
    insert_rows(transaction, source_records, [_row(transaction, new, admitted_at) for new in added])
    version = (_COLUMNS.source, _COLUMNS.recordid, _COLUMNS.recordversion)
    statement = sa.select(_COLUMNS.sequence, *version, _COLUMNS.data_digest).where(_COLUMNS.sequence > before)
    placed = {tuple(copy): sequence for sequence, *copy in transaction.connection.execute(statement)}
    return [placed[(*new.record.version_identity, new.record.datadigest)] for new in added]
