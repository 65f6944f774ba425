"""Blobs: bodies of records, snapshots, packages and annexes, addressed by the digest of their plaintext.

Belongs here: the bodies of one transaction. What is put is gathered and becomes one pack just before the commit, with
rows in the same transaction that say where each body lies; what is read is handed out only where it verifies. Bodies
that are not for customers are encrypted, and their names are keyed digests, so that a copy of the packs tells neither
what they say nor whether they equal something known. Which body belongs to what is known by the other tables alone.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dagster_project.errors import ChannelsafeError, IntegrityViolation
from dagster_project.integrity.digests import digest_bytes, keyed_digest
from dagster_project.integrity.encryption import decrypt, encrypt
from dagster_project.integrity.keys import KeyRing
from dagster_project.sources.record import Classification
from dagster_project.store.chunks import chunks
from dagster_project.store.engine import is_reading
from dagster_project.store.packs import Packs
from dagster_project.store.tables import packed_bodies

# Above this many bytes a transaction writes what it gathered and goes on with another pack.
_LARGEST_PACK: Final = 8 * 1024 * 1024
# Keyed digests name other things too; the prefix keeps a blob's name from equalling one that is shown elsewhere.
_NAME_PURPOSE: Final = b"blob name\x00"
_COLUMNS: Final = packed_bodies.c


class Place(NamedTuple):
    """Where a stored body lies."""

    name: str
    pack: str
    start: int
    length: int


@dataclass
class Blobs:
    """The bodies that one transaction sees: what others committed, and what it put itself.

    Args:
        connection: The transaction's; where bodies lie is read and written with it.
        packs: Where they lie.
        keys: Encrypts and names what is not for customers.
    """

    connection: Connection
    packs: Packs
    keys: KeyRing
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
        for place, stored in self._read(self._places(elsewhere)):
            digest, classification = named.pop(place.name)
            found[digest] = self._opened(place.name, digest, stored, classification)
        for name in elsewhere:
            if name in named:
                raise _violation("a body is missing", named[name][0])
        return found

    def write_gathered(self) -> None:
        """Write what was put as one pack, and say in rows where each body lies. `Store.begin` does it at the end.

        Raises:
            Unavailable: the store of bodies cannot be written.
        """
        stored = {place.name for place in self._places(self._gathered)}
        pieces = {
            name: self._sealed(name, data, classification)
            for name, (data, classification) in self._gathered.items()
            if name not in stored
        }
        if pieces:
            pack, start, rows = self.packs.write(b"".join(pieces.values())), 0, []
            for name, piece in pieces.items():
                rows.append({"name": name, "pack": pack, "start": start, "length": len(piece)})
                start += len(piece)
            self.connection.execute(sa.insert(packed_bodies), rows)
        self._gathered.clear()
        self._size = 0

    def _places(self, names: Collection[str]) -> list[Place]:
        statement = sa.select(_COLUMNS.name, _COLUMNS.pack, _COLUMNS.start, _COLUMNS.length)
        return [
            Place(*row)
            for chunk in chunks(names)
            for row in self.connection.execute(statement.where(_COLUMNS.name.in_(chunk))).all()
        ]

    def _read(self, places: Iterable[Place]) -> Iterable[tuple[Place, bytes]]:
        by_pack: dict[str, list[Place]] = {}
        for place in places:
            by_pack.setdefault(place.pack, []).append(place)
        for pack, unordered in by_pack.items():
            inside = sorted(unordered, key=lambda place: place.start)
            parts = self.packs.read(pack, [(place.start, place.length) for place in inside])
            # A pack that is gone reads like one that is empty: its bodies are found missing.
            yield from zip(inside, parts or (), strict=parts is not None)

    def _sealed(self, name: str, data: bytes, classification: Classification) -> bytes:
        if classification is Classification.CUSTOMER:
            return data
        return encrypt(self.keys.body_encryption, data, name.encode())

    def _opened(self, name: str, digest: str, stored: bytes, classification: Classification) -> bytes:
        sealed = classification is not Classification.CUSTOMER
        data = decrypt(self.keys.body_encryption, stored, name.encode()) if sealed else stored
        if digest_bytes(data) != digest:
            raise _violation("a body is not what was stored", digest)
        return data


def body_name(keys: KeyRing, digest: str, classification: Classification) -> str:
    """Return the name under which a body is stored: for customers its digest, else one that only our key makes."""
    if classification is Classification.CUSTOMER:
        return digest.removeprefix("sha256:")
    return keyed_digest(keys.digest, _NAME_PURPOSE + digest.encode()).removeprefix("hmac-sha256:")


def verify_body(keys: KeyRing, name: str, stored: bytes) -> None:
    """Say whether stored bytes are the body of this name, for customers or not.

    Raises:
        IntegrityViolation: they are not.
    """
    if body_name(keys, digest_bytes(stored), Classification.CUSTOMER) == name:
        return
    data = decrypt(keys.body_encryption, stored, name.encode())
    if body_name(keys, digest_bytes(data), Classification.RESTRICTED) != name:
        raise _violation("a body is not what its name says", name)


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
