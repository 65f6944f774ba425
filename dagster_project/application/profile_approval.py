"""Profile approval: a profile is in force once everyone whom rule R3 names has approved its digest.

Belongs here: proposing profiles, what approvals they have, and whether one is in force. Which people these must be is
`review.profile_rules`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.application.profiles import load_profile
from dagster_project.application.review_state import TakenDecision, read_taken
from dagster_project.application.trust import AdoptedTrust, trust_chain
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.audit_entries import AuditAction
from dagster_project.packaging.profile import Profile
from dagster_project.review.decisions import Act
from dagster_project.review.profile_rules import PROFILE_ROLES, is_stricter, missing_profile_roles
from dagster_project.store import decisions as decision_rows
from dagster_project.store.audit import NewAuditEntry, append_entry
from dagster_project.store.decisions import DecisionRow
from dagster_project.store.profile_proposals import ProposalRow, add_proposal, find_proposal
from dagster_project.store.transaction import Transaction

_ACTS = (Act.APPROVE_PROFILE.value, Act.REJECT_PROFILE.value)


@dataclass(frozen=True)
class ProfileStanding:
    """Where a profile stands: who proposed it, which roles are still to approve it, whether it was rejected."""

    profile_digest: str
    proposal: ProposalRow | None
    missing: tuple[str, ...]
    rejected: bool

    @property
    def in_force(self) -> bool:
        """Whether releases may be made under it."""
        return self.proposal is not None and not self.missing and not self.rejected


def propose_profile(workspace: Workspace, profile: Profile, *, proposer: str, replaces: str = "") -> str:
    """Store a profile and propose it; return its digest.

    Args:
        workspace: The deployment.
        profile: What is proposed.
        proposer: The person who proposes, who may not approve it (R2).
        replaces: Digest of the profile in force that it is to replace: a stricter one needs one approval only.

    Raises:
        UnsafeOrRejected: the profile has errors, or what it is to replace is not in force.
    """
    digest = load_profile(workspace, profile)
    with workspace.store.begin() as transaction:
        if replaces:
            _require_replaceable(transaction, workspace, replaces, by=digest)
        append_entry(
            transaction,
            NewAuditEntry(
                at=workspace.clock.now(),
                actor=proposer,
                action=AuditAction.PROFILE_CHANGED,
                subject=f"profile/{digest}",
                details_digest=digest,
            ),
        )
        add_proposal(
            transaction,
            ProposalRow(profile_digest=digest, proposer=proposer, replaces=replaces, proposed_at=workspace.clock.now()),
        )
    return digest


def _require_replaceable(transaction: Transaction, workspace: Workspace, digest: str, *, by: str) -> None:
    """Refuse to replace what is not in force: so chains of replacements end, and a slip of the pen is noticed."""
    if digest == by or not profile_standing(transaction, workspace, digest).in_force:
        raise UnsafeOrRejected(
            "replaced_not_in_force",
            what="the profile that is to be replaced is not one that is in force",
            where=f"profile {digest}",
            what_to_do="Nothing was proposed. `channelsafe profile show` lists those in force.",
        )


def profile_standing(transaction: Transaction, workspace: Workspace, digest: str) -> ProfileStanding:
    """Return where a profile stands."""
    proposal = find_proposal(transaction, digest)
    chain = trust_chain(transaction, workspace)
    # A profile came into force by what its people were entitled to then: nobody's leaving darkens every bridge.
    taken = [
        _as_it_was_taken(transaction, chain, row)
        for row in decision_rows.decisions_referring_to(transaction, digest, _ACTS)
    ]
    approving = {
        one.row.person: one.roles & PROFILE_ROLES
        for one in taken
        if one.decision.act is Act.APPROVE_PROFILE and (proposal is None or one.row.person != proposal.proposer)
    }
    stricter = False
    if proposal is not None and proposal.replaces:
        before = profile_standing(transaction, workspace, proposal.replaces)
        shelf = workspace.shelf
        stricter = before.in_force and is_stricter(
            shelf.tables(transaction, proposal.replaces).profile, shelf.tables(transaction, digest).profile
        )
    return ProfileStanding(
        profile_digest=digest,
        proposal=proposal,
        missing=missing_profile_roles(approving, stricter=stricter),
        rejected=any(one.decision.act is Act.REJECT_PROFILE and one.roles for one in taken),
    )


def _as_it_was_taken(transaction: Transaction, chain: Sequence[AdoptedTrust], row: DecisionRow) -> TakenDecision:
    """Read a decision with the roles that its person had when it was accepted."""
    held = [one.trust for one in chain if one.adopted_at <= row.received_at] or [chain[0].trust]
    read = [read_taken(transaction, trust, row) for trust in reversed(held)]
    return next((one for one in read if one.roles), read[0])


def require_in_force(transaction: Transaction, workspace: Workspace, digest: str) -> None:
    """Refuse to release under a profile that is not in force.

    Raises:
        UnsafeOrRejected: it was not approved by all, or was rejected.
    """
    standing = profile_standing(transaction, workspace, digest)
    if not standing.in_force:
        missing = ", ".join(standing.missing) or ("rejected" if standing.rejected else "never proposed")
        raise UnsafeOrRejected(
            "profile_not_in_force",
            what=f"the profile that the page was rendered with is not in force: {missing}",
            where=f"profile {digest}",
            what_to_do="Have it approved with `channelsafe profile approve`, then refresh and release.",
        )
