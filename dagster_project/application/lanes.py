"""Lanes: which pending changes are refreshed how, and the work of the severity-one and the bulk lane.

Belongs here: what is due, how many go as single runs, and draining the rest in committed batches under a lease.
Starting runs is Dagster's part (`sensors`); the truth about what is pending is the store's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from dagster_project.application.attempts import pauses
from dagster_project.application.checks import check_candidates
from dagster_project.application.policy_releases import release_after_refresh
from dagster_project.application.refresh import RefreshReport, refresh_together
from dagster_project.application.snapshots import goes_on
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError
from dagster_project.store import incidents, lanes
from dagster_project.store.incidents import IncidentRow
from dagster_project.store.lanes import Lease
from dagster_project.store.refreshes import Lane, candidates_of_refresh, latest_refreshes
from dagster_project.store.transaction import Transaction

# More pending incidents than these go to the bulk lane (design section 4).
MOST_SINGLE_RUNS: Final = 5
# One commit each: small enough that an urgent change waits for no more than a few tenths of a second.
INCIDENTS_PER_BATCH: Final = 10
# A worker renews its lease with every batch; one that died is replaced after this long.
LEASE_SECONDS: Final = 30


@dataclass(frozen=True)
class PendingChange:
    """An incident whose records moved, up to which revision, and whether it goes before others."""

    incident: str
    revision: int
    urgent: bool


@dataclass(frozen=True)
class BulkTally:
    """What a worker of the bulk lane did: incidents refreshed, on hold or failed their check, and not refreshed.

    `overtaken` were refreshed by others at the same time; `not_refreshed` could not be read or rendered and will be
    tried again; `lane_was_taken` says that another worker holds the lane.
    """

    batches: int = 0
    refreshed: int = 0
    failed_check: int = 0
    overtaken: int = 0
    not_refreshed: int = 0
    lane_was_taken: bool = False


def due_changes(workspace: Workspace, *, limit: int) -> tuple[PendingChange, ...]:
    """Return up to `limit` pending changes that may be tried now, the most urgent first."""
    with workspace.store.read() as transaction:
        due = _due(workspace, transaction, limit)
    return tuple(PendingChange(row.incident, row.revision, row.urgent) for row, _tried in due)


@dataclass(frozen=True)
class Shares:
    """Which pending changes get a run of their own, and whether the bulk lane has to be worked for the rest."""

    single: tuple[PendingChange, ...]
    bulk: bool


def share_out(due: Sequence[PendingChange], *, bulk_lane_is_worked: bool) -> Shares:
    """Share pending changes out among the lanes: up to five get single runs, more go to the bulk lane.

    Urgent ones always go alone, up to five of them. While the bulk lane is worked, it takes what else comes in.
    """
    urgent = tuple(change for change in due if change.urgent)[:MOST_SINGLE_RUNS]
    if bulk_lane_is_worked:
        return Shares(urgent, bulk=False)
    if len(due) <= MOST_SINGLE_RUNS:
        return Shares(tuple(due), bulk=False)
    return Shares(urgent, bulk=True)


def bulk_lane_is_worked(workspace: Workspace) -> bool:
    """Tell whether a worker holds the bulk lane."""
    with workspace.store.read() as transaction:
        return lanes.is_held(transaction, Lane.BULK, workspace.clock.now())


def refresh_urgent(workspace: Workspace, names: Sequence[str]) -> tuple[RefreshReport, ...]:
    """Refresh those of `names` that have an urgent pending change, in this process and at once.

    One that cannot be refreshed stays pending and is tried again as a run of its own.
    """
    with workspace.store.begin() as transaction:
        found = incidents.find_incidents(transaction, names)
        urgent = [found[name] for name in names if name in found and found[name].urgent]
        lanes.count_attempts(transaction, _revisions(urgent), at=workspace.clock.now())
    done = _one_by_one(workspace, [row.incident for row in urgent], lane=Lane.SEVERITY_ONE, lease=None)
    _release_what_may_leave(workspace, done)
    return tuple(done.reports)


def work_bulk_lane(
    workspace: Workspace, *, at_most: timedelta, on_batch: Callable[[BulkTally], None] = lambda _tally: None
) -> BulkTally:
    """Refresh pending incidents batch by batch until none is due, or for about `at_most`.

    Every batch is one commit. A worker that loses its lease stops; what it had not committed stays pending.

    Args:
        workspace: The deployment.
        at_most: No batch begins later than this.
        on_batch: Called with the tally so far after every batch.
    """
    until = workspace.clock.now() + at_most
    with workspace.store.begin() as transaction:
        lease = lanes.acquire(transaction, Lane.BULK, now=workspace.clock.now(), seconds=LEASE_SECONDS)
    if lease is None:
        return BulkTally(lane_was_taken=True)
    tally = BulkTally()
    while workspace.clock.now() < until and (batch := _claim(workspace, lease)):
        tally = _added(tally, _refresh_batch(workspace, batch, lease), len(batch))
        on_batch(tally)
    with workspace.store.begin() as transaction:
        lanes.release(transaction, lease, now=workspace.clock.now())
    return tally


def _due(workspace: Workspace, transaction: Transaction, limit: int) -> list[tuple[IncidentRow, int]]:
    begun_before = [workspace.clock.now() - pause for pause in pauses()]
    return lanes.due_incidents(transaction, begun_before=begun_before, limit=limit)


def _claim(workspace: Workspace, lease: Lease) -> list[IncidentRow]:
    """Take the next batch, and count the attempt before it begins; nothing where the lease was lost.

    What was tried in vain goes alone: if it is what killed a worker, it takes no other incident with it again.
    """
    now = workspace.clock.now()
    with workspace.store.begin() as transaction:
        if not lanes.renew(transaction, lease, now=now, seconds=LEASE_SECONDS):
            return []
        due = _due(workspace, transaction, INCIDENTS_PER_BATCH)
        batch = [row for row, tried in due if not tried] or [row for row, _tried in due[:1]]
        lanes.count_attempts(transaction, _revisions(batch), at=now)
    return batch


def _revisions(rows: Sequence[IncidentRow]) -> dict[str, int]:
    return {row.incident: row.revision for row in rows}


@dataclass(frozen=True)
class _Done:
    """What became of some incidents: reports of those refreshed, names of those taken up and of those that failed."""

    reports: tuple[RefreshReport, ...] = ()
    taken_up: tuple[str, ...] = ()
    not_refreshed: tuple[str, ...] = ()


def _refresh_batch(workspace: Workspace, batch: Sequence[IncidentRow], lease: Lease) -> _Done:
    begun = _begun_by_others(workspace, batch)
    for incident in begun:
        check_candidates(workspace, incident)
    names = [row.incident for row in batch if row.incident not in begun]
    try:
        done = _Done(tuple(refresh_together(workspace, names, lane=Lane.BULK, lease=lease)))
    except ChannelsafeError:
        # One of them cannot be refreshed: each alone, so that it does not stop the others.
        done = _one_by_one(workspace, names, lane=Lane.BULK, lease=lease)
    done = replace(done, taken_up=begun)
    _release_what_may_leave(workspace, done)
    return done


def _release_what_may_leave(workspace: Workspace, done: "_Done") -> None:
    """Let policy release for what was refreshed without a run of its own; what fails shows in `channelsafe health`."""
    names = [*(one.snapshot.refresh.incident for one in done.reports), *done.taken_up]
    failed = release_after_refresh(workspace, names)
    if failed:
        with workspace.store.begin() as transaction:
            for incident, code in failed.items():
                lanes.note_failure(transaction, incident, code)


def _begun_by_others(workspace: Workspace, batch: Sequence[IncidentRow]) -> tuple[str, ...]:
    """Name the incidents whose candidates of this very revision were rendered already, but never judged."""
    revisions = _revisions(batch)
    with workspace.store.read() as transaction:
        latest = latest_refreshes(transaction, list(revisions))
        return tuple(
            incident
            for incident, one in sorted(latest.items())
            if goes_on(one, revisions[incident], workspace.clock.now()) and candidates_of_refresh(transaction, one)
        )


def _one_by_one(workspace: Workspace, names: Sequence[str], *, lane: Lane, lease: Lease | None) -> _Done:
    reports: list[RefreshReport] = []
    failed: list[str] = []
    for name in names:
        try:
            reports.extend(refresh_together(workspace, [name], lane=lane, lease=lease))
        except ChannelsafeError as error:
            with workspace.store.begin() as transaction:
                lanes.note_failure(transaction, name, error.code)
            failed.append(name)
    return _Done(tuple(reports), not_refreshed=tuple(failed))


def _added(tally: BulkTally, done: _Done, claimed: int) -> BulkTally:
    refreshed = len(done.reports) + len(done.taken_up)
    failed_check = sum(1 for one in done.reports if one.checked and not one.passed)
    return replace(
        tally,
        batches=tally.batches + 1,
        refreshed=tally.refreshed + refreshed,
        failed_check=tally.failed_check + failed_check,
        overtaken=tally.overtaken + claimed - refreshed - len(done.not_refreshed),
        not_refreshed=tally.not_refreshed + len(done.not_refreshed),
    )
