"""The transaction: what every repository function takes first.

Belongs here: the connection and the blobs of one transaction, and the two statements that all repositories share.
Beginning one is `store.Store.begin`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, RowMapping

from dagster_project.integrity.checkpoints import Anchor
from dagster_project.integrity.keys import KeyRing
from dagster_project.sources.record import Classification
from dagster_project.store.blobs import Blobs


@dataclass(frozen=True)
class Transaction:
    """One transaction: all or nothing for rows, and for the bodies that they name.

    `anchor` is what the audit log must agree with before anything is appended; None where the deployment has none.
    """

    connection: Connection
    blobs: Blobs
    keys: KeyRing
    anchor: Anchor | None = None

    def put_sealed(self, body: bytes) -> str:
        """Store a body that is not for customers and return its digest; see `Blobs.put`.

        Candidates are sealed too: until its check has passed, nobody knows what a candidate holds.
        """
        return self.blobs.put(body, Classification.RESTRICTED)

    def get_sealed(self, digest: str) -> bytes:
        """Return a body that is not for customers, verified; see `Blobs.get`."""
        return self.blobs.get(digest, Classification.RESTRICTED)

    def get_all_sealed(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Return bodies that are not for customers by digest, verified; see `Blobs.get_many`."""
        return self.blobs.get_many((digest, Classification.RESTRICTED) for digest in digests)


def insert_new(transaction: Transaction, table: sa.Table, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a key
    """Insert a row unless a unique constraint says that it is there.

    Returns:
        The first primary key column of the new row, or None where nothing was inserted.
    """
    connection = transaction.connection
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    return connection.execute(statement.returning(next(iter(table.primary_key.columns)))).scalar_one_or_none()


def insert_missing(transaction: Transaction, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of equal columns by one statement, but for those that a unique constraint says are there."""
    if rows:
        dialect = postgresql if transaction.connection.dialect.name == "postgresql" else sqlite
        transaction.connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def insert_rows(transaction: Transaction, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of equal columns by one statement; nothing is done where there are none."""
    if rows:
        transaction.connection.execute(sa.insert(table), list(rows))


def first_row(transaction: Transaction, statement: sa.Select[Any]) -> RowMapping | None:
    """Return the first row of `statement` as a mapping of column names, or None."""
    return transaction.connection.execute(statement.limit(1)).mappings().first()
