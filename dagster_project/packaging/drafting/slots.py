"""Slots: the fixed set of places where something may be on hold.

Belongs here: which withheld values a slot stands for, and what state it shows. Slots come from the profile, never
from source records: the set is always the same and always complete (invariant I1).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dagster_project.packaging.clearance import CLEARED, IN_REVIEW, ON_HOLD, clearance_of, reviews_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.drafting.inputs import constant, indirect, masked, permission, present
from dagster_project.packaging.drafting.workarounds import relevant_dependencies
from dagster_project.packaging.fields import Absence, Draft, Field, Input
from dagster_project.packaging.holds import settle
from dagster_project.packaging.profile import Action
from dagster_project.sources.record import Record

NONE_DECLARED = "none_declared"
SLOT_TRANSFORMATIONS = ("slot_state", "slot_fields")


@dataclass(frozen=True)
class Withheld:
    """One value that a rule keeps back under a slot."""

    record: Record
    source_field: str
    action: Action


def withheld_values(context: RenderingContext, slot: str) -> tuple[Withheld, ...]:
    """Return what rules keep back under `slot`: values held until cleared, and annexed values that declare it."""
    relevant = {one.identity for one in relevant_dependencies(context)}
    found: list[Withheld] = []
    for source_field, action in context.tables.withheld_by_slot.get(slot, ()):
        heads = context.heads_by_type.get(source_field.partition("#")[0], ())
        found.extend(
            Withheld(record, source_field, action)
            for record in present(heads, source_field)
            if record.type != "dependency" or record.identity in relevant
        )
    return tuple(found)


def slot_state(context: RenderingContext, slot: str, fields: Iterable[Field], absences: Iterable[Absence]) -> str:
    """Return the state that a slot shows; the most restrictive of everything that it stands for."""
    if slot_fields(slot, fields, absences):
        return ON_HOLD
    withheld = withheld_values(context, slot)
    held = [one for one in withheld if one.action is Action.HOLD]
    if not held:
        return ON_HOLD if withheld else NONE_DECLARED
    states = {clearance_of(context, one.record, one.source_field) for one in held}
    for state in (ON_HOLD, IN_REVIEW):
        if state in states:
            return state
    return CLEARED


def slot_fields(slot: str, fields: Iterable[Field], absences: Iterable[Absence]) -> list[str]:
    """Return the pointers of everything on hold in `slot`, sorted."""
    held = {one.pointer for one in fields if one.hold is not None and one.hold.slot == slot}
    return sorted(held | {one.pointer for one in absences if one.slot == slot})


def _inputs(context: RenderingContext, slot: str, absences: Iterable[Absence]) -> tuple[Input, ...]:
    withheld = withheld_values(context, slot)
    reviews = {
        indirect(review, "security-review#/outcome") for one in withheld for review in reviews_of(context, one.record)
    }
    absent = {
        indirect(context.records[reference], f"{context.records[reference].type}#/")
        for one in absences
        if one.slot == slot
        for reference in one.evidence
        if reference in context.records
    }
    cited = (*(masked(one.record, one.source_field) for one in withheld), *sorted(reviews), *sorted(absent))
    return (*cited, *permission(context))


def slot_value(context: RenderingContext, draft: Draft, fields: Iterable[Field], absences: Iterable[Absence]) -> Any:  # noqa: ANN401 - a JSON value
    """Return what a slot's leaf shows, given everything else in the package."""
    if draft.transformation == "slot_state":
        return slot_state(context, draft.argument, fields, absences)
    return slot_fields(draft.argument, fields, absences)


def slot_fields_of_package(
    context: RenderingContext, fields: tuple[Field, ...], absences: tuple[Absence, ...]
) -> Iterator[Field]:
    """Settle the leaves of every slot."""
    for slot in sorted(context.profile.slots):
        place = f"/held/{slot}"
        for name in ("category", "review_role"):
            yield settle(context, constant(f"{place}/{name}", f"/slots/{slot}/{name}", "slot"))
        for transformation in SLOT_TRANSFORMATIONS:
            draft = Draft(
                pointer=f"{place}/{'fields' if transformation == 'slot_fields' else 'slot_state'}",
                field_class="slot",
                held_as="list",
                rule_id="profile",
                transformation=transformation,
                inputs=_inputs(context, slot, absences),
                argument=slot,
            )
            yield Field(draft=draft, value=slot_value(context, draft, fields, absences))
