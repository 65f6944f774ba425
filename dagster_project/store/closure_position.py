"""How far the closures of a store have come, as counts.

Belongs here: counting what is settled, so that equal counts mean that nothing of it is new.
"""

from typing import Any

import sqlalchemy as sa

from dagster_project.store.closure_tables import (
    closure_audit_rows,
    closure_commands,
    closure_deliveries,
    closure_events,
    closure_follow_ups,
    closure_plans,
    closure_steps,
)
from dagster_project.store.transaction import Transaction


def closure_counts(transaction: Transaction) -> dict[str, int]:
    """Return the counts by name, each beginning with ``closure_``."""
    every = sa.func.count()
    settled = sa.func.count(sa.case((closure_events.c.state != "pending", 1)))
    statement = sa.select(
        _of(closure_deliveries, every).label("closure_deliveries"),
        _of(closure_events, settled).label("closure_events_settled"),
        _of(closure_plans, every).label("closure_plans"),
        _of(closure_steps, sa.func.count(closure_steps.c.finished_at)).label("closure_steps_finished"),
        _of(closure_steps, sa.func.count(closure_steps.c.first_held_up_at)).label("closure_steps_held_up"),
        _of(closure_audit_rows, every).label("closure_audit_rows"),
        _of(closure_follow_ups, every).label("closure_follow_ups"),
        _of(closure_follow_ups, sa.func.count(closure_follow_ups.c.resolved_at)).label("closure_follow_ups_resolved"),
        _of(closure_commands, every).label("closure_commands"),
    )
    return dict(transaction.connection.execute(statement).mappings().one())


def _of(table: sa.Table, value: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    return sa.select(value).select_from(table).scalar_subquery()
