"""Findings: what somebody found wrong in a version after it was released, each once."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dagster_project.store.release_tables import findings
from dagster_project.store.transaction import Transaction, insert_new


@dataclass(frozen=True, kw_only=True)
class FindingRow:
    """A field of a version that leaked, was stale, or misled."""

    incident: str
    bridge: str
    version: int
    field_pointer: str
    kind: str
    found_at: datetime


def add_finding(transaction: Transaction, new: FindingRow) -> bool:
    """Store a finding; return False where the very same was recorded before."""
    return insert_new(transaction, findings, vars(new)) is not None


def findings_of(transaction: Transaction, incident: str) -> list[FindingRow]:
    """Return the findings about an incident's versions, in the order in which they were recorded."""
    columns = findings.c
    statement = sa.select(findings).where(columns.incident == incident).order_by(columns.finding_id)
    rows = transaction.connection.execute(statement).mappings()
    return [FindingRow(**{name: value for name, value in row.items() if name != "finding_id"}) for row in rows]
