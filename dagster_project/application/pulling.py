"""Pulling: taking back what was told, at once (design, table of acts).

Belongs here: the version with the slot that a pull or a withdrawal puts in place of what it suspends, and the pull that
no person asks for because a clearance lapsed or was narrowed. Pulling waits for nobody and needs no fresh source.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from dagster_project.application.issuing import issue, restate, told_versions
from dagster_project.application.one_by_one import for_each
from dagster_project.application.projecting import project_package
from dagster_project.application.releasing import (
    check_of,
    context_of_version,
    issue_from,
    predecessor_of_version,
    taken_of,
)
from dagster_project.application.review_state import TakenDecision, taken_decisions
from dagster_project.application.trust import latest_trust, service_key
from dagster_project.application.workspace import Workspace
from dagster_project.packaging.candidate import make_candidate
from dagster_project.packaging.lineage import read_lineage
from dagster_project.packaging.review_inputs import PULLED, ReviewInputs
from dagster_project.review.decisions import Act, Decision, decision_digest, sign_decision
from dagster_project.review.history import active_pulls, publication_states
from dagster_project.review.pages import is_decided_upon
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.candidates import CandidateRow, find_candidate, latest_candidate
from dagster_project.store.decisions import NewDecision, add_decision
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, incidents_with_versions, released_bridges, versions_of

AUTOMATIC: Final = "channelsafe"
# Holds that say that what was cleared is cleared no more.
_NOT_CLEARED: Final = ("profile_rule", "classification")


def take_back(
    workspace: Workspace, transaction: Transaction, incident: str, bridge: str, taken: Sequence[TakenDecision]
) -> VersionRow | None:
    """Suspend what decisions take back, and put a version without it in place of the current one.

    Returns:
        That version, or None where the current one shows nothing that was taken back, or nothing can stand for it:
        then no version is current.
    """
    versions = versions_of(transaction, incident, bridge)
    states = publication_states(told_versions(transaction, versions), taken_of(taken))
    last = versions[-1]
    row = None if last.candidate_id is None else find_candidate(transaction, last.candidate_id)
    if states[last.version] == "released" or row is None:
        restate(workspace, transaction, incident, bridge, taken_of(taken))
        return None
    pulled = active_pulls([one.decision for one in taken])
    withdrawn = any(one.decision.act is Act.WITHDRAW and one.decision.version == last.version for one in taken)
    leaves = _every_leaf(transaction, last) if withdrawn else pulled
    return _without(workspace, transaction, row, versions, taken, leaves)


def _every_leaf(transaction: Transaction, version: VersionRow) -> frozenset[str]:
    groups = read_lineage(transaction.get_sealed(version.lineage_digest)).groups
    drafts = (one.draft for one in groups if one.draft.field_class != "slot")
    return frozenset(draft.pointer for draft in drafts if is_decided_upon(draft))


def _without(
    workspace: Workspace,
    transaction: Transaction,
    row: CandidateRow,
    versions: Sequence[VersionRow],
    taken: Sequence[TakenDecision],
    pulled: frozenset[str],
) -> VersionRow | None:
    """Issue the last version once more with these leaves on hold, from its own pins."""
    before = context_of_version(workspace, transaction, versions[-1])
    context = replace(before, review=_with_pulled(before.review, pulled))
    candidate = make_candidate(context, predecessor_of_version(workspace, transaction, versions))
    check = check_of(context, candidate, versions)
    if not check.passed:
        restate(workspace, transaction, row.incident, row.bridge, taken_of(taken))
        return None
    new = issue_from(workspace, row, context, candidate, check, kind="pull", behind={"pulled": sorted(pulled)})
    return issue(workspace, transaction, new, taken_of(taken))


def _with_pulled(review: ReviewInputs, pulled: frozenset[str]) -> ReviewInputs:
    kept = tuple(one for one in review.kept if one.pointer not in pulled)
    gone = {one.pointer for one in review.kept if one.pointer in pulled}
    return ReviewInputs(
        on_hold={**review.on_hold, **dict.fromkeys(sorted(pulled), PULLED)},
        kept=kept,
        gone=tuple(sorted({*review.gone} - gone)),
        reaffirmed=review.reaffirmed,
        reaffirmed_at=review.reaffirmed_at,
    )


def pull_what_lapsed(workspace: Workspace, refreshed: Collection[str]) -> list[VersionRow]:
    """Pull what is cleared no more from every bridge of incidents that were just refreshed, and publish that.

    Args:
        workspace: The deployment.
        refreshed: The incidents; most were never released, and cost one question together.
    """
    with workspace.store.read() as transaction:
        told = [
            (incident, bridge)
            for incident in incidents_with_versions(transaction, refreshed)
            for bridge in released_bridges(transaction, incident)
        ]
    pulled = for_each(told, lambda one: _pull_lapsed(workspace, *one))
    return [one for one in pulled if one is not None]


def _pull_lapsed(workspace: Workspace, incident: str, bridge: str) -> VersionRow | None:
    with workspace.store.begin() as transaction:
        package_id, row = _pull_from(workspace, transaction, incident, bridge)
    if package_id is not None:
        project_package(workspace, package_id)
    return row


def _pull_from(
    workspace: Workspace, transaction: Transaction, incident: str, bridge: str
) -> tuple[str | None, VersionRow | None]:
    """Pull what lapsed; return the package to be published then, and the version instead, where there is one."""
    versions = versions_of(transaction, incident, bridge)
    row = latest_candidate(transaction, incident, bridge)
    current = next((one for one in versions if one.state == "released" and one.candidate_id is not None), None)
    if row is None or current is None:
        return None, None
    groups = read_lineage(transaction.get_sealed(row.lineage_digest)).groups
    held = {one.draft.pointer for one in groups if one.hold is not None and one.hold.reason in _NOT_CLEARED}
    present = {one.draft.pointer for one in groups}
    (told,) = told_versions(transaction, [current])
    before = read_lineage(transaction.get_sealed(current.lineage_digest)).groups
    cleared = {one.draft.pointer for one in before if _rests_on_clearance(one.draft.inputs)}
    lapsed = sorted(told.shown.keys() & (held | (cleared - present)))
    if not lapsed:
        return None, None
    _store_automatic_pull(workspace, transaction, current, tuple(lapsed))
    taken = taken_decisions(transaction, latest_trust(transaction, workspace), incident, bridge)
    return current.package_id, take_back(workspace, transaction, incident, bridge, taken)


def _rests_on_clearance(inputs: Sequence[object]) -> bool:
    return any(str(getattr(one, "source_field", "")).startswith("security-review#") for one in inputs)


def _store_automatic_pull(
    workspace: Workspace, transaction: Transaction, version: VersionRow, fields: tuple[str, ...]
) -> None:
    now = workspace.clock.now()
    decision = Decision(
        deployment=latest_trust(transaction, workspace).deployment,
        act=Act.PULL,
        incident=version.incident,
        bridge=version.bridge,
        version=version.version,
        fields=fields,
        reason="a clearance lapsed or was narrowed",
        decided_at=now,
    )
    key = service_key(workspace, "release")
    digest, body_digest = (
        decision_digest(decision, key.keyid),
        transaction.put_sealed(sign_decision(decision, key)),
    )
    add_decision(
        transaction,
        NewDecision(
            decision_digest=digest,
            act=decision.act.value,
            person=AUTOMATIC,
            keyid=key.keyid,
            incident=version.incident,
            bridge=version.bridge,
            refers_to="",
            body_digest=body_digest,
            received_at=now,
        ),
    )
    entry = NewAuditEntry(
        at=now,
        actor=AUTOMATIC,
        action=AuditAction.DECISION_PULL,
        subject=f"bridge/{version.bridge}/decision/{digest}",
        details_digest=body_digest,
        incident=version.incident,
    )
    append_entry(transaction, entry)
