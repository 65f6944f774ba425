"""Candidates: snapshots and the content rendered from them, one row per refresh and bridge.

Belongs here: snapshots and candidates. Their release checks and internal manifests are in `gates`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from dagster_project.errors import IntegrityViolation
from dagster_project.store.tables import candidates, snapshots
from dagster_project.store.transaction import Transaction, first_row, insert_new

_COLUMNS: Final = candidates.c


class CandidateOutcome(StrEnum):
    """``held`` where at least one field is on hold; both are good runs."""

    RENDERED = "rendered"
    HELD = "held"


@dataclass(frozen=True, kw_only=True)
class SnapshotRow:
    """A pinned snapshot; `log_sequence` is the newest record that the log held when it was first taken."""

    digest: str
    incident: str
    log_sequence: int
    body_digest: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewCandidate:
    """A candidate to be added. All digests name bodies that were put before, or what was pinned."""

    incident: str
    bridge: str
    content_digest: str
    snapshot_digest: str
    profile_digest: str
    renderer_digest: str
    tzdata_version: str
    evaluation_instant: datetime
    as_of: datetime | None
    predecessor_id: int | None
    lineage_digest: str
    delta_digest: str
    annex_digest: str
    view_digest: str
    holds: int
    outcome: CandidateOutcome
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class CandidateRow(NewCandidate):
    """A stored candidate.

    `ordinal` counts the candidates of (incident, bridge) from 1. `content_number` counts its successive contents:
    it rises with `content_changed`, where the content digest differs from that of the candidate before.
    """

    candidate_id: int
    ordinal: int
    content_number: int
    content_changed: bool


def add_snapshot(
    transaction: Transaction, *, digest: str, incident: str, log_sequence: int, body: bytes, created_at: datetime
) -> None:
    """Store a snapshot of a registered incident; one that is there stays as it is.

    Raises:
        IntegrityViolation: it is there with another body or of another incident.
    """
    values = {
        "digest": digest,
        "incident": incident,
        "log_sequence": log_sequence,
        "body_digest": transaction.put_sealed(body),
        "created_at": created_at,
    }
    if insert_new(transaction, snapshots, values) is not None:
        return
    stored = find_snapshot(transaction, digest)
    if stored is None or (stored.incident, stored.body_digest) != (incident, values["body_digest"]):
        raise _violation("a snapshot is stored already as something else", digest)


def find_snapshot(transaction: Transaction, digest: str) -> SnapshotRow | None:
    """Return the row of a snapshot, or None."""
    row = first_row(transaction, sa.select(snapshots).where(snapshots.c.digest == digest))
    return None if row is None else SnapshotRow(**row)


def load_snapshot(transaction: Transaction, digest: str) -> bytes:
    """Return the stored bytes of a snapshot, verified.

    Raises:
        IntegrityViolation: it is missing or not what was stored.
    """
    row = find_snapshot(transaction, digest)
    if row is None:
        raise _violation("a snapshot is missing", digest)
    return transaction.get_sealed(row.body_digest)


def add_candidate(transaction: Transaction, new: NewCandidate) -> CandidateRow:
    """Store a candidate as the next of its incident and bridge.

    Whoever decides on the latest candidate reads it in this same transaction: nobody can add one in between.

    Raises:
        ChannelsafeError: its snapshot or predecessor is of another incident or bridge, or its profile is unknown.
    """
    latest = latest_candidate(transaction, new.incident, new.bridge)
    changed = latest is None or latest.content_digest != new.content_digest
    values = {
        **vars(new),
        "outcome": new.outcome.value,
        "ordinal": 1 if latest is None else latest.ordinal + 1,
        "content_number": (0 if latest is None else latest.content_number) + int(changed),
        "content_changed": changed,
    }
    statement = sa.insert(candidates).values(**values).returning(_COLUMNS.candidate_id)
    values["candidate_id"] = transaction.connection.execute(statement).scalar_one()
    return _candidate(values)


def latest_candidate(transaction: Transaction, incident: str, bridge: str) -> CandidateRow | None:
    """Return the newest candidate of an incident and bridge, or None."""
    statement = sa.select(candidates).where(_COLUMNS.incident == incident, _COLUMNS.bridge == bridge)
    row = first_row(transaction, statement.order_by(_COLUMNS.ordinal.desc()))
    return None if row is None else _candidate(row)


def find_candidate(transaction: Transaction, candidate_id: int) -> CandidateRow | None:
    """Return one candidate, or None."""
    row = first_row(transaction, sa.select(candidates).where(_COLUMNS.candidate_id == candidate_id))
    return None if row is None else _candidate(row)


def candidates_of(transaction: Transaction, incident: str) -> list[CandidateRow]:
    """Return all candidates of an incident, by bridge and then ordinal."""
    statement = sa.select(candidates).where(_COLUMNS.incident == incident)
    found = transaction.connection.execute(statement.order_by(_COLUMNS.bridge, _COLUMNS.ordinal)).mappings()
    return [_candidate(row) for row in found]


def candidates_after(transaction: Transaction, candidate_id: int, *, limit: int) -> list[CandidateRow]:
    """Return up to `limit` candidates after `candidate_id`, in the order they were added: for cursors."""
    statement = sa.select(candidates).where(_COLUMNS.candidate_id > candidate_id)
    found = transaction.connection.execute(statement.order_by(_COLUMNS.candidate_id).limit(limit)).mappings()
    return [_candidate(row) for row in found]


def _candidate(row: Mapping[str, Any] | RowMapping) -> CandidateRow:
    return CandidateRow(**{**row, "outcome": CandidateOutcome(row["outcome"])})


def _violation(what: str, digest: str) -> IntegrityViolation:
    return IntegrityViolation(
        "snapshot_not_intact",
        what=what,
        where=f"snapshot {digest}",
        what_to_do="Run `channelsafe verify`, and restore from a backup what it lists.",
    )
