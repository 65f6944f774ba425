"""Rendering: snapshot, profile, bridge and instant in; the candidate content of one bridge out.

Belongs here: the order in which the parts of a package are settled, what the contract drops, and the result.
Pure: no clock, no I/O. Equal inputs give equal bytes (invariants I5, I6).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.absences import find_absences
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.drafting.incident import incident_drafts, timeline_drafts
from dagster_project.packaging.drafting.inputs import constant
from dagster_project.packaging.drafting.service_state import service_state_fields
from dagster_project.packaging.drafting.slots import SLOT_TRANSFORMATIONS, slot_fields_of_package, slot_value
from dagster_project.packaging.drafting.workarounds import statement_drafts, workaround_drafts
from dagster_project.packaging.fields import Absence, Draft, Field, assemble, pointer_tokens
from dagster_project.packaging.holds import settle
from dagster_project.packaging.review_inputs import KEPT_FROM_VERSION, NO_REVIEW
from dagster_project.packaging.reviewed_fields import reviewed_field, reviewed_fields
from dagster_project.sources.record import Classification, Record

CONTENT_SCHEMA: Final = "channelsafe-package/1"
_SECTIONS: Final = ("affected_capabilities", "not_affected", "workarounds", "timeline", "statements", "names")
_ENTRIES: Final = ("timeline", "workarounds", "statements")


@dataclass(frozen=True)
class Rendering:
    """The candidate content of one bridge with everything known of how it came about.

    `fields` are all leaves with lineage; `absences` are holds without a leaf; `feeding` are the records whose
    values enter rendered fields; `as_of` is the greatest recorded time among them, or None where none does.
    """

    content: dict[str, Any]
    fields: tuple[Field, ...]
    absences: tuple[Absence, ...]
    feeding: tuple[Record, ...]
    as_of: datetime | None

    @cached_property
    def by_pointer(self) -> dict[str, Field]:
        """The fields by pointer."""
        return {one.pointer: one for one in self.fields}

    @cached_property
    def content_bytes(self) -> bytes:
        """The canonical bytes of the content."""
        return canonical_bytes(self.content)

    @cached_property
    def held(self) -> tuple[Field, ...]:
        """The leaves that are on hold."""
        return tuple(one for one in self.fields if one.hold is not None)


def render(context: RenderingContext) -> Rendering:
    """Render one bridge's candidate content."""
    permitted = (one for one in _fields(context) if not any(drop(context, one) for drop in DROP_GUARDS))
    slots = context.tables.slots_by_rule
    fields = tuple(reviewed_fields(context.review, permitted, slots) if context.review is not NO_REVIEW else permitted)
    absences = find_absences(context, fields)
    shown = (reviewed_field(context.review, one, slots) for one in slot_fields_of_package(context, fields, absences))
    every = (*fields, *shown)
    by_pointer = {one.pointer: one for one in every}
    ordered = tuple(by_pointer[pointer] for pointer in sorted(by_pointer))
    feeding = _feeding(context, ordered)
    content = dict.fromkeys(_SECTIONS) | assemble({one.pointer: one.value for one in ordered})
    return Rendering(
        content={name: {} if part is None else part for name, part in content.items()},
        fields=ordered,
        absences=absences,
        feeding=feeding,
        as_of=max((record.recordedtime for record in feeding), default=None),
    )


def _fields(context: RenderingContext) -> Iterator[Field]:
    yield Field(draft=_schema_draft(), value=CONTENT_SCHEMA)
    yield settle(context, constant("/channel", "/channel"))
    yield settle(context, constant("/tlp", "/label"))
    status: Field | None = None
    for draft in incident_drafts(context):
        field = settle(context, draft)
        status = field if field.pointer == "/incident_status" else status
        yield field
    yield from service_state_fields(context)
    for draft in workaround_drafts(context):
        yield settle(context, draft)
    for draft in timeline_drafts(context):
        yield settle(context, draft)
    for draft in statement_drafts(context, status):
        yield settle(context, draft)


def _schema_draft() -> Draft:
    return Draft(
        pointer="/schema",
        field_class=None,
        held_as="list",
        rule_id="profile",
        transformation="content_schema",
    )


DropGuard = Callable[[RenderingContext, Field], bool]


def not_permitted_by_contract(context: RenderingContext, field: Field) -> bool:
    """Drop a field whose class the contract does not permit; what a lapsed one permitted is on hold (`holds`)."""
    return not context.permits(field.draft.field_class) and field.pointer != "/document_status"


def entry_of_the_inside(context: RenderingContext, field: Field) -> bool:
    """Drop what stands for a record of which nothing may be shown: `absences` says once that there is more."""
    if not context.unlisted:
        return False
    part, *rest = pointer_tokens(field.pointer)
    return part in _ENTRIES and rest[0] in context.unlisted


DROP_GUARDS: tuple[DropGuard, ...] = (not_permitted_by_contract, entry_of_the_inside)


def _feeding(context: RenderingContext, fields: tuple[Field, ...]) -> tuple[Record, ...]:
    """Return the records that feed rendered fields; never one of a restricted field (design: time is an input)."""
    resolved, customer = context.index.resolved, Classification.CUSTOMER
    references = {
        one.reference
        for field in fields
        if field.hold is None and field.draft.transformation != KEPT_FROM_VERSION
        for one in field.draft.inputs
        if one.relation == "DIRECT" and resolved[one].label is customer
    }
    return tuple(context.records[reference] for reference in sorted(references))


def reapply(context: RenderingContext, draft: Draft, fields: tuple[Field, ...], absences: tuple[Absence, ...]) -> Any:  # noqa: ANN401 - a JSON value
    """Apply the rule that a lineage group names once more, to the inputs that it cites (invariant I3).

    Of the other `fields` only those on hold matter, for they are what slots show.
    """
    if draft.transformation == "content_schema":
        return CONTENT_SCHEMA
    if draft.transformation == KEPT_FROM_VERSION:
        return context.review.kept_by_pointer[draft.pointer].value
    if draft.transformation in SLOT_TRANSFORMATIONS:
        held = [one for one in fields if one.hold is not None and one.draft.transformation not in SLOT_TRANSFORMATIONS]
        return slot_value(context, draft, held, absences)
    return reviewed_field(context.review, settle(context, draft), context.tables.slots_by_rule).value
