"""Follow-ups, audit rows and operators' commands of closures. None is ever changed but for its resolution.

Belongs here: opening, resolving and reading them. What a kind asks of a person is `closure.follow_ups`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from dagster_project.store.closure_tables import closure_audit_rows, closure_commands, closure_follow_ups
from dagster_project.store.transaction import Transaction, first_row, insert_new

_COLUMNS: Final = closure_follow_ups.c
# Built once: every step of a completion looks whether it ends some.
_OPEN_OF_PLAN: Final = (
    sa.select(closure_follow_ups)
    .where(_COLUMNS.plan_id == sa.bindparam("of_plan"), _COLUMNS.resolved_at.is_(None))
    .order_by(_COLUMNS.follow_up_id)
)


@dataclass(frozen=True, kw_only=True)
class NewFollowUp:
    """A follow-up to open; `evidence` is what a person needs to act, as canonical JSON."""

    kind: str
    owner_role: str
    case_id: str
    plan_id: int = 0
    event_number: int = 0
    step: str = ""
    evidence: bytes


@dataclass(frozen=True, kw_only=True)
class FollowUpRow:
    """A stored follow-up; its evidence is a sealed body."""

    follow_up_id: int
    kind: str
    owner_role: str
    case_id: str
    plan_id: int
    event_number: int
    step: str
    body_digest: str
    opened_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    command_digest: str | None


@dataclass(frozen=True, kw_only=True)
class CommandRow:
    """A command that was taken; its envelope is a sealed body."""

    command_digest: str
    act: str
    person: str
    keyid: str
    case_id: str
    body_digest: str
    received_at: datetime


def open_follow_up(transaction: Transaction, new: NewFollowUp, at: datetime) -> int | None:
    """Open a follow-up and return its id; None where the same one is open already."""
    values = {name: value for name, value in vars(new).items() if name != "evidence"}
    same = [_COLUMNS[name] == values[name] for name in ("kind", "plan_id", "event_number", "step")]
    if first_row(transaction, sa.select(_COLUMNS.follow_up_id).where(*same, _COLUMNS.resolved_at.is_(None))):
        return None
    values |= {"body_digest": transaction.put_sealed(new.evidence), "opened_at": at}
    found: int | None = insert_new(transaction, closure_follow_ups, values)
    return found


def resolve_follow_ups(
    transaction: Transaction,
    ids: list[int],
    *,
    by: str,
    at: datetime,
    command_digest: str | None = None,
) -> None:
    """Resolve those of these follow-ups that are open."""
    if ids:
        statement = sa.update(closure_follow_ups).where(_COLUMNS.follow_up_id.in_(ids), _COLUMNS.resolved_at.is_(None))
        values = {"resolved_at": at, "resolved_by": by, "command_digest": command_digest}
        transaction.connection.execute(statement.values(**values))


def find_follow_up(transaction: Transaction, follow_up_id: int) -> FollowUpRow | None:
    """Return a follow-up, or None where there is none of that number."""
    row = first_row(transaction, sa.select(closure_follow_ups).where(_COLUMNS.follow_up_id == follow_up_id))
    return None if row is None else FollowUpRow(**row)


def follow_ups_of(transaction: Transaction, case_id: str | None = None) -> list[FollowUpRow]:
    """Return every follow-up, or those of a case, in the order in which they were opened."""
    statement = sa.select(closure_follow_ups).order_by(_COLUMNS.follow_up_id)
    if case_id is not None:
        statement = statement.where(_COLUMNS.case_id == case_id)
    return [FollowUpRow(**row) for row in transaction.connection.execute(statement).mappings()]


def open_follow_ups_of_plan(transaction: Transaction, plan_id: int) -> list[FollowUpRow]:
    """Return the open follow-ups about a plan."""
    found = transaction.connection.execute(_OPEN_OF_PLAN, {"of_plan": plan_id})
    return [FollowUpRow(**row) for row in found.mappings()]


def add_audit_row(transaction: Transaction, plan_id: int, body: bytes, at: datetime) -> str:
    """Keep the audit row of a plan, once; return the digest of its body."""
    digest = transaction.put_sealed(body)
    values = {"plan_id": plan_id, "body_digest": digest, "at": at}
    transaction.connection.execute(sa.insert(closure_audit_rows).values(**values))
    return digest


def audit_row_digest(transaction: Transaction, plan_id: int) -> str | None:
    """Return the digest of a plan's audit row, or None where it has none yet."""
    columns = closure_audit_rows.c
    row = first_row(transaction, sa.select(columns.body_digest).where(columns.plan_id == plan_id))
    return None if row is None else row["body_digest"]


def add_command(transaction: Transaction, new: CommandRow) -> bool:
    """Keep a command that is taken; False where this very one was taken before."""
    return insert_new(transaction, closure_commands, vars(new)) is not None


def find_command(transaction: Transaction, command_digest: str) -> CommandRow | None:
    """Return a command that was taken, or None."""
    columns = closure_commands.c
    row = first_row(transaction, sa.select(closure_commands).where(columns.command_digest == command_digest))
    return None if row is None else CommandRow(**row)
