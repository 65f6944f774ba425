"""Pulls: what was told and is cleared no more, and what a page is without what was taken back.

Belongs here: which leaves lapsed between what a bridge was told and what the sources call for now, and the review
inputs of the version that takes them back. Storing the pull and issuing that version is the application's.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from dagster_project.packaging.lineage import Lineage, LineageGroup
from dagster_project.packaging.review_inputs import PULLED, ReviewInputs

# Holds that say that what was cleared is cleared no more.
_NOT_CLEARED: Final = ("profile_rule", "classification")


def lapsed_leaves(shown: Mapping[str, str], told: Lineage, now: Lineage) -> tuple[str, ...]:
    """Return the leaves that are shown, and that the sources do not clear any more, by pointer.

    Args:
        shown: What the current version shows, by pointer.
        told: The lineage of that version.
        now: The lineage of the latest candidate.
    """
    held = {one.draft.pointer for one in now.groups if one.hold is not None and one.hold.reason in _NOT_CLEARED}
    present = {one.draft.pointer for one in now.groups}
    cleared = {one.draft.pointer for one in told.groups if _rests_on_clearance(one)}
    return tuple(sorted(shown.keys() & (held | (cleared - present))))


def _rests_on_clearance(group: LineageGroup) -> bool:
    return any(one.source_field.startswith("security-review#") for one in group.draft.inputs)


def with_pulled(review: ReviewInputs, pulled: Iterable[str]) -> ReviewInputs:
    """Return review inputs with leaves put on hold because they were pulled; what was kept of them is not."""
    taken_back = frozenset(pulled)
    kept = tuple(one for one in review.kept if one.pointer not in taken_back)
    gone = {one.pointer for one in review.kept if one.pointer in taken_back}
    return ReviewInputs(
        on_hold={**review.on_hold, **dict.fromkeys(sorted(taken_back), PULLED)},
        kept=kept,
        gone=tuple(sorted({*review.gone} - gone)),
        reaffirmed=review.reaffirmed,
        reaffirmed_at=review.reaffirmed_at,
    )
