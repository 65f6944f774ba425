"""Drafts of affected and unaffected capabilities, by region bucket.

Belongs here: grouping health records by the profile's capability map and region buckets, and deciding whether a
capability stands among the affected or the unaffected ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.drafting.inputs import (
    constant,
    direct,
    entitlement,
    indirect,
    permission,
    shaping_rule,
)
from dagster_project.packaging.fields import Draft, Field, Input, pointer_token
from dagster_project.packaging.holds import settle
from dagster_project.packaging.profile import Rule
from dagster_project.sources.record import Record

OPERATIONAL = "operational"


class _Observation(msgspec.Struct, frozen=True, gc=False):
    """One health record with everything that fields cite of it.

    `past` is the state of its newest earlier version that was not well: what "recovered" is a claim about.
    """

    record: Record
    state: Input
    since: Input
    component: Input
    region: Input
    past: Input | None


@dataclass(frozen=True)
class _Capability:
    """What was observed of one entitled capability; `permitted` cites by what right this bridge sees it."""

    context: RenderingContext
    rule: Rule
    name: str
    observed: tuple[_Observation, ...]
    permitted: tuple[Input, ...]


def service_state_fields(context: RenderingContext) -> Iterator[Field]:
    """Settle every field of the affected and unaffected capabilities."""
    rule = shaping_rule(context, "service-health#/state")
    if rule is None:
        return
    permitted = (*entitlement(context), *permission(context))
    for name, observed in _observed(context):
        capability = _Capability(context, rule, name, observed, permitted)
        unaffected = settle(context, _status_draft(capability, f"/not_affected/{pointer_token(name)}", observed))
        yield settle(context, constant(f"/names/{pointer_token(name)}", f"/capabilities/{name}/name"))
        was_affected = any(one.past is not None for one in observed)
        if unaffected.hold is None and unaffected.value == OPERATIONAL and not was_affected:
            yield unaffected
        else:
            yield from _affected(capability, unaffected)


def _observed(context: RenderingContext) -> Iterator[tuple[str, tuple[_Observation, ...]]]:
    """Yield the entitled capabilities that have health records, with what those say."""
    grouped: dict[str, list[_Observation]] = {}
    entitled, capabilities = context.entitled, context.tables.capability_by_component
    for record in context.heads_by_type.get("service-health", ()):
        capability = capabilities.get(record.data["component"])
        if capability is not None and capability in entitled:
            grouped.setdefault(capability, []).append(_observation(context, record))
    for capability in sorted(grouped):
        yield capability, tuple(grouped[capability])


def _observation(context: RenderingContext, record: Record) -> _Observation:
    codes = context.profile.status_codes
    earlier = context.earlier_by_identity.get(record.identity, ())
    unwell = [one for one in earlier if codes.get(one.data["state"]) != OPERATIONAL]
    return _Observation(
        record=record,
        state=direct(record, "service-health#/state", "AGGREGATION"),
        since=direct(record, "service-health#/since", "AGGREGATION"),
        component=indirect(record, "service-health#/component", "GROUP_BY"),
        region=indirect(record, "service-health#/region", "GROUP_BY"),
        past=indirect(unwell[-1], "service-health#/state") if unwell else None,
    )


def _affected(capability: _Capability, unaffected: Field) -> Iterator[Field]:
    """Settle what is said of an affected capability; its status is what the draft among the unaffected came to."""
    context = capability.context
    place = f"/affected_capabilities/{pointer_token(capability.name)}"
    buckets: dict[str, list[_Observation]] = {}
    for one in capability.observed:
        bucket = context.tables.bucket_by_region.get(one.record.data["region"])
        if bucket is not None:
            buckets.setdefault(bucket, []).append(one)
    status = replace(unaffected.draft, pointer=f"{place}/capability_status")
    yield Field(draft=status, value=unaffected.value, hold=unaffected.hold)
    if shaping_rule(context, "service-health#/since") is not None:
        yield settle(context, _since_draft(capability, f"{place}/since"))
    for bucket in sorted(buckets):
        pointer = f"{place}/regions/{pointer_token(bucket)}"
        yield settle(context, _status_draft(capability, pointer, buckets[bucket]))
        yield settle(context, constant(f"/names/{pointer_token(bucket)}", f"/region_buckets/{bucket}/name"))


def _status_draft(capability: _Capability, pointer: str, observed: Sequence[_Observation]) -> Draft:
    field_class = "region_status" if "/regions/" in pointer else "capability_status"
    return Draft(
        pointer=pointer,
        field_class=field_class,
        held_as=field_class,
        rule_id=capability.rule.id,
        transformation="worst_status",
        inputs=(
            *(cited for one in observed for cited in (one.state, one.component, one.region)),
            *(one.past for one in observed if one.past is not None),
            *capability.permitted,
        ),
    )


def _since_draft(capability: _Capability, pointer: str) -> Draft:
    observed = capability.observed
    return Draft(
        pointer=pointer,
        field_class="capability_status",
        held_as="instant",
        rule_id=capability.rule.id,
        transformation="status_since",
        inputs=(
            *(cited for one in observed for cited in (one.state, one.since, one.component, one.region)),
            *(one.past for one in observed if one.past is not None),
            *capability.permitted,
        ),
    )
