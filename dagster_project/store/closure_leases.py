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
# Built once: building them takes longer than running them, and every step of a completion runs them.
_SET_END: Final = sa.update(closure_leases).where(
    _LEASES.plan_id == sa.bindparam("of_plan"),
    _LEASES.token == sa.bindparam("held"),
    _LEASES.expires_at > sa.bindparam("now", type_=_LEASES.expires_at.type),
)
_LEFT_ALONE: Final = sa.select(_BREAKERS.system, _BREAKERS.open_until).where(
    _BREAKERS.open_until > sa.bindparam("now", type_=_BREAKERS.open_until.type)
)
_FORGET: Final = sa.update(closure_breakers).where(
    _BREAKERS.system.in_(sa.bindparam("systems", expanding=True)), _BREAKERS.failures > 0
)


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
    values = {"of_plan": lease.plan_id, "held": lease.token, "now": now, "expires_at": end}
    return transaction.connection.execute(_SET_END, values).rowcount == 1


def left_alone(transaction: Transaction, now: datetime) -> dict[str, datetime]:
    """Return the systems that are not to be called now, each with until when."""
    return {row.system: row.open_until for row in transaction.connection.execute(_LEFT_ALONE, {"now": now})}


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
    transaction.connection.execute(_FORGET, {"systems": list(systems), "failures": 0, "open_until": None})
