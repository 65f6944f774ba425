"""Intake: every unit that was ever delivered, what was rejected, and which sources lag.

Belongs here: deliveries, rejected inputs, lagging sources and landing files. Admitted records are in `records`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from dagster_project.store.records import Outcome
from dagster_project.store.tables import deliveries, lagging_sources, landing_files, rejected_inputs
from dagster_project.store.transaction import Transaction, first_row, insert_new


class RejectedState(StrEnum):
    """Where a rejected input stands; the last two are people's decisions."""

    OPEN = "open"
    ADMITTED = "admitted"
    DISMISSED = "dismissed"


class LandingState(StrEnum):
    """Where a landing file stands."""

    PICKED_UP = "picked_up"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class NewRejection:
    """What could be read of a rejected input, and why it was rejected; `recordversion` as it was written."""

    reason_code: str
    where_pointer: str
    received_at: datetime
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    recordid: str | None = None
    recordversion: str | None = None


@dataclass(frozen=True, kw_only=True)
class RejectedInputRow(NewRejection):
    """A rejected input; its body is a sealed blob."""

    rejected_input_id: int
    body_digest: str
    state: RejectedState


@dataclass(frozen=True, kw_only=True)
class LaggingSourceRow:
    """A source that delivered something unreadable and has not been heard since."""

    source: str
    since: datetime
    reason_code: str


@dataclass(frozen=True, kw_only=True)
class DeliveryCount:
    """How many deliveries ended in an outcome."""

    outcome: Outcome
    count: int


_REJECTED: Final = rejected_inputs.c
_LAGGING: Final = lagging_sources.c


def reject(transaction: Transaction, rejection: NewRejection, body: bytes) -> int:
    """Keep a rejected input with its reason, once, and return its id.

    The same bytes rejected again for the same reason are the same rejected input, and a decision about it stays.
    """
    body_digest = transaction.put_sealed(body)
    values = {**vars(rejection), "body_digest": body_digest, "state": RejectedState.OPEN.value}
    new: int | None = insert_new(transaction, rejected_inputs, values)
    if new is not None:
        return new
    statement = sa.select(_REJECTED.rejected_input_id).where(
        _REJECTED.body_digest == body_digest, _REJECTED.reason_code == rejection.reason_code
    )
    stored: int = transaction.connection.execute(statement).scalar_one()
    return stored


def rejected_inputs_in(
    transaction: Transaction, state: RejectedState, *, subjects: Sequence[str] | None = None
) -> list[RejectedInputRow]:
    """Return the rejected inputs in `state`, oldest first; of any of `subjects`, or of all where that is None.

    With `subjects`, inputs whose subject could not be read are not returned: those mark their source as lagging.
    """
    statement = sa.select(rejected_inputs).where(_REJECTED.state == state.value)
    if subjects is not None:
        statement = statement.where(_REJECTED.subject.in_(subjects))
    found = transaction.connection.execute(statement.order_by(_REJECTED.rejected_input_id)).mappings()
    return [RejectedInputRow(**{**row, "state": RejectedState(row["state"])}) for row in found]


def decide_rejected(transaction: Transaction, rejected_input_id: int, state: RejectedState) -> bool:
    """Move an open rejected input to `state`; return False where it is not open or not there."""
    statement = (
        sa.update(rejected_inputs)
        .where(
            _REJECTED.rejected_input_id == rejected_input_id,
            _REJECTED.state == RejectedState.OPEN.value,
        )
        .values(state=state.value)
    )
    return transaction.connection.execute(statement).rowcount == 1


def record_delivery(
    transaction: Transaction,
    *,
    unit: str,
    locator: str,
    received_at: datetime,
    outcome: Outcome,
    record_sequence: int | None = None,
    rejected_input_id: int | None = None,
) -> int:
    """Write down that a unit was delivered and where it ended; return the delivery's id.

    Args:
        transaction: A writing transaction, the one that admitted or rejected the unit.
        unit: Kind of the unit, for example ``line`` or ``feed_update``.
        locator: Where it stood, for example file name, digest and line number; never its content.
        received_at: When it was received.
        outcome: What became of it.
        record_sequence: The record that it is, unless rejected.
        rejected_input_id: The rejected input that it is, if rejected.

    Raises:
        ChannelsafeError: the outcome and the two references do not fit together.
    """
    statement = sa.insert(deliveries).values(
        unit=unit,
        locator=locator,
        received_at=received_at,
        outcome=outcome.value,
        record_sequence=record_sequence,
        rejected_input_id=rejected_input_id,
    )
    statement_with_id = statement.returning(deliveries.c.delivery_id)
    delivery_id: int = transaction.connection.execute(statement_with_id).scalar_one()
    return delivery_id


def count_deliveries(transaction: Transaction) -> list[DeliveryCount]:
    """Return how many deliveries ended in each outcome that occurred, sorted by outcome."""
    statement = sa.select(deliveries.c.outcome, sa.func.count()).group_by(deliveries.c.outcome)
    found = transaction.connection.execute(statement)
    return sorted(
        (DeliveryCount(outcome=Outcome(outcome), count=count) for outcome, count in found),
        key=lambda counted: counted.outcome,
    )


def mark_lagging(transaction: Transaction, source: str, reason_code: str, since: datetime) -> None:
    """Mark `source` as lagging; where it is already for this reason, the earlier instant stays."""
    values = {"source": source, "reason_code": reason_code, "since": since, "state": "open"}
    insert_new(transaction, lagging_sources, values)


def close_lagging(transaction: Transaction, source: str) -> int:
    """End every lag of `source`; return how many there were."""
    statement = sa.update(lagging_sources).where(_LAGGING.source == source, _LAGGING.state == "open")
    return transaction.connection.execute(statement.values(state="closed")).rowcount


def open_lagging(transaction: Transaction) -> list[LaggingSourceRow]:
    """Return the sources that lag, sorted by source and reason."""
    statement = sa.select(_LAGGING.source, _LAGGING.since, _LAGGING.reason_code)
    statement = statement.where(_LAGGING.state == "open").order_by(_LAGGING.source, _LAGGING.reason_code)
    return [LaggingSourceRow(**row) for row in transaction.connection.execute(statement).mappings()]


def register_landing_file(
    transaction: Transaction, *, digest: str, name: str, lines: int, picked_up_at: datetime
) -> LandingState:
    """Write down that a landing file was picked up; return where it stands (``done``: it was read before)."""
    values = {"digest": digest, "name": name, "lines": lines, "picked_up_at": picked_up_at}
    insert_new(transaction, landing_files, {**values, "state": LandingState.PICKED_UP.value})
    row = first_row(
        transaction,
        sa.select(landing_files.c.state).where(landing_files.c.digest == digest, landing_files.c.name == name),
    )
    return LandingState.PICKED_UP if row is None else LandingState(row["state"])


def finish_landing_file(transaction: Transaction, *, digest: str, name: str) -> None:
    """Write down that every line of a landing file was delivered."""
    statement = sa.update(landing_files).where(landing_files.c.digest == digest, landing_files.c.name == name)
    transaction.connection.execute(statement.values(state=LandingState.DONE.value))
