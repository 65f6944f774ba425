"""The account of stored bodies: every byte of every pack belongs to exactly one body, and every body is sound.

Belongs here: reading all packs back and holding them against the rows that name their parts. What belongs to what in
the product, and what follows from what, is the application's `verify`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import sqlalchemy as sa

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.digests import digest_bytes
from dagster_project.store.blobs import Place, verify_body
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
        faults += _faults_of_pack(transaction, pack, inside)
    packs = transaction.blobs.packs
    others = [place for place in packs.files() if Packs.name_at(place) not in used]
    foreign = [place for place in others if not _is_pack(packs, place)]
    faults += [BodyFault(place.rpartition("/")[2], "pack_foreign") for place in foreign]
    return BodyAccount(bodies, len(others) - len(foreign), tuple(faults))


def _all_places(transaction: Transaction) -> Iterator[Place]:
    columns = packed_bodies.c
    statement = sa.select(columns.name, columns.pack, columns.start, columns.length)
    ordered = statement.order_by(columns.pack, columns.start, columns.length)
    streamed = transaction.connection.execute(ordered, execution_options={"yield_per": _AT_ONCE})
    return (Place(*row) for row in streamed)


def _faults_of_pack(transaction: Transaction, name: str, places: Sequence[Place]) -> Iterator[BodyFault]:
    content = transaction.blobs.packs.read_whole(name)
    if content is None:
        yield BodyFault(name, "pack_missing")
        yield from (BodyFault(place.name, "body_not_intact") for place in places)
        return
    end = 0
    for place in places:
        if place.start != end:
            yield BodyFault(name, "pack_not_covered")
        end = place.start + place.length
        try:
            verify_body(transaction.keys, place.name, content[place.start : end])
        except IntegrityViolation as violation:
            yield BodyFault(place.name, violation.code)
    if end != len(content):
        yield BodyFault(name, "pack_not_covered")


def _is_pack(packs: Packs, place: str) -> bool:
    """Tell whether what lies at a path is a whole pack, as its name says."""
    name = Packs.name_at(place)
    content = None if name is None else packs.read_whole(name)
    return content is not None and digest_bytes(content) == f"sha256:{name}"
