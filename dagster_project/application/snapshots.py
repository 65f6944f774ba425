"""Snapshots: pinning what is known of incidents, which starts a refresh.

Belongs here: the first step of a refresh. Building a snapshot from records is `packaging.snapshot`, reading one back
is `pinned`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dagster_project.application.gathering import Pinned, pin
from dagster_project.application.pinned import read_snapshot, require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.packaging.snapshot import Snapshot
from dagster_project.store import records
from dagster_project.store.candidates import NewSnapshot, add_snapshots
from dagster_project.store.lanes import count_attempts
from dagster_project.store.refreshes import Lane, NewRefresh, RefreshRow, add_refreshes, latest_refreshes
from dagster_project.store.transaction import Transaction

__all__ = ["Lane", "SnapshotTaken", "continue_or_take_snapshot", "newest_recorded", "take_snapshot"]

LONGEST_UNFINISHED: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class SnapshotTaken:
    """What the first step of a refresh pinned: counts and digests only."""

    refresh: RefreshRow
    records: int
    conflicts: int
    rejected: int
    lagging: int


def newest_recorded(workspace: Workspace, incident: str) -> datetime:
    """Return when the newest record about the incident itself was recorded: the end of its history so far."""
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        return max(row.recorded_at for row in records.records_for_subjects(transaction, [incident]))


def take_snapshot(
    workspace: Workspace, incident: str, at: datetime | None = None, *, lane: Lane = Lane.COMMAND
) -> SnapshotTaken:
    """Pin what is known of an incident and start a refresh.

    Args:
        workspace: The deployment.
        incident: A registered incident.
        at: Evaluate history at this instant, with what had been recorded by then; None for the present.
        lane: Which way the refresh goes.
    """
    with workspace.store.begin() as transaction:
        pinned = pin(workspace, transaction, [incident], at)
        (refresh,) = start_refreshes(workspace, transaction, pinned, lane=lane, is_history=at is not None)
    return snapshot_taken(refresh, pinned[0].snapshot)


def continue_or_take_snapshot(workspace: Workspace, incident: str, revision: int) -> SnapshotTaken:
    """Start the refresh that a single run was asked to make, unless it is there.

    Where another lane has observed `revision`, or a run that died began to render it, that refresh goes on: its
    candidates are rendered and checked once, however often a run is launched for them.

    Args:
        workspace: The deployment.
        incident: A registered incident.
        revision: The revision that the run was asked to observe.
    """
    with workspace.store.begin() as transaction:
        row = require_incident(transaction, incident)
        latest = latest_refreshes(transaction, [incident]).get(incident)
        if latest is not None and latest.finished_at is not None and row.observed_revision >= revision:
            return snapshot_taken(latest, read_snapshot(transaction, incident, latest.snapshot_digest))
        count_attempts(transaction, {incident: row.revision}, at=workspace.clock.now())
        if latest is not None and goes_on(latest, row.revision, workspace.clock.now()):
            return snapshot_taken(latest, read_snapshot(transaction, incident, latest.snapshot_digest))
        pinned = pin(workspace, transaction, [incident])
        (refresh,) = start_refreshes(workspace, transaction, pinned, lane=Lane.SINGLE, is_history=False)
    return snapshot_taken(refresh, pinned[0].snapshot)


def goes_on(begun: RefreshRow, revision: int, now: datetime) -> bool:
    """Tell whether a refresh that somebody began and did not finish is to be finished instead of begun again.

    Only one of this very revision, and only for ten minutes: later it would speak of too old an instant.
    """
    young = now - begun.started_at < LONGEST_UNFINISHED
    return begun.finished_at is None and not begun.is_history and begun.revision == revision and young


def start_refreshes(
    workspace: Workspace, transaction: Transaction, pinned: Sequence[Pinned], *, lane: Lane, is_history: bool
) -> list[RefreshRow]:
    """Write down the snapshots of a refresh of several incidents, and that it started, in the order of `pinned`."""
    now = workspace.clock.now()
    add_snapshots(
        transaction,
        [
            NewSnapshot(
                digest=one.snapshot_digest,
                incident=one.row.incident,
                log_sequence=one.log_sequence,
                body=one.snapshot_body,
                created_at=now,
            )
            for one in pinned
        ],
    )
    news = [
        NewRefresh(
            incident=one.row.incident,
            revision=one.row.revision,
            snapshot_digest=one.snapshot_digest,
            evaluation_instant=one.evaluation_instant,
            is_history=is_history,
            started_at=now,
            lane=lane,
        )
        for one in pinned
    ]
    return add_refreshes(transaction, news)


def snapshot_taken(refresh: RefreshRow, snapshot: Snapshot) -> SnapshotTaken:
    """Count what a refresh pinned."""
    return SnapshotTaken(
        refresh=refresh,
        records=len(snapshot.heads),
        conflicts=len(snapshot.conflicts),
        rejected=len(snapshot.rejected),
        lagging=len(snapshot.lagging_sources),
    )
