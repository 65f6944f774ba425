"""Blobs: bodies of records, snapshots, packages and annexes, addressed by the digest of their plaintext.

Belongs here: the bodies of one transaction. What is put is gathered and becomes one pack just before the commit, with
rows in the same transaction that say where each body lies; what is read is handed out only where it verifies. Bodies
that are not for customers are encrypted, and their names are keyed digests, so that a copy of the packs tells neither
what they say nor whether they equal something known. Which body belongs to what is known by the other tables alone.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dagster_project.errors import ChannelsafeError, IntegrityViolation
from dagster_project.integrity.digests import digest_bytes, keyed_digest
from dagster_project.integrity.encryption import decrypt, encrypt
from dagster_project.integrity.keys import KeyRing
from dagster_project.sources.record import Classification
from dagster_project.store.body_keys import UNSEALED, BodyKeys, named_key, sealing_key
from dagster_project.store.chunks import chunks
from dagster_project.store.engine import is_reading, reading
from dagster_project.store.packs import Packs
from dagster_project.store.tables import packed_bodies

# Above this many bytes a transaction writes what it gathered and goes on with another pack.
_LARGEST_PACK: Final = 8 * 1024 * 1024
# Keyed digests name other things too; the prefix keeps a blob's name from equalling one that is shown elsewhere.
_NAME_PURPOSE: Final = b"blob name\x00"
_COLUMNS: Final = packed_bodies.c
PLACES: Final = sa.select(_COLUMNS.name, _COLUMNS.pack, _COLUMNS.start, _COLUMNS.length, _COLUMNS.body_key)


class Place(NamedTuple):
    """Where a stored body lies, and the id of the key that sealed it: None where that was before keys had ids."""

    name: str
    pack: str
    start: int
    length: int
    body_key: str | None


@dataclass
class Blobs:
    """The bodies that one transaction sees: what others committed, and what it put itself.

    Args:
        connection: The transaction's; where bodies lie is read and written with it.
        packs: Where they lie.
        keys: Names what is not for customers.
        body_keys: Encrypts it.
    """

    connection: Connection
    packs: Packs
    keys: KeyRing
    body_keys: BodyKeys
    _gathered: dict[str, tuple[bytes, Classification]] = field(default_factory=dict)
    _size: int = 0

    def put(self, data: bytes, classification: Classification) -> str:
        """Take a body and return the digest of its plaintext. It is durable before the transaction's rows are.

        A body that is stored already is not written again.

        Raises:
            ChannelsafeError: this transaction only reads.
            Unavailable: the store of bodies cannot be written.
        """
        if is_reading(self.connection):
            raise _not_writable()
        digest = digest_bytes(data)
        name = body_name(self.keys, digest, classification)
        if name not in self._gathered:
            self._gathered[name] = (data, classification)
            self._size += len(data)
            if self._size > _LARGEST_PACK:
                self.write_gathered()
        return digest

    def get(self, digest: str, classification: Classification) -> bytes:
        """Return the body named `digest`, verified.

        Raises:
            IntegrityViolation: it is missing, or any byte of it is not what was stored.
            Unavailable: the store of bodies cannot be read.
        """
        return self.get_many([(digest, classification)])[digest]

    def get_many(self, wanted: Iterable[tuple[str, Classification]]) -> dict[str, bytes]:
        """Return bodies by the digests of their plaintexts, verified; each pack is opened once.

        Raises:
            IntegrityViolation: one is missing, or any byte of it is not what was stored.
            Unavailable: the store of bodies cannot be read.
        """
        named = {body_name(self.keys, digest, one): (digest, one) for digest, one in wanted}
        found = {named[name][0]: self._gathered[name][0] for name in named if name in self._gathered}
        elsewhere = [name for name in named if name not in self._gathered]
        for place, stored in self._read(places_of(self.connection, elsewhere)):
            digest, classification = named.pop(place.name)
            found[digest] = self._opened(place, digest, stored, classification)
        for name in elsewhere:
            if name in named:
                raise _violation("a body is missing", named[name][0])
        return found

    def write_gathered(self) -> None:
        """Write what was put as one pack, and say in rows where each body lies. `Store.begin` does it at the end.

        Raises:
            Unavailable: the store of bodies cannot be written.
        """
        stored = {place.name for place in places_of(self.connection, self._gathered)}
        self._write([(name, *one) for name, one in self._gathered.items() if name not in stored])
        self._gathered.clear()
        self._size = 0

    def moved(self, places: Collection[Place]) -> Iterator[tuple[Place, bytes]]:
        """Yield bodies whose pack is gone from where they lie by now, those that lie anywhere else.

        A rotation may have moved them since this transaction began. What a name stands for never changes, so reading
        it from a later state is no other state of anything.
        """
        with reading(self.connection.engine) as connection:
            now = places_of(connection, [place.name for place in places])
        gone = {place.pack for place in places}
        yield from _read_at(self.packs, [place for place in now if place.pack not in gone])

    def opened(self, place: Place, stored: bytes) -> bytes:
        """Return what was sealed at a place.

        Raises:
            IntegrityViolation: it is not what was stored there.
            Unavailable: the key file does not hold the key that sealed it.
        """
        if place.body_key == UNSEALED:
            raise _violation("a body that is not for customers is said to be unsealed", place.name)
        if place.body_key is not None:
            key = named_key(self.connection, self.body_keys, place.body_key)
            return decrypt(key, stored, place.name.encode())
        return _opened_by_any(self.body_keys.every(), place.name, stored)

    def _write(self, bodies: Sequence[tuple[str, bytes, Classification]]) -> None:
        """Write bodies as one pack, and the rows that say where each lies."""
        if not bodies:
            return
        is_open = {name: classification is Classification.CUSTOMER for name, _data, classification in bodies}
        body_key = UNSEALED if all(is_open.values()) else sealing_key(self.connection, self.body_keys)
        key = b"" if body_key == UNSEALED else named_key(self.connection, self.body_keys, body_key)
        pieces = {name: data if is_open[name] else encrypt(key, data, name.encode()) for name, data, _ in bodies}
        pack, start, rows = self.packs.write(b"".join(pieces.values())), 0, []
        for name, piece in pieces.items():
            named = UNSEALED if is_open[name] else body_key
            rows.append({"name": name, "pack": pack, "start": start, "length": len(piece), "body_key": named})
            start += len(piece)
        self.connection.execute(sa.insert(packed_bodies), rows)

    def _read(self, places: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
        by_pack: dict[str, list[Place]] = {}
        for place in places:
            by_pack.setdefault(place.pack, []).append(place)
        for inside in by_pack.values():
            parts = list(_read_at(self.packs, inside))
            # Of a pack that is gone nothing is read: its bodies are found elsewhere by now, or missing.
            yield from parts or self.moved(inside)

    def _opened(self, place: Place, digest: str, stored: bytes, classification: Classification) -> bytes:
        data = stored if classification is Classification.CUSTOMER else self.opened(place, stored)
        if digest_bytes(data) != digest:
            raise _violation("a body is not what was stored", digest)
        return data


def places_of(connection: Connection, names: Collection[str]) -> list[Place]:
    """Return where the bodies of these names lie; what is not stored is left out."""
    return [
        Place(*row)
        for chunk in chunks(names)
        for row in connection.execute(PLACES.where(_COLUMNS.name.in_(chunk))).all()
    ]


def _read_at(packs: Packs, places: Collection[Place]) -> Iterator[tuple[Place, bytes]]:
    """Yield bodies with what lies at their places; none of a pack that is gone."""
    for pack in {place.pack: None for place in places}:
        inside = sorted((place for place in places if place.pack == pack), key=lambda place: place.start)
        parts = packs.read(pack, [(place.start, place.length) for place in inside])
        yield from zip(inside, parts or (), strict=parts is not None)


def _opened_by_any(keys: Collection[bytes], name: str, stored: bytes) -> bytes:
    """Return what one of these keys sealed."""
    first, *others = keys
    try:
        return decrypt(first, stored, name.encode())
    except IntegrityViolation:
        if not others:
            raise
    return _opened_by_any(others, name, stored)


def body_name(keys: KeyRing, digest: str, classification: Classification) -> str:
    """Return the name under which a body is stored: for customers its digest, else one that only our key makes."""
    if classification is Classification.CUSTOMER:
        return digest.removeprefix("sha256:")
    return keyed_digest(keys.digest, _NAME_PURPOSE + digest.encode()).removeprefix("hmac-sha256:")


def verified_body(blobs: Blobs, place: Place, stored: bytes) -> tuple[bytes, Classification]:
    """Return what stored bytes say, and whether that is for customers: who verifies a pack knows names alone.

    Raises:
        IntegrityViolation: they are not the body of this name.
        Unavailable: the key file does not hold the key that sealed it.
    """
    if body_name(blobs.keys, digest_bytes(stored), Classification.CUSTOMER) == place.name:
        return stored, Classification.CUSTOMER
    data = blobs.opened(place, stored)
    if body_name(blobs.keys, digest_bytes(data), Classification.RESTRICTED) != place.name:
        raise _violation("a body is not what its name says", place.name)
    return data, Classification.RESTRICTED


def _violation(what: str, name: str) -> IntegrityViolation:
    return IntegrityViolation(
        "body_not_intact",
        what=what,
        where=name,
        what_to_do="Restore the body from a backup; `channelsafe verify` lists all that is affected.",
    )


def _not_writable() -> ChannelsafeError:
    return ChannelsafeError(
        "transaction_only_reads",
        what="a body was put in a transaction that only reads",
        where="the store of bodies",
        what_to_do="Nothing was written. Please report this with the code: it is a fault of Channelsafe.",
    )
