"""Clearance: what security review currently lets out of a restricted record.

Belongs here: how reviews of one record combine. The most restrictive review wins, and whatever a review does not
say is not cleared (requirement document 1, governance; design section 4, "Conflicts are scoped").
"""

from datetime import datetime
from typing import Any

from dagster_project.clock import parse_instant
from dagster_project.packaging.context import RenderingContext
from dagster_project.sources.record import Record, reference_to

ON_HOLD, IN_REVIEW, CLEARED = "on_hold", "in_review", "cleared"


def reviews_of(context: RenderingContext, record: Record) -> tuple[Record, ...]:
    """Return the security reviews whose subject is this record's object, whatever version they looked at."""
    return context.index.reviews_by_subject.get(f"{record.type}/{record.recordid}", ())


def clearance_of(context: RenderingContext, record: Record, source_field: str) -> str:
    """Return `cleared`, `in_review` or `on_hold` for one field of a restricted record.

    Cleared means: at least one review, none that says otherwise, each for this very record version, this field
    and this channel, each with an expiry that lies ahead, and neither record nor review in conflict.
    """
    reviews = reviews_of(context, record)
    if not reviews:
        return ON_HOLD
    disputed = any(reference_to(one) in context.conflicts_by_record for one in (record, *reviews))
    doubtful = any((one.source, one.type, one.subject) in context.rejected_by_origin for one in reviews)
    # A review names type and record id, not the source: where two sources use one id nobody knows which it means.
    namesakes = [one for one in context.heads_by_type.get(record.type, ()) if one.recordid == record.recordid]
    if disputed or doubtful or len(namesakes) > 1:
        return ON_HOLD
    states = [_state(context, review.data, record, source_field) for review in reviews]
    for state in (ON_HOLD, IN_REVIEW):
        if state in states:
            return state
    return CLEARED


def clearance_expires(context: RenderingContext, record: Record) -> datetime | None:
    """Return when the first of the reviews that clear this record lapses, or None where none states it."""
    stated = [review.data.get("expires") for review in reviews_of(context, record)]
    return min((parse_instant(text) for text in stated if text), default=None)


def _state(context: RenderingContext, review: dict[str, Any], record: Record, source_field: str) -> str:
    if review["outcome"] == "in_review":
        return IN_REVIEW
    expires = review.get("expires")
    covers = (
        review["outcome"] in {"cleared", "narrowed"}
        and review["subject_version"] == record.recordversion
        and source_field.partition("#")[2] in review["scope"]
        and context.profile.channel in review["channels"]
        and expires is not None
        and parse_instant(expires) > context.evaluation_instant
    )
    return CLEARED if covers else ON_HOLD
