"""The snapshot: the latest admissible record versions of one incident, pinned.

Belongs here: what a snapshot holds, building it from admitted records, and its canonical form (pins only: the
bytes stay in the record log). A snapshot is order-independent: the same set of records gives the same snapshot.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.documents import typed_bytes
from dagster_project.sources.conflicts import Conflict, find_conflicts, heads_of
from dagster_project.sources.record import Record, RecordReference, reference_to

# Types whose earlier versions are pinned too: "recovered" is a statement about the past of a record.
TYPES_WITH_HISTORY = frozenset({"service-health"})


class RejectedInput(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A rejected record whose source, type and subject could be read: what it feeds is on hold."""

    source: str
    type: str
    subject: str
    reason_code: str
    body_digest: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was known of one incident. Every tuple is sorted, so equal knowledge has equal bytes.

    `heads` are the latest versions per (source, recordid); `earlier` are older versions of types whose past
    matters; `lagging_sources` delivered something that could not be read at all.
    """

    incident: str
    heads: tuple[Record, ...]
    earlier: tuple[Record, ...]
    conflicts: tuple[Conflict, ...]
    rejected: tuple[RejectedInput, ...]
    lagging_sources: tuple[str, ...]


def build_snapshot(
    incident: str,
    records: Iterable[Record],
    *,
    rejected: Iterable[RejectedInput] = (),
    lagging_sources: Iterable[str] = (),
) -> Snapshot:
    """Pin the latest versions among `records`, which are all admitted versions up to one point of the log."""
    known = tuple(records)
    heads = heads_of(known)
    pinned = {reference_to(head) for head in heads}
    earlier = {
        reference_to(one): one for one in known if one.type in TYPES_WITH_HISTORY and reference_to(one) not in pinned
    }
    return Snapshot(
        incident=incident,
        heads=heads,
        earlier=tuple(earlier[reference] for reference in sorted(earlier)),
        conflicts=find_conflicts(known),
        rejected=tuple(sorted(set(rejected))),
        lagging_sources=tuple(sorted(set(lagging_sources))),
    )


def snapshot_bytes(snapshot: Snapshot) -> bytes:
    """Return the canonical bytes of a snapshot: references, never record content."""
    pins = {
        "incident": snapshot.incident,
        "heads": [reference_to(one) for one in snapshot.heads],
        "earlier": [reference_to(one) for one in snapshot.earlier],
        "conflicts": snapshot.conflicts,
        "rejected": snapshot.rejected,
        "lagging_sources": snapshot.lagging_sources,
    }
    return typed_bytes(pins)


def snapshot_digest(snapshot: Snapshot) -> str:
    """Return the digest that pins this snapshot."""
    return digest_bytes(snapshot_bytes(snapshot))


def pinned_references(document: Mapping[str, Any]) -> tuple[RecordReference, ...]:
    """Return every record version that a stored snapshot document pins."""
    return tuple(msgspec.convert([*document["heads"], *document["earlier"]], list[RecordReference]))


def restore_snapshot(document: Mapping[str, Any], records: Mapping[RecordReference, Record]) -> Snapshot:
    """Rebuild a snapshot from its stored document and the records that it pins."""
    heads = msgspec.convert(document["heads"], list[RecordReference])
    earlier = msgspec.convert(document["earlier"], list[RecordReference])
    return Snapshot(
        incident=document["incident"],
        heads=tuple(records[reference] for reference in heads),
        earlier=tuple(records[reference] for reference in earlier),
        conflicts=tuple(msgspec.convert(document["conflicts"], list[Conflict])),
        rejected=tuple(msgspec.convert(document["rejected"], list[RejectedInput])),
        lagging_sources=tuple(document["lagging_sources"]),
    )


def known_at(records: Iterable[Record], instant: datetime) -> tuple[Record, ...]:
    """Return the records that had been recorded by `instant`: history is evaluated at its own instants."""
    return tuple(record for record in records if record.recordedtime <= instant)
