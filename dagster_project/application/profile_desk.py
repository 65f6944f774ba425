"""The profile desk: proposing a profile as the person of a key, and where every proposed profile stands.

Belongs here: what the command line shows of profiles that people approve. The rules are `profile_approval`.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dagster_project.application.profile_approval import ProfileStanding, profile_standing, propose_profile
from dagster_project.application.review_desk import reviewer_of
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.packaging.profile import Profile
from dagster_project.review.decisions import Act
from dagster_project.store.decisions import decisions_referring_to
from dagster_project.store.profile_proposals import ProposalRow, all_proposals, find_proposal
from dagster_project.store.transaction import Transaction

_ACTS = (Act.APPROVE_PROFILE.value, Act.REJECT_PROFILE.value)


@dataclass(frozen=True)
class ProfileDecision:
    """Who approved or rejected a profile, and when."""

    person: str
    act: str
    received_at: datetime


@dataclass(frozen=True)
class ProfileOverview:
    """A proposed profile: who proposed it, to replace which, who decided, and which roles are missing."""

    profile_digest: str
    name: str
    channel: str
    proposer: str
    proposed_at: datetime
    replaces: str
    in_force: bool
    rejected: bool
    roles_missing: tuple[str, ...]
    decisions: tuple[ProfileDecision, ...]


def propose(workspace: Workspace, profile: Profile, key_file: Path, *, replaces: str = "") -> ProfileOverview:
    """Propose a profile as the person whose key this is; a profile that was proposed before keeps its proposer.

    Raises:
        UnsafeOrRejected: nobody who is trusted has the key, the profile has errors, or what it replaces is not in
            force.
        Unavailable: the key cannot be read, or nobody is trusted yet.
    """
    proposer = reviewer_of(workspace, key_file).person
    return profile_overview(workspace, propose_profile(workspace, profile, proposer=proposer, replaces=replaces))


def profile_overview(workspace: Workspace, digest: str) -> ProfileOverview:
    """Return where one proposed profile stands.

    Raises:
        UsageError: no such profile was proposed.
    """
    with workspace.store.read() as transaction:
        proposal = find_proposal(transaction, digest)
        if proposal is None:
            raise UsageError(
                "no_such_proposal",
                what="no such profile was proposed",
                where=f"profile {digest}",
                what_to_do="`channelsafe profile show` lists those that were; give the digest as it stands there.",
            )
        return _overview(workspace, transaction, proposal)


def profile_overviews(workspace: Workspace) -> tuple[ProfileOverview, ...]:
    """Return where every proposed profile stands, oldest first."""
    with workspace.store.read() as transaction:
        return tuple(_overview(workspace, transaction, one) for one in all_proposals(transaction))


def _overview(workspace: Workspace, transaction: Transaction, proposal: ProposalRow) -> ProfileOverview:
    standing: ProfileStanding = profile_standing(transaction, workspace, proposal.profile_digest)
    profile = workspace.shelf.tables(transaction, proposal.profile_digest).profile
    rows = decisions_referring_to(transaction, proposal.profile_digest, _ACTS)
    return ProfileOverview(
        profile_digest=proposal.profile_digest,
        name=profile.name,
        channel=profile.channel,
        proposer=proposal.proposer,
        proposed_at=proposal.proposed_at,
        replaces=proposal.replaces,
        in_force=standing.in_force,
        rejected=standing.rejected,
        roles_missing=standing.missing,
        decisions=tuple(ProfileDecision(one.person, one.act, one.received_at) for one in rows),
    )
