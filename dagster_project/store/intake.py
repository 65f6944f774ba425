"""Intake: every unit that was ever delivered, what was rejected, and which sources lag.

Belongs here: deliveries, rejected inputs, lagging sources and landing files. Admitted records are in `records`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from dagster_project.store.chunks import chunks
from dagster_project.store.records import Outcome
from dagster_project.store.tables import deliveries, lagging_sources, landing_files, rejected_inputs
from dagster_project.store.transaction import Transaction, first_row, insert_new, insert_rows


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
class LandingFileRow:
    """Where a landing file stands: how many of its lines, from the first, were delivered."""

    state: LandingState
    lines: int


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
class NewDelivery:
    """A delivered unit and where it ended: at a record, or at a rejected input.

    Args:
        unit: Kind of the unit, for example ``line`` or ``feed_update``.
        locator: Where it stood, for example file name, digest and line number; never its content.
        received_at: When it was received.
        outcome: What became of it.
        record_sequence: The record that it is, unless rejected.
        rejected_input_id: The rejected input that it is, if rejected.
    """

    unit: str
    locator: str
    received_at: datetime
    outcome: Outcome
    record_sequence: int | None = None
    rejected_input_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryCount:
    """How many deliveries ended in an outcome."""

    outcome: Outcome
    count: int


_REJECTED: Final = rejected_inputs.c
_LAGGING: Final = lagging_sources.c
# Written out in statements, so that an index over what is open serves them.
_OPEN: Final[sa.ColumnClause[str]] = sa.literal_column("'open'", sa.Text())


def keep_rejected(transaction: Transaction, kept: Sequence[tuple[NewRejection, bytes]]) -> list[int]:
    """Keep rejected inputs with their reasons, each once, and return their ids in this order.

    The same bytes rejected again for the same reason are the same rejected input, and a decision about it stays.
    """
    rows = [
        {**vars(rejection), "body_digest": transaction.put_sealed(body), "state": RejectedState.OPEN.value}
        for rejection, body in kept
    ]
    digests = sorted({row["body_digest"] for row in rows})
    known = _numbers(transaction, digests)
    missing: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if _of(row) not in known:
            missing.setdefault(_of(row), row)
    if missing:
        insert_rows(transaction, rejected_inputs, list(missing.values()))
        known = _numbers(transaction, digests)
    return [known[_of(row)] for row in rows]


def _of(row: Mapping[str, Any]) -> tuple[str, str]:
    return (row["body_digest"], row["reason_code"])


def _numbers(transaction: Transaction, body_digests: Sequence[str]) -> dict[tuple[str, str], int]:
    statement = sa.select(_REJECTED.body_digest, _REJECTED.reason_code, _REJECTED.rejected_input_id)
    return {
        (digest, reason_code): found
        for chunk in chunks(body_digests)
        for digest, reason_code, found in transaction.connection.execute(
            statement.where(_REJECTED.body_digest.in_(chunk))
        )
    }


def open_rejected_of(transaction: Transaction, recordids: Collection[str]) -> list[RejectedInputRow]:
    """Return the open rejected inputs whose recordid could be read and is one of these, oldest first."""
    found: list[RowMapping] = []
    for chunk in chunks(sorted(recordids)):
        statement = sa.select(rejected_inputs).where(_REJECTED.recordid.in_(chunk), _REJECTED.state == _OPEN)
        found += transaction.connection.execute(statement).mappings().all()
    return sorted(map(_rejected, found), key=lambda row: row.rejected_input_id)


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
    return [_rejected(row) for row in found]


def _rejected(row: RowMapping) -> RejectedInputRow:
    return RejectedInputRow(**{**row, "state": RejectedState(row["state"])})


def decide_rejected(transaction: Transaction, rejected_input_ids: Collection[int], state: RejectedState) -> int:
    """Move rejected inputs to `state`; return how many of them were open. The others stay as they are."""
    moved = 0
    for chunk in chunks(rejected_input_ids):
        is_open = _REJECTED.state == RejectedState.OPEN.value
        statement = sa.update(rejected_inputs).where(_REJECTED.rejected_input_id.in_(chunk), is_open)
        moved += transaction.connection.execute(statement.values(state=state.value)).rowcount
    return moved


def record_deliveries(transaction: Transaction, news: Sequence[NewDelivery]) -> None:
    """Write down, in this order, that units were delivered and where each ended.

    Args:
        transaction: A writing transaction, the one that admitted or rejected them.
        news: The deliveries.

    Raises:
        ChannelsafeError: an outcome and its two references do not fit together.
    """
    insert_rows(transaction, deliveries, [{**vars(new), "outcome": new.outcome.value} for new in news])


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
    statement = sa.update(lagging_sources).where(_LAGGING.source == source, _LAGGING.state == _OPEN)
    return transaction.connection.execute(statement.values(state="closed")).rowcount


def open_lagging(transaction: Transaction, sources: Collection[str] | None = None) -> list[LaggingSourceRow]:
    """Return the sources that lag, sorted by source and reason; only these `sources` where they are named."""
    statement = sa.select(_LAGGING.source, _LAGGING.since, _LAGGING.reason_code)
    statement = statement.where(_LAGGING.state == _OPEN).order_by(_LAGGING.source, _LAGGING.reason_code)
    parts = [statement] if sources is None else [statement.where(_LAGGING.source.in_(one)) for one in chunks(sources)]
    return [LaggingSourceRow(**row) for part in parts for row in transaction.connection.execute(part).mappings()]


def landing_file(transaction: Transaction, *, digest: str, name: str) -> LandingFileRow | None:
    """Return where a landing file stands, or None where none of it was delivered yet."""
    columns = landing_files.c
    statement = sa.select(columns.state, columns.lines).where(columns.digest == digest, columns.name == name)
    row = first_row(transaction, statement)
    return None if row is None else LandingFileRow(state=LandingState(row["state"]), lines=row["lines"])


def note_landing_file(transaction: Transaction, *, digest: str, name: str, row: LandingFileRow, at: datetime) -> None:
    """Write down how far a landing file was delivered, in the transaction of the deliveries themselves."""
    columns = landing_files.c
    insert_new(
        transaction,
        landing_files,
        {"digest": digest, "name": name, "state": row.state.value, "lines": row.lines, "picked_up_at": at},
    )
    # Two processes may read one file at once: the one that is behind takes nothing back.
    behind = sa.and_(columns.lines <= row.lines, columns.state != LandingState.DONE.value)
    statement = sa.update(landing_files).where(columns.digest == digest, columns.name == name, behind)
    transaction.connection.execute(statement.values(lines=row.lines, state=row.state.value))


def forget_landing_file(transaction: Transaction, *, digest: str, name: str) -> None:
    """Forget that a landing file was delivered: what was read of it were other bytes than its digest says."""
    columns = landing_files.c
    transaction.connection.execute(sa.delete(landing_files).where(columns.digest == digest, columns.name == name))
