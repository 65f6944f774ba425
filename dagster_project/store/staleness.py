"""Staleness: candidates whose release check has ended while no newer candidate took their place.

Belongs here: finding and marking them, and how many there are. What makes a check end is the domain's question.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dagster_project.store.tables import candidates, refresh_candidates, refreshes, release_checks, stale_candidates
from dagster_project.store.transaction import Transaction, insert_missing

_STALE = stale_candidates.c


@dataclass(frozen=True, kw_only=True)
class StaleCandidate:
    """A candidate that nobody may rely on any more, and since when."""

    candidate_id: int
    incident: str
    bridge: str
    valid_until: datetime


def ended_between(transaction: Transaction, *, after: datetime, until: datetime) -> list[StaleCandidate]:
    """Return the newest candidates of their bridges whose passed check ended in a span of time, earliest end first.

    Candidates of an evaluation of history are left out: they speak of another time.

    Args:
        transaction: Any transaction.
        after: Where the span begins, exclusive.
        until: Where it ends, inclusive.
    """
    checks, one, newer = release_checks.c, candidates.c, candidates.alias("newer")
    overtaken = sa.exists().where(
        newer.c.incident == one.incident, newer.c.bridge == one.bridge, newer.c.ordinal > one.ordinal
    )
    statement = (
        sa.select(one.candidate_id, one.incident, one.bridge, checks.valid_until)
        .select_from(release_checks)
        .join(candidates, one.candidate_id == checks.candidate_id)
        .join(refresh_candidates, refresh_candidates.c.candidate_id == one.candidate_id)
        .join(refreshes, refreshes.c.refresh_id == refresh_candidates.c.refresh_id)
        .where(
            checks.valid_until > after,
            checks.valid_until <= until,
            checks.passed,
            sa.not_(refreshes.c.is_history),
            sa.not_(overtaken),
        )
        .order_by(checks.valid_until, one.candidate_id)
    )
    return [StaleCandidate(**row) for row in transaction.connection.execute(statement).mappings()]


def mark_stale(transaction: Transaction, found: list[StaleCandidate], at: datetime) -> None:
    """Mark candidates as stale; the first mark stays."""
    insert_missing(transaction, stale_candidates, [{**vars(one), "marked_at": at} for one in found])


def stale_now(transaction: Transaction) -> list[StaleCandidate]:
    """Return the marked candidates that are still the newest of their bridges, earliest end first."""
    return _marked(transaction, sa.true(), limit=None)


def unreported_stale(transaction: Transaction, *, limit: int) -> list[StaleCandidate]:
    """Return up to `limit` of those that the operators' UI does not show as stale yet, earliest end first."""
    return _marked(transaction, _STALE.reported_at.is_(None), limit=limit)


def mark_reported(transaction: Transaction, candidate_ids: Collection[int], at: datetime) -> None:
    """Write down that the operators' UI shows these candidates as stale."""
    statement = sa.update(stale_candidates).where(_STALE.candidate_id.in_(candidate_ids))
    transaction.connection.execute(statement.values(reported_at=at))


def _marked(transaction: Transaction, condition: sa.ColumnElement[bool], limit: int | None) -> list[StaleCandidate]:
    newer = candidates.alias("newer")
    own = candidates.c
    overtaken = sa.exists().where(
        newer.c.incident == own.incident, newer.c.bridge == own.bridge, newer.c.ordinal > own.ordinal
    )
    columns = (_STALE.candidate_id, _STALE.incident, _STALE.bridge, _STALE.valid_until)
    statement = (
        sa.select(*columns)
        .join(candidates, own.candidate_id == _STALE.candidate_id)
        .where(sa.not_(overtaken), condition)
        .order_by(_STALE.valid_until, _STALE.candidate_id)
        .limit(limit)
    )
    return [StaleCandidate(**row) for row in transaction.connection.execute(statement).mappings()]
