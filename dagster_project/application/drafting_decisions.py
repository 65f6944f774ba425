"""Drafting decisions: from what a person wants to decide to the exact decision that they sign.

Belongs here: filling a decision in with what it refers to, the page that would leave included, so that nobody signs
what they were not shown. Taking it is `deciding`.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dagster_project.application.issuing import told_versions
from dagster_project.application.releasing import StagedPage, stage
from dagster_project.application.review_state import ReviewState, TakenDecision, review_state, taken_decisions
from dagster_project.application.trust import latest_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.signatures import SigningKey
from dagster_project.review.changes import Change
from dagster_project.review.coverage import Approval, may_approve
from dagster_project.review.decisions import Act, Decision
from dagster_project.review.history import active_holds
from dagster_project.store.versions import VersionRow, released_bridges, versions_of


@dataclass(frozen=True)
class Reviewer:
    """A person with the key that they sign with."""

    person: str
    key: SigningKey


def staged_page(workspace: Workspace, incident: str, bridge: str) -> StagedPage:
    """Return the page that may leave now, with what is missing for it to leave."""
    with workspace.store.read() as transaction:
        return stage(workspace, transaction, review_state(workspace, transaction, incident, bridge))


def draft_approval(
    workspace: Workspace, incident: str, bridge: str, reviewer: Reviewer, *, pointers: Collection[str] | None = None
) -> Decision:
    """Return a person's approval of changes, and of the whole page that would then leave (R5).

    Args:
        workspace: The deployment.
        incident: The incident.
        bridge: The bridge.
        reviewer: Who approves.
        pointers: The leaves whose changes are approved; None for every change that the person's roles are asked for,
            that they did not record themselves and that nobody rejected: who takes a rejection back names it.

    Raises:
        UsageError: a leaf that is named has no change to approve.
    """
    with workspace.store.read() as transaction:
        trust = latest_trust(transaction, workspace)
        roles = trust.roles_of(reviewer.person)
        state = review_state(workspace, transaction, incident, bridge)
        chosen = _chosen(state, reviewer.person, roles, pointers)
        approval = Approval(reviewer.person, roles, frozenset(one.digest for one in chosen))
        page = stage(workspace, transaction, review_state(workspace, transaction, incident, bridge, [approval]))
        return Decision(
            deployment=trust.deployment,
            act=Act.APPROVE,
            incident=incident,
            bridge=bridge,
            candidate=state.candidate.ordinal,
            changes=tuple(sorted(approval.changes)),
            page=page.digest,
            decided_at=workspace.clock.now(),
        )


def draft_rejection(
    workspace: Workspace, incident: str, bridge: str, pointers: Collection[str], reason: str
) -> Decision:
    """Return a rejection of the changes at these leaves.

    Raises:
        UsageError: a leaf that is named has no change to approve, or the reason cannot be read.
    """
    with workspace.store.read() as transaction:
        state = review_state(workspace, transaction, incident, bridge)
        return Decision(
            deployment=state.trust.deployment,
            act=Act.REJECT,
            incident=incident,
            bridge=bridge,
            candidate=state.candidate.ordinal,
            changes=tuple(sorted(one.digest for one in _at(state, pointers))),
            reason=_words(reason),
            decided_at=workspace.clock.now(),
        )


def draft_act(
    workspace: Workspace,
    act: Act,
    incident: str = "",
    bridge: str = "",
    *,
    version: int = 0,
    fields: Sequence[str] = (),
    refers_to: str = "",
    role: str = "",
    reason: str = "",
) -> Decision:
    """Return any other decision, as of now in this deployment.

    Raises:
        UsageError: the reason cannot be read.
    """
    with workspace.store.read() as transaction:
        deployment = latest_trust(transaction, workspace).deployment
    return Decision(
        deployment=deployment,
        act=act,
        incident=_composed(incident),
        bridge=_composed(bridge),
        version=version,
        fields=tuple(sorted(map(_composed, fields))),
        refers_to=_composed(refers_to),
        role=role,
        reason=_words(reason),
        decided_at=workspace.clock.now(),
    )


def _composed(name: str) -> str:
    """Return a name in the one form that can be signed: keyboards write the same letters in several."""
    return unicodedata.normalize("NFC", name)


def _words(reason: str) -> str:
    """Return a reason on one line; what would move the cursor of whoever reads it is refused."""
    words = _composed(" ".join(reason.split()))
    if words.isprintable():
        return words
    raise UsageError(
        "reason_unreadable",
        what="the reason holds characters that cannot be printed",
        where="--reason",
        what_to_do="Nothing was changed. Write it in words.",
    )


def current_version(workspace: Workspace, incident: str, bridge: str) -> VersionRow:
    """Return the version that a bridge has now.

    Raises:
        UsageError: none is current.
    """
    with workspace.store.read() as transaction:
        versions = versions_of(transaction, incident, bridge)
    current = next((one for one in versions if one.state == "released"), None)
    if current is None:
        raise UsageError(
            "no_current_version",
            what="no version is current",
            where=f"incident {incident}, bridge {bridge}",
            what_to_do=f"See what was released with `channelsafe history {incident}`.",
        )
    return current


def versions_of_incident(workspace: Workspace, incident: str) -> list[VersionRow]:
    """Return every version of every bridge of an incident, by bridge and number."""
    with workspace.store.read() as transaction:
        bridges = released_bridges(transaction, incident)
        return [one for bridge in bridges for one in versions_of(transaction, incident, bridge)]


def shown_fields(workspace: Workspace, row: VersionRow) -> tuple[str, ...]:
    """Return the leaves that a version shows and that are not on hold, by pointer."""
    with workspace.store.read() as transaction:
        (told,) = told_versions(transaction, [row])
    return tuple(sorted(told.shown))


def holds_in_force(workspace: Workspace, incident: str, bridge: str) -> tuple[TakenDecision, ...]:
    """Return the holds that stop releases to a bridge, oldest first."""
    with workspace.store.read() as transaction:
        taken = taken_decisions(transaction, latest_trust(transaction, workspace), incident, bridge)
    active = active_holds([(one.row.decision_digest, one.decision) for one in taken])
    return tuple(one for one in taken if one.row.decision_digest in active)


def _chosen(
    state: ReviewState, person: str, roles: frozenset[str], pointers: Collection[str] | None
) -> Sequence[Change]:
    if pointers is not None:
        return _at(state, pointers)
    return [
        one
        for one in state.changes
        if not one.standing
        and one.digest not in state.coverage.rejected
        and may_approve(one, person)
        and (roles & {*one.roles} or one.recorder_unknown)
    ]


def _at(state: ReviewState, pointers: Collection[str]) -> list[Change]:
    found = [one for one in state.changes if one.pointer in pointers]
    if unknown := sorted({*pointers} - {one.pointer for one in found}):
        raise UsageError(
            "no_such_change",
            what=f"{len(unknown)} of the named fields have no change to approve",
            where=f"incident {state.incident}, bridge {state.bridge}: {', '.join(unknown)}",
            what_to_do=f"See what waits with `channelsafe review show {state.incident} {state.bridge}`.",
        )
    return found
