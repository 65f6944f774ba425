"""Lanes: who works the bulk lane, and which attempts at a pending change there were.

Belongs here: leases with a fencing token, and attempts counted before they begin, so that one that kills its process
is counted too. When an attempt is due again is the application's question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dagster_project.store.incidents import IncidentRow
from dagster_project.store.refreshes import Lane
from dagster_project.store.tables import incidents, lane_leases, refresh_attempts
from dagster_project.store.transaction import Transaction, first_row, insert_new

_LEASES: Final = lane_leases.c
_ATTEMPTS: Final = refresh_attempts.c


@dataclass(frozen=True)
class Lease:
    """The right to work a lane until it expires. A later holder has a greater token."""

    lane: Lane
    token: int


def acquire(transaction: Transaction, lane: Lane, *, now: datetime, seconds: int) -> Lease | None:
    """Take the lease of a lane that nobody holds, or return None."""
    never = datetime.fromtimestamp(0, tz=now.tzinfo)
    insert_new(transaction, lane_leases, {"lane": lane.value, "token": 0, "expires_at": never})
    statement = sa.update(lane_leases).where(_LEASES.lane == lane.value, _LEASES.expires_at <= now)
    values = {"token": _LEASES.token + 1, "expires_at": now + timedelta(seconds=seconds)}
    token = transaction.connection.execute(statement.values(**values).returning(_LEASES.token)).scalar_one_or_none()
    return None if token is None else Lease(lane, token)


def renew(transaction: Transaction, lease: Lease, *, now: datetime, seconds: int) -> bool:
    """Prolong a lease; False where it expired or another holder has the lane."""
    return _set_end(transaction, lease, now, now + timedelta(seconds=seconds))


def release(transaction: Transaction, lease: Lease, *, now: datetime) -> None:
    """Give a lease back; one that is lost already stays lost."""
    _set_end(transaction, lease, now, now)


def holds(transaction: Transaction, lease: Lease, now: datetime) -> bool:
    """Tell whether a lease is held at `now`."""
    statement = sa.select(_LEASES.token).where(_LEASES.lane == lease.lane.value, _LEASES.expires_at > now)
    row = first_row(transaction, statement)
    return row is not None and row["token"] == lease.token


def is_held(transaction: Transaction, lane: Lane, now: datetime) -> bool:
    """Tell whether anybody holds a lane at `now`."""
    statement = sa.select(_LEASES.token).where(_LEASES.lane == lane.value, _LEASES.expires_at > now)
    return first_row(transaction, statement) is not None


def _set_end(transaction: Transaction, lease: Lease, now: datetime, end: datetime) -> bool:
    same = (_LEASES.lane == lease.lane.value, _LEASES.token == lease.token, _LEASES.expires_at > now)
    return transaction.connection.execute(sa.update(lane_leases).where(*same).values(expires_at=end)).rowcount == 1


def count_attempts(transaction: Transaction, revisions: Mapping[str, int], *, at: datetime) -> None:
    """Say that a refresh of these incidents, at these revisions, begins now; a new revision counts from one."""
    rows = [
        {"incident": incident, "revision": revision, "attempts": 1, "started_at": at, "reason_code": None}
        for incident, revision in revisions.items()
    ]
    if not rows:
        return
    dialect = postgresql if transaction.connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(refresh_attempts)
    again = statement.excluded.revision == _ATTEMPTS.revision
    upsert = statement.on_conflict_do_update(
        index_elements=[_ATTEMPTS.incident],
        set_={
            "revision": statement.excluded.revision,
            "attempts": sa.case((again, _ATTEMPTS.attempts + 1), else_=1),
            "started_at": statement.excluded.started_at,
            "reason_code": None,
        },
    )
    transaction.connection.execute(upsert, rows)


def note_failure(transaction: Transaction, incident: str, reason_code: str) -> None:
    """Write down why the latest attempt at an incident ended without a refresh."""
    statement = sa.update(refresh_attempts).where(_ATTEMPTS.incident == incident)
    transaction.connection.execute(statement.values(reason_code=reason_code))


def due_incidents(
    transaction: Transaction, *, begun_before: Sequence[datetime], limit: int
) -> list[tuple[IncidentRow, int]]:
    """Return incidents with a pending change that may be tried now, each with the attempts that its revision had.

    Urgent ones come first, then those never tried, then the longest pending.

    Args:
        transaction: Any transaction.
        begun_before: Element n: a change with n + 1 attempts is due if the newest began before this instant; the last
            element holds for all further attempts.
        limit: The most to return.
    """
    pending = incidents.c
    same = sa.and_(_ATTEMPTS.incident == pending.incident, _ATTEMPTS.revision == pending.revision)
    tried = sa.func.coalesce(_ATTEMPTS.attempts, 0)
    statement = (
        sa.select(incidents, tried.label("tried"))
        .outerjoin(refresh_attempts, same)
        .where(pending.pending_since.is_not(None), sa.or_(_ATTEMPTS.attempts.is_(None), *_rested(begun_before)))
        .order_by(pending.urgent.desc(), sa.case((tried == 0, 0), else_=1), pending.pending_since, pending.incident)
        .limit(limit)
    )
    found = transaction.connection.execute(statement).mappings()
    return [(IncidentRow(**{column.name: row[column.name] for column in pending}), row["tried"]) for row in found]


def _rested(begun_before: Sequence[datetime]) -> list[sa.ColumnElement[bool]]:
    *early, last = begun_before
    conditions: list[Any] = [
        sa.and_(_ATTEMPTS.attempts == number, _ATTEMPTS.started_at <= instant)
        for number, instant in enumerate(early, start=1)
    ]
    return [*conditions, sa.and_(_ATTEMPTS.attempts > len(early), _ATTEMPTS.started_at <= last)]
