"""Open items: conflicts and questions that a person must resolve, each once for as long as it lasts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from dagster_project.integrity.digests import digest_bytes
from dagster_project.store.tables import open_items
from dagster_project.store.transaction import Transaction, insert_rows

_COLUMNS: Final = open_items.c
ALL_BRIDGES: Final = ""


@dataclass(frozen=True, kw_only=True)
class NewOpenItem:
    """An item to open; `detail` has both sides.

    `identity_digest` says what it is about; `bridge` is '' where it concerns all bridges.
    """

    incident: str
    bridge: str
    kind: str
    identity_digest: str
    owner_role: str
    detail: bytes


@dataclass(frozen=True, kw_only=True)
class OpenItemRow:
    """A stored item; its detail is a sealed body."""

    open_item_id: int
    incident: str
    bridge: str
    kind: str
    identity_digest: str
    owner_role: str
    body_digest: str
    opened_at: datetime
    resolved_at: datetime | None


def keep_open_items(
    transaction: Transaction,
    found: Sequence[NewOpenItem],
    *,
    among: Collection[tuple[str, str]],
    kinds: Collection[str],
    at: datetime,
) -> None:
    """Open what was found, and resolve what no longer has a cause.

    One that is open stays open since when it was, with the newest detail; a resolved one that recurs is reopened.

    Args:
        transaction: A writing transaction.
        found: What was just found, all of it `among` these and of these `kinds`.
        among: The (incident, bridge) that were looked at; a bridge of '' concerns all bridges.
        kinds: The kinds that were looked for; items of other kinds are left alone.
        at: When.
    """
    stored = _stored(transaction, among, kinds)
    news = {_identity(new): new for new in found}
    opened = {identity: _opened(transaction, new, at) for identity, new in news.items() if identity not in stored}
    insert_rows(transaction, open_items, list(opened.values()))
    for identity, row in stored.items():
        new = news.get(identity)
        if new is not None and row.resolved_at is not None:
            _update(transaction, [row.open_item_id], _opened(transaction, new, at) | {"resolved_at": None})
        elif new is not None and digest_bytes(new.detail) != row.body_digest:
            _update(transaction, [row.open_item_id], {"body_digest": transaction.put_sealed(new.detail)})
    gone = [row.open_item_id for key, row in stored.items() if key not in news and row.resolved_at is None]
    if gone:
        _update(transaction, gone, {"resolved_at": at})


def _identity(item: NewOpenItem) -> tuple[str, str, str, str]:
    return (item.incident, item.bridge, item.kind, item.identity_digest)


def _opened(transaction: Transaction, new: NewOpenItem, at: datetime) -> dict[str, Any]:
    values = {name: value for name, value in vars(new).items() if name != "detail"}
    return {**values, "body_digest": transaction.put_sealed(new.detail), "opened_at": at}


def _update(transaction: Transaction, ids: Sequence[int], values: Mapping[str, Any]) -> None:
    transaction.connection.execute(sa.update(open_items).where(_COLUMNS.open_item_id.in_(ids)).values(**values))


def _stored(
    transaction: Transaction, among: Collection[tuple[str, str]], kinds: Collection[str]
) -> dict[tuple[str, str, str, str], OpenItemRow]:
    statement = sa.select(open_items).where(
        _COLUMNS.incident.in_({incident for incident, _bridge in among}), _COLUMNS.kind.in_(kinds)
    )
    rows = (OpenItemRow(**row) for row in transaction.connection.execute(statement).mappings())
    return {
        (row.incident, row.bridge, row.kind, row.identity_digest): row
        for row in rows
        if (row.incident, row.bridge) in among
    }


def unresolved_items(transaction: Transaction, incident: str) -> list[OpenItemRow]:
    """Return the open items of an incident in the order they were first opened."""
    statement = sa.select(open_items).where(_COLUMNS.incident == incident, _COLUMNS.resolved_at.is_(None))
    found = transaction.connection.execute(statement.order_by(_COLUMNS.open_item_id)).mappings()
    return [OpenItemRow(**row) for row in found]


def items_of(transaction: Transaction, incident: str) -> list[OpenItemRow]:
    """Return all items of an incident, resolved ones included, in the order they were first opened."""
    statement = sa.select(open_items).where(_COLUMNS.incident == incident).order_by(_COLUMNS.open_item_id)
    return [OpenItemRow(**row) for row in transaction.connection.execute(statement).mappings()]
