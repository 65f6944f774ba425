"""Refreshes: which snapshot of an incident was rendered at which instant, and into which candidates.

Belongs here: writing down the start of a refresh and its candidates, so that each later step finds exactly what the
step before it made. What a refresh does is the application's business.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from dagster_project.store.candidates import CandidateRow, find_candidates
from dagster_project.store.tables import candidates, internal_manifests, refresh_candidates, refreshes
from dagster_project.store.transaction import Transaction, first_row, insert_rows


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


def add_refreshes(transaction: Transaction, news: Sequence[NewRefresh]) -> list[RefreshRow]:
    """Write down that refreshes of different incidents started; return them in this order."""
    insert_rows(transaction, refreshes, [vars(new) | {"lane": new.lane.value} for new in news])
    started = latest_refreshes(transaction, [new.incident for new in news])
    return [started[new.incident] for new in news]


def latest_refreshes(transaction: Transaction, incidents: Sequence[str]) -> dict[str, RefreshRow]:
    """Return the refresh of each of `incidents` that started last, by incident."""
    newest = sa.select(sa.func.max(refreshes.c.refresh_id)).where(refreshes.c.incident.in_(incidents))
    statement = sa.select(refreshes).where(refreshes.c.refresh_id.in_(newest.group_by(refreshes.c.incident)))
    return {row["incident"]: _refresh(row) for row in transaction.connection.execute(statement).mappings()}


def latest_refresh(transaction: Transaction, incident: str) -> RefreshRow | None:
    """Return the refresh of an incident that started last, or None."""
    statement = sa.select(refreshes).where(refreshes.c.incident == incident).order_by(refreshes.c.refresh_id.desc())
    row = first_row(transaction, statement)
    return None if row is None else _refresh(row)


def finish_refreshes(transaction: Transaction, refresh_ids: Sequence[int], at: datetime) -> None:
    """Write down that every candidate of these refreshes was judged; the first instant stays."""
    columns = refreshes.c
    statement = sa.update(refreshes).where(columns.refresh_id.in_(refresh_ids), columns.finished_at.is_(None))
    transaction.connection.execute(statement.values(finished_at=at))


def unreported_refreshes(
    transaction: Transaction, *, finished_before: datetime, lanes: Collection[Lane], limit: int
) -> list[RefreshRow]:
    """Return finished refreshes that the operators' UI does not know of.

    Those with a candidate that has no internal manifest come first, then those with one on hold, then the oldest. A
    refresh that a later one of its incident has overtaken is left out.

    Args:
        transaction: Any transaction.
        finished_before: Only what was finished by then.
        lanes: Only what went these ways.
        limit: The most to return.
    """
    columns, link = refreshes.c, refresh_candidates.c
    later = sa.select(columns.incident, sa.func.max(columns.refresh_id).label("newest"))
    newest = later.where(columns.finished_at.is_not(None)).group_by(columns.incident).subquery()
    failed = sa.func.count(link.candidate_id) - sa.func.count(internal_manifests.c.candidate_id)
    held = sa.func.count(sa.case((candidates.c.outcome == "held", 1)))
    statement = (
        sa.select(refreshes)
        .join(newest, newest.c.newest == columns.refresh_id)
        .outerjoin(refresh_candidates, link.refresh_id == columns.refresh_id)
        .outerjoin(candidates, candidates.c.candidate_id == link.candidate_id)
        .outerjoin(internal_manifests, internal_manifests.c.candidate_id == link.candidate_id)
        .where(
            columns.reported_at.is_(None),
            columns.finished_at <= finished_before,
            columns.lane.in_([lane.value for lane in lanes]),
        )
        .group_by(columns.refresh_id)
        .order_by(sa.case((failed > 0, 0), (held > 0, 1), else_=2), columns.refresh_id)
        .limit(limit)
    )
    return [_refresh(row) for row in transaction.connection.execute(statement).mappings()]


def count_unreported(transaction: Transaction) -> int:
    """Count the finished refreshes that the operators' UI does not know of."""
    columns = refreshes.c
    statement = sa.select(sa.func.count()).where(columns.reported_at.is_(None), columns.finished_at.is_not(None))
    count: int = transaction.connection.execute(statement).scalar_one()
    return count


def incidents_without_manifest(transaction: Transaction) -> tuple[str, ...]:
    """Name the incidents whose newest finished refresh has a candidate that did not get its internal manifest."""
    columns, link = refreshes.c, refresh_candidates.c
    newest = sa.select(sa.func.max(columns.refresh_id)).where(columns.finished_at.is_not(None))
    statement = (
        sa.select(columns.incident)
        .join(refresh_candidates, link.refresh_id == columns.refresh_id)
        .outerjoin(internal_manifests, internal_manifests.c.candidate_id == link.candidate_id)
        .where(columns.refresh_id.in_(newest.group_by(columns.incident)), internal_manifests.c.candidate_id.is_(None))
        .distinct()
    )
    return tuple(transaction.connection.execute(statement.order_by(columns.incident)).scalars())


def mark_reported(transaction: Transaction, refresh_ids: Collection[int], at: datetime) -> None:
    """Write down that the operators' UI knows of these refreshes, and so of all that they overtook."""
    mine = sa.select(refreshes.c.incident, sa.func.max(refreshes.c.refresh_id).label("newest"))
    reported = mine.where(refreshes.c.refresh_id.in_(refresh_ids)).group_by(refreshes.c.incident).subquery()
    overtaken = (
        sa.select(refreshes.c.refresh_id)
        .join(reported, reported.c.incident == refreshes.c.incident)
        .where(refreshes.c.refresh_id <= reported.c.newest)
    )
    statement = sa.update(refreshes).where(refreshes.c.refresh_id.in_(overtaken), refreshes.c.reported_at.is_(None))
    transaction.connection.execute(statement.values(reported_at=at))


def add_refresh_candidates(transaction: Transaction, made: Sequence[tuple[RefreshRow, CandidateRow]]) -> None:
    """Write down the candidates that refreshes rendered, one per bridge."""
    rows = [
        {"refresh_id": refresh.refresh_id, "bridge": candidate.bridge, "candidate_id": candidate.candidate_id}
        for refresh, candidate in made
    ]
    insert_rows(transaction, refresh_candidates, rows)


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
    statement = sa.select(columns.candidate_id).where(columns.refresh_id == refresh.refresh_id)
    found = find_candidates(transaction, list(transaction.connection.execute(statement).scalars()))
    return sorted(found.values(), key=lambda one: one.bridge)


def _refresh(row: RowMapping) -> RefreshRow:
    values: dict[str, Any] = {**row, "lane": Lane(row["lane"])}
    return RefreshRow(**values)
