"""Decisions that were accepted, each once and in the order of acceptance. What one says is its signed body."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dagster_project.store.release_tables import decisions
from dagster_project.store.transaction import Transaction, insert_new

_COLUMNS = decisions.c


@dataclass(frozen=True, kw_only=True)
class NewDecision:
    """An accepted decision: by whom, with which key, about what; its envelope is a sealed body."""

    decision_digest: str
    act: str
    person: str
    keyid: str
    incident: str
    bridge: str
    refers_to: str
    body_digest: str
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class DecisionRow(NewDecision):
    """An accepted decision at its place among all."""

    decision_id: int


def add_decision(transaction: Transaction, new: NewDecision) -> int | None:
    """Store a decision and return its id, or None where the very same was accepted before."""
    found: int | None = insert_new(transaction, decisions, vars(new))
    return found


def decisions_about(transaction: Transaction, incident: str, bridge: str) -> list[DecisionRow]:
    """Return the decisions about a bridge of an incident and those about the whole incident, in order."""
    about = sa.and_(_COLUMNS.incident == incident, _COLUMNS.bridge.in_([bridge, ""]))
    return _rows(transaction, sa.select(decisions).where(about))


def decisions_of_incident(transaction: Transaction, incident: str) -> list[DecisionRow]:
    """Return every decision about an incident, in order."""
    return _rows(transaction, sa.select(decisions).where(_COLUMNS.incident == incident))


def decided_incidents(transaction: Transaction) -> list[str]:
    """Return the incidents that any decision is about, by name."""
    about = sa.select(_COLUMNS.incident).where(_COLUMNS.incident != "").distinct()
    return list(transaction.connection.execute(about.order_by(_COLUMNS.incident)).scalars())


def decisions_referring_to(transaction: Transaction, digest: str, acts: Collection[str]) -> list[DecisionRow]:
    """Return the decisions of these acts that refer to a hold or a profile, in order."""
    return _rows(transaction, sa.select(decisions).where(_COLUMNS.refers_to == digest, _COLUMNS.act.in_(sorted(acts))))


def _rows(transaction: Transaction, statement: sa.Select[tuple[object, ...]]) -> list[DecisionRow]:
    found = transaction.connection.execute(statement.order_by(_COLUMNS.decision_id)).mappings()
    return [DecisionRow(**row) for row in found]
