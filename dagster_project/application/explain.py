"""Explaining a field: its whole lineage, from the page to record version, source field and rule.

Belongs here: joining stored lineage with the records that it cites. Values of restricted source fields are never
part of the answer: their record, version and field are.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster_project.application.contexts import context_of, lineage_of_row
from dagster_project.application.overview import find_row
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.canonical import parse_strict
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Absence, Input, leaves
from dagster_project.packaging.lineage import LineageGroup, groups_by_pointer
from dagster_project.sources.record import Classification
from dagster_project.sources.source_fields import field_classification


@dataclass(frozen=True)
class ExplainedInput:
    """One source value behind a field. `value` is None where it is not for customers; `shown` tells which."""

    source: str
    recordid: str
    recordversion: int
    data_digest: str
    recorded_at: datetime
    source_field: str
    relation: str
    subtype: str
    masking: bool
    shown: bool
    value: Any


@dataclass(frozen=True)
class Explanation:
    """Why a field reads as it does on one candidate."""

    incident: str
    bridge: str
    ordinal: int
    pointer: str
    value: Any
    field_class: str | None
    rule_id: str
    rule_digest: str
    profile: str
    profile_digest: str
    transformation: str
    hold_reason: str | None
    slot: str | None
    evaluated_at: datetime
    inputs: tuple[ExplainedInput, ...]
    absences: tuple[Absence, ...]


def explain(workspace: Workspace, incident: str, bridge: str, pointer: str, ordinal: int | None = None) -> Explanation:
    """Explain one field of a candidate; without an ordinal the latest of the bridge.

    Raises:
        UsageError: the candidate has no such field; the nearest ones are named.
    """
    return next(iter(explain_all(workspace, incident, bridge, ordinal, only=pointer)))


def explain_all(
    workspace: Workspace, incident: str, bridge: str, ordinal: int | None = None, *, only: str | None = None
) -> tuple[Explanation, ...]:
    """Explain every field of a candidate, or `only` one, in pointer order."""
    with workspace.store.read() as transaction:
        row = find_row(transaction, incident, bridge, ordinal)
        context = context_of(workspace, transaction, row)
        lineage = lineage_of_row(transaction, row)
        values = leaves(parse_strict(transaction.get_sealed(row.content_digest)))
    groups = groups_by_pointer(lineage.groups)
    if only is not None and only not in groups:
        raise _no_such_field(only, list(groups))
    return tuple(
        Explanation(
            incident=incident,
            bridge=bridge,
            ordinal=row.ordinal,
            pointer=pointer,
            value=_package_value(context, group, values.get(pointer)),
            field_class=group.draft.field_class,
            rule_id=group.draft.rule_id,
            rule_digest=group.rule_digest,
            profile=context.profile.name,
            profile_digest=row.profile_digest,
            transformation=group.draft.transformation,
            hold_reason=group.hold.reason if group.hold else None,
            slot=group.hold.slot if group.hold else None,
            evaluated_at=row.evaluation_instant,
            inputs=tuple(_input(context, one) for one in group.draft.inputs),
            absences=_absences(group, lineage.absences),
        )
        for pointer, group in sorted(groups.items())
        if only in {None, pointer}
    )


def _absences(group: LineageGroup, absences: tuple[Absence, ...]) -> tuple[Absence, ...]:
    if group.draft.transformation not in {"slot_state", "slot_fields"}:
        return ()
    return tuple(one for one in absences if one.slot == group.draft.argument)


def _input(context: RenderingContext, one: Input) -> ExplainedInput:
    record = context.records[one.reference]
    pointer = one.source_field.partition("#")[2]
    value = context.value(one.reference, one.source_field)
    is_customer = field_classification(record, pointer) is Classification.CUSTOMER
    # A customer field may hold an internal name by mistake: that is what the leak rule holds back, here as on a page.
    shown = not one.masking and is_customer and not _names_internals(context, value)
    return ExplainedInput(
        source=record.source,
        recordid=record.recordid,
        recordversion=record.recordversion,
        data_digest=record.datadigest,
        recorded_at=record.recordedtime,
        source_field=one.source_field,
        relation=one.relation,
        subtype=one.subtype,
        masking=one.masking,
        shown=shown,
        value=value if shown else None,
    )


def _names_internals(context: RenderingContext, value: object) -> bool:
    return isinstance(value, str) and context.denies(value)


def _package_value(context: RenderingContext, group: LineageGroup, value: object) -> object:
    """Return the value of a field, unless it is the very thing for which the release check fails."""
    is_string_parameter = group.draft.field_class == "template_parameter"
    return None if is_string_parameter and _names_internals(context, value) else value


def _no_such_field(pointer: str, known: list[str]) -> UsageError:
    near = [one for one in known if pointer.rsplit("/", maxsplit=1)[-1] in one][:5] or known[:5]
    return UsageError(
        "field_unknown",
        what="the candidate has no such field",
        where=pointer,
        what_to_do=f"Name one of its fields, for example {', '.join(near)}.",
    )
