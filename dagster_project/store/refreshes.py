"""Refreshes: which snapshot of an incident was rendered at which instant, and into which candidates.

Belongs here: writing down the start of a refresh and its candidates, so that each later step finds exactly what the
step before it made. What a refresh does is the application's business.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from dagster_project.store.candidates import CandidateRow, find_candidate
from dagster_project.store.tables import refresh_candidates, refreshes
from dagster_project.store.transaction import Transaction, first_row


class Lane(StrEnum):
    """Which way a refresh went: a run of its own, with many others, in the admitting process, or by a command."""

    SINGLE = "single"
    BULK = "bulk"
    SEVERITY_ONE = "severity_one"
    COMMAND = "command"


@dataclass(frozen=True, kw_only=True)
class NewRefresh:
    """A refresh to be started: the revision that it observes, its snapshot and its evaluation instant."""

    incident: str
    revision: int
    snapshot_digest: str
    evaluation_instant: datetime
    is_history: bool
    started_at: datetime
    lane: Lane


@dataclass(frozen=True, kw_only=True)
class RefreshRow(NewRefresh):
    """A started refresh; finished once every candidate was judged, reported once the operators' UI knows of it."""

    refresh_id: int
    finished_at: datetime | None = None
    reported_at: datetime | None = None


def add_refresh(transaction: Transaction, new: NewRefresh) -> RefreshRow:
    """Write down that a refresh started."""
    statement = sa.insert(refreshes).values(**vars(new) | {"lane": new.lane.value}).returning(refreshes.c.refresh_id)
    return RefreshRow(**vars(new), refresh_id=transaction.connection.execute(statement).scalar_one())


def latest_refresh(transaction: Transaction, incident: str) -> RefreshRow | None:
    """Return the refresh of an incident that started last, or None."""
    statement = sa.select(refreshes).where(refreshes.c.incident == incident).order_by(refreshes.c.refresh_id.desc())
    row = first_row(transaction, statement)
    return None if row is None else _refresh(row)


def finish_refresh(transaction: Transaction, refresh: RefreshRow, at: datetime) -> None:
    """Write down that every candidate of a refresh was judged; the first instant stays."""
    statement = sa.update(refreshes).where(refreshes.c.refresh_id == refresh.refresh_id)
    transaction.connection.execute(statement.where(refreshes.c.finished_at.is_(None)).values(finished_at=at))


def add_refresh_candidate(transaction: Transaction, refresh: RefreshRow, candidate: CandidateRow) -> None:
    """Write down the candidate that a refresh rendered for one bridge."""
    statement = sa.insert(refresh_candidates).values(
        refresh_id=refresh.refresh_id, bridge=candidate.bridge, candidate_id=candidate.candidate_id
    )
    transaction.connection.execute(statement)


def refresh_of_candidate(transaction: Transaction, candidate_id: int) -> RefreshRow | None:
    """Return the refresh that rendered a candidate, or None."""
    columns = refresh_candidates.c
    statement = (
        sa.select(refreshes)
        .join(refresh_candidates, columns.refresh_id == refreshes.c.refresh_id)
        .where(columns.candidate_id == candidate_id)
    )
    row = first_row(transaction, statement)
    return None if row is None else _refresh(row)


def candidates_of_refresh(transaction: Transaction, refresh: RefreshRow) -> list[CandidateRow]:
    """Return the candidates that a refresh rendered, by bridge."""
    columns = refresh_candidates.c
    statement = sa.select(columns.candidate_id).where(columns.refresh_id == refresh.refresh_id).order_by(columns.bridge)
    found = (find_candidate(transaction, number) for number in transaction.connection.execute(statement).scalars())
    return [candidate for candidate in found if candidate is not None]


def _refresh(row: RowMapping) -> RefreshRow:
    values: dict[str, Any] = {**row, "lane": Lane(row["lane"])}
    return RefreshRow(**values)
