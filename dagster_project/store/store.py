"""The store: a database, the packs of bodies beside it, and the keys that open them.

Belongs here: opening a store and beginning a transaction. What is read and written in one is for the repository
modules; they take a `transaction.Transaction` as their first argument.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection, Engine
from upath import UPath

from dagster_project.errors import Unavailable
from dagster_project.integrity.checkpoints import Anchor
from dagster_project.integrity.keys import KeyRing
from dagster_project.store.blobs import Blobs
from dagster_project.store.body_keys import BodyKeys, require_current_key
from dagster_project.store.engine import create_engine_for, reading, writing
from dagster_project.store.key_files import load_keys
from dagster_project.store.migrate import has_schema, migrate
from dagster_project.store.packs import Packs
from dagster_project.store.transaction import Transaction

DATABASE_FILE_NAME: Final = "channelsafe.sqlite3"
BLOBS_FOLDER_NAME: Final = "blobs"


@dataclass(frozen=True)
class Store:
    """One deployment's state, opened."""

    engine: Engine
    packs: Packs
    keys: KeyRing
    body_keys: BodyKeys
    anchor: Anchor | None = None

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction that may write; alone among writers, so what it read is still true when it writes.

        The bodies that it put are durable before its rows are: a crash leaves at most a pack that nobody refers to.

        Raises:
            Unavailable: the database cannot be reached, another writer kept it for 30 seconds, or the bodies cannot
                be written.
        """
        with writing(self.engine) as connection:
            transaction = self._transaction(connection)
            yield transaction
            transaction.blobs.write_gathered()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that reads one consistent state, waits for no writer and refuses to write.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with reading(self.engine) as connection:
            yield self._transaction(connection)

    def _transaction(self, connection: Connection) -> Transaction:
        blobs = Blobs(connection=connection, packs=self.packs, keys=self.keys, body_keys=self.body_keys)
        return Transaction(connection=connection, blobs=blobs, keys=self.keys, anchor=self.anchor)


def open_store(
    home: Path, database_url: str | None, keys_folder: Path, blobs_url: str | None, anchor: Anchor | None = None
) -> Store:
    """Open the store of `home`, migrated to this version; a fresh home gets a fresh database.

    Args:
        home: The one folder of a deployment; made (0700) when absent.
        database_url: SQLite or PostgreSQL; None for the SQLite file in `home`.
        keys_folder: Where the key file lies; outside `home`, so that backups leave it out.
        blobs_url: Folder or object store of the bodies; None for the folder in `home`.
        anchor: Where checkpoints of the audit log are kept out of reach; None where there is no such place.

    Raises:
        Unavailable: keys, database or bodies are missing, unreadable or not ours; or the keys are not those of this
            store. Bodies without their database are a lost database, not a fresh home.
        UsageError: `database_url` names no database that can be used.
    """
    keys = load_keys(keys_folder)
    _make_home(home)
    packs = Packs(root=_blobs_root(home, blobs_url))
    engine = create_engine_for(database_url or f"sqlite:///{home / DATABASE_FILE_NAME}")
    if not has_schema(engine) and packs.files():
        raise Unavailable(
            "database_missing",
            what="there are stored bodies, but the database that knows them is empty or gone",
            where=engine.url.render_as_string(hide_password=True),
            what_to_do="Restore the database from a backup, or set CHANNELSAFE_DATABASE_URL to the right one. "
            "To begin anew, move the stored bodies away first.",
        )
    migrate(engine)
    body_keys = BodyKeys(keys_folder, keys)
    with reading(engine) as connection:
        require_current_key(connection, body_keys)
    return Store(engine=engine, packs=packs, keys=keys, body_keys=body_keys, anchor=anchor)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            "home_unavailable",
            what=f"the data folder cannot be made ({type(error).__name__})",
            where=str(home),
            what_to_do="Set CHANNELSAFE_HOME to a folder that you may write to.",
        ) from error


def _blobs_root(home: Path, blobs_url: str | None) -> UPath:
    try:
        return UPath(blobs_url or home / BLOBS_FOLDER_NAME)
    except (ImportError, ValueError) as error:
        raise Unavailable(
            "blobs_address_unknown",
            what="this is not an address of a store of bodies that is installed here",
            where="CHANNELSAFE_BLOBS_URL",
            what_to_do="Name a folder, or install the fsspec package of that object store.",
        ) from error
