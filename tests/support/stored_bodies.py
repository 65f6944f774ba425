"""Where the bodies of a store lie: for tests that damage them."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from dagster_project.sources.record import Classification
from dagster_project.store.blobs import body_name
from dagster_project.store.store import Store
from dagster_project.store.tables import packed_bodies


@dataclass(frozen=True)
class StoredBody:
    """One stored body: its name, and its place in a pack."""

    name: str
    path: Path
    start: int
    length: int

    def stored(self) -> bytes:
        """Return its stored bytes."""
        return self.path.read_bytes()[self.start : self.start + self.length]


def stored_bodies(store: Store) -> list[StoredBody]:
    """Return every stored body, in the order of the packs and of the bodies in them."""
    with store.read() as transaction:
        columns = packed_bodies.c
        found = transaction.connection.execute(sa.select(packed_bodies).order_by(columns.pack, columns.start)).all()
    root = Path(store.packs.root.path)
    return [StoredBody(row.name, root / store.packs.place_of(row.pack), row.start, row.length) for row in found]


def stored_body(store: Store, digest: str, classification: Classification = Classification.RESTRICTED) -> StoredBody:
    """Return where the body of this digest lies."""
    name = body_name(store.keys, digest, classification)
    (found,) = [one for one in stored_bodies(store) if one.name == name]
    return found


def pack_files(store: Store) -> list[Path]:
    """Return every file among the packs, sorted."""
    return [Path(store.packs.root.path) / place for place in store.packs.files()]


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Change one bit of a file; done twice, it is as before."""
    with path.open("r+b", buffering=0) as file:
        file.seek(place)
        (value,) = file.read(1)
        file.seek(place)
        file.write(bytes([value ^ (1 << bit)]))
