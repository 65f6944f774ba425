"""Leases and circuit breakers of closures: who works a plan, and which system is left alone for a while.

Belongs here: leases with a fencing token, and counting a system's failures. When either ends is the application's
question.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from dagster_project.store.closure_tables import closure_breakers, closure_leases
from dagster_project.store.transaction import Transaction, first_row, insert_new

_LEASES: Final = closure_leases.c
_BREAKERS: Final = closure_breakers.c


@dataclass(frozen=True)
class PlanLease:
    """The right to work a plan until it expires. A later holder of any plan has a greater token."""

    plan_id: int
    token: int


def acquire(transaction: Transaction, plan_id: int, *, now: datetime, seconds: int) -> PlanLease | None:
    """Take the lease of a plan that nobody holds, or return None."""
    if is_held(transaction, plan_id, now):
        return None
    greatest = sa.select(sa.func.coalesce(sa.func.max(_LEASES.token), 0))
    token = int(transaction.connection.execute(greatest).scalar_one()) + 1
    values = {"token": token, "expires_at": now + timedelta(seconds=seconds)}
    if insert_new(transaction, closure_leases, {"plan_id": plan_id, **values}) is None:
        transaction.connection.execute(sa.update(closure_leases).where(_LEASES.plan_id == plan_id).values(**values))
    return PlanLease(plan_id, token)


def renew(transaction: Transaction, lease: PlanLease, *, now: datetime, seconds: int) -> bool:
    """Prolong a lease; False where it expired or another holder has the plan: nothing may be written then."""
    return _set_end(transaction, lease, now, now + timedelta(seconds=seconds))


def release(transaction: Transaction, lease: PlanLease, *, now: datetime) -> None:
    """Give a lease back; one that is lost already stays lost."""
    _set_end(transaction, lease, now, now)


def is_held(transaction: Transaction, plan_id: int, now: datetime) -> bool:
    """Tell whether anybody holds the lease of a plan at `now`."""
    statement = sa.select(_LEASES.token).where(_LEASES.plan_id == plan_id, _LEASES.expires_at > now)
    return first_row(transaction, statement) is not None


def _set_end(transaction: Transaction, lease: PlanLease, now: datetime, end: datetime) -> bool:
    same = (_LEASES.plan_id == lease.plan_id, _LEASES.token == lease.token, _LEASES.expires_at > now)
    return transaction.connection.execute(sa.update(closure_leases).where(*same).values(expires_at=end)).rowcount == 1


def left_alone_until(transaction: Transaction, system: str, now: datetime) -> datetime | None:
    """Return until when a system is left alone; None where it may be called now."""
    statement = sa.select(_BREAKERS.open_until).where(_BREAKERS.system == system, _BREAKERS.open_until > now)
    row = first_row(transaction, statement)
    return None if row is None else row["open_until"]


def note_failure(transaction: Transaction, system: str) -> int:
    """Count one more failure of a system in a row and return how many there are."""
    insert_new(transaction, closure_breakers, {"system": system, "failures": 0, "open_until": None})
    statement = sa.update(closure_breakers).where(_BREAKERS.system == system).values(failures=_BREAKERS.failures + 1)
    return int(transaction.connection.execute(statement.returning(_BREAKERS.failures)).scalar_one())


def leave_alone(transaction: Transaction, system: str, until: datetime) -> None:
    """Leave a system alone until an instant."""
    transaction.connection.execute(
        sa.update(closure_breakers).where(_BREAKERS.system == system).values(open_until=until)
    )


def note_success(transaction: Transaction, systems: Collection[str]) -> None:
    """Forget the failures of systems; nothing is written of those that had none."""
    failed = (_BREAKERS.system.in_(systems), _BREAKERS.failures > 0)
    transaction.connection.execute(sa.update(closure_breakers).where(*failed).values(failures=0, open_until=None))
