"""Reviewed fields: applying the outcome of decisions to what sources and profile make of a page.

Belongs here: putting leaves on hold until a decision, keeping earlier values, and letting leaves give way to those.
The guard that holds is in `holds`; which leaves these are is decided in `review`.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from dagster_project.packaging.fields import Draft, Field
from dagster_project.packaging.holds import REVIEW_GUARDS
from dagster_project.packaging.review_inputs import KEPT_FROM_VERSION, Kept, ReviewInputs
from dagster_project.packaging.vocabulary import HELD_VALUES


def reviewed_fields(review: ReviewInputs, fields: Iterable[Field], slots: Mapping[str, str]) -> Iterator[Field]:
    """Yield what decisions leave of rendered fields, and what they keep.

    Args:
        review: The decisions' outcome.
        fields: The fields as the sources and the profile make them.
        slots: The slot in which a hold of a rule's fields shows, by rule id; `other` for rules that name none.
    """
    seen = set()
    for one in fields:
        seen.add(one.pointer)
        if one.pointer not in review.gone:
            yield reviewed_field(review, one, slots)
    for kept in review.kept:
        if kept.pointer not in seen:
            yield Field(draft=_draft_without_source(kept), value=kept.value)


def reviewed_field(review: ReviewInputs, one: Field, slots: Mapping[str, str]) -> Field:
    """Return one field as decisions leave it. A hold that is there for another reason stays that hold."""
    kept = review.kept_by_pointer.get(one.pointer)
    if kept is not None:
        draft = msgspec.structs.replace(one.draft, transformation=KEPT_FROM_VERSION, argument=str(kept.version))
        return Field(draft=draft, value=kept.value)
    if one.hold is not None:
        return one
    slot = slots.get(one.draft.rule_id, "other")
    hold = next((found for guard in REVIEW_GUARDS if (found := guard(review, one.draft, slot))), None)
    return one if hold is None else Field(draft=one.draft, value=HELD_VALUES[one.draft.held_as], hold=hold)


def _draft_without_source(kept: Kept) -> Draft:
    return Draft(
        pointer=kept.pointer,
        field_class=kept.field_class,
        held_as=kept.held_as,
        rule_id="profile",
        transformation=KEPT_FROM_VERSION,
        argument=str(kept.version),
    )
