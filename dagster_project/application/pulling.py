"""Pulling: taking back what was told, at once (design, table of acts).

Belongs here: the version with the slot that a pull or a withdrawal puts in place of what it suspends, and the pull that
no person asks for because a clearance, the contract or an entitlement lapsed or was narrowed. Pulling waits for nobody
and needs no fresh source.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from dagster_project.application.candidates import is_open
from dagster_project.application.contexts import context_of
from dagster_project.application.issuing import issue, restate, told_versions
from dagster_project.application.material_items import note_new_version
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
from dagster_project.packaging.fields import Draft
from dagster_project.packaging.lineage import Lineage, read_lineage
from dagster_project.packaging.review_inputs import NOT_ALLOWED, PULLED
from dagster_project.review.decisions import Act, Decision, decision_digest, sign_decision
from dagster_project.review.history import active_pulls, publication_states
from dagster_project.review.pulls import decided_leaves, disallowed_leaves, lapsed_leaves, told_leaves, with_pulled
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.candidates import CandidateRow, find_candidate, latest_candidate
from dagster_project.store.decisions import NewDecision, add_decision
from dagster_project.store.refreshes import latest_refresh
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, incidents_with_versions, released_bridges, versions_of

AUTOMATIC: Final = "channelsafe"
_CLEARANCE: Final = "a clearance lapsed or was narrowed"
_RIGHTS: Final = "the contract or the entitlement allows it no more"


def take_back(
    workspace: Workspace,
    transaction: Transaction,
    incident: str,
    bridge: str,
    taken: Sequence[TakenDecision],
    not_allowed: Collection[str] = (),
) -> VersionRow | None:
    """Suspend what decisions take back, and put a version without it in place of the current one.

    Args:
        workspace: The deployment.
        transaction: One that may write.
        incident: The incident.
        bridge: The bridge.
        taken: The decisions about it, in order.
        not_allowed: What of it is taken back because contract or entitlement allow it no more, by pointer.

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
    leaves = frozenset(decided_leaves(_lineage(transaction, last.lineage_digest))) if withdrawn else pulled
    reasons = {one: NOT_ALLOWED if one in not_allowed else PULLED for one in leaves}
    return _without(workspace, transaction, row, versions, taken, reasons)


def _lineage(transaction: Transaction, lineage_digest: str) -> Lineage:
    return read_lineage(transaction.get_sealed(lineage_digest))


def _without(
    workspace: Workspace,
    transaction: Transaction,
    row: CandidateRow,
    versions: Sequence[VersionRow],
    taken: Sequence[TakenDecision],
    pulled: Mapping[str, str],
) -> VersionRow | None:
    """Issue the last version once more with these leaves on hold for these reasons, from its own pins."""
    before = context_of_version(workspace, transaction, versions[-1])
    context = replace(before, review=with_pulled(before.review, pulled))
    candidate = make_candidate(context, predecessor_of_version(workspace, transaction, versions))
    check = check_of(context, candidate, versions)
    if not check.passed:
        restate(workspace, transaction, row.incident, row.bridge, taken_of(taken))
        return None
    new = issue_from(workspace, row, context, candidate, check, kind="pull", behind={"pulled": sorted(pulled)})
    version = issue(workspace, transaction, new, taken_of(taken))
    note_new_version(workspace, transaction, row.incident, row.bridge)
    return version


def pull_what_lapsed(workspace: Workspace, refreshed: Collection[str]) -> list[VersionRow]:
    """Pull what is cleared or allowed no more from every bridge of incidents that were just refreshed; publish that.

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
    refresh = latest_refresh(transaction, incident)
    if row is None or current is None or refresh is None or refresh.is_history:
        return None, None  # what history says of the past takes nothing back today
    now = _lineage(transaction, row.lineage_digest)
    (told,) = told_versions(transaction, [current])
    before = told_leaves(told.shown, _lineage(transaction, current.lineage_digest))
    not_allowed = _not_allowed(workspace, transaction, row, before, now)
    lapsed = lapsed_leaves(before, now) - not_allowed
    if not (lapsed or not_allowed):
        return None, None
    for fields, reason in ((lapsed, _CLEARANCE), (not_allowed, _RIGHTS)):
        if fields:
            _store_automatic_pull(workspace, transaction, current, tuple(sorted(fields)), reason)
    taken = taken_decisions(transaction, latest_trust(transaction, workspace), incident, bridge)
    return current.package_id, take_back(workspace, transaction, incident, bridge, taken, not_allowed)


def _not_allowed(
    workspace: Workspace, transaction: Transaction, row: CandidateRow, before: Mapping[str, Draft], now: Lineage
) -> frozenset[str]:
    """Return what was told and contract or entitlement allow no more; all of it where no contract opens the bridge."""
    if not is_open(transaction, row):
        return frozenset(before)
    return disallowed_leaves(context_of(workspace, transaction, row), before, now)


def _store_automatic_pull(
    workspace: Workspace, transaction: Transaction, version: VersionRow, fields: tuple[str, ...], reason: str
) -> None:
    now = workspace.clock.now()
    decision = Decision(
        deployment=latest_trust(transaction, workspace).deployment,
        act=Act.PULL,
        incident=version.incident,
        bridge=version.bridge,
        version=version.version,
        fields=fields,
        reason=reason,
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
