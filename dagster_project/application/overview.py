"""Overviews: where incidents stand, what their pages said over time, and one candidate in full.

Belongs here: the read-only questions of people inside. Values shown are package values; of records only ids.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dagster_project.application.checks import read_stored_check
from dagster_project.application.open_questions import is_under_review, read_open_item
from dagster_project.application.pinned import require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.canonical import parse_strict
from dagster_project.packaging.delta import Delta, Operation
from dagster_project.packaging.open_items import OpenItem
from dagster_project.packaging.release_rules import Reason
from dagster_project.store import gates, incidents, intake
from dagster_project.store.candidates import CandidateRow, candidates_of, latest_candidate
from dagster_project.store.intake import RejectedState
from dagster_project.store.open_items import unresolved_items
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import released_bridges, versions_of

__all__ = [
    "CandidateOverview",
    "IncidentOverview",
    "OpenItem",
    "Reason",
    "candidate_history",
    "candidate_views",
    "find_row",
    "incident_overviews",
    "one_candidate",
    "open_items_now",
]


@dataclass(frozen=True)
class CandidateOverview:
    """One candidate: where it stands, what changed, and why it did not pass, if it did not.

    `publication_state` is ``candidate`` or ``failed_check``: nothing is released yet. Of a candidate that did not pass,
    source-derived texts and changed values are left out: they may be the very thing that must not be seen.
    """

    incident: str
    bridge: str
    ordinal: int
    content_number: int
    content_changed: bool
    evaluated_at: datetime
    as_of: datetime | None
    outcome: str
    publication_state: str
    valid_until: datetime | None
    reasons: tuple[Reason, ...]
    changes_by_cause: dict[str, int]
    content: dict[str, Any]
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class IncidentOverview:
    """One incident: its pending change, its bridges' latest candidates, and how many questions are open.

    `under_review` are the bridges whose current version is under review.
    """

    incident: str
    pending: bool
    revision: int
    observed_revision: int
    open_items: int
    rejected_inputs: int
    under_review: tuple[str, ...]
    candidates: tuple[CandidateOverview, ...]


def _overview(transaction: Transaction, row: CandidateRow) -> CandidateOverview:
    stored = gates.latest_release_check(transaction, row.candidate_id)
    check = None if stored is None else read_stored_check(transaction, stored)
    delta = msgspec.convert(parse_strict(transaction.get_sealed(row.delta_digest)), Delta)
    passed = gates.find_manifest(transaction, row.candidate_id) is not None
    content = parse_strict(transaction.get_sealed(row.content_digest))
    before_passed = row.predecessor_id is None or gates.find_manifest(transaction, row.predecessor_id) is not None
    return CandidateOverview(
        incident=row.incident,
        bridge=row.bridge,
        ordinal=row.ordinal,
        content_number=row.content_number,
        content_changed=row.content_changed,
        evaluated_at=row.evaluation_instant,
        as_of=row.as_of,
        outcome=row.outcome.value,
        publication_state="candidate" if passed else "failed_check",
        valid_until=None if check is None else check.valid_until,
        reasons=() if check is None else check.reasons,
        changes_by_cause=dict(sorted(Counter(one.cause for one in delta.operations).items())),
        content=content if passed else content | {"statements": {}},
        operations=_operations(delta, before_passed=before_passed) if passed else (),
    )


def _operations(delta: Delta, *, before_passed: bool) -> tuple[Operation, ...]:
    """Return the changes; what a predecessor said that did not pass is named by digest only."""
    if before_passed:
        return delta.operations
    return tuple(msgspec.structs.replace(one, old=None) for one in delta.operations)


def incident_overviews(workspace: Workspace) -> tuple[IncidentOverview, ...]:
    """Return every incident by name, with the latest candidate of each bridge."""
    with workspace.store.read() as transaction:
        return tuple(_incident(transaction, row.incident) for row in incidents.all_incidents(transaction))


def _incident(transaction: Transaction, name: str) -> IncidentOverview:
    row = require_incident(transaction, name)
    subjects = incidents.subjects_of(transaction, name)
    newest = {one.bridge: one for one in candidates_of(transaction, name)}
    items = unresolved_items(transaction, name)
    told = (one for bridge in released_bridges(transaction, name) for one in versions_of(transaction, name, bridge))
    return IncidentOverview(
        incident=name,
        pending=row.revision > row.observed_revision,
        revision=row.revision,
        observed_revision=row.observed_revision,
        open_items=len(items),
        rejected_inputs=len(intake.rejected_inputs_in(transaction, RejectedState.OPEN, subjects=subjects)),
        under_review=tuple(one.bridge for one in told if is_under_review(one, items)),
        candidates=tuple(_overview(transaction, newest[bridge]) for bridge in sorted(newest)),
    )


def candidate_history(workspace: Workspace, incident: str, bridge: str | None = None) -> tuple[CandidateOverview, ...]:
    """Return all candidates of an incident, by bridge and in order."""
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        rows = candidates_of(transaction, incident)
        return tuple(_overview(transaction, row) for row in rows if bridge in {None, row.bridge})


def find_row(transaction: Transaction, incident: str, bridge: str, ordinal: int | None = None) -> CandidateRow:
    """Return one candidate; without an ordinal the latest.

    Raises:
        UsageError: there is none.
    """
    require_incident(transaction, incident)
    if ordinal is None:
        row = latest_candidate(transaction, incident, bridge)
    else:
        every = candidates_of(transaction, incident)
        row = next((one for one in every if (one.bridge, one.ordinal) == (bridge, ordinal)), None)
    if row is None:
        raise UsageError(
            "candidate_unknown",
            what="there is no such candidate",
            where=f"incident {incident}, bridge {bridge}, candidate {ordinal or 'latest'}",
            what_to_do=f"See what there is with `channelsafe history {incident}`.",
        )
    return row


def one_candidate(workspace: Workspace, incident: str, bridge: str, ordinal: int | None = None) -> CandidateOverview:
    """Return one candidate in full; without an ordinal the latest of the bridge."""
    with workspace.store.read() as transaction:
        return _overview(transaction, find_row(transaction, incident, bridge, ordinal))


def candidate_views(workspace: Workspace, incident: str, bridge: str, ordinal: int | None = None) -> dict[str, bytes]:
    """Return the views of one candidate by file name.

    Raises:
        UsageError: there is no such candidate, or it has no internal manifest: a page that did not pass its check
            is shown to nobody as a page.
    """
    with workspace.store.read() as transaction:
        row = find_row(transaction, incident, bridge, ordinal)
        if gates.find_manifest(transaction, row.candidate_id) is None:
            raise UsageError(
                "candidate_not_checked",
                what="this candidate did not pass its release check, so it has no page to show",
                where=f"incident {incident}, bridge {bridge}, candidate {row.ordinal}",
                what_to_do="See its reasons with `channelsafe show` without --view.",
            )
        names = parse_strict(transaction.get_sealed(row.view_digest))
        return {name: transaction.get_sealed(digest) for name, digest in sorted(names.items())}


def open_items_now(workspace: Workspace, incident: str) -> tuple[OpenItem, ...]:
    """Return the unresolved open items of an incident with both their sides, in a stable order."""
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        items = [read_open_item(transaction, row) for row in unresolved_items(transaction, incident)]
    return tuple(sorted(items, key=lambda one: (one.bridge, one.kind, one.slot, one.fields)))
