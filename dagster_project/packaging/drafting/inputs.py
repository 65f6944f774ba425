"""Inputs: how drafts cite source fields.

Belongs here: the small constructors that every part of a package uses, and the question whether a source field
may shape a field at all. Which fields exist is decided in the modules beside this one.
"""

from collections.abc import Iterable

from dagster_project.packaging.context import WHOLE_PROFILE, RenderingContext
from dagster_project.packaging.fields import Draft, Input
from dagster_project.packaging.profile import Action, Rule
from dagster_project.sources.record import Record


def direct(record: Record, source_field: str, subtype: str = "TRANSFORMATION") -> Input:
    """Cite a value that enters the field."""
    return Input(reference=record.reference, source_field=source_field, relation="DIRECT", subtype=subtype)


def indirect(record: Record, source_field: str, subtype: str = "CONDITIONAL") -> Input:
    """Cite a value that only decides."""
    return Input(reference=record.reference, source_field=source_field, relation="INDIRECT", subtype=subtype)


def masked(record: Record, source_field: str) -> Input:
    """Cite a value that decided and must not be recoverable."""
    return Input(
        reference=record.reference,
        source_field=source_field,
        relation="INDIRECT",
        subtype="CONDITIONAL",
        masking=True,
    )


def present(records: Iterable[Record], source_field: str) -> tuple[Record, ...]:
    """Return the records that hold a value in a top-level source field."""
    name = source_field.partition("#/")[2].partition("/")[0]
    return tuple(record for record in records if name in record.data)


def permission(context: RenderingContext) -> tuple[Input, ...]:
    """Cite the contract that permits the field on this bridge."""
    return tuple(indirect(one, "contract#/permitted_fields", "FILTER") for one in context.bridge.contracts)


def entitlement(context: RenderingContext) -> tuple[Input, ...]:
    """Cite the entitlements that decide which capabilities this bridge sees."""
    return tuple(indirect(one, "entitlement#/capabilities", "FILTER") for one in context.bridge.entitlements)


def shaping_rule(context: RenderingContext, source_field: str) -> Rule | None:
    """Return the rule under which a source field shapes a package field, visibly held or not; None if it does not."""
    rule = context.tables.rules.get(source_field)
    return rule if rule is not None and rule.action in {Action.RENDER, Action.HOLD} else None


def constant(pointer: str, argument: str, field_class: str | None = None) -> Draft:
    """Draft a leaf that the profile alone decides: the only kind without inputs (invariant I3)."""
    return Draft(
        pointer=pointer,
        field_class=field_class,
        held_as="list",
        rule_id=WHOLE_PROFILE,
        transformation="profile_constant",
        argument=argument,
    )
