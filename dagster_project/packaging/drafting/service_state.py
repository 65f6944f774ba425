"""Drafts of affected and unaffected capabilities, by region bucket.

Belongs here: grouping health records by the profile's capability map and region buckets, and deciding whether a
capability stands among the affected or the unaffected ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Capability:
    """The health records of one entitled capability, and the past impact of those that are well again."""

    context: RenderingContext
    rule: Rule
    name: str
    records: tuple[Record, ...]
    past_impact: tuple[Record, ...]


def entitled_capabilities(context: RenderingContext) -> Iterator[tuple[str, tuple[Record, ...]]]:
    """Yield the entitled capabilities that have health records, with those records."""
    grouped: dict[str, list[Record]] = {}
    for record in context.heads_by_type.get("service-health", ()):
        capability = context.tables.capability_by_component.get(record.data["component"])
        if capability is not None and capability in context.entitled:
            grouped.setdefault(capability, []).append(record)
    for capability in sorted(grouped):
        yield capability, tuple(grouped[capability])


def service_state_fields(context: RenderingContext) -> Iterator[Field]:
    """Settle every field of the affected and unaffected capabilities."""
    rule = shaping_rule(context, "service-health#/state")
    if rule is None:
        return
    for name, records in entitled_capabilities(context):
        capability = _Capability(context, rule, name, records, _past_impact(context, records))
        unaffected = settle(context, _status_draft(capability, f"/not_affected/{pointer_token(name)}", records))
        yield settle(context, constant(f"/names/{pointer_token(name)}", f"/capabilities/{name}/name"))
        if unaffected.hold is None and unaffected.value == OPERATIONAL and not capability.past_impact:
            yield unaffected
        else:
            yield from _affected(capability)


def _past_impact(context: RenderingContext, records: Sequence[Record]) -> tuple[Record, ...]:
    """For each record, cite the newest earlier version that was not well: what "recovered" is a claim about."""
    codes = context.profile.status_codes
    found = []
    for record in records:
        unwell = [
            one
            for one in context.earlier_by_identity.get(record.identity, ())
            if codes.get(one.data["state"]) != OPERATIONAL
        ]
        found.extend(unwell[-1:])
    return tuple(found)


def _affected(capability: _Capability) -> Iterator[Field]:
    context = capability.context
    place = f"/affected_capabilities/{pointer_token(capability.name)}"
    buckets: dict[str, list[Record]] = {}
    for record in capability.records:
        bucket = context.tables.bucket_by_region.get(record.data["region"])
        if bucket is not None:
            buckets.setdefault(bucket, []).append(record)
    yield settle(context, _status_draft(capability, f"{place}/capability_status", capability.records))
    yield settle(context, _since_draft(capability, f"{place}/since"))
    for bucket in sorted(buckets):
        pointer = f"{place}/regions/{pointer_token(bucket)}"
        yield settle(context, _status_draft(capability, pointer, buckets[bucket]))
        yield settle(context, constant(f"/names/{pointer_token(bucket)}", f"/region_buckets/{bucket}/name"))


def _status_draft(capability: _Capability, pointer: str, records: Sequence[Record]) -> Draft:
    field_class = "region_status" if "/regions/" in pointer else "capability_status"
    return Draft(
        pointer=pointer,
        field_class=field_class,
        held_as=field_class,
        rule_id=capability.rule.id,
        transformation="worst_status",
        inputs=tuple(_inputs(capability, records, ("service-health#/state",))),
    )


def _since_draft(capability: _Capability, pointer: str) -> Draft:
    return Draft(
        pointer=pointer,
        field_class="capability_status",
        held_as="instant",
        rule_id=capability.rule.id,
        transformation="status_since",
        inputs=tuple(_inputs(capability, capability.records, ("service-health#/state", "service-health#/since"))),
    )


def _inputs(capability: _Capability, records: Sequence[Record], source_fields: Sequence[str]) -> Iterator[Input]:
    for record in records:
        for source_field in source_fields:
            yield direct(record, source_field, "AGGREGATION")
        yield indirect(record, "service-health#/component", "GROUP_BY")
        yield indirect(record, "service-health#/region", "GROUP_BY")
    if capability.past_impact:
        identities = {record.identity for record in records}
        for past in capability.past_impact:
            if past.identity in identities:
                yield indirect(past, "service-health#/state")
    yield from entitlement(capability.context)
    yield from permission(capability.context)
