"""Reading closures for analytics: from stored rows and sealed bodies to the rows of the analytics files.

Belongs here: verifying and flattening. Bodies are read through the store, so a flipped byte stops the publication; of
audit rows, evidence and commands nothing is copied but counts, words and numbers. All closures are read every time:
they are few beside candidates, and a later step may change what an older row says.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from dagster_project.application import analytics_closure_rows as rows
from dagster_project.application.closing_records import THE_PROGRAM
from dagster_project.closure.audit_row import audit_row_kind
from dagster_project.closure.commands import ClosureCommand, read_command
from dagster_project.closure.states import FINISHED, UNSETTLED
from dagster_project.connections.duckdb_columns import Row
from dagster_project.integrity.digests import keyed_digest
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.signatures import read_envelope
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

_BATCH: Final = 200
_Rows = Sequence[sa.RowMapping]


def closure_rows(transaction: Transaction) -> Iterator[Row]:
    """Yield the rows of everything about closures.

    Raises:
        IntegrityViolation: a body is not what was stored.
    """
    reading = _Closures(transaction)
    yield from reading.deliveries()
    yield from reading.events()
    yield from reading.plans()
    yield from reading.steps()
    yield from reading.follow_ups()
    yield from reading.commands()


class _Closures:
    """One pass over the closures of a store, in one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def deliveries(self) -> Iterator[Row]:
        """Yield everything that was handed in, without its text: that was never stored where it was refused."""
        for one in self._of(closure_deliveries):
            yield rows.ClosureDeliveryRow(
                delivery_id=one["delivery_id"], outcome=one["outcome"], received_at=one["received_at"]
            )

    def events(self) -> Iterator[Row]:
        """Yield every event."""
        for one in self._of(closure_events):
            yield rows.ClosureEventRow(
                event_number=one["event_number"],
                case_digest=self._key(one["case_id"]),
                state=one["state"],
                received_at=one["received_at"],
            )

    def plans(self) -> Iterator[Row]:
        """Yield every closure, with what its audit row is."""
        audited = {one["plan_id"]: one["body_digest"] for one in self._of(closure_audit_rows)}
        kinds = dict(self._read([*audited.items()], lambda body: audit_row_kind(read_document(body))))
        for one in self._of(closure_plans):
            yield rows.ClosurePlanRow(
                plan_id=one["plan_id"],
                event_number=one["event_number"],
                case_digest=self._key(one["case_id"]),
                state=one["state"],
                audit_row=kinds.get(one["plan_id"], "none"),
                created_at=one["created_at"],
                finished_at=one["finished_at"],
            )

    def steps(self) -> Iterator[Row]:
        """Yield every step."""
        for one in self._of(closure_steps):
            yield rows.ClosureStepRow(
                plan_id=one["plan_id"],
                step=one["name"],
                direction=one["direction"],
                ended=one["state"] if one["state"] in FINISHED else "unfinished",
                first_held_up_at=one["first_held_up_at"],
                finished_at=one["finished_at"],
            )

    def follow_ups(self) -> Iterator[Row]:
        """Yield every follow-up, with how many steps had written by then."""
        found = self._of(closure_follow_ups)
        bodies = [(one["follow_up_id"], one["body_digest"]) for one in found]
        applied = dict(self._read(bodies, lambda body: _applied(read_document(body))))
        for one in found:
            yield rows.ClosureFollowUpRow(
                follow_up_id=one["follow_up_id"],
                kind=one["kind"],
                case_digest=self._key(one["case_id"]),
                plan_id=one["plan_id"],
                event_number=one["event_number"],
                step=one["step"],
                owner_role=one["owner_role"],
                applied_steps=applied[one["follow_up_id"]],
                ended=_ended(one["resolved_at"], one["resolved_by"]),
                opened_at=one["opened_at"],
                resolved_at=one["resolved_at"],
            )

    def commands(self) -> Iterator[Row]:
        """Yield every command that was taken; what it is about stands in the words that were signed."""
        found = self._of(closure_commands)
        bodies = [(one["command_digest"], one["body_digest"]) for one in found]
        signed: dict[str, ClosureCommand] = dict(self._read(bodies, lambda body: read_command(read_envelope(body))))
        for one in found:
            command = signed[one["command_digest"]]
            yield rows.ClosureCommandRow(
                command_digest=self._key(one["command_digest"]),
                act=one["act"],
                case_digest=self._key(one["case_id"]),
                plan_id=command.plan,
                event_number=command.event,
                follow_up_id=command.follow_up,
                step=command.step,
                decided_by=self._key(one["person"]),
                received_at=one["received_at"],
            )

    def _of(self, table: sa.Table) -> _Rows:
        statement = sa.select(table).order_by(*table.primary_key.columns)
        return self._transaction.connection.execute(statement).mappings().all()

    def _read(self, digests: Sequence[tuple[Any, str]], of_body: Callable[[bytes], Any]) -> Iterator[tuple[Any, Any]]:
        """Yield by name what there is to tell of its body; some bodies are read at a time."""
        for start in range(0, len(digests), _BATCH):
            batch = digests[start : start + _BATCH]
            bodies = self._transaction.get_all_sealed(digest for _name, digest in batch)
            for name, digest in batch:
                yield name, of_body(bodies[digest])

    def _key(self, name: str) -> str:
        return keyed_digest(self._transaction.keys.digest, name.encode())


def _applied(evidence: dict[str, Any]) -> int:
    """Count the steps that had a receipt, or whose outcome was not known."""
    steps = evidence.get("steps", [])
    return sum(1 for one in steps if one["reference"] is not None or one["state"] in UNSETTLED)


def _ended(resolved_at: datetime | None, resolved_by: str | None) -> str:
    if resolved_at is None:
        return "open"
    return "by_itself" if resolved_by == THE_PROGRAM else "by_person"
