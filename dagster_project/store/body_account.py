"""The account of stored bodies: every byte of every pack belongs to exactly one body, and every body is sound.

Belongs here: reading all packs back and holding them against the rows that name their parts. What belongs to what in
the product, and what follows from what, is the application's `verify`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.digests import digest_bytes
from dagster_project.store.blobs import PLACES, Place, verified_body
from dagster_project.store.packs import Packs
from dagster_project.store.tables import packed_bodies
from dagster_project.store.transaction import Transaction

_AT_ONCE: Final = 5000


@dataclass(frozen=True)
class BodyFault:
    """A body, a pack or a foreign file that is not as stored: its name, and the code of what is wrong."""

    name: str
    code: str


@dataclass(frozen=True)
class BodyAccount:
    """How many bodies there are, what is wrong with them, and how many packs nobody refers to.

    An unused pack is what a transaction left that never committed: no fault.
    """

    bodies: int
    unused_packs: int
    faults: tuple[BodyFault, ...]


def account_for_bodies(transaction: Transaction) -> BodyAccount:
    """Read every stored body back.

    Raises:
        Unavailable: the store of bodies cannot be read.
    """
    used: set[str] = set()
    bodies = 0
    faults: list[BodyFault] = []
    for pack, places in groupby(_all_places(transaction), key=lambda place: place.pack):
        inside = list(places)
        used.add(pack)
        bodies += len(inside)
        faults += faults_of_pack(transaction, pack, inside)
    packs = transaction.blobs.packs
    others = [place for place in packs.files() if Packs.name_at(place) not in used]
    foreign = [place for place in others if not _is_pack(packs, place)]
    faults += [BodyFault(place.rpartition("/")[2], "pack_foreign") for place in foreign]
    return BodyAccount(bodies, len(others) - len(foreign), tuple(faults))


def _all_places(transaction: Transaction) -> Iterator[Place]:
    columns = packed_bodies.c
    ordered = PLACES.order_by(columns.pack, columns.start, columns.length)
    streamed = transaction.connection.execute(ordered, execution_options={"yield_per": _AT_ONCE})
    return (Place(*row) for row in streamed)


def faults_of_pack(transaction: Transaction, name: str, places: Sequence[Place]) -> Iterator[BodyFault]:
    """Yield what is wrong with a pack of which rows say that it holds these bodies, by their places in order.

    Raises:
        Unavailable: the pack cannot be read, or the key file lacks a key.
    """
    content = transaction.blobs.packs.read_whole(name)
    if content is None:
        yield from _faults_of_lost_pack(transaction, name, places)
        return
    end = 0
    for place in places:
        if place.start != end:
            yield BodyFault(name, "pack_not_covered")
        end = place.start + place.length
        yield from _faults_of_body(transaction, place, content[place.start : end])
    if end != len(content):
        yield BodyFault(name, "pack_not_covered")


def _faults_of_lost_pack(transaction: Transaction, name: str, places: Sequence[Place]) -> Iterator[BodyFault]:
    """Yield what is wrong with bodies whose pack is gone: nothing where a rotation moved them in the meantime."""
    moved = list(transaction.blobs.moved(places))
    for place, stored in moved:
        yield from _faults_of_body(transaction, place, stored)
    lost = sorted({place.name for place in places} - {place.name for place, _stored in moved})
    if lost:
        yield BodyFault(name, "pack_missing")
        yield from (BodyFault(one, "body_not_intact") for one in lost)


def _faults_of_body(transaction: Transaction, place: Place, stored: bytes) -> Iterator[BodyFault]:
    try:
        verified_body(transaction.blobs, place, stored)
    except IntegrityViolation as violation:
        yield BodyFault(place.name, violation.code)


def _is_pack(packs: Packs, place: str) -> bool:
    """Tell whether what lies at a path is a whole pack, as its name says."""
    name = Packs.name_at(place)
    content = None if name is None else packs.read_whole(name)
    return content is not None and digest_bytes(content) == f"sha256:{name}"
