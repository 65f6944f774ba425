"""Releasing: what people have decided leaves, and nothing else does.

Belongs here: verifying everything again in the one transaction that makes a version (design, section 4): trust, holds,
coverage, the approval of the whole page, and the release check over exactly its bytes. Making the version is `issuing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec

from dagster_project.application.contexts import context_of
from dagster_project.application.issuing import Issue, issue
from dagster_project.application.profile_approval import require_in_force
from dagster_project.application.review_state import ReviewState, TakenDecision, review_state
from dagster_project.application.trust import current_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.documents import document_of, read_document
from dagster_project.packaging.candidate import Candidate, make_candidate
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.delta import Predecessor
from dagster_project.packaging.fields import leaves
from dagster_project.packaging.lineage import fields_from, read_lineage
from dagster_project.packaging.open_items import MATERIAL_CHANGE, OpenItem, material_change
from dagster_project.packaging.release_check import ReleaseCheck, release_check, release_check_document
from dagster_project.packaging.review_inputs import ReviewInputs
from dagster_project.review.changes import Change
from dagster_project.review.coverage import coverage_of
from dagster_project.review.decisions import Act
from dagster_project.review.history import Taken
from dagster_project.store import incidents
from dagster_project.store.candidates import CandidateRow, find_candidate
from dagster_project.store.open_items import NewOpenItem, keep_open_items, unresolved_items
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow

NO_PAGE_APPROVAL: Final = "page_not_approved"


@dataclass(frozen=True)
class StagedPage:
    """The page that may leave now, made and checked, with what is missing for it to leave.

    `missing` are reason codes; empty where it may be released. `changes` are those that it carries out.
    """

    state: ReviewState
    candidate: Candidate
    check: ReleaseCheck
    carried: tuple[Change, ...]
    missing: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The digest of the content, which the last approval signs (R5)."""
        return digest_bytes(self.candidate.content_bytes)

    @property
    def is_news(self) -> bool:
        """Whether it says anything else than what the bridge was told last."""
        return not self.state.versions or self.state.versions[-1].content_digest != self.digest


def stage(workspace: Workspace, transaction: Transaction, state: ReviewState) -> StagedPage:
    """Make and check the page that may leave now (R4), and say what it still lacks."""
    candidate = make_candidate(state.staged, predecessor_of_version(workspace, transaction, state.versions))
    check = check_of(state.staged, candidate, state.versions)
    carried = tuple(one for one in state.changes if state.coverage.covers(one))
    page = StagedPage(state, candidate, check, carried, ())
    return replace(page, missing=tuple(_missing(workspace, transaction, page)))


def stage_by_policy(workspace: Workspace, transaction: Transaction, state: ReviewState) -> StagedPage:
    """Make and check the page that may leave without any approval by people; what they rejected stays rejected."""
    alone = coverage_of(state.changes, [], state.coverage.rejected)
    return stage(workspace, transaction, replace(state, coverage=alone))


def check_of(context: RenderingContext, candidate: Candidate, versions: Sequence[VersionRow]) -> ReleaseCheck:
    """Return the release check over a page that follows the last of these versions."""
    return release_check(
        candidate.content,
        candidate.lineage,
        context,
        predecessor_digest=versions[-1].content_digest if versions else None,
        lineage_digest=digest_bytes(candidate.lineage_bytes),
    )


def _missing(workspace: Workspace, transaction: Transaction, page: StagedPage) -> list[str]:
    state = page.state
    found = []
    row = incidents.find_incident(transaction, state.incident)
    if row is None or row.pending_since is not None:
        found.append("change_pending")
    if state.holds:
        found.append("on_hold_by_people")
    if not page.check.passed:
        found.append("release_check_failed")
    elif not page.check.holds_at(workspace.clock.now()):
        found.append("release_check_lapsed")
    if state.told is None and not page.carried:
        found.append("nothing_approved")
    if _needs_page_approval(page) and not _page_approval(page):
        found.append(NO_PAGE_APPROVAL)
    return found


def _needs_page_approval(page: StagedPage) -> bool:
    return any(not one.standing for one in page.carried) or page.state.told is None


def _page_approval(page: StagedPage) -> TakenDecision | None:
    """Return the approval of exactly this page, by someone whom one of its changes asks for, after all others (R5)."""
    asked = {role for one in page.carried for role in one.roles}
    carried = {one.digest for one in page.carried}
    for one in reversed(page.state.taken):
        if one.decision.act is not Act.APPROVE or not one.roles & asked:
            continue
        if one.decision.page == page.digest:
            return one
        if carried & {*one.decision.changes}:
            return None
    return None


def release(workspace: Workspace, incident: str, bridge: str) -> VersionRow:
    """Release the page that may leave now.

    Raises:
        UnsafeOrRejected: something is missing, or there is nothing new to say; nothing was changed.
        UsageError: the bridge has no candidate that passed its check.
        Unavailable: trust is missing or has expired.
    """
    with workspace.store.begin() as transaction:
        return release_in(workspace, transaction, incident, bridge)


def release_in(workspace: Workspace, transaction: Transaction, incident: str, bridge: str) -> VersionRow:
    """Release within a transaction; arguments and errors are those of `release`."""
    current_trust(transaction, workspace)
    state = review_state(workspace, transaction, incident, bridge)
    require_in_force(transaction, workspace, state.context.tables.digest)
    page = _ready(workspace, transaction, state)
    if page.missing:
        raise UnsafeOrRejected(
            "not_releasable",
            what=f"the page may not leave: {', '.join(page.missing)}",
            where=f"incident {incident}, bridge {bridge}",
            what_to_do=f"See what is missing with `channelsafe review show {incident} {bridge}`.",
        )
    if not page.is_news:
        raise UnsafeOrRejected(
            "nothing_to_release",
            what="the bridge was told exactly this already",
            where=f"incident {incident}, bridge {bridge}",
            what_to_do="Reaffirm it with `channelsafe review reaffirm` if it is about to be too old.",
        )
    new = issue_of(workspace, state, page.candidate, page.check, kind="release", carried=page.carried)
    row = issue(workspace, transaction, new, taken_of(state.taken))
    _keep_material_items(workspace, transaction, page)
    return row


def _keep_material_items(workspace: Workspace, transaction: Transaction, page: StagedPage) -> None:
    """Open an item for every material change that no person was asked about; one for whom it is resolves them all."""
    state = page.state
    approved = _page_approval(page)
    if approved is not None and "support_leadership" in approved.roles:
        found = []
    else:
        units: dict[str, list[str]] = {}
        for one in page.carried:
            if one.standing and one.material:
                units.setdefault(one.unit, []).append(one.pointer)
        changed = ([state.fields[pointer] for pointer in units[unit]] for unit in sorted(units))
        items = [material_change(state.context, fields) for fields in changed]
        found = [*_still_open(transaction, state), *(_new_item(state, item) for item in items)]
    keep_open_items(
        transaction,
        found,
        among={(state.incident, state.bridge)},
        kinds=(MATERIAL_CHANGE,),
        at=workspace.clock.now(),
    )


def _new_item(state: ReviewState, item: OpenItem) -> NewOpenItem:
    return NewOpenItem(
        incident=state.incident,
        bridge=state.bridge,
        kind=item.kind,
        identity_digest=item.identity_digest,
        owner_role=item.owner_role,
        detail=canonical_bytes(document_of(item)),
    )


def _still_open(transaction: Transaction, state: ReviewState) -> list[NewOpenItem]:
    return [
        NewOpenItem(
            incident=row.incident,
            bridge=row.bridge,
            kind=row.kind,
            identity_digest=row.identity_digest,
            owner_role=row.owner_role,
            detail=b"",  # it is open already, and what is open stays as it was opened
        )
        for row in unresolved_items(transaction, state.incident)
        if (row.bridge, row.kind) == (state.bridge, MATERIAL_CHANGE)
    ]


def _ready(workspace: Workspace, transaction: Transaction, state: ReviewState) -> StagedPage:
    """Return the page with everything that is covered; or, where nobody signed it whole, with what policy covers.

    What waits for the last approval never keeps back a worsening that the profile's own approval covers.
    """
    page = stage(workspace, transaction, state)
    if page.missing != (NO_PAGE_APPROVAL,) or state.told is None:
        return page
    by_policy = stage_by_policy(workspace, transaction, state)
    return by_policy if by_policy.is_news and not by_policy.missing else page


def taken_of(taken: Sequence[TakenDecision]) -> list[Taken]:
    """Return decisions as the states of versions follow from them."""
    return [Taken(one.row.received_at, one.decision) for one in taken]


def issue_of(
    workspace: Workspace,
    state: ReviewState,
    candidate: Candidate,
    check: ReleaseCheck,
    *,
    kind: str,
    carried: Sequence[Change] = (),
) -> Issue:
    """Return what is to be issued, with everything that stands behind it."""
    return issue_from(
        workspace, state.candidate, state.staged, candidate, check, kind=kind, behind=_behind(state, carried)
    )


def issue_from(
    workspace: Workspace,
    row: CandidateRow,
    context: RenderingContext,
    candidate: Candidate,
    check: ReleaseCheck,
    *,
    kind: str,
    behind: dict[str, object],
    valid_until: datetime | None = None,
) -> Issue:
    """Return what is to be issued from a page that was rendered in a context."""
    until = valid_until or check.valid_until
    if until is None or not check.passed:
        raise UnsafeOrRejected(
            "release_check_failed",
            what="the page did not pass its release check",
            where=f"incident {row.incident}, bridge {row.bridge}",
            what_to_do="See the reasons with `channelsafe review show`.",
        )
    return Issue(
        incident=row.incident,
        bridge=row.bridge,
        kind=kind,
        content=candidate.content,
        lineage_bytes=candidate.lineage_bytes,
        label=context.profile.label,
        candidate_id=row.candidate_id,
        profile_digest=context.tables.digest,
        valid_until=until,
        as_of=candidate.as_of,
        reaffirmed_at=context.review.reaffirmed_at,
        manifest={
            "candidate_id": str(row.candidate_id),
            "snapshot_digest": row.snapshot_digest,
            "profile_digest": context.tables.digest,
            "renderer_digest": workspace.renderer.digest,
            "tzdata_version": workspace.renderer.tzdata_version,
            "evaluation_instant": document_of(context.evaluation_instant),
            "review": document_of(context.review),
            "release_check": release_check_document(check),
            "delta": read_document(candidate.delta_bytes),
            "annex_digest": row.annex_digest,
            "withheld": candidate.withheld,
            **behind,
        },
    )


def _behind(state: ReviewState, carried: Sequence[Change]) -> dict[str, object]:
    """Return the changes that a version carries out, and the decisions that cover each."""
    return {
        "trust_version": state.trust.version,
        "changes": [document_of(one) | {"digest": one.digest} for one in carried],
        "decisions": {
            one.digest: [
                taken.row.decision_digest
                for taken in state.taken
                if taken.decision.act is Act.APPROVE and one.digest in taken.decision.changes
            ]
            for one in carried
        },
    }


def review_inputs_of_version(transaction: Transaction, row: VersionRow) -> ReviewInputs:
    """Return the outcome of decisions that a version was rendered with."""
    manifest = read_document(transaction.get_sealed(row.manifest_digest))
    return msgspec.convert(manifest["review"], ReviewInputs)


def context_of_version(workspace: Workspace, transaction: Transaction, row: VersionRow) -> RenderingContext:
    """Return the context that a version was rendered in, from its pins."""
    candidate = None if row.candidate_id is None else find_candidate(transaction, row.candidate_id)
    if candidate is None:
        raise LookupError("an acknowledgement was rendered from nothing")
    review = review_inputs_of_version(transaction, row)
    return replace(context_of(workspace, transaction, candidate), review=review)


def predecessor_of_version(
    workspace: Workspace, transaction: Transaction, versions: Sequence[VersionRow]
) -> Predecessor | None:
    """Return the last version as a predecessor; None where nothing of the incident was told yet."""
    if not versions or versions[-1].candidate_id is None:
        return None
    last = versions[-1]
    content = read_document(transaction.get_sealed(last.content_digest))
    lineage = read_lineage(transaction.get_sealed(last.lineage_digest))
    return Predecessor(
        content=content,
        context=context_of_version(workspace, transaction, last),
        fields=fields_from(lineage, leaves(content)),
    )
