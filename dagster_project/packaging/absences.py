"""Absences: holds on parts of a package where no leaf can stand yet.

Belongs here: one guard per reason, and `ABSENCE_GUARDS`, the registry that rendering walks. A rejected outage,
a component nobody mapped, a required field without a source: each shows in a slot, none is passed over in
silence (requirement document 1; invariant I1').
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.drafting.inputs import shaping_rule
from dagster_project.packaging.drafting.workarounds import helped_workarounds
from dagster_project.packaging.fields import Absence, Field, pointer_token
from dagster_project.packaging.holds import ACCOUNT_TYPES
from dagster_project.packaging.profile import Action
from dagster_project.sources.conflicts import CONFLICTING_COPIES
from dagster_project.sources.record import Record, reference_to

# Where what a record type would have said would stand.
PART_OF_TYPE: Final = {
    "incident": "/incident_status",
    "service-health": "/affected_capabilities",
    "workaround": "/workarounds",
    "bridge-timeline": "/timeline",
    "entitlement": "/affected_capabilities",
    "contract": "/affected_capabilities",
    "customer-status": "/incident_status",
}
# The slot in which doubt about a record type shows; for every other type it is `other`.
SLOT_OF_TYPE: Final = {
    "contract": "contract",
    "entitlement": "contract",
    "dependency": "dependency",
    "security-review": "dependency",
}
PART_OF_CLASS: Final = {
    "capability_status": "/affected_capabilities",
    "region_status": "/affected_capabilities",
    "incident_status": "/incident_status",
    "severity": "/severity_code",
    "workaround_readiness": "/workarounds",
    "checkpoint": "/timeline",
    "template_parameter": "/statements",
}

# The field class of a map's entries and the source field that shapes them, by the type of their records.
_ENTRY_OF_TYPE: Final = {
    "bridge-timeline": ("checkpoint", "bridge-timeline#/checkpoint"),
    "workaround": ("workaround_readiness", "workaround#/readiness"),
}

AbsenceGuard = Callable[[RenderingContext, tuple[Field, ...]], Iterator[Absence]]


def rejected_inputs(context: RenderingContext, _fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show that something was delivered which could not be admitted: it may speak of a new component."""
    for one in context.snapshot.rejected:
        of_account = one.type in ACCOUNT_TYPES
        if of_account and one.subject != context.bridge.account:
            continue
        slot = SLOT_OF_TYPE.get(one.type, "other")
        part = PART_OF_TYPE.get(one.type, f"/held/{slot}")
        yield Absence(pointer=part, reason="rejected_input", slot=slot, rejected=(one.body_digest,))


def copies_in_conflict(context: RenderingContext, _fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show that copies of one health record differ: the copy that is not pinned may name another component."""
    for conflict in context.snapshot.conflicts:
        pinned = [context.records[one] for one in conflict.references if one in context.records]
        if conflict.kind == CONFLICTING_COPIES and any(one.type == "service-health" for one in pinned):
            yield Absence(
                pointer="/affected_capabilities", reason=conflict.kind, slot="other", evidence=conflict.references
            )


def unmapped_components(context: RenderingContext, _fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show that a component has a state which the profile has no capability for."""
    rule = shaping_rule(context, "service-health#/state")
    if rule is None:
        return
    for record in context.heads_by_type.get("service-health", ()):
        if record.data["component"] not in context.tables.capability_by_component:
            yield _unmapped(record, "/affected_capabilities", rule.slot)


def unmapped_regions(context: RenderingContext, _fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show that a capability is affected in a region which the profile has no bucket for."""
    rule = shaping_rule(context, "service-health#/state")
    if rule is None:
        return
    for record in context.heads_by_type.get("service-health", ()):
        capability = context.tables.capability_by_component.get(record.data["component"])
        if capability in context.entitled and record.data["region"] not in context.tables.bucket_by_region:
            part = f"/affected_capabilities/{pointer_token(str(capability))}/regions"
            yield _unmapped(record, part, rule.slot)


def _unmapped(record: Record, pointer: str, slot: str | None) -> Absence:
    evidence = (reference_to(record),)
    return Absence(pointer=pointer, reason="unmapped_name", slot=slot or "other", evidence=evidence)


def no_entitlement(context: RenderingContext, _fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show that no entitlement in force says what this customer bought, so that no capability is shown."""
    if not context.entitled:
        yield Absence(pointer="/affected_capabilities", reason="entitlement_lapsed", slot="contract")


def entries_of_the_inside(context: RenderingContext, _fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show that there are steps or workarounds of which nothing may be shown; how many is not shown."""
    for field_class, slot, record in _unlisted(context):
        evidence = (reference_to(record),)
        yield Absence(pointer=PART_OF_CLASS[field_class], reason="classification", slot=slot, evidence=evidence)


def _unlisted(context: RenderingContext) -> Iterator[tuple[str, str, Record]]:
    """Yield field class, slot and record of every unlisted record that concerns the bridge and may be spoken of."""
    if not context.unlisted:
        return
    helping = {one.reference for one in helped_workarounds(context)}
    for record in context.unlisted.values():
        field_class, source_field = _ENTRY_OF_TYPE[record.type]
        rule = shaping_rule(context, source_field)
        helps = record.type != "workaround" or record.reference in helping
        if rule is not None and helps and context.permits(field_class):
            yield field_class, rule.slot or "other", record


def required_but_missing(context: RenderingContext, fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show every field class that the contract requires and no record feeds, or that it does not permit itself.

    The status of the document is on every page and says nothing of the incident.
    """
    present = {one.draft.field_class for one in fields if one.pointer != "/document_status"}
    present |= {field_class for field_class, *_ in _unlisted(context)}
    for field_class in (name for one in context.bridge.contracts for name in one.data["required_fields"]):
        if field_class not in present:
            yield Absence(pointer=PART_OF_CLASS.get(field_class, "/"), reason="required_but_missing", slot="contract")


def held_conflicts_without_fields(context: RenderingContext, _fields: tuple[Field, ...]) -> Iterator[Absence]:
    """Show a conflict over what the profile holds outright, where no leaf could show it."""
    for conflict in context.snapshot.conflicts:
        for reference in conflict.references:
            record = context.records.get(reference)
            if record is None or record.type != "dependency":
                continue
            rule = context.tables.rules.get("dependency#/vendors")
            if rule is not None and rule.action is Action.HOLD:
                yield Absence(
                    pointer="/statements",
                    reason=conflict.kind,
                    slot=rule.slot or "other",
                    evidence=(reference,),
                )


ABSENCE_GUARDS: tuple[AbsenceGuard, ...] = (
    rejected_inputs,
    copies_in_conflict,
    unmapped_components,
    unmapped_regions,
    no_entitlement,
    entries_of_the_inside,
    required_but_missing,
    held_conflicts_without_fields,
)


def find_absences(context: RenderingContext, fields: Iterable[Field]) -> tuple[Absence, ...]:
    """Return every absence of this rendering, sorted, each once."""
    settled = tuple(fields)
    return tuple(sorted({one for guard in ABSENCE_GUARDS for one in guard(context, settled)}))
