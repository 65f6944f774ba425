"""Standing: whether any incident is left behind, so that silence is never taken for success.

Belongs here: marking candidates that went stale without a new record, counting the incidents that failed, wait,
are overdue or stale, and naming the profiles that end. How it is shown is for Dagster and the command line.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dagster_project.application.profile_ends import EndingProfile, ending_profiles
from dagster_project.application.workspace import Workspace
from dagster_project.connections.landing import waiting_files
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.store import cursors, staleness
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entries
from dagster_project.store.incidents import count_pending
from dagster_project.store.refreshes import count_unreported, incidents_without_manifest
from dagster_project.store.staleness import StaleCandidate
from dagster_project.store.transaction import Transaction

# A pending change that waits longer than this is overdue: the daemon, the lane or the incident needs a person.
OVERDUE_AFTER: Final = timedelta(minutes=5)
MOST_NAMED: Final = 20
# From then on the end of a profile is a fault: four people have to read and approve what follows it.
PROFILE_DUE_WITHIN_DAYS: Final = 7
__all__ = ["EndingProfile", "StaleCandidate", "Standing", "standing", "sweep_stale"]

_SWEEP: Final = "stale_candidates_until"


@dataclass(frozen=True)
class Standing:
    """How many incidents are not in order, and the worst of them by name (at most 20): failed, stale, overdue.

    `failed` have a newest candidate that did not pass its release check; `waiting` have a pending change, `overdue`
    one for longer than five minutes; `stale` have a newest candidate past its `valid_until`; `unreported` are finished
    refreshes that the operators' UI does not show yet; `undelivered` are files that nobody took out of the landing
    folder for five minutes. `ending` are the profiles in use that have expired or expire within 30 days.
    """

    failed: int
    waiting: int
    overdue: int
    stale: int
    unreported: int
    undelivered: int
    oldest_pending_since: datetime | None
    worst: tuple[str, ...]
    ending: tuple[EndingProfile, ...]

    @property
    def in_order(self) -> bool:
        """Whether nothing failed, is overdue, stale or left in the landing folder, and no profile ends within 7 days.

        Waiting is no fault.
        """
        due = any((one.within_days or 0) <= PROFILE_DUE_WITHIN_DAYS for one in self.ending)
        return not (self.failed or self.overdue or self.stale or self.undelivered or due)


def standing(workspace: Workspace) -> Standing:
    """Count the incidents that are not in order now."""
    now = workspace.clock.now()
    with workspace.store.read() as transaction:
        failed = incidents_without_manifest(transaction)
        pending = count_pending(transaction, overdue_before=now - OVERDUE_AFTER)
        stale = sorted({one.incident for one in _stale(transaction, now)})
        unreported = count_unreported(transaction)
        ending = ending_profiles(workspace, transaction)
    worst = dict.fromkeys((*failed, *stale, *pending.overdue))
    return Standing(
        failed=len(failed),
        waiting=pending.waiting,
        overdue=len(pending.overdue),
        stale=len(stale),
        unreported=unreported,
        undelivered=waiting_files(workspace.settings.landing, dropped_before=now - OVERDUE_AFTER),
        oldest_pending_since=pending.oldest,
        worst=tuple(worst)[:MOST_NAMED],
        ending=ending,
    )


def _stale(transaction: Transaction, now: datetime) -> list[StaleCandidate]:
    """Return what is marked, and what has gone stale since the last sweep."""
    unswept = staleness.ended_between(transaction, after=_swept_until(transaction), until=now)
    return [*staleness.stale_now(transaction), *unswept]


def _swept_until(transaction: Transaction) -> datetime:
    return datetime.fromtimestamp(cursors.cursor_position(transaction, _SWEEP), UTC)


def sweep_stale(workspace: Workspace) -> tuple[StaleCandidate, ...]:
    """Mark candidates past their `valid_until` with no newer one, without waiting for a record; return the new ones.

    Each end of a check is looked at once: the sweep goes on where the one before it stopped.
    """
    # Whole seconds: what ends within the running one is for the next sweep.
    now = workspace.clock.now().replace(microsecond=0)
    with workspace.store.begin() as transaction:
        after = _swept_until(transaction)
        found = staleness.ended_between(transaction, after=after, until=now)
        staleness.mark_stale(transaction, found, now)
        append_entries(transaction, [_audit_entry(transaction, one, now) for one in found])
        cursors.move_cursor(transaction, _SWEEP, expected=int(after.timestamp()), position=int(now.timestamp()))
    return tuple(found)


def _audit_entry(transaction: Transaction, stale: StaleCandidate, at: datetime) -> NewAuditEntry:
    return NewAuditEntry(
        at=at,
        actor="channelsafe",
        action=AuditAction.CANDIDATE_STALE,
        subject=f"bridge/{stale.bridge}",
        details_digest=transaction.put_sealed(canonical_bytes({"candidate_id": stale.candidate_id})),
        incident=stale.incident,
    )
