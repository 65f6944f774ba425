"""Policy releases: releasing what decisions and the profile's own approval cover already, without asking anybody.

Belongs here: going over the bridges of an incident and saying what became of each. It releases nothing that `releasing`
and `reaffirming` would refuse to a person.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from dagster_project.application.candidates import current_refresh, opened_bridges
from dagster_project.application.one_by_one import for_each
from dagster_project.application.projecting import (
    indexes_due,
    packages_waiting,
    project,
    project_package,
    renew_index,
)
from dagster_project.application.pulling import pull_what_lapsed
from dagster_project.application.reaffirming import reaffirm_by_policy
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError, Unavailable, UnsafeOrRejected, UsageError
from dagster_project.store.versions import VersionRow, all_versions, incidents_with_versions, versions_of

# What keeps a bridge from being told something new, and is no fault.
_WAITS: Final = (
    "not_releasable",
    "nothing_to_release",
    "nothing_to_review",
    "profile_not_in_force",
    "no_trust",
    "trust_expired",
)


@dataclass(frozen=True)
class BridgeStanding:
    """One bridge after policy was asked: its current version, whether it is new, and why nothing newer is there."""

    bridge: str
    current: VersionRow | None
    released_now: bool
    waits_for: str


def release_by_policy(workspace: Workspace, incident: str) -> tuple[BridgeStanding, ...]:
    """Release, or reaffirm, whatever may leave to any bridge of an incident, and publish it.

    Raises:
        ChannelsafeError: a fault; that people still have to decide is none.
    """
    with workspace.store.read() as transaction:
        bridges = opened_bridges(transaction, current_refresh(transaction, incident))
    try:
        return tuple(for_each(bridges, lambda bridge: _ask(workspace, incident, bridge)))
    finally:
        project(workspace)


def release_after_refresh(workspace: Workspace, refreshed: Collection[str]) -> dict[str, str]:
    """Release by policy for those of these incidents of which anything was released before.

    Returns:
        The codes of what went wrong, by incident; one never stops another.
    """
    with workspace.store.read() as transaction:
        told = incidents_with_versions(transaction, refreshed)
    failed = {}
    for incident in told:
        try:
            release_by_policy(workspace, incident)
        except ChannelsafeError as error:
            failed[incident] = error.code
    return failed


@dataclass(frozen=True)
class Kept:
    """What one round of keeping the published folder right did, and what went wrong by incident or package."""

    asked: int
    renewed: int
    failed: dict[str, str]


def keep_published(workspace: Workspace, *, at_most: timedelta) -> Kept:
    """Go over what is current anywhere: pull, release and reaffirm what needs nobody, and publish it.

    It is level-triggered and needs no person: what a process that died left half done, the next round ends.

    Args:
        workspace: The deployment.
        at_most: No incident is asked later than this; those that become too old first are asked first. What waits for
            its publication is published in any case.
    """
    until = workspace.clock.now() + at_most
    failed: dict[str, str] = {}
    asked = 0
    for incident in _soonest_stale(workspace):
        if workspace.clock.now() > until:
            break
        asked += 1
        try:
            pull_what_lapsed(workspace, [incident])
        except ChannelsafeError as error:
            failed[incident] = error.code
        failed |= release_after_refresh(workspace, [incident])
    renewed = 0
    for package_id in indexes_due(workspace):
        try:
            renew_index(workspace, package_id)
            renewed += 1
        except ChannelsafeError as error:
            failed[package_id] = error.code
    for package_id in packages_waiting(workspace):
        try:
            project_package(workspace, package_id)
        except ChannelsafeError as error:
            failed[package_id] = error.code
    return Kept(asked=asked, renewed=renewed, failed=failed)


def _soonest_stale(workspace: Workspace) -> list[str]:
    with workspace.store.read() as transaction:
        current = [one for one in all_versions(transaction) if one.state == "released"]
    return list(dict.fromkeys(one.incident for one in sorted(current, key=lambda one: one.valid_until)))


def _ask(workspace: Workspace, incident: str, bridge: str) -> BridgeStanding:
    try:
        released, waits_for = release(workspace, incident, bridge), ""
    except (UnsafeOrRejected, UsageError, Unavailable) as refused:
        if refused.code not in _WAITS:
            raise
        released, waits_for = None, refused.code
    if waits_for in {"nothing_to_release", "not_releasable"}:
        released = reaffirm_by_policy(workspace, incident, bridge)
    with workspace.store.read() as transaction:
        versions = versions_of(transaction, incident, bridge)
    current = next((one for one in versions if one.state == "released"), None)
    return BridgeStanding(bridge, current, released_now=released is not None, waits_for=waits_for)
