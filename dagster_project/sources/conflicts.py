"""Conflicts: what several records say against each other.

Belongs here: which version of each record is the head, and the contradictions among records. Every function is
independent of the order and duplication of its input (invariant I5). What a conflict does to a package is not here.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from dagster_project.integrity.digests import digest_of
from dagster_project.sources.record import Classification, Record, RecordReference, reference_to
from dagster_project.sources.source_fields import field_classification, present_fields

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

    Where the greatest version has conflicting copies there is no trustworthy head; one stands in, chosen by digests, so
    that the result does not depend on order, and `find_conflicts` names all copies.
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
    return _standing(record) < _standing(present)


# What a record speaks of: where on a page it stands, or would stand were its values not on hold.
_SPOKEN_OF: Final = ("/component", "/region", "/applies_to", "/account", "/bridge", "/bridges", "/capabilities")


def _standing(record: Record) -> tuple[object, ...]:
    """Order the copies of one version: the narrowest label first, then what each speaks of, and what it has at all.

    The values of copies in conflict are on hold, so they come after that, and what nobody outside may see after them:
    else a value that must not show would decide which copy shapes a page (invariant I1).
    """
    seen = {
        pointer: value
        for pointer, value in present_fields(record)
        if field_classification(record, pointer) is Classification.CUSTOMER
    }
    place = {pointer: value for pointer, value in seen.items() if pointer in _SPOKEN_OF}
    envelope = (record.id, record.subject, record.type, record.time, record.recordedtime)
    persons = (record.recordedby or "", record.causationid or "")
    shaping = (-record.dataclassification.rank, digest_of(place), sorted(seen))
    return (*shaping, digest_of(seen), record.datadigest, *envelope, *persons)


def find_conflicts(records: Iterable[Record]) -> tuple[Conflict, ...]:
    """Return every conflict among all admitted versions, sorted."""
    known = tuple(records)
    at_head = {head.version_identity for head in heads_of(known)}
    # Every copy of a head takes part in contradictions: the copy that does not stand in may be the true one.
    heads = [record for record in known if record.version_identity in at_head]
    found = {*_conflicting_copies(known, at_head), *_reused_ids(known, at_head), *_health(heads), *_incidents(heads)}
    return tuple(sorted(found))


def _conflicting_copies(known: Iterable[Record], at_head: AbstractSet[tuple[str, str, int]]) -> Iterator[Conflict]:
    copies: dict[tuple[str, str, int], set[RecordReference]] = {}
    for record in known:
        copies.setdefault(record.version_identity, set()).add(reference_to(record))
    for version, references in copies.items():
        if len(references) > 1:
            kind = CONFLICTING_COPIES if version in at_head else CONFLICTING_COPIES_BELOW_HEAD
            yield Conflict(kind=kind, references=tuple(sorted(references)))


def _reused_ids(known: Iterable[Record], at_head: AbstractSet[tuple[str, str, int]]) -> Iterator[Conflict]:
    """Find one event id over different record versions: the same id with unequal data (design section 6)."""
    events: dict[tuple[str, str], set[RecordReference]] = {}
    for record in known:
        events.setdefault((record.source, record.id), set()).add(reference_to(record))
    for sides in events.values():
        if len(sides) == 1:
            continue
        versions = {(side.source, side.recordid, side.recordversion) for side in sides}
        if len(versions) > 1 and len({side.datadigest for side in sides}) > 1:
            kind = CONFLICTING_COPIES_BELOW_HEAD if versions.isdisjoint(at_head) else CONFLICTING_COPIES
            yield Conflict(kind=kind, references=tuple(sorted(sides)))


def _health(heads: Iterable[Record]) -> Iterator[Conflict]:
    grouped: dict[tuple[str, str, str], list[Record]] = {}
    for head in heads:
        if head.type == "service-health":
            place = (head.subject, head.data["component"], head.data["region"])
            grouped.setdefault(place, []).append(head)
    for observers in grouped.values():
        yield from _contradiction(observers, "state", _HEALTH_FIELDS)


def _incidents(heads: Iterable[Record]) -> Iterator[Conflict]:
    grouped: dict[str, list[Record]] = {}
    for head in heads:
        if head.type == "incident":
            grouped.setdefault(head.subject, []).append(head)
    for authorities in grouped.values():
        for name in ("severity", "state"):
            yield from _contradiction(authorities, name, (f"incident#/{name}",))


def _contradiction(sides: list[Record], name: str, source_fields: tuple[str, ...]) -> Iterator[Conflict]:
    if len({side.identity for side in sides}) > 1 and len({side.data[name] for side in sides}) > 1:
        yield Conflict(
            kind=CONTRADICTING_AUTHORITIES,
            references=tuple(sorted({reference_to(side) for side in sides})),
            source_fields=source_fields,
        )
