"""Previewing: what a channel would say now, for people inside.

Belongs here: rendering the newest records of an incident under any profile, approved or not, and judging the page as a
candidate is judged. Nothing is stored: a preview is no candidate, and nothing can be released from it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster_project.application.gathering import pin
from dagster_project.application.profiles import require_sound
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.packaging.channels import readers_of
from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.lineage import lineage_of
from dagster_project.packaging.profile import Profile
from dagster_project.packaging.release_check import release_check
from dagster_project.packaging.release_rules import Reason
from dagster_project.packaging.rendering import render
from dagster_project.packaging.views import text_view


@dataclass(frozen=True)
class Preview:
    """What one channel would say now.

    Args:
        incident: The incident.
        bridge: The bridge; empty where the channel says the same to everybody.
        profile: The profile, by its name.
        channel: Its channel.
        tlp: Its label.
        evaluated_at: For which instant.
        passed: Whether the page passed the checks that a candidate has to pass.
        reasons: Why it did not, if it did not.
        content: What it says; None where it did not pass: such a page is shown to nobody.
        text: The same as a page of plain text; empty where it did not pass.
    """

    incident: str
    bridge: str
    profile: str
    channel: str
    tlp: str
    evaluated_at: datetime
    passed: bool
    reasons: tuple[Reason, ...]
    content: dict[str, Any] | None
    text: str


def preview(
    workspace: Workspace, incident: str, profile: Profile, bridge: str | None = None, at: datetime | None = None
) -> tuple[Preview, ...]:
    """Return what the profile's channel would say of an incident now, by bridge; nothing is stored.

    Args:
        workspace: The deployment.
        incident: The incident.
        profile: Any profile.
        bridge: Only to this bridge; None for each bridge of the incident. A channel that says the same to everybody
            has one page and no bridges.
        at: Evaluate history at this instant, with what had been recorded by then; None for the present.

    Raises:
        UsageError: no such incident; no such bridge of it; or the channel has no bridges.
        UnsafeOrRejected: the profile has errors.
    """
    require_sound(profile)
    tables = ProfileTables(profile)
    with workspace.store.read() as transaction:
        (pinned,) = pin(workspace, transaction, [incident], at)
        code_key = transaction.keys.opaque_codes
    found = [one for one in readers_of(profile.channel, pinned.snapshot) if bridge in {None, one.bridge}]
    if bridge is not None and not (bridge and found):
        raise UsageError(
            "bridge_unknown",
            what="the channel has no page for such a bridge of this incident",
            where=f"incident {incident}, bridge {bridge}, channel {profile.channel}",
            what_to_do="Leave --bridge out to see every page of the channel.",
        )
    contexts = (
        RenderingContext(pinned.snapshot, tables, facts, pinned.evaluation_instant, code_key) for facts in found
    )
    return tuple(_preview(context) for context in contexts)


def _preview(context: RenderingContext) -> Preview:
    rendering = render(context)
    check = release_check(rendering.content, lineage_of(context, rendering), context, predecessor_digest=None)
    return Preview(
        incident=context.snapshot.incident,
        bridge=context.bridge.bridge,
        profile=context.profile.name,
        channel=context.profile.channel,
        tlp=context.profile.label,
        evaluated_at=context.evaluation_instant,
        passed=check.passed,
        reasons=check.reasons,
        content=rendering.content if check.passed else None,
        text=text_view(rendering.content) if check.passed else "",
    )
