"""Cursors: how far a projection has read a log. A cursor moves by compare-and-swap and never back."""

import sqlalchemy as sa

from dagster_project.store.tables import cursors
from dagster_project.store.transaction import Transaction, first_row, insert_new


def cursor_position(transaction: Transaction, name: str) -> int:
    """Return where a cursor stands; 0 where it never moved."""
    row = first_row(transaction, sa.select(cursors.c.position).where(cursors.c.name == name))
    return 0 if row is None else int(row["position"])


def move_cursor(transaction: Transaction, name: str, *, expected: int, position: int) -> bool:
    """Move a cursor forward from `expected` to `position`.

    Returns:
        False where it does not stand at `expected`, or `position` is not ahead: somebody else moved it.
    """
    if position <= expected:
        return False
    insert_new(transaction, cursors, {"name": name, "position": 0})
    statement = sa.update(cursors).where(cursors.c.name == name, cursors.c.position == expected)
    return transaction.connection.execute(statement.values(position=position)).rowcount == 1
