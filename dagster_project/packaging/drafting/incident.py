"""Drafts of what is said of the incident as a whole: severity, status, document status, its timeline.

Belongs here: which incident and timeline records feed these fields. What they read is `transformations`.
"""

from collections.abc import Iterator

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.drafting.inputs import direct, indirect, permission, present, shaping_rule
from dagster_project.packaging.fields import Draft, Input

_CONDITIONS = (
    "incident#/cause_confirmed",
    "incident#/resolution_confirmed_by",
    "incident#/data_integrity",
    "incident#/monitoring_until",
)


def incident_drafts(context: RenderingContext) -> Iterator[Draft]:
    """Draft severity, incident status and document status."""
    incidents = context.heads_by_type.get("incident", ())
    severity_rule = shaping_rule(context, "incident#/severity")
    if severity_rule is not None:
        yield Draft(
            pointer="/severity_code",
            field_class="severity",
            held_as="severity",
            rule_id=severity_rule.id,
            transformation="map_severity",
            inputs=(*(direct(one, "incident#/severity") for one in incidents), *permission(context)),
        )
    status_rule = shaping_rule(context, "incident#/state")
    if status_rule is not None:
        inputs = (*_status_inputs(context), *_told_inputs(context), *permission(context))
        for name in ("incident_status", "document_status"):
            yield Draft(
                pointer=f"/{name}",
                field_class="incident_status",
                held_as=name,
                rule_id=status_rule.id,
                transformation=name,
                inputs=inputs,
            )


def _status_inputs(context: RenderingContext) -> Iterator[Input]:
    incidents = context.heads_by_type.get("incident", ())
    for one in incidents:
        yield direct(one, "incident#/state")
    for source_field in _CONDITIONS:
        for one in present(incidents, source_field):
            yield indirect(one, source_field)


def _told_inputs(context: RenderingContext) -> tuple[Input, ...]:
    return tuple(
        indirect(one, "customer-status#/incident_status")
        for one in context.heads_by_type.get("customer-status", ())
        if one.data["bridge"] == context.bridge.bridge
    )


def timeline_drafts(context: RenderingContext) -> Iterator[Draft]:
    """Draft kind and instant of every checkpoint; each stands under an opaque code."""
    rule = shaping_rule(context, "bridge-timeline#/checkpoint")
    if rule is None:
        return
    for record in context.heads_by_type.get("bridge-timeline", ()):
        place = f"/timeline/{context.code(record)}"
        for name, transformation, held_as in (
            ("checkpoint", "checkpoint", "checkpoint"),
            ("at", "instant", "instant"),
        ):
            yield Draft(
                pointer=f"{place}/{name}",
                field_class="checkpoint",
                held_as=held_as,
                rule_id=rule.id,
                transformation=transformation,
                inputs=(direct(record, f"bridge-timeline#/{name}"), *permission(context)),
            )
