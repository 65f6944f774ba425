"""Drafts of workarounds and of the statements that records make through approved templates.

Belongs here: which records make a workaround or a statement. The sentences are the profile's templates.
"""

from collections.abc import Iterator
from typing import Final

from dagster_project.packaging.clearance import CLEARED, clearance_of, reviews_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.drafting.inputs import (
    constant,
    direct,
    entitlement,
    indirect,
    permission,
    present,
    shaping_rule,
)
from dagster_project.packaging.fields import Draft, Field, Input
from dagster_project.packaging.profile import Rule
from dagster_project.packaging.transformations import TABLE_PARAMETER_TYPES
from dagster_project.sources.record import Record

_READY_BY: Final = frozenset({"workaround#/readiness", "workaround#/verified"})


def helped_workarounds(context: RenderingContext) -> tuple[Record, ...]:
    """Return the workarounds that help an entitled capability, or a component that the profile does not know."""
    table = context.tables.capability_by_component
    return tuple(
        record
        for record in context.heads_by_type.get("workaround", ())
        if any(table.get(name) is None or table[name] in context.entitled for name in record.data["applies_to"])
    )


def workaround_drafts(context: RenderingContext) -> Iterator[Draft]:
    """Draft readiness and helped capabilities of each workaround, under an opaque code."""
    rule = shaping_rule(context, "workaround#/readiness")
    if rule is None:
        return
    filters = (*entitlement(context), *permission(context))
    for record in helped_workarounds(context):
        place = f"/workarounds/{context.code(record)}"
        applies_to = indirect(record, "workaround#/applies_to", "FILTER")
        yield Draft(
            pointer=f"{place}/readiness",
            field_class="workaround_readiness",
            held_as="workaround_readiness",
            rule_id=rule.id,
            transformation="readiness",
            inputs=(
                direct(record, "workaround#/readiness"),
                indirect(record, "workaround#/verified"),
                applies_to,
                *filters,
            ),
        )
        yield Draft(
            pointer=f"{place}/applies_to",
            field_class="workaround_readiness",
            held_as="list",
            rule_id=rule.id,
            transformation="capabilities_helped",
            inputs=(direct(record, "workaround#/applies_to"), *filters),
        )


def statement_drafts(context: RenderingContext, incident_status: Field | None) -> Iterator[Draft]:
    """Draft every statement: workaround articles, committed cadence, data integrity, cleared dependencies.

    Data integrity is stated with `resolved` only: it is part of that claim (incident_communication M7).
    """
    for record in present(helped_workarounds(context), "workaround#/reference"):
        if _may_be_applied(context, record):
            readiness = (indirect(record, f"workaround#/{name}") for name in ("readiness", "verified"))
            inputs = (direct(record, "workaround#/reference", "IDENTITY"), *readiness, *entitlement(context))
            yield from _statement(context, context.code(record), inputs)
    for record in present(context.bridge.contracts, "contract#/committed_cadence_minutes"):
        source = direct(record, "contract#/committed_cadence_minutes", "IDENTITY")
        yield from _statement(context, "committed-cadence", (source,))
    if incident_status is not None and incident_status.value == "resolved":
        incidents = present(context.heads_by_type.get("incident", ()), "incident#/data_integrity")
        stated = tuple(direct(record, "incident#/data_integrity", "IDENTITY") for record in incidents)
        yield from _statement(context, "data-integrity", stated)
    for record in relevant_dependencies(context):
        if clearance_of(context, record, "dependency#/vendors") == CLEARED:
            reviews = (indirect(one, "security-review#/outcome") for one in reviews_of(context, record))
            inputs = (direct(record, "dependency#/vendors"), *reviews, *entitlement(context))
            yield from _statement(context, context.code(record), inputs)


def _may_be_applied(context: RenderingContext, record: Record) -> bool:
    """Tell whether a workaround is ready and verified: nobody is sent to the steps of one that is not.

    Where the profile keeps back either, that its article is named would tell of it (invariant I1).
    """
    if not context.tables.rendered >= _READY_BY:
        return False
    word = record.data["readiness"]
    return record.data["verified"] is True and context.profile.readiness_codes.get(word) == "available_verified"


def relevant_dependencies(context: RenderingContext) -> tuple[Record, ...]:
    """Return the dependency records that concern an entitled capability, or a component nobody mapped."""
    table = context.tables.capability_by_component
    return tuple(
        record
        for record in context.heads_by_type.get("dependency", ())
        if table.get(record.data["component"]) is None or table[record.data["component"]] in context.entitled
    )


def _statement(context: RenderingContext, key: str, inputs: tuple[Input, ...]) -> Iterator[Draft]:
    rule = shaping_rule(context, inputs[0].source_field) if inputs else None
    if rule is None or rule.template is None:
        return
    place = f"/statements/{key}"
    yield _parameter(context, rule, place, inputs)
    position = context.profile.rules.index(rule)
    yield constant(f"{place}/template", f"/rules/{position}/template", "template_parameter")
    yield constant(f"{place}/text", f"/templates/{rule.template}/text", "template_parameter")


def _parameter(context: RenderingContext, rule: Rule, place: str, inputs: tuple[Input, ...]) -> Draft:
    (name, kind), *_ = context.profile.templates[rule.template or ""].parameters.items()
    return Draft(
        pointer=f"{place}/parameters/{name}",
        field_class="template_parameter",
        held_as="template_parameter",
        rule_id=rule.id,
        transformation="approved_public_names" if kind in TABLE_PARAMETER_TYPES else "typed_parameter",
        inputs=(*inputs, *permission(context)),
        argument=f"{rule.template}/{name}",
    )
