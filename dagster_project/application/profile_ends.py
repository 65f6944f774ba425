"""Profile ends: which profiles that bridges are rendered with have expired, or expire within 30 days.

Belongs here: the list, read from the store for one instant; nothing is written and nobody is told. The stages of 30, 7
and 1 days are `review.expiry`; what an expired profile stops is `profile_approval`.
"""

from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.profile_approval import profile_expiry, profile_standing
from dagster_project.application.workspace import Workspace
from dagster_project.store.profiles import all_assigned_profiles
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True, order=True)
class EndingProfile:
    """A profile in use and in force that has expired or soon will.

    `within_days` is the nearest of 30, 7 and 1 days within which it ends, None once it has `expired`; `bridges` are
    those that it is assigned to by name, empty where it is the one for every bridge.
    """

    ends: datetime
    name: str
    profile_digest: str
    expired: bool
    within_days: int | None
    bridges: tuple[str, ...]


def ending_profiles(workspace: Workspace, transaction: Transaction) -> tuple[EndingProfile, ...]:
    """Return the profiles whose end is near or has come, the first to end first.

    One that was never approved, or was rejected, is left out: nothing leaves under it whatever its end.
    """
    bridges: dict[str, set[str]] = {}
    for (_incident, bridge), digest in all_assigned_profiles(transaction).items():
        bridges.setdefault(digest, set()).add(bridge)
    found = []
    for digest, names in bridges.items():
        expiry = profile_expiry(transaction, workspace, digest)
        if expiry.is_near and profile_standing(transaction, workspace, digest).in_force:
            profile = workspace.shelf.tables(transaction, digest).profile
            one = EndingProfile(
                ends=expiry.ends,
                name=profile.name,
                profile_digest=digest,
                expired=expiry.expired,
                within_days=expiry.within_days,
                bridges=tuple(sorted(names - {""})),
            )
            found.append(one)
    return tuple(sorted(found))
