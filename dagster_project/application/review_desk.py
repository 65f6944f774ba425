"""The review desk: what waits on which bridge, and one bridge's page as it would leave, with what it lacks.

Belongs here: joining what reviewers are shown before they decide, and who they are by their key. It adds no rule: the
rules are `review`, decisions are drafted by `drafting_decisions` and taken by `deciding`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.application.audit_log import anchor_checkpoints
from dagster_project.application.drafting_decisions import Reviewer, holds_in_force
from dagster_project.application.issuing import package_id_of
from dagster_project.application.pinned import require_incident
from dagster_project.application.profile_approval import profile_standing
from dagster_project.application.projecting import packages_waiting, project_package
from dagster_project.application.releasing import StagedPage, stage
from dagster_project.application.review_state import ReviewState, TakenDecision, is_reviewable, review_state
from dagster_project.application.trust import latest_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError, UnsafeOrRejected
from dagster_project.packaging.release_rules import Reason
from dagster_project.packaging.views import text_view
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from dagster_project.review.changes import Change
from dagster_project.review.coverage import Approval
from dagster_project.review.decisions import Act, Decision
from dagster_project.store.candidates import latest_candidates
from dagster_project.store.incidents import all_incidents
from dagster_project.store.signing_files import load_person_key
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, versions_of

__all__ = [
    "REVIEW_ROLES",
    "Act",
    "Decision",
    "HoldOverview",
    "ReviewPage",
    "ReviewedChange",
    "WaitingBridge",
    "approval_in",
    "hold_to_lift",
    "last_version_number",
    "publish_bridge",
    "review_page",
    "reviewer_of",
    "waiting_bridges",
]

# Sorts what has no page at all before whatever has one that will be too old.
_NEVER_TOLD = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class WaitingBridge:
    """A bridge that waits for people: how many changes by class, whose roles are missing, what else keeps it back.

    `missing` are the reason codes for which the page as it stands may not leave; none where it waits for its release
    alone, or where it is no news and only changes that are not on it wait.
    """

    incident: str
    bridge: str
    current_version: int | None
    stale_after: datetime | None
    changes: int
    changes_by_class: dict[str, int]
    roles_missing: tuple[str, ...]
    rejected: int
    holds: int
    missing: tuple[str, ...]
    is_news: bool


@dataclass(frozen=True)
class ReviewedChange:
    """One change with what decisions make of it. Values are those of packages.

    `state` is ``waits``, ``approved``, ``rejected``, or ``standing`` where the profile's own approval covers it.
    """

    digest: str
    pointer: str
    op: str
    old: Any
    new: Any
    classes: tuple[str, ...]
    roles: tuple[str, ...]
    roles_missing: tuple[str, ...]
    recorded_by: tuple[str, ...]
    recorder_unknown: bool
    state: str


@dataclass(frozen=True)
class HoldOverview:
    """A hold in force; `bridge` is empty where it stops the whole incident. `reason` is for people inside alone."""

    digest: str
    bridge: str
    role: str
    person: str
    since: datetime
    reason: str


@dataclass(frozen=True)
class ReviewPage:
    """One bridge as a reviewer looks at it: every change, the holds, and the page that would leave with its digest.

    `missing` are the codes for which a release would be refused now, `reasons` why its release check failed if it did.
    """

    incident: str
    bridge: str
    candidate: int
    current_version: int | None
    stale_after: datetime | None
    changes: tuple[ReviewedChange, ...]
    holds: tuple[HoldOverview, ...]
    pulled: tuple[str, ...]
    missing: tuple[str, ...]
    reasons: tuple[Reason, ...]
    is_news: bool
    page_digest: str
    page_text: str


def reviewer_of(workspace: Workspace, key_file: Path) -> Reviewer:
    """Return the person whose key this is, as trust has them: a name in the file counts for nothing (rule R8).

    Raises:
        UnsafeOrRejected: nobody who is trusted now has this key.
        Unavailable: the file cannot be read, or nobody is trusted yet.
    """
    key = load_person_key(key_file).key
    with workspace.store.read() as transaction:
        person = latest_trust(transaction, workspace).person_of(key.keyid)
    if person is None:
        raise UnsafeOrRejected(
            "signer_not_trusted",
            what="nobody who is trusted now has this key",
            where=str(key_file),
            what_to_do="Nothing was changed. Sign with a key that `channelsafe trust show` lists.",
        )
    return Reviewer(person, key)


def waiting_bridges(workspace: Workspace, incident: str | None = None) -> tuple[WaitingBridge, ...]:
    """Return every bridge that waits for people: those without a page first, then those soonest too old.

    Args:
        workspace: The deployment.
        incident: Only this one; None for all.

    Raises:
        UsageError: no record about the incident was ever admitted.
        Unavailable: nobody is trusted yet.
    """
    with workspace.store.read() as transaction:
        if incident is not None:
            require_incident(transaction, incident)
        names = [incident] if incident is not None else [one.incident for one in all_incidents(transaction)]
        latest_trust(transaction, workspace)
        desk = _Desk(workspace, transaction)
        found = [desk.waiting(*place) for place in sorted(latest_candidates(transaction, names))]
    waiting = [one for one in found if one is not None]
    return tuple(sorted(waiting, key=lambda one: (one.stale_after or _NEVER_TOLD, one.incident, one.bridge)))


class _Desk:
    """One pass over bridges in one transaction; whether a profile is in force is asked once for all of them."""

    def __init__(self, workspace: Workspace, transaction: Transaction) -> None:
        self._workspace, self._transaction = workspace, transaction
        self._in_force: dict[str, bool] = {}

    def waiting(self, incident: str, bridge: str) -> WaitingBridge | None:
        """Return what a bridge waits for, or None; one that cannot be read is named by its code, and stops no other."""
        current = _current(versions_of(self._transaction, incident, bridge))
        if not is_reviewable(self._transaction, incident, bridge):
            return _waiting_bridge(incident, bridge, current, (), None)
        try:
            page = self.page(incident, bridge)
        except ChannelsafeError as error:
            return _waiting_bridge(incident, bridge, current, (), None, (error.code,))
        state = page.state
        open_changes = tuple(one for one in state.changes if not state.coverage.covers(one))
        if not open_changes and not state.holds and not page.is_news:
            return None
        return _waiting_bridge(incident, bridge, current, open_changes, page, self.missing(page))

    def page(self, incident: str, bridge: str, also: Sequence[Approval] = ()) -> StagedPage:
        """Return the page that may leave now, or with further approvals."""
        state = review_state(self._workspace, self._transaction, incident, bridge, also)
        return stage(self._workspace, self._transaction, state)

    def missing(self, page: StagedPage) -> tuple[str, ...]:
        """Return all for which a release would be refused now."""
        state, found = page.state, list(page.missing)
        if state.trust.expires <= self._workspace.clock.now():
            found.append("trust_expired")
        digest = state.context.tables.digest
        if digest not in self._in_force:
            self._in_force[digest] = profile_standing(self._transaction, self._workspace, digest).in_force
        return tuple(found) if self._in_force[digest] else (*found, "profile_not_in_force")


def _waiting_bridge(
    incident: str,
    bridge: str,
    current: VersionRow | None,
    changes: Sequence[Change],
    page: StagedPage | None,
    missing: tuple[str, ...] = ("release_check_failed",),
) -> WaitingBridge:
    coverage = None if page is None else page.state.coverage
    roles = {role for one in changes for role in (coverage.missing[one.digest] if coverage else ())}
    return WaitingBridge(
        incident=incident,
        bridge=bridge,
        current_version=None if current is None else current.version,
        stale_after=None if current is None else current.valid_until,
        changes=len(changes),
        changes_by_class=dict(sorted(Counter(name for one in changes for name in one.classes).items())),
        roles_missing=tuple(sorted(roles)),
        rejected=sum(1 for one in changes if coverage and one.digest in coverage.rejected),
        holds=0 if page is None else len(page.state.holds),
        missing=missing,
        is_news=page is None or page.is_news,
    )


def review_page(workspace: Workspace, incident: str, bridge: str, given: Approval | None = None) -> ReviewPage:
    """Return one bridge as a reviewer looks at it.

    Args:
        workspace: The deployment.
        incident: The incident.
        bridge: The bridge.
        given: An approval that is being considered: what the page would be with it.

    Raises:
        UsageError: there is no candidate that passed its release check.
        Unavailable: nobody is trusted yet.
    """
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        desk = _Desk(workspace, transaction)
        page = desk.page(incident, bridge, [] if given is None else [given])
        missing = desk.missing(page)
    state, current = page.state, page.state.current
    return ReviewPage(
        incident=incident,
        bridge=bridge,
        candidate=state.candidate.ordinal,
        current_version=None if current is None else current.version,
        stale_after=None if current is None else current.valid_until,
        changes=tuple(_reviewed(state, one) for one in state.changes),
        holds=tuple(_hold(one) for one in state.holds),
        pulled=tuple(sorted(state.pulled)),
        missing=missing,
        reasons=page.check.reasons,
        is_news=page.is_news,
        page_digest=page.digest,
        # A page that did not pass its check is shown to nobody as a page.
        page_text=text_view(page.candidate.content) if page.check.passed else "",
    )


def approval_in(workspace: Workspace, decision: Decision, person: str) -> Approval:
    """Return what a drafted decision would approve, with the person's roles."""
    with workspace.store.read() as transaction:
        roles = latest_trust(transaction, workspace).roles_of(person)
    return Approval(person, roles, frozenset(decision.changes))


def hold_to_lift(workspace: Workspace, incident: str, bridge: str, role: str, named: str = "") -> str:
    """Return the digest of the hold that a role made on a bridge, or on the whole incident where `bridge` is empty.

    Args:
        workspace: The deployment.
        incident: The incident.
        bridge: The bridge, or empty.
        role: The role that made it.
        named: Its digest, where there are several.

    Raises:
        UnsafeOrRejected: there is no such hold, or there are several and none is named.
    """
    found = [
        one.row.decision_digest
        for one in holds_in_force(workspace, incident, bridge)
        if (one.decision.bridge, one.decision.role) == (bridge, role)
    ]
    chosen = [one for one in found if named in {"", one}]
    if len(chosen) == 1:
        return chosen[0]
    raise UnsafeOrRejected(
        "several_holds" if chosen else "no_such_hold",
        what=f"the role {role} has {len(chosen)} such holds in force",
        where=f"incident {incident}, {f'bridge {bridge}' if bridge else 'the whole of it'}",
        what_to_do="Nothing was changed. Name one with --hold; `channelsafe review show` lists them.",
    )


def last_version_number(workspace: Workspace, incident: str, bridge: str) -> int:
    """Return the number of a bridge's last version; 0 where it has none."""
    with workspace.store.read() as transaction:
        return len(versions_of(transaction, incident, bridge))


def publish_bridge(workspace: Workspace, incident: str, bridge: str) -> None:
    """Bring the published folder of one bridge up to date where that is pending; no other package can keep it back.

    Raises:
        Unavailable: the folder or the anchor cannot be written.
        IntegrityViolation: what was read back is not what was written.
    """
    with workspace.store.read() as transaction:
        package_id = package_id_of(transaction, incident, bridge)
    if package_id in packages_waiting(workspace):
        project_package(workspace, package_id)
        # Afterwards, so that an anchor that cannot be written keeps back no pull.
        anchor_checkpoints(workspace)


def _current(versions: Sequence[VersionRow]) -> VersionRow | None:
    return next((one for one in versions if one.state == "released"), None)


def _reviewed(state: ReviewState, change: Change) -> ReviewedChange:
    if change.digest in state.coverage.rejected:
        decided = "rejected"
    elif change.standing:
        decided = "standing"
    else:
        decided = "approved" if state.coverage.covers(change) else "waits"
    return ReviewedChange(
        digest=change.digest,
        pointer=change.pointer,
        op=change.op,
        old=change.old,
        new=change.new,
        classes=change.classes,
        roles=change.roles,
        roles_missing=state.coverage.missing[change.digest],
        recorded_by=change.recorded_by,
        recorder_unknown=change.recorder_unknown,
        state=decided,
    )


def _hold(one: TakenDecision) -> HoldOverview:
    return HoldOverview(
        digest=one.row.decision_digest,
        bridge=one.decision.bridge,
        role=one.decision.role,
        person=one.row.person,
        since=one.row.received_at,
        reason=one.decision.reason,
    )
