"""Refresh: the whole way from the record log to checked candidates, for one incident or for all.

Belongs here: the four steps in their order, for callers that want no Dagster in between. Dagster runs the same
steps one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.candidates import render_candidates
from dagster_project.application.checks import CheckedCandidate, check_candidates
from dagster_project.application.snapshots import SnapshotTaken, newest_recorded, take_snapshot
from dagster_project.application.workspace import Workspace
from dagster_project.store import incidents


@dataclass(frozen=True)
class RefreshReport:
    """What one refresh made: the snapshot, and each bridge's candidate with its release check."""

    snapshot: SnapshotTaken
    checked: tuple[CheckedCandidate, ...]

    @property
    def passed(self) -> bool:
        """Whether there are candidates and every one of them passed the gate."""
        return bool(self.checked) and all(one.manifest_digest is not None for one in self.checked)


def refresh(workspace: Workspace, incident: str, at: datetime | None = None) -> RefreshReport:
    """Refresh one incident; with `at`, evaluate its history at that instant."""
    snapshot = take_snapshot(workspace, incident, at)
    render_candidates(workspace, incident)
    return RefreshReport(snapshot, check_candidates(workspace, incident))


def known_incidents(workspace: Workspace) -> tuple[str, ...]:
    """Return every registered incident by name."""
    with workspace.store.read() as transaction:
        return tuple(row.incident for row in incidents.all_incidents(transaction))


def pending_incidents(workspace: Workspace, *, limit: int) -> tuple[str, ...]:
    """Return up to `limit` incidents with a pending change, the most urgent first."""
    with workspace.store.read() as transaction:
        return tuple(row.incident for row in incidents.pending_incidents(transaction, limit=limit))


def refresh_all_at_their_end(workspace: Workspace) -> Iterator[RefreshReport]:
    """Refresh every incident at the end of its own history: when its newest record was recorded."""
    for incident in known_incidents(workspace):
        yield refresh(workspace, incident, newest_recorded(workspace, incident))
