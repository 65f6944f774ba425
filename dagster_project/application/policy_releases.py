"""Policy releases: releasing what decisions and the profile's own approval cover already, without asking anybody.

Belongs here: going over the bridges of an incident and saying what became of each. It releases nothing that `releasing`
and `reaffirming` would refuse to a person.

A refresh is of the whole incident: what brought it may be a record for the inside, or of another bridge's account. So
after a refresh only those bridges are asked for which it found something that they may see; what else waits at a bridge
goes with the next round, whose instants say nothing of any record (invariant I1).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from dagster_project.application.candidates import current_refresh, opened_bridges
from dagster_project.application.contexts import predecessor_row
from dagster_project.application.one_by_one import for_each
from dagster_project.application.open_questions import is_under_review
from dagster_project.application.projecting import (
    indexes_due,
    packages_waiting,
    project,
    project_package,
    renew_index,
)
from dagster_project.application.pulling import pull_what_lapsed
from dagster_project.application.reaffirming import reaffirm_by_policy
from dagster_project.application.refresh import refresh_where_time_decides
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError, Unavailable, UnsafeOrRejected, UsageError
from dagster_project.store.candidates import CandidateRow
from dagster_project.store.decisions import decided_incidents
from dagster_project.store.gates import latest_release_checks
from dagster_project.store.open_items import unresolved_items
from dagster_project.store.refreshes import candidates_of_refresh
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, all_versions, incidents_with_versions, versions_of

# What keeps a bridge from being told something new, and is no fault.
_WAITS: Final = (
    "not_releasable",
    "nothing_to_release",
    "nothing_to_review",
    "profile_not_in_force",
    "channel_without_bridge",
    "profile_expired",
    "no_trust",
    "trust_expired",
)
NEXT_ROUND: Final = "next_round"


@dataclass(frozen=True)
class BridgeStanding:
    """One bridge after policy was asked: its current version, whether it is new, and why nothing newer is there.

    `under_review` says that an open item is about what the current version implies.
    """

    bridge: str
    current: VersionRow | None
    under_review: bool
    released_now: bool
    waits_for: str


def release_by_policy(workspace: Workspace, incident: str) -> tuple[BridgeStanding, ...]:
    """Pull what may stand no longer, release or reaffirm what the latest refresh lets leave, and publish it.

    Only the bridges that the refresh concerned are asked for a release.

    Returns:
        Where every bridge of the incident stands, those included that were not asked.

    Raises:
        ChannelsafeError: a fault; that people still have to decide is none.
    """
    pull_what_lapsed(workspace, [incident])
    with workspace.store.read() as transaction:
        refresh = current_refresh(transaction, incident)
        concerned = {one.bridge for one in candidates_of_refresh(transaction, refresh) if may_show(transaction, one)}

    def ask(bridge: str) -> BridgeStanding:
        if bridge in concerned:
            return _ask(workspace, incident, bridge)
        return _standing(workspace, incident, bridge, waits_for=NEXT_ROUND)

    return _go_over(workspace, incident, ask)


def may_show(transaction: Transaction, row: CandidateRow) -> bool:
    """Tell whether a candidate differs from the one before it in anything that its bridge may come to see."""
    before = predecessor_row(transaction, row)
    if before is None or (before.content_digest, before.as_of) != (row.content_digest, row.as_of):
        return True
    checks = latest_release_checks(transaction, [before.candidate_id, row.candidate_id])
    return len({one.valid_until for one in checks.values()}) > 1


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


def _go_over(workspace: Workspace, incident: str, ask: Callable[[str], BridgeStanding]) -> tuple[BridgeStanding, ...]:
    with workspace.store.read() as transaction:
        bridges = opened_bridges(transaction, current_refresh(transaction, incident))
    try:
        return tuple(for_each(bridges, ask))
    finally:
        project(workspace)


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
        for act in (refresh_where_time_decides, _pull, _release_what_waits):
            try:
                act(workspace, incident)
            except ChannelsafeError as error:
                failed[incident] = error.code
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


def _pull(workspace: Workspace, incident: str) -> None:
    pull_what_lapsed(workspace, [incident])


def _release_what_waits(workspace: Workspace, incident: str) -> None:
    _go_over(workspace, incident, lambda bridge: _ask(workspace, incident, bridge))


def _soonest_stale(workspace: Workspace) -> list[str]:
    """Return the incidents with a current version, the soonest stale first; then all others that people decided on."""
    with workspace.store.read() as transaction:
        current = [one for one in all_versions(transaction) if one.state == "released"]
        decided = decided_incidents(transaction)
    by_age = sorted(current, key=lambda one: one.valid_until)
    return list(dict.fromkeys((*(one.incident for one in by_age), *decided)))


def _ask(workspace: Workspace, incident: str, bridge: str) -> BridgeStanding:
    try:
        released, waits_for = release(workspace, incident, bridge), ""
    except (UnsafeOrRejected, UsageError, Unavailable) as refused:
        if refused.code not in _WAITS:
            raise
        released, waits_for = None, refused.code
    if waits_for in {"nothing_to_release", "not_releasable"}:
        released = reaffirm_by_policy(workspace, incident, bridge)
    standing = _standing(workspace, incident, bridge, waits_for=waits_for)
    return replace(standing, released_now=released is not None)


def _standing(workspace: Workspace, incident: str, bridge: str, *, waits_for: str) -> BridgeStanding:
    with workspace.store.read() as transaction:
        versions = versions_of(transaction, incident, bridge)
        items = unresolved_items(transaction, incident)
    current = next((one for one in versions if one.state == "released"), None)
    return BridgeStanding(
        bridge=bridge,
        current=current,
        under_review=current is not None and is_under_review(current, items),
        released_now=False,
        waits_for=waits_for,
    )
