"""Validity: until when what a candidate says may be relied on.

Belongs here: the earliest instant at which any record, contract, entitlement, clearance or profile behind a
rendered field ages out. Per record type, and only for records that feed rendered fields (design section 4).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dagster_project.clock import parse_instant
from dagster_project.packaging.clearance import clearance_expires

if TYPE_CHECKING:
    from dagster_project.packaging.release_rules import Candidate

_RESTRICTED_TYPES = frozenset({"dependency"})


def valid_until(candidate: "Candidate") -> datetime:
    """Return the first instant at which the candidate is no longer valid. A `final` document's facts do not age."""
    return min((*_rights(candidate), *_ages(candidate)))


def _rights(candidate: "Candidate") -> Iterator[datetime]:
    context = candidate.context
    yield context.profile.expires
    for record in (*context.bridge.contracts, *context.bridge.entitlements):
        until = parse_instant(record.data["valid_until"])
        # What has lapsed already is visibly on hold (`holds`, `absences`); the page of holds itself does not age.
        if until > context.evaluation_instant:
            yield until


def _ages(candidate: "Candidate") -> Iterator[datetime]:
    context = candidate.context
    final = candidate.content.get("document_status") == "final"
    review = context.review
    # The same record may feed a field that a person saw to be still so, and one that nobody looked at.
    feeding = {
        (one.reference, group.draft.pointer in review.reaffirmed)
        for group in candidate.lineage.groups
        if group.hold is None
        for one in group.draft.inputs
        if one.relation == "DIRECT"
    }
    records, freshness = context.records, context.profile.freshness_minutes
    for reference, reaffirmed in feeding:
        record = records[reference]
        minutes = freshness.get(record.type)
        if minutes is not None and not final:
            seen = review.reaffirmed_at if reaffirmed else None
            yield max(record.recordedtime, seen or record.recordedtime) + timedelta(minutes=minutes)
        expires = clearance_expires(context, record) if record.type in _RESTRICTED_TYPES else None
        if expires is not None:
            yield expires
