"""Receipts: what happened to a version at a recipient, each kind once. None is inferred from another."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dagster_project.store.release_tables import receipts
from dagster_project.store.transaction import Transaction, first_row, insert_new

_COLUMNS = receipts.c


@dataclass(frozen=True, kw_only=True)
class ReceiptRow:
    """What happened, to which version, at whom.

    `reopened_internal` answers whether an internal system had to be reopened; None where nobody said.
    """

    incident: str
    bridge: str
    version: int
    recipient: str
    kind: str
    reopened_internal: bool | None
    at: datetime
    recorded_at: datetime


def add_receipt(transaction: Transaction, new: ReceiptRow) -> bool:
    """Store a receipt; return False where this recipient has one of this kind for the version already."""
    return insert_new(transaction, receipts, vars(new)) is not None


def find_receipt(transaction: Transaction, like: ReceiptRow) -> ReceiptRow | None:
    """Return the stored receipt of the same kind of the same version by the same recipient, or None."""
    names = ("incident", "bridge", "version", "recipient", "kind")
    same = [_COLUMNS[name] == getattr(like, name) for name in names]
    row = first_row(transaction, sa.select(receipts).where(*same))
    return None if row is None else _receipt(row)


def receipts_of(transaction: Transaction, incident: str) -> list[ReceiptRow]:
    """Return the receipts of an incident's versions, in the order in which they were recorded."""
    statement = sa.select(receipts).where(_COLUMNS.incident == incident).order_by(_COLUMNS.receipt_id)
    return [_receipt(row) for row in transaction.connection.execute(statement).mappings()]


def _receipt(row: Mapping[Any, Any]) -> ReceiptRow:
    return ReceiptRow(**{name: value for name, value in row.items() if name != "receipt_id"})
