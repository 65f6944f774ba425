"""Open items: conflicts and questions that a person must resolve, each once for as long as it lasts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from dagster_project.store.tables import open_items
from dagster_project.store.transaction import Transaction, insert_new

_COLUMNS: Final = open_items.c
ALL_BRIDGES: Final = ""


@dataclass(frozen=True, kw_only=True)
class NewOpenItem:
    """An item to open. `identity_digest` says what it is about; `bridge` is '' where it concerns all bridges."""

    incident: str
    bridge: str
    kind: str
    identity_digest: str
    owner_role: str


@dataclass(frozen=True, kw_only=True)
class OpenItemRow(NewOpenItem):
    """A stored item; its detail, with both sides, is a sealed blob."""

    open_item_id: int
    body_digest: str
    opened_at: datetime
    resolved_at: datetime | None


def open_item(transaction: Transaction, new: NewOpenItem, *, detail: bytes, at: datetime) -> int:
    """Open an item and return its id. One that is open stays as it is; a resolved one that recurs is reopened."""
    values = {**vars(new), "body_digest": transaction.put_sealed(detail), "opened_at": at}
    new_id: int | None = insert_new(transaction, open_items, values)
    if new_id is not None:
        return new_id
    same = (
        _COLUMNS.incident == new.incident,
        _COLUMNS.bridge == new.bridge,
        _COLUMNS.kind == new.kind,
        _COLUMNS.identity_digest == new.identity_digest,
    )
    reopened = {"owner_role": new.owner_role, "body_digest": values["body_digest"], "opened_at": at}
    transaction.connection.execute(
        sa.update(open_items).where(*same, _COLUMNS.resolved_at.is_not(None)).values(resolved_at=None, **reopened)
    )
    item_id: int = transaction.connection.execute(sa.select(_COLUMNS.open_item_id).where(*same)).scalar_one()
    return item_id


def resolve_absent(
    transaction: Transaction,
    incident: str,
    *,
    bridge: str,
    kinds: Collection[str],
    present: Collection[int],
    at: datetime,
) -> int:
    """Resolve the open items that no longer have a cause; return how many.

    Args:
        transaction: A writing transaction.
        incident: Whose items.
        bridge: Of which bridge; '' for those that concern all bridges.
        kinds: The kinds that the caller has just looked for; items of other kinds are left alone.
        present: Ids of the items that were found again.
        at: When.
    """
    statement = sa.update(open_items).where(
        _COLUMNS.incident == incident,
        _COLUMNS.bridge == bridge,
        _COLUMNS.kind.in_(list(kinds)),
        _COLUMNS.open_item_id.not_in(list(present)),
        _COLUMNS.resolved_at.is_(None),
    )
    return transaction.connection.execute(statement.values(resolved_at=at)).rowcount


def unresolved_items(transaction: Transaction, incident: str) -> list[OpenItemRow]:
    """Return the open items of an incident in the order they were first opened."""
    statement = sa.select(open_items).where(_COLUMNS.incident == incident, _COLUMNS.resolved_at.is_(None))
    found = transaction.connection.execute(statement.order_by(_COLUMNS.open_item_id)).mappings()
    return [OpenItemRow(**row) for row in found]


def items_of(transaction: Transaction, incident: str) -> list[OpenItemRow]:
    """Return all items of an incident, resolved ones included, in the order they were first opened."""
    statement = sa.select(open_items).where(_COLUMNS.incident == incident).order_by(_COLUMNS.open_item_id)
    return [OpenItemRow(**row) for row in transaction.connection.execute(statement).mappings()]
