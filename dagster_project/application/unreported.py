"""Unreported: what happened by other ways than a run of its own, for the operators' UI to catch up with.

Belongs here: which come next, worst first, and what may be shown of each. How it is shown is for Dagster.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from dagster_project.application.candidates import current_refresh
from dagster_project.application.checks import CheckedCandidate, read_stored_check
from dagster_project.application.workspace import Workspace
from dagster_project.store import gates, staleness
from dagster_project.store.refreshes import (
    Lane,
    RefreshRow,
    candidates_of_refresh,
    mark_reported,
    unreported_refreshes,
)
from dagster_project.store.staleness import StaleCandidate
from dagster_project.store.transaction import Transaction

# A run of its own reports a refresh itself; only where it died before it could, the catching up does.
_TIME_FOR_A_RUN: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class FinishedRefresh:
    """A finished refresh with its checked candidates, as stored."""

    refresh: RefreshRow
    checked: tuple[CheckedCandidate, ...]


def refreshes_of_severity_one(workspace: Workspace, *, limit: int) -> tuple[RefreshRow, ...]:
    """Return the refreshes of severity one whose run is still to follow, worst first."""
    now = workspace.clock.now()
    with workspace.store.read() as transaction:
        return tuple(unreported_refreshes(transaction, finished_before=now, lanes=[Lane.SEVERITY_ONE], limit=limit))


def next_to_report(workspace: Workspace, *, limit: int) -> tuple[FinishedRefresh, ...]:
    """Return finished refreshes that the UI does not show yet: failed checks first, then holds, then the oldest."""
    now = workspace.clock.now()
    with workspace.store.read() as transaction:
        at_once = unreported_refreshes(transaction, finished_before=now, lanes=[Lane.BULK, Lane.COMMAND], limit=limit)
        left_behind = unreported_refreshes(
            transaction, finished_before=now - _TIME_FOR_A_RUN, lanes=[Lane.SINGLE, Lane.SEVERITY_ONE], limit=limit
        )
        chosen = [*at_once, *left_behind][:limit]
        return tuple(FinishedRefresh(one, _checked(transaction, one)) for one in chosen)


def _checked(transaction: Transaction, refresh: RefreshRow) -> tuple[CheckedCandidate, ...]:
    rows = candidates_of_refresh(transaction, refresh)
    numbers = [row.candidate_id for row in rows]
    checks = gates.latest_release_checks(transaction, numbers)
    manifests = gates.find_manifests(transaction, numbers)
    return tuple(
        CheckedCandidate(
            row,
            read_stored_check(transaction, checks[row.candidate_id]),
            manifests[row.candidate_id].manifest_digest if row.candidate_id in manifests else None,
        )
        for row in rows
        if row.candidate_id in checks
    )


def stale_to_report(workspace: Workspace, *, limit: int) -> tuple[StaleCandidate, ...]:
    """Return stale candidates that the UI does not show as such yet, earliest end first."""
    with workspace.store.read() as transaction:
        return tuple(staleness.unreported_stale(transaction, limit=limit))


def anything_to_report(workspace: Workspace) -> bool:
    """Tell whether the UI lacks anything."""
    return bool(next_to_report(workspace, limit=1) or stale_to_report(workspace, limit=1))


def set_reported(
    workspace: Workspace, finished: Collection[FinishedRefresh], stale: Collection[StaleCandidate]
) -> None:
    """Say that the UI shows these refreshes, and so all that they overtook, and these stale candidates."""
    now = workspace.clock.now()
    with workspace.store.begin() as transaction:
        mark_reported(transaction, [one.refresh.refresh_id for one in finished], now)
        staleness.mark_reported(transaction, [one.candidate_id for one in stale], now)


def set_run_reported(workspace: Workspace, incident: str) -> None:
    """Say that a run of its own shows the latest refresh of an incident."""
    with workspace.store.begin() as transaction:
        refresh = current_refresh(transaction, incident)
        mark_reported(transaction, [refresh.refresh_id], workspace.clock.now())
