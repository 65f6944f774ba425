"""Conflicts: what several records say against each other.

Belongs here: which version of each record is the head, and the contradictions among records. Every function is
independent of the order and duplication of its input (invariant I5). What a conflict does to a package is not here.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from dagster_project.sources.record import Record, RecordReference, reference_to

CONFLICTING_COPIES: Final = "conflicting_copies"
CONFLICTING_COPIES_BELOW_HEAD: Final = "conflicting_copies_below_head"
CONTRADICTING_AUTHORITIES: Final = "contradicting_authorities"

_HEALTH_FIELDS: Final = ("service-health#/since", "service-health#/state")


class Conflict(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A contradiction: its kind, the record versions on its sides, and the source fields in contradiction.

    No source fields named means all of them: the records as a whole are in doubt.
    """

    kind: str
    references: tuple[RecordReference, ...]
    source_fields: tuple[str, ...] = ()


def heads_of(records: Iterable[Record]) -> tuple[Record, ...]:
    """Return the greatest version of each (source, recordid), sorted.

    Where the greatest version has conflicting copies there is no trustworthy head; the copy with the smallest data
    digest stands in, so that the result does not depend on order, and `find_conflicts` names all copies.
    """
    heads: dict[tuple[str, str], Record] = {}
    for record in records:
        present = heads.get(record.identity)
        if present is None or _precedes(present, record):
            heads[record.identity] = record
    return tuple(heads[identity] for identity in sorted(heads))


def _precedes(present: Record, record: Record) -> bool:
    if record.recordversion != present.recordversion:
        return record.recordversion > present.recordversion
    return record.datadigest < present.datadigest


def find_conflicts(records: Iterable[Record]) -> tuple[Conflict, ...]:
    """Return every conflict among all admitted versions, sorted."""
    known = tuple(records)
    heads = heads_of(known)
    found = {*_conflicting_copies(known, heads), *_health(heads), *_incidents(heads)}
    return tuple(sorted(found))


def _conflicting_copies(known: tuple[Record, ...], heads: tuple[Record, ...]) -> Iterator[Conflict]:
    copies: dict[tuple[str, str, int], set[RecordReference]] = {}
    for record in known:
        copies.setdefault(record.version_identity, set()).add(reference_to(record))
    at_head = {head.version_identity for head in heads}
    for version, references in copies.items():
        if len(references) > 1:
            kind = CONFLICTING_COPIES if version in at_head else CONFLICTING_COPIES_BELOW_HEAD
            yield Conflict(kind=kind, references=tuple(sorted(references)))


def _health(heads: tuple[Record, ...]) -> Iterator[Conflict]:
    grouped: dict[tuple[str, str], list[Record]] = {}
    for head in heads:
        if head.type == "service-health":
            grouped.setdefault((head.data["component"], head.data["region"]), []).append(head)
    for observers in grouped.values():
        if len({head.data["state"] for head in observers}) > 1:
            yield _contradiction(observers, _HEALTH_FIELDS)


def _incidents(heads: tuple[Record, ...]) -> Iterator[Conflict]:
    incidents = [head for head in heads if head.type == "incident"]
    for name in ("severity", "state"):
        if len({head.data[name] for head in incidents}) > 1:
            yield _contradiction(incidents, (f"incident#/{name}",))


def _contradiction(sides: list[Record], source_fields: tuple[str, ...]) -> Conflict:
    return Conflict(
        kind=CONTRADICTING_AUTHORITIES,
        references=tuple(sorted(reference_to(side) for side in sides)),
        source_fields=source_fields,
    )
