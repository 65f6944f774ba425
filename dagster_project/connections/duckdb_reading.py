"""Reading published DuckDB files: figures and frames of bounded size, for whoever checks them.

Belongs here: opening a file read-only and asking it. A frame is a pandas frame; pandas is loaded by the first one, so
only processes that check pay for it. DuckDB's own error texts may repeat values, so none of them is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dagster_project.connections.duckdb_files import NO_EXTENSIONS
from dagster_project.errors import Unavailable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pandas import DataFrame

# DuckDB hands rows over in vectors of 2,048: a frame has at most 49,152 rows, about 40 MB of the widest table.
_VECTORS_PER_FRAME: Final = 24
# What DuckDB itself may take, and it may not turn to the disk for more: a file too large to check fails its check.
_CONFIG: Final[dict[str, Any]] = {**NO_EXTENSIONS, "memory_limit": "1GB", "temp_directory": ""}


class PublishedFile:
    """One published file, open for reading."""

    def __init__(self, path: Path, connection: "DuckDBPyConnection") -> None:
        self.name = path.name
        self._path = path
        self._connection = connection

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Return the columns that a table or view really has, in order, with their types; none where it is missing."""
        asked = (
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position"
        )
        with self._readable():
            return dict(self._connection.execute(asked, [schema, table]).fetchall())

    def number(self, question: str) -> int:
        """Return the one number that a question asks for."""
        with self._readable():
            row = self._connection.execute(question).fetchone()
        if row is None:
            raise _unreadable(self._path, "NoRow")
        return int(row[0])

    def pairs(self, question: str) -> dict[str, str]:
        """Return the answer to a question for two columns, the first of which is a key."""
        with self._readable():
            return dict(self._connection.execute(question).fetchall())

    def frame(self, question: str) -> "DataFrame":
        """Return the whole answer to a question that is known to be small."""
        with self._readable():
            return self._connection.execute(question).df()

    def frames(self, question: str) -> "Iterator[DataFrame]":
        """Yield the answer to a question in frames of at most 49,152 rows; at least one, which may have no rows."""
        with self._readable():
            answer = self._connection.cursor().execute(question)
            frame = answer.fetch_df_chunk(_VECTORS_PER_FRAME)
        yield frame
        while len(frame):
            with self._readable():
                frame = answer.fetch_df_chunk(_VECTORS_PER_FRAME)
            if len(frame):
                yield frame

    @contextmanager
    def _readable(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            raise _unreadable(self._path, type(error).__name__) from None


@contextmanager
def reading(path: Path) -> Iterator[PublishedFile]:
    """Open a published file for reading; the publisher is not kept waiting.

    Raises:
        Unavailable: there is no such file, or it cannot be read.
    """
    import duckdb

    try:
        connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
    except duckdb.Error as error:
        raise _unreadable(path, type(error).__name__) from None
    try:
        yield PublishedFile(path, connection)
    finally:
        connection.close()


def _unreadable(path: Path, reason: str) -> Unavailable:
    return Unavailable(
        "analytics_not_readable",
        what=f"a published analytics file cannot be read ({reason})",
        where=str(path),
        what_to_do="Delete it and publish again; the file is made from the store.",
    )
