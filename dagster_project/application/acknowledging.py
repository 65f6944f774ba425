"""Acknowledging: the fast acknowledgement as the first version of a bridge (rule R7).

Belongs here: issuing it from the profile alone, whatever the sources say or fail to say. Who may is `review.decisions`.
"""

from datetime import timedelta
from typing import Final

from dagster_project.application.gathering import pin
from dagster_project.application.issuing import Issue, issue
from dagster_project.application.profile_approval import require_in_force
from dagster_project.application.profiles import profile_for
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.acknowledgement import acknowledgement_content, acknowledgement_lineage
from dagster_project.packaging.content_schema import schema_violations
from dagster_project.packaging.context import bridges_of
from dagster_project.packaging.lineage import lineage_bytes
from dagster_project.store.profiles import assigned_profiles
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow

# For how long a page that says nothing may stand alone before it counts as too old.
_STANDS_FOR: Final = timedelta(minutes=30)


def issue_acknowledgement(workspace: Workspace, transaction: Transaction, incident: str, bridge: str) -> VersionRow:
    """Issue the acknowledgement; an expired profile still gives it, one that is not approved does not.

    Raises:
        UnsafeOrRejected: no contract record opens the bridge for this incident, or the profile is not in force.
    """
    _require_open(workspace, transaction, incident, bridge)
    digest = profile_for(assigned_profiles(transaction, [incident]), incident=incident, bridge=bridge)
    require_in_force(transaction, workspace, digest)
    tables = workspace.shelf.tables(transaction, digest)
    content = acknowledgement_content(tables)
    if schema_violations(content):
        raise UnsafeOrRejected(
            "acknowledgement_malformed",
            what="the acknowledgement has not the form of the package contract",
            where=f"profile {digest}",
            what_to_do="Correct the profile's template and have it approved.",
        )
    new = Issue(
        incident=incident,
        bridge=bridge,
        kind="acknowledgement",
        content=content,
        lineage_bytes=lineage_bytes(acknowledgement_lineage(tables)),
        label=tables.profile.label,
        candidate_id=None,
        profile_digest=digest,
        valid_until=workspace.clock.now() + _STANDS_FOR,
        as_of=None,
        reaffirmed_at=None,
        manifest={"profile_digest": digest},
    )
    return issue(workspace, transaction, new, [])


def _require_open(workspace: Workspace, transaction: Transaction, incident: str, bridge: str) -> None:
    """Refuse a bridge that no contract record opens: asked of the records themselves, for it may be a first text."""
    (pinned,) = pin(workspace, transaction, [incident])
    if bridge not in {facts.bridge for facts in bridges_of(pinned.snapshot)}:
        raise UnsafeOrRejected(
            "no_bridge_in_contract",
            what="no contract record opens this bridge for this incident",
            where=f"incident {incident}, bridge {bridge}",
            what_to_do="Nothing was changed. Check the name of the bridge, or have its contract record delivered.",
        )
