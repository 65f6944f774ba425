"""DuckDB files: building one beside the published one, and putting it in its place whole.

Belongs here: turning typed rows into tables, adding views, and the file handling that keeps readers out of half a
publication. What the rows say is `application.analytics`; what a view means is in `sql/`.

A reader that has the old file open keeps its contents; whoever opens the path afterwards gets the new ones. One
trap remains for readers: a process that holds the old file open gets the old one again when it connects to the same
path a second time (DuckDB keeps one instance per path and process). Here each build is opened under a name of its
own and closed before the rename, so a publication never meets that instance.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints

import msgspec

from dagster_project.errors import ChannelsafeError, Unavailable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The schema that holds the rows; the views over them stand in `main`, where a reader looks first.
ROWS_SCHEMA: Final = "published"
_LOCK_NAME: Final = ".publisher.lock"
_LOCK_SECONDS: Final = 120
_LOCK_PAUSE: Final = 0.05
# Rows per insert: enough to make inserts cheap, few enough to bound memory whatever the number of candidates.
_BATCH: Final = 20_000
_FILE_MODE: Final = 0o600
# Extensions are downloaded where they are not switched off. The storage version is that of DuckDB 1.0, so that
# analysts with an older DuckDB than ours can open the file.
_CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "storage_compatibility_version": "v1.0.0",
}
_TYPES: Final[Mapping[Any, tuple[str, str]]] = {
    bool: ("BOOLEAN", "NOT NULL"),
    int: ("BIGINT", "NOT NULL"),
    int | None: ("BIGINT", ""),
    str: ("VARCHAR", "NOT NULL"),
    str | None: ("VARCHAR", ""),
    datetime: ("TIMESTAMP", "NOT NULL"),
    datetime | None: ("TIMESTAMP", ""),
    tuple[str, ...]: ("VARCHAR[]", "NOT NULL"),
}
Tables = Mapping[str, type[msgspec.Struct]]


def columns_of(row_type: type[msgspec.Struct]) -> dict[str, str]:
    """Return the columns of a row type in order, with their DuckDB types: ``{"ordinal": "BIGINT NOT NULL"}``."""
    hints = get_type_hints(row_type)
    return {name: " ".join(_TYPES[hints[name]]).strip() for name in row_type.__struct_fields__}


@contextmanager
def only_publisher(folder: Path) -> Iterator[None]:
    """Be the only publisher of `folder`; the folder is made when absent. A killed publisher's lock is gone with it.

    Raises:
        Unavailable: another publisher kept the folder for two minutes, or the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT, _FILE_MODE)
    except OSError as error:
        raise _unwritable(folder, type(error).__name__) from error
    try:
        _wait_for(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                break
            time.sleep(_LOCK_PAUSE)
        else:
            return
    raise Unavailable(
        "publication_in_progress",
        what="another publisher has been at work for two minutes",
        where=str(folder),
        what_to_do="Wait for it, or end the process that holds the lock file there; then publish again.",
    )


def build_file(path: Path, *, tables: Tables, rows: Iterable[msgspec.Struct], views: Sequence[str]) -> Path:
    """Build the DuckDB file that is to become `path`, beside it, and return where it lies: checkpointed and durable.

    Args:
        path: Where the file will be published; nothing is changed there.
        tables: Row type by table name; every table is made, with or without rows.
        rows: Rows of these types, in any order; read once.
        views: Statements that create the views, in the order in which they build on each other.

    Raises:
        Unavailable: the file cannot be written. Whatever `rows` raises passes through.
    """
    # Imported here because it costs a tenth of a second, and every code location loads this module.
    import duckdb

    building = path.with_name(f".{path.name}.building")
    try:
        _remove(building)
        connection = duckdb.connect(str(building), config=_CONFIG)
        try:
            _make_tables(connection, tables)
            _insert(connection, tables, rows)
            for view in views:
                connection.execute(view)
            connection.execute("CHECKPOINT")
        finally:
            connection.close()
        building.chmod(_FILE_MODE)
        _sync(building)
    except duckdb.OperationalError as error:
        raise _unwritable(path, type(error).__name__) from None
    except duckdb.Error as error:
        # The engine's own text may repeat a value, so none of it is kept.
        raise ChannelsafeError(
            "analytics_fault",
            what=f"DuckDB did not take a statement or a row ({type(error).__name__})",
            where=path.name,
            what_to_do="What was published before is unchanged. Please report this: it is a fault of Channelsafe.",
        ) from None
    except OSError as error:
        raise _unwritable(path, type(error).__name__) from error
    return building


def put_in_place(built: Mapping[Path, Path]) -> None:
    """Rename built files to where they are published (published path: built path), each at once and whole.

    Raises:
        Unavailable: a rename failed; what was not renamed yet is as it was before.
    """
    for published, building in built.items():
        try:
            building.replace(published)
            _sync(published.parent)
        except OSError as error:
            raise _unwritable(published, type(error).__name__) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file durably and at once: readers see the old content or the new one.

    Raises:
        Unavailable: it cannot be written.
    """
    building = path.with_name(f".{path.name}.building")
    try:
        building.write_bytes(content)
        building.chmod(_FILE_MODE)
        _sync(building)
    except OSError as error:
        raise _unwritable(path, type(error).__name__) from error
    put_in_place({path: building})


def _make_tables(connection: "DuckDBPyConnection", tables: Tables) -> None:
    connection.execute(f"CREATE SCHEMA {ROWS_SCHEMA}")
    for name, row_type in tables.items():
        columns = ", ".join(f'"{column}" {kind}' for column, kind in columns_of(row_type).items())
        connection.execute(f"CREATE TABLE {ROWS_SCHEMA}.{name} ({columns})")


def _insert(connection: "DuckDBPyConnection", tables: Tables, rows: Iterable[msgspec.Struct]) -> None:
    names = {row_type: name for name, row_type in tables.items()}
    waiting: dict[type[msgspec.Struct], list[msgspec.Struct]] = {row_type: [] for row_type in names}
    for row in rows:
        batch = waiting[type(row)]
        batch.append(row)
        if len(batch) == _BATCH:
            _insert_batch(connection, names[type(row)], batch)
            batch.clear()
    for row_type, batch in waiting.items():
        if batch:
            _insert_batch(connection, names[row_type], batch)


def _insert_batch(connection: "DuckDBPyConnection", name: str, batch: list[msgspec.Struct]) -> None:
    # One list per column: measured a hundred times as fast as a statement per row, and nothing touches the disk
    # outside the file itself, as a detour over CSV or JSON would.
    kinds = [kind.partition(" ")[0] for kind in columns_of(type(batch[0])).values()]
    columns = [list(column) for column in zip(*map(msgspec.structs.astuple, batch), strict=True)]
    lists = ", ".join(f"unnest(${number}::{kind}[])" for number, kind in enumerate(kinds, start=1))
    statement = f"INSERT INTO {ROWS_SCHEMA}.{name} SELECT {lists}"
    connection.execute(
        statement,
        [
            [_as_utc(value) for value in column] if kind == "TIMESTAMP" else column
            for kind, column in zip(kinds, columns, strict=True)
        ],
    )


def _as_utc(instant: datetime | None) -> datetime | None:
    # TIMESTAMP holds no zone; all of ours are UTC. With a zone, what a reader sees would depend on its settings.
    return None if instant is None else instant.astimezone(UTC).replace(tzinfo=None)


def _remove(building: Path) -> None:
    """Remove what a killed publisher left."""
    building.unlink(missing_ok=True)
    building.with_name(building.name + ".wal").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, reason: str) -> Unavailable:
    return Unavailable(
        "analytics_not_written",
        what=f"the analytics files cannot be written ({reason})",
        where=str(path),
        what_to_do="Check the folder, who may write to it, and the space left; what was published before is unchanged.",
    )
