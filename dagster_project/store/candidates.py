"""Candidates: snapshots and the content rendered from them, one row per refresh and bridge.

Belongs here: snapshots and candidates. Their release checks and internal manifests are in `gates`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from dagster_project.errors import IntegrityViolation
from dagster_project.store.tables import candidates, snapshots
from dagster_project.store.transaction import Transaction, first_row, insert_rows

_COLUMNS: Final = candidates.c


class CandidateOutcome(StrEnum):
    """``held`` where at least one field is on hold; both are good runs."""

    RENDERED = "rendered"
    HELD = "held"


@dataclass(frozen=True, kw_only=True)
class NewSnapshot:
    """A snapshot to be pinned: its digest and canonical bytes, and the newest record that it could see."""

    digest: str
    incident: str
    log_sequence: int
    body: bytes
    created_at: datetime


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


def add_snapshots(transaction: Transaction, news: Sequence[NewSnapshot]) -> None:
    """Store snapshots of registered incidents; one that is there stays as it is.

    Raises:
        IntegrityViolation: one is there with another body or of another incident.
    """
    values = {
        new.digest: {
            "digest": new.digest,
            "incident": new.incident,
            "log_sequence": new.log_sequence,
            "body_digest": transaction.put_sealed(new.body),
            "created_at": new.created_at,
        }
        for new in news
    }
    statement = sa.select(snapshots).where(snapshots.c.digest.in_(list(values)))
    stored = {row["digest"]: SnapshotRow(**row) for row in transaction.connection.execute(statement).mappings()}
    for digest, row in stored.items():
        if (row.incident, row.body_digest) != (values[digest]["incident"], values[digest]["body_digest"]):
            raise _violation("a snapshot is stored already as something else", digest)
    insert_rows(transaction, snapshots, [row for digest, row in values.items() if digest not in stored])


def find_snapshot(transaction: Transaction, digest: str) -> SnapshotRow | None:
    """Return the row of a snapshot, or None."""
    row = first_row(transaction, sa.select(snapshots).where(snapshots.c.digest == digest))
    return None if row is None else SnapshotRow(**row)


def load_snapshot(transaction: Transaction, digest: str) -> bytes:
    """Return the stored bytes of a snapshot, verified.

    Raises:
        IntegrityViolation: it is missing or not what was stored.
    """
    return load_snapshots(transaction, [digest])[digest]


def load_snapshots(transaction: Transaction, digests: Collection[str]) -> dict[str, bytes]:
    """Return the stored bytes of snapshots by digest, verified.

    Raises:
        IntegrityViolation: one is missing or not what was stored.
    """
    statement = sa.select(snapshots.c.digest, snapshots.c.body_digest).where(snapshots.c.digest.in_(digests))
    stored = {row.digest: row.body_digest for row in transaction.connection.execute(statement)}
    for digest in digests:
        if digest not in stored:
            raise _violation("a snapshot is missing", digest)
    bodies = transaction.get_all_sealed(stored.values())
    return {digest: bodies[body] for digest, body in stored.items()}


def add_candidates(transaction: Transaction, news: Sequence[NewCandidate]) -> list[CandidateRow]:
    """Store candidates, each as the next of its incident and bridge, which occur once; return them in this order.

    Whoever decides on the latest candidates reads them in this same transaction: nobody can add one in between.

    Raises:
        ChannelsafeError: a snapshot or predecessor is of another incident or bridge, or a profile is unknown.
    """
    names = [new.incident for new in news]
    before = latest_candidates(transaction, names)
    insert_rows(transaction, candidates, [_next(new, before.get((new.incident, new.bridge))) for new in news])
    added = latest_candidates(transaction, names)
    return [added[new.incident, new.bridge] for new in news]


def _next(new: NewCandidate, latest: CandidateRow | None) -> dict[str, Any]:
    changed = latest is None or latest.content_digest != new.content_digest
    return {
        **vars(new),
        "outcome": new.outcome.value,
        "ordinal": 1 if latest is None else latest.ordinal + 1,
        "content_number": (0 if latest is None else latest.content_number) + int(changed),
        "content_changed": changed,
    }


def latest_candidates(transaction: Transaction, incidents: Sequence[str]) -> dict[tuple[str, str], CandidateRow]:
    """Return the newest candidate of every bridge of `incidents`, by incident and bridge."""
    newest = (
        sa.select(_COLUMNS.incident, _COLUMNS.bridge, sa.func.max(_COLUMNS.ordinal).label("ordinal"))
        .where(_COLUMNS.incident.in_(incidents))
        .group_by(_COLUMNS.incident, _COLUMNS.bridge)
        .subquery()
    )
    same = sa.and_(
        _COLUMNS.incident == newest.c.incident,
        _COLUMNS.bridge == newest.c.bridge,
        _COLUMNS.ordinal == newest.c.ordinal,
    )
    found = transaction.connection.execute(sa.select(candidates).join(newest, same)).mappings()
    return {(row["incident"], row["bridge"]): _candidate(row) for row in found}


def latest_candidate(transaction: Transaction, incident: str, bridge: str) -> CandidateRow | None:
    """Return the newest candidate of an incident and bridge, or None."""
    statement = sa.select(candidates).where(_COLUMNS.incident == incident, _COLUMNS.bridge == bridge)
    row = first_row(transaction, statement.order_by(_COLUMNS.ordinal.desc()))
    return None if row is None else _candidate(row)


def find_candidate(transaction: Transaction, candidate_id: int) -> CandidateRow | None:
    """Return one candidate, or None."""
    row = first_row(transaction, sa.select(candidates).where(_COLUMNS.candidate_id == candidate_id))
    return None if row is None else _candidate(row)


def find_candidates(transaction: Transaction, candidate_ids: Sequence[int]) -> dict[int, CandidateRow]:
    """Return the candidates of these ids that are there, by id."""
    statement = sa.select(candidates).where(_COLUMNS.candidate_id.in_(candidate_ids))
    return {row["candidate_id"]: _candidate(row) for row in transaction.connection.execute(statement).mappings()}


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
