"""Body rotation: moving stored bodies to the body key that seals now, and removing the packs that they leave.

Belongs here: which packs hold bodies of another key, moving whole packs, and removing files once nobody reads them
there. A pack is moved whole, so that every byte of every pack still belongs to exactly one body. When a rotation
begins, and when the former key is destroyed, is the application's `key_rotation`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import sqlalchemy as sa

from dagster_project.integrity.encryption import encrypt
from dagster_project.sources.record import Classification
from dagster_project.store.blobs import PLACES, Place, verified_body
from dagster_project.store.body_account import BodyFault, faults_of_pack
from dagster_project.store.body_keys import UNSEALED, current_body_key, named_key
from dagster_project.store.body_tables import packs_to_remove
from dagster_project.store.chunks import chunks
from dagster_project.store.tables import packed_bodies
from dagster_project.store.transaction import Transaction

# So many bytes are moved in one transaction: other writers wait meanwhile.
_AT_ONCE: Final = 8 * 1024 * 1024
_COLUMNS: Final = packed_bodies.c
_MOVE: Final = (
    sa.update(packed_bodies)
    .where(_COLUMNS.name == sa.bindparam("moved"))
    .values(
        pack=sa.bindparam("to_pack"),
        start=sa.bindparam("to_start"),
        length=sa.bindparam("to_length"),
        body_key=sa.bindparam("to_key"),
    )
)


@dataclass(frozen=True)
class Moved:
    """How many bodies were sealed anew, and what was left where it is because it is not what was stored."""

    bodies: int
    faults: tuple[BodyFault, ...]


def bodies_to_move(transaction: Transaction) -> int:
    """Count the stored bodies that another key than the current one may have sealed."""
    statement = sa.select(sa.func.count()).select_from(packed_bodies).where(_is_behind(transaction))
    count: int = transaction.connection.execute(statement).scalar_one()
    return count


def packs_to_move(transaction: Transaction) -> list[tuple[str, ...]]:
    """Return the packs that hold such bodies, in groups that one transaction moves together."""
    behind = sa.select(_COLUMNS.pack).where(_is_behind(transaction))
    size = sa.func.sum(_COLUMNS.length)
    statement = sa.select(_COLUMNS.pack, size).where(_COLUMNS.pack.in_(behind)).group_by(_COLUMNS.pack)
    found = transaction.connection.execute(statement.order_by(_COLUMNS.pack))
    return list(_in_groups([(pack, int(length)) for pack, length in found]))


def move_packs(transaction: Transaction, packs: Sequence[str]) -> Moved:
    """Move the bodies of packs into one new pack, sealed under the current key. Call `remove_left_packs` afterwards.

    What is not as it was stored is not moved, and nothing of its pack: it may still be put right from a backup.

    Raises:
        Unavailable: the store of bodies cannot be read or written, or the key file lacks a key.
    """
    pieces: list[tuple[Place, bytes]] = []
    faults: list[BodyFault] = []
    left: list[str] = []
    for pack, places in _places_in(transaction, packs):
        found = list(faults_of_pack(transaction, pack, places))
        faults += found
        if not found:
            pieces += _sealed_anew(transaction, pack, places)
            left.append(pack)
    if pieces:
        _write(transaction, pieces, left)
    sealed = sum(1 for place, _piece in pieces if place.body_key != UNSEALED)
    return Moved(sealed, tuple(faults))


def remove_left_packs(transaction: Transaction) -> None:
    """Remove the files of packs whose bodies lie elsewhere by now; what a killed process left is removed too.

    Whoever began to read before finds the bodies where they lie now (`Blobs.moved`).

    Raises:
        Unavailable: the store of bodies cannot be written.
    """
    for pack in transaction.connection.execute(sa.select(packs_to_remove.c.pack)).scalars().all():
        named = sa.select(sa.func.count()).select_from(packed_bodies).where(_COLUMNS.pack == pack)
        if not transaction.connection.execute(named).scalar_one():
            transaction.blobs.packs.remove(pack)
        transaction.connection.execute(sa.delete(packs_to_remove).where(packs_to_remove.c.pack == pack))


def _is_behind(transaction: Transaction) -> sa.ColumnElement[bool]:
    current = current_body_key(transaction.connection) or UNSEALED
    return sa.or_(_COLUMNS.body_key.is_(None), _COLUMNS.body_key.not_in([UNSEALED, current]))


def _in_groups(sizes: Sequence[tuple[str, int]]) -> Iterator[tuple[str, ...]]:
    group: list[str] = []
    size = 0
    for pack, length in sizes:
        if group and size + length > _AT_ONCE:
            yield tuple(group)
            group, size = [], 0
        group.append(pack)
        size += length
    if group:
        yield tuple(group)


def _places_in(transaction: Transaction, packs: Sequence[str]) -> Iterator[tuple[str, list[Place]]]:
    for chunk in chunks(packs):
        statement = PLACES.where(_COLUMNS.pack.in_(chunk)).order_by(_COLUMNS.pack, _COLUMNS.start, _COLUMNS.length)
        places = [Place(*row) for row in transaction.connection.execute(statement).all()]
        for pack, inside in groupby(places, key=lambda place: place.pack):
            yield pack, list(inside)


def _sealed_anew(transaction: Transaction, pack: str, places: Sequence[Place]) -> Iterator[tuple[Place, bytes]]:
    """Yield the bodies of a sound pack as they are to be stored; a place says what its row will say of the key."""
    blobs = transaction.blobs
    current = current_body_key(transaction.connection) or UNSEALED
    key = named_key(transaction.connection, blobs.body_keys, current)
    parts = blobs.packs.read(pack, [(place.start, place.length) for place in places])
    for place, stored in zip(places, parts or (), strict=True):
        data, classification = verified_body(blobs, place, stored)
        if classification is Classification.CUSTOMER:
            yield place._replace(body_key=UNSEALED), data
        else:
            yield place._replace(body_key=current), encrypt(key, data, place.name.encode())


def _write(transaction: Transaction, pieces: Sequence[tuple[Place, bytes]], left: Sequence[str]) -> None:
    pack, start, rows = transaction.blobs.packs.write(b"".join(piece for _place, piece in pieces)), 0, []
    for place, piece in pieces:
        rows.append(
            {
                "moved": place.name,
                "to_pack": pack,
                "to_start": start,
                "to_length": len(piece),
                "to_key": place.body_key,
            }
        )
        start += len(piece)
    transaction.connection.execute(_MOVE, rows)
    known = set(transaction.connection.execute(sa.select(packs_to_remove.c.pack)).scalars())
    # What is sealed by no key stays the same bytes, and so may a pack of it.
    removable = [{"pack": one} for one in left if one != pack and one not in known]
    if removable:
        transaction.connection.execute(sa.insert(packs_to_remove), removable)
