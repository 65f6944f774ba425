"""Refresh: the whole way from the record log to checked candidates, for one incident or for several together.

Belongs here: reading, rendering and judging outside of any writing transaction, and one commit for all of it.
Dagster runs the same way step by step, each step from what the one before it stored; both give equal bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dagster_project.application.candidates import Made, keep_candidates, view_digests
from dagster_project.application.checks import CheckedCandidate, Judged, conclude_refreshes, keep_checks
from dagster_project.application.gathering import BridgeToRender, Gathered, gather
from dagster_project.application.pinned import read_snapshot
from dagster_project.application.pulling import pull_what_lapsed
from dagster_project.application.snapshots import SnapshotTaken, newest_recorded, snapshot_taken, start_refreshes
from dagster_project.application.workspace import Workspace
from dagster_project.errors import Unavailable
from dagster_project.integrity.digests import digest_bytes
from dagster_project.packaging.candidate import Candidate, make_candidate
from dagster_project.packaging.context import SnapshotIndex
from dagster_project.packaging.release_check import ReleaseCheck, release_check
from dagster_project.store import incidents
from dagster_project.store.candidates import latest_candidates
from dagster_project.store.lanes import Lease, holds
from dagster_project.store.refreshes import Lane, RefreshRow, latest_refresh
from dagster_project.store.transaction import Transaction

_TRIES: Final = 5


@dataclass(frozen=True)
class RefreshReport:
    """What one refresh made: the snapshot, each bridge's candidate with its release check, and bridges without one."""

    snapshot: SnapshotTaken
    checked: tuple[CheckedCandidate, ...]
    without_profile: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there are candidates, one for every bridge, and every one of them passed the gate."""
        every = bool(self.checked) and not self.without_profile
        return every and all(one.manifest_digest is not None for one in self.checked)


@dataclass(frozen=True)
class _Rendered:
    """One bridge, rendered and judged; nothing of it is stored yet."""

    bridge: BridgeToRender
    candidate: Candidate
    check: ReleaseCheck


def refresh(workspace: Workspace, incident: str, at: datetime | None = None) -> RefreshReport:
    """Refresh one incident; with `at`, evaluate its history at that instant.

    Raises:
        UsageError: no record about it was ever admitted.
        Unavailable: others refreshed it at the same time, again and again.
    """
    for _attempt in range(_TRIES):
        for report in refresh_together(workspace, [incident], lane=Lane.COMMAND, at=at):
            return report
    raise Unavailable(
        "refresh_overtaken",
        what=f"other refreshes of this incident were faster {_TRIES} times",
        where=f"incident {incident}",
        what_to_do="Run the command again.",
    )


def refresh_together(
    workspace: Workspace, names: Sequence[str], *, lane: Lane, at: datetime | None = None, lease: Lease | None = None
) -> list[RefreshReport]:
    """Refresh several incidents with one commit; none stops another.

    Args:
        workspace: The deployment.
        names: Registered incidents, each once.
        lane: Which way this goes.
        at: Evaluate history at this instant; None for the present.
        lease: Commit only while this lease is held.

    Returns:
        One report per incident that was not overtaken: where another refresh came first, nothing is written, and the
        incident is pending still if it was. Nothing where the lease was lost.

    Raises:
        ChannelsafeError: what belongs to one of the incidents cannot be read or rendered; nothing is written.
    """
    with workspace.store.read() as transaction:
        gathered = gather(workspace, transaction, names, at)
    rendered = [(one, [_render(bridge) for bridge in one.bridges]) for one in gathered]
    with workspace.store.begin() as transaction:
        if lease is not None and not holds(transaction, lease, workspace.clock.now()):
            return []
        still = _not_overtaken(transaction, gathered)
        kept = [(one, bridges) for one, bridges in rendered if one.incident in still]
        reports = _commit(workspace, transaction, kept, lane=lane, is_history=at is not None)
    pull_what_lapsed(workspace, still)
    return reports


def _render(bridge: BridgeToRender) -> _Rendered:
    candidate = make_candidate(bridge.context, bridge.predecessor)
    check = release_check(
        candidate.content,
        candidate.lineage,
        bridge.context,
        predecessor_digest=None if bridge.before is None else bridge.before.content_digest,
        lineage_digest=digest_bytes(candidate.lineage_bytes),
    )
    return _Rendered(bridge, candidate, check)


def _not_overtaken(transaction: Transaction, gathered: Sequence[Gathered]) -> frozenset[str]:
    """Compare and swap: name the incidents that nobody refreshed since they were read."""
    names = [one.incident for one in gathered]
    now = incidents.find_incidents(transaction, names)
    latest: dict[str, dict[str, int]] = {name: {} for name in names}
    for (incident, bridge), row in latest_candidates(transaction, names).items():
        latest[incident][bridge] = row.candidate_id
    return frozenset(
        one.incident
        for one in gathered
        if now[one.incident].observed_revision == one.pinned.row.observed_revision
        and latest[one.incident] == one.latest
    )


def _commit(
    workspace: Workspace,
    transaction: Transaction,
    kept: Sequence[tuple[Gathered, list[_Rendered]]],
    *,
    lane: Lane,
    is_history: bool,
) -> list[RefreshReport]:
    gathered = [one for one, _bridges in kept]
    started = start_refreshes(
        workspace, transaction, [one.pinned for one in gathered], lane=lane, is_history=is_history
    )
    made = [(refresh, one) for refresh, (_gathered, bridges) in zip(started, kept, strict=True) for one in bridges]
    rows = keep_candidates(
        workspace,
        transaction,
        [Made(refresh, one.bridge.context, one.bridge.before, one.candidate) for refresh, one in made],
    )
    judged = [
        Judged(
            refresh=refresh,
            row=row,
            check=one.check,
            lineage=one.candidate.lineage,
            view_digests=view_digests(one.candidate.views),
            withheld=one.candidate.withheld,
        )
        for (refresh, one), row in zip(made, rows, strict=True)
    ]
    checked = keep_checks(workspace, transaction, judged)
    conclude_refreshes(workspace, transaction, started)
    return [_report(refresh, one, checked) for refresh, one in zip(started, gathered, strict=True)]


def _report(refresh: RefreshRow, gathered: Gathered, checked: Sequence[CheckedCandidate]) -> RefreshReport:
    mine = (one for one in checked if one.row.incident == refresh.incident)
    return RefreshReport(snapshot_taken(refresh, gathered.pinned.snapshot), tuple(mine), gathered.without_profile)


def refresh_where_time_decides(workspace: Workspace, incident: str) -> None:
    """Refresh an incident where a validity began or ended since it was rendered last: no record says so.

    A clearance that lapses, a contract or an entitlement that runs out: what rests on it is pulled, or put on hold.
    Where history was evaluated last, the present is rendered again.

    Raises:
        ChannelsafeError: as `refresh_together`.
    """
    with workspace.store.read() as transaction:
        last = latest_refresh(transaction, incident)
        if last is None:
            return
        index = SnapshotIndex(read_snapshot(transaction, incident, last.snapshot_digest))
    now = workspace.clock.now()
    if last.is_history or any(last.evaluation_instant < point <= now for point in index.turning_points):
        refresh_together(workspace, [incident], lane=Lane.COMMAND)


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
