"""Slots: the fixed set of places where something may be on hold.

Belongs here: which withheld values a slot stands for, and what state it shows. Slots come from the profile, never
from source records: the set is always the same and always complete (invariant I1).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from dagster_project.packaging.clearance import CLEARED, IN_REVIEW, ON_HOLD, clearance_of, reviews_of
from dagster_project.packaging.context import WHOLE_PROFILE, RenderingContext
from dagster_project.packaging.drafting.inputs import constant, indirect, masked, permission, present
from dagster_project.packaging.drafting.workarounds import relevant_dependencies
from dagster_project.packaging.fields import Absence, Draft, Field, Input
from dagster_project.packaging.holds import settle
from dagster_project.packaging.profile import Action
from dagster_project.sources.record import Record

NONE_DECLARED = "none_declared"
SLOT_TRANSFORMATIONS = ("slot_state", "slot_fields")


class Withheld(msgspec.Struct, frozen=True, gc=False):
    """One value that a rule keeps back under a slot."""

    record: Record
    source_field: str
    action: Action


def withheld_values(context: RenderingContext, slot: str) -> tuple[Withheld, ...]:
    """Return what rules keep back under `slot`: values held until cleared, and annexed values that declare it."""
    found: list[Withheld] = []
    for source_field, action in context.tables.withheld_by_slot.get(slot, ()):
        records = _concerning(context, source_field.partition("#")[0])
        found.extend(Withheld(record, source_field, action) for record in present(records, source_field))
    return tuple(found)


def _concerning(context: RenderingContext, record_type: str) -> Iterable[Record]:
    """Return the heads of a type that concern the bridge: not those about dependencies of what was not bought."""
    heads = context.heads_by_type.get(record_type, ())
    if record_type not in {"dependency", "security-review"}:
        return heads
    relevant = relevant_dependencies(context)
    if record_type == "dependency":
        return relevant
    every = {f"dependency/{one.recordid}" for one in context.heads_by_type.get("dependency", ())}
    elsewhere = every - {f"dependency/{one.recordid}" for one in relevant}
    return [one for one in heads if one.data["review_subject"] not in elsewhere]


def _slot_state(context: RenderingContext, fields: Sequence[str], withheld: Sequence[Withheld]) -> str:
    """Return the state that a slot shows; the most restrictive of everything that it stands for."""
    if fields:
        return ON_HOLD
    held = [one for one in withheld if one.action is Action.HOLD]
    if not held:
        return ON_HOLD if withheld else NONE_DECLARED
    states = {clearance_of(context, one.record, one.source_field) for one in held}
    for state in (ON_HOLD, IN_REVIEW):
        if state in states:
            return state
    return CLEARED


def _slot_fields(slot: str, held: Iterable[Field], absences: Iterable[Absence]) -> list[str]:
    """Return the pointers of everything on hold in `slot`, sorted."""
    pointers = {one.pointer for one in held if one.hold is not None and one.hold.slot == slot}
    return sorted(pointers | {one.pointer for one in absences if one.slot == slot})


def _inputs(
    context: RenderingContext, slot: str, withheld: Sequence[Withheld], absences: Iterable[Absence]
) -> tuple[Input, ...]:
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


def slot_value(context: RenderingContext, draft: Draft, held: Iterable[Field], absences: Iterable[Absence]) -> Any:  # noqa: ANN401 - a JSON value
    """Return what a slot's leaf shows, given the fields on hold and the absences of the package."""
    fields = _slot_fields(draft.argument, held, absences)
    if draft.transformation == "slot_fields":
        return fields
    return _slot_state(context, fields, withheld_values(context, draft.argument))


def slot_fields_of_package(
    context: RenderingContext, fields: tuple[Field, ...], absences: tuple[Absence, ...]
) -> Iterator[Field]:
    """Settle the leaves of every slot."""
    held = [one for one in fields if one.hold is not None]
    for slot in sorted(context.profile.slots):
        place = f"/held/{slot}"
        for name in ("category", "review_role"):
            yield settle(context, constant(f"{place}/{name}", f"/slots/{slot}/{name}", "slot"))
        withheld = withheld_values(context, slot)
        inputs = _inputs(context, slot, withheld, absences)
        listed = _slot_fields(slot, held, absences)
        yield Field(draft=_slot_draft(f"{place}/fields", "slot_fields", slot, inputs), value=listed)
        state = _slot_state(context, listed, withheld)
        yield Field(draft=_slot_draft(f"{place}/slot_state", "slot_state", slot, inputs), value=state)


def _slot_draft(pointer: str, transformation: str, slot: str, inputs: tuple[Input, ...]) -> Draft:
    return Draft(
        pointer=pointer,
        field_class="slot",
        held_as="list",
        rule_id=WHOLE_PROFILE,
        transformation=transformation,
        inputs=inputs,
        argument=slot,
    )
