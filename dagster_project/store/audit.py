"""The audit entries: who did what, when; digests and ids only. Append-only: nothing here changes or removes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dagster_project.store.tables import audit_entries
from dagster_project.store.transaction import Transaction, insert_rows


@dataclass(frozen=True, kw_only=True)
class NewAuditEntry:
    """An act to write down; `subject` names what it was done to, `details_digest` names a sealed body."""

    at: datetime
    actor: str
    action: str
    subject: str
    details_digest: str
    incident: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEntryRow(NewAuditEntry):
    """An act, at its place in the log."""

    sequence: int


def append_entry(transaction: Transaction, new: NewAuditEntry) -> int:
    """Append one entry in the transaction of the act itself; return its sequence."""
    statement = sa.insert(audit_entries).values(**vars(new)).returning(audit_entries.c.sequence)
    sequence: int = transaction.connection.execute(statement).scalar_one()
    return sequence


def append_entries(transaction: Transaction, news: Sequence[NewAuditEntry]) -> None:
    """Append entries in this order, in the transaction of the acts themselves."""
    insert_rows(transaction, audit_entries, [vars(new) for new in news])


def entries_after(
    transaction: Transaction, sequence: int, *, limit: int, incident: str | None = None
) -> list[AuditEntryRow]:
    """Return up to `limit` entries after `sequence`, in order; of one incident where it is named."""
    statement = sa.select(audit_entries).where(audit_entries.c.sequence > sequence)
    if incident is not None:
        statement = statement.where(audit_entries.c.incident == incident)
    found = transaction.connection.execute(statement.order_by(audit_entries.c.sequence).limit(limit))
    return [AuditEntryRow(**row) for row in found.mappings()]
