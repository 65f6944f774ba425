"""Snapshots: pinning what is known of incidents, which starts a refresh.

Belongs here: the first step of a refresh. Building a snapshot from records is `packaging.snapshot`, reading one back
is `pinned`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.gathering import Gathered, gather
from dagster_project.application.pinned import require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.store import records
from dagster_project.store.candidates import NewSnapshot, add_snapshots
from dagster_project.store.refreshes import Lane, NewRefresh, RefreshRow, add_refreshes
from dagster_project.store.transaction import Transaction


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
        gathered = gather(workspace, transaction, [incident], at)
        (refresh,) = start_refreshes(workspace, transaction, gathered, lane=lane, is_history=at is not None)
    return snapshot_taken(refresh, gathered[0])


def start_refreshes(
    workspace: Workspace, transaction: Transaction, gathered: Sequence[Gathered], *, lane: Lane, is_history: bool
) -> list[RefreshRow]:
    """Write down the snapshots of a refresh of several incidents, and that it started, in the order of `gathered`."""
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
            for one in gathered
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
        for one in gathered
    ]
    return add_refreshes(transaction, news)


def snapshot_taken(refresh: RefreshRow, gathered: Gathered) -> SnapshotTaken:
    """Count what a refresh pinned."""
    return SnapshotTaken(
        refresh=refresh,
        records=len(gathered.snapshot.heads),
        conflicts=len(gathered.snapshot.conflicts),
        rejected=len(gathered.snapshot.rejected),
        lagging=len(gathered.snapshot.lagging_sources),
    )
