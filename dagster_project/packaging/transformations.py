"""Transformations: how a rule makes a field's value from source values.

Belongs here: the closed set of pure functions that turn read values into a package value, or say why they
cannot. Whether a field must be on hold for another reason is `holds`; which fields exist is `drafting`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec

from dagster_project.clock import format_instant, parse_instant
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Draft, ReadValue, pointer_tokens
from dagster_project.packaging.vocabulary import DATA_INTEGRITY, STATUS_CHAIN
from dagster_project.sources.record import RecordReference

# The form of a help article's number; anything else typed into that field is not one.
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


class Derived(msgspec.Struct, frozen=True, gc=False):
    """A value, or the code of the reason why there is none."""

    value: Any = None
    problem: str | None = None


Transformation = Callable[[RenderingContext, Draft, Sequence[ReadValue]], Derived]


def _of(values: Sequence[ReadValue], source_field: str) -> list[Any]:
    return [
        one.value
        for one in values
        if one.source.source_field == source_field and one.value is not None and one.source.subtype != "FILTER"
    ]


def _mapped(table: Mapping[str, str], words: Sequence[str]) -> Derived:
    if not words:
        return Derived(problem="missing_value")
    if any(word not in table for word in words):
        return Derived(problem="unknown_value")
    return Derived(table[words[0]])


def profile_constant(context: RenderingContext, draft: Draft, _values: Sequence[ReadValue]) -> Derived:
    """Take a value from the profile document by pointer (`draft.argument`); inputs are none by definition."""
    place: Any = context.tables.document
    for name in pointer_tokens(draft.argument):
        place = place[int(name)] if isinstance(place, list) else place[name]
    return Derived(place)


def map_severity(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Map the source's severity by the profile's table."""
    return _mapped(context.profile.severities, _of(values, "incident#/severity"))


# Whether these are stated decides, and never what they say: who confirmed a resolution is nobody's business outside.
READ_FOR_PRESENCE: Final = frozenset({"incident#/resolution_confirmed_by"})


def incident_status(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Map the incident state, and claim no more than what was confirmed.

    `identified` needs a confirmed cause, else it reads `investigating`. `resolved` needs incident command's
    confirmation, a known data-integrity statement and the end of the monitoring period, else it reads
    `monitoring` (design section 6; incident_communication M7, M8).
    """
    mapped = _mapped(context.profile.incident_states, _of(values, "incident#/state"))
    if mapped.value == "identified" and set(_of(values, "incident#/cause_confirmed")) != {True}:
        return Derived("investigating")
    if mapped.value == "resolved" and not _resolution_is_complete(context, values):
        return Derived("monitoring")
    return mapped


def _resolution_is_complete(context: RenderingContext, values: Sequence[ReadValue]) -> bool:
    confirmed = _of(values, "incident#/resolution_confirmed_by")
    integrity = _of(values, "incident#/data_integrity")
    monitored = _of(values, "incident#/monitoring_until")
    return (
        bool(confirmed)
        and bool(integrity)
        and all(word in DATA_INTEGRITY[:-1] for word in integrity)
        and bool(monitored)
        and all(parse_instant(end) <= context.evaluation_instant for end in monitored)
    )


def document_status(context: RenderingContext, draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """`final` once nothing more is expected to change, else `interim` (CSAF's meaning of the two)."""
    status = incident_status(context, draft, values)
    if status.problem:
        return status
    return Derived("final" if status.value in {"resolved", "merged", "withdrawn"} else "interim")


class _Observed(msgspec.Struct, frozen=True, gc=False):
    """What health records say, split by source field: where each was looked at, and in what state it is now."""

    components: list[ReadValue]
    regions: list[ReadValue]
    states: list[ReadValue]

    @classmethod
    def of(cls, values: Sequence[ReadValue]) -> Self:
        by_field: dict[str, list[ReadValue]] = {}
        for one in values:
            # A past state is cited too: it decides where a capability stands, but is not its state.
            if one.source.source_field != "service-health#/state" or one.source.relation == "DIRECT":
                by_field.setdefault(one.source.source_field, []).append(one)
        names = ("component", "region", "state")
        return cls(*(by_field.get(f"service-health#/{name}", []) for name in names))

    def statuses(self, context: RenderingContext) -> dict[RecordReference, str]:
        """Return the mapped status by record, of the records whose names and words the profile all maps."""
        mapped = _mapped_records(self.components, context.tables.capability_by_component)
        mapped &= _mapped_records(self.regions, context.tables.bucket_by_region)
        codes = context.profile.status_codes
        return {
            one.source.reference: codes[one.value]
            for one in self.states
            if one.value in codes and one.source.reference in mapped
        }

    def problem(self, context: RenderingContext) -> str | None:
        """Return the code of the first name or word that the profile does not map, or None where it maps all."""
        if any(one.value not in context.tables.capability_by_component for one in self.components):
            return "unmapped_component"
        if any(one.value not in context.tables.bucket_by_region for one in self.regions):
            return "unmapped_region"
        if any(one.value not in context.profile.status_codes for one in self.states):
            return "unknown_value"
        return None


def _mapped_records(values: Sequence[ReadValue], table: Mapping[str, str]) -> set[RecordReference]:
    return {one.source.reference for one in values if one.value in table}


def worst_status(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Show the worst observed state: a bucket or capability is never shown better than any part of it.

    A part that cannot be mapped leaves the whole unknown, unless another part already has the worst status there
    is: a known major outage is not hidden behind a question.
    """
    observed = _Observed.of(values)
    return _worst(context, observed, observed.statuses(context))


def _worst(context: RenderingContext, observed: _Observed, statuses: Mapping[RecordReference, str]) -> Derived:
    worst = STATUS_CHAIN[-1]
    if worst in statuses.values():
        return Derived(worst)
    problem = observed.problem(context)
    if problem or not statuses:
        return Derived(problem=problem or "missing_value")
    if any(status not in STATUS_CHAIN for status in statuses.values()):
        return Derived(problem="incomparable_value")
    return Derived(max(statuses.values(), key=STATUS_CHAIN.index))


def status_since(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Since when the shown status holds.

    A bad status holds since the first record had it; `operational` holds since the last one was well again.
    """
    observed = _Observed.of(values)
    statuses = observed.statuses(context)
    worst = _worst(context, observed, statuses)
    if worst.problem:
        return worst
    since = [
        parse_instant(one.value)
        for one in values
        if one.source.source_field == "service-health#/since" and statuses.get(one.source.reference) == worst.value
    ]
    if not since:
        return Derived(problem="missing_value")
    return Derived(format_instant(max(since) if worst.value == STATUS_CHAIN[0] else min(since)))


def readiness(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Map workaround readiness; `available_verified` only where the record says that it was verified."""
    mapped = _mapped(context.profile.readiness_codes, _of(values, "workaround#/readiness"))
    if mapped.value == "available_verified" and True not in _of(values, "workaround#/verified"):
        return Derived("in_test_do_not_apply")
    return mapped


def capabilities_helped(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Name the entitled capabilities that a workaround helps."""
    components = [component for listed in _of(values, "workaround#/applies_to") for component in listed]
    table = context.tables.capability_by_component
    if any(component not in table for component in components):
        return Derived(problem="unmapped_component")
    return Derived(sorted({table[component] for component in components} & context.entitled))


def checkpoint(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Map the kind of a timeline step."""
    return _mapped(context.profile.checkpoint_kinds, _of(values, "bridge-timeline#/checkpoint"))


def instant(_context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Show an instant in UTC."""
    stated = [one.value for one in values if one.source.relation == "DIRECT"]
    return Derived(format_instant(parse_instant(stated[0]))) if stated else Derived(problem="missing_value")


def typed_parameter(context: RenderingContext, draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Take a template parameter (`draft.argument` is ``template/parameter``) if it has its declared type."""
    template, _, parameter = draft.argument.partition("/")
    kind = context.profile.templates[template].parameters[parameter]
    stated = [one.value for one in values if one.source.relation == "DIRECT" and one.value is not None]
    if not stated:
        return Derived(problem="missing_value")
    if any(one != stated[0] for one in stated):
        return Derived(problem="contradicting_authorities")
    return PARAMETER_TYPES[kind](stated[0])


def _reference(value: object) -> Derived:
    fits = isinstance(value, str) and _REFERENCE.fullmatch(value) is not None
    return Derived(value) if fits else Derived(problem="unknown_value")


def _minutes(value: object) -> Derived:
    return Derived(value) if isinstance(value, int) else Derived(problem="unknown_value")


def _data_integrity(value: object) -> Derived:
    return Derived(value) if value in DATA_INTEGRITY[:-1] else Derived(problem="unknown_value")


PARAMETER_TYPES: Final[Mapping[str, Callable[[object], Derived]]] = MappingProxyType(
    {"reference": _reference, "minutes": _minutes, "data_integrity": _data_integrity}
)
# Parameter types that come from a table of the profile, not from the value itself.
TABLE_PARAMETER_TYPES: Final = ("public_names",)


def approved_public_names(context: RenderingContext, _draft: Draft, values: Sequence[ReadValue]) -> Derived:
    """Show the approved public names of cleared vendors; one without a public name keeps all of them back."""
    vendors = [vendor for listed in _of(values, "dependency#/vendors") for vendor in listed]
    names = context.profile.lexicons.approved_public_names
    if not vendors:
        return Derived(problem="missing_value")
    if any(vendor not in names for vendor in vendors):
        return Derived(problem="no_public_name")
    return Derived(sorted({names[vendor] for vendor in vendors}))


TRANSFORMATIONS: Final[Mapping[str, Transformation]] = MappingProxyType(
    {
        "profile_constant": profile_constant,
        "map_severity": map_severity,
        "incident_status": incident_status,
        "document_status": document_status,
        "worst_status": worst_status,
        "status_since": status_since,
        "readiness": readiness,
        "capabilities_helped": capabilities_helped,
        "checkpoint": checkpoint,
        "instant": instant,
        "typed_parameter": typed_parameter,
        "approved_public_names": approved_public_names,
    }
)
