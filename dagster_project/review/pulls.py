"""Pulls: what was told and may stand no longer, and what a page is without what was taken back.

Belongs here: which leaves of what a bridge was told are cleared or allowed no more by what sources call for now, and
the review inputs of the version that takes them back. Storing the pull and issuing that version is the application's.
"""

from collections.abc import Collection, Mapping
from typing import Final

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Draft, Input
from dagster_project.packaging.lineage import Lineage
from dagster_project.packaging.review_inputs import NOT_ALLOWED, ReviewInputs
from dagster_project.packaging.rights import is_allowed
from dagster_project.review.pages import is_decided_upon

# Holds that say that what was cleared is cleared no more, or that a text holds a name that is known as internal by now.
_NOT_CLEARED: Final = ("profile_rule", "classification", "leak")


def decided_leaves(lineage: Lineage) -> dict[str, Draft]:
    """Return by pointer what a page says of the incident: neither slots nor what the profile words itself."""
    drafts = (one.draft for one in lineage.groups if one.draft.field_class != "slot")
    return {draft.pointer: draft for draft in drafts if is_decided_upon(draft)}


def told_leaves(shown: Collection[str], told: Lineage) -> dict[str, Draft]:
    """Return by pointer what a version says of the incident and shows.

    Args:
        shown: The leaves that the version shows a value of, by pointer.
        told: The lineage of that version.
    """
    return {pointer: draft for pointer, draft in decided_leaves(told).items() if pointer in shown}


def lapsed_leaves(before: Mapping[str, Draft], now: Lineage) -> frozenset[str]:
    """Return what was told and is cleared no more, by pointer.

    It is on hold for that, gone with the clearance that it rested on, or made of a record of which nothing may be shown
    any more, so that it makes no leaf at all.

    Args:
        before: What was told.
        now: The lineage of the latest candidate.
    """
    held = {one.draft.pointer for one in now.groups if one.hold is not None and one.hold.reason in _NOT_CLEARED}
    present = {one.draft.pointer for one in now.groups}
    cleared = {pointer for pointer, draft in before.items() if _rests_on_clearance(draft.inputs)}
    return frozenset(before.keys() & (held | (cleared - present) | _made_inside(before, now)))


def disallowed_leaves(context: RenderingContext, before: Mapping[str, Draft], now: Lineage) -> frozenset[str]:
    """Return what was told, stands on the page no more, and is not allowed by contract or entitlement, by pointer.

    Args:
        context: What the latest candidate was rendered in.
        before: What was told.
        now: The lineage of the latest candidate.
    """
    gone = before.keys() - {one.draft.pointer for one in now.groups}
    return frozenset(pointer for pointer in gone if not is_allowed(context, before[pointer]))


def _made_inside(before: Mapping[str, Draft], now: Lineage) -> set[str]:
    evidence = (one for absence in now.absences if absence.reason in _NOT_CLEARED for one in absence.evidence)
    inside = {(one.source, one.recordid) for one in evidence}
    return {
        pointer
        for pointer, draft in before.items()
        for one in draft.inputs
        if one.relation == "DIRECT" and (one.reference.source, one.reference.recordid) in inside
    }


def _rests_on_clearance(inputs: Collection[Input]) -> bool:
    return any(one.source_field.startswith("security-review#") for one in inputs)


def with_pulled(review: ReviewInputs, pulled: Mapping[str, str]) -> ReviewInputs:
    """Return review inputs with leaves put on hold because they were pulled; what was kept of them is not.

    Args:
        review: Those of the version that is replaced.
        pulled: The reason of the hold by pointer.
    """
    gone = {one.pointer for one in review.kept if one.pointer in pulled}
    return ReviewInputs(
        on_hold=review.on_hold | {one: _reason(review, one, pulled[one]) for one in sorted(pulled)},
        kept=tuple(one for one in review.kept if one.pointer not in pulled),
        gone=tuple(sorted({*review.gone} - gone)),
        reaffirmed=review.reaffirmed,
        reaffirmed_at=review.reaffirmed_at,
    )


def _reason(review: ReviewInputs, pointer: str, reason: str) -> str:
    """What was not allowed stays in the slot of contracts, whatever else is pulled beside it."""
    return NOT_ALLOWED if review.on_hold.get(pointer) == NOT_ALLOWED else reason
