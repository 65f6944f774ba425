"""Holds: every reason for which a field is kept from the channel.

Belongs here: one guard per reason, each a function that returns a `Hold` or None, and `HOLD_GUARDS`, the registry
that rendering walks in order. No other module may construct a `Hold` (a static test sees to it), so that every
hold branch is listed, and switching any one off makes a test fail (design section 5, Invariants).
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from dagster_project.packaging.clearance import CLEARED, clearance_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Draft, Field, Hold, Input, ReadValue
from dagster_project.packaging.profile import Action
from dagster_project.packaging.review_inputs import NOT_ALLOWED, ReviewInputs
from dagster_project.packaging.transformations import TRANSFORMATIONS, Derived, incident_status
from dagster_project.packaging.vocabulary import HELD_VALUES
from dagster_project.sources.conflicts import CONFLICTING_COPIES_BELOW_HEAD
from dagster_project.sources.record import Classification

# Restricted facts whose only use is to decide: they let a claim out or keep it back and are never shown.
DECLASSIFICATION_INPUTS: Final = frozenset({"incident#/resolution_confirmed_by", "security-review#/outcome"})
ACCOUNT_TYPES: Final = ("contract", "entitlement")

# How far along each status is. Telling a customer a later one than the source holds is a disagreement.
_PROGRESS: Final = ("emerging", "investigating", "identified", "mitigating", "monitoring", "resolved")


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What a guard looks at: one draft, the values it read, and what its transformation made of them."""

    context: RenderingContext
    draft: Draft
    values: Sequence[ReadValue]
    derived: Derived

    @property
    def slot(self) -> str:
        """The slot in which a hold of this field shows."""
        rule = self.context.tables.rules_by_id.get(self.draft.rule_id)
        return (rule.slot if rule else None) or "other"


HoldGuard = Callable[[Judged], Hold | None]


def _slot_of(source_field: str) -> str:
    return "contract" if source_field.partition("#")[0] in ACCOUNT_TYPES else "other"


def _is_cleared(context: RenderingContext, one: Input) -> bool:
    record = context.records[one.reference]
    return clearance_of(context, record, one.source_field) == CLEARED


def contract_lapsed(judged: Judged) -> Hold | None:
    """Without a contract in force nothing is permitted; every field is visibly on hold."""
    return None if judged.context.contract_in_force else Hold(reason="contract_lapsed", slot="contract")


def claimed_by_two_contracts(judged: Judged) -> Hold | None:
    """Where two contracts open one bridge nobody knows whose it is, and nobody is told what another one bought."""
    return Hold(reason="bridge_claimed_twice", slot="contract") if judged.context.bridge.rivals else None


def profile_holds_it(judged: Judged) -> Hold | None:
    """A value whose own rule does not render it never enters a field; only a hold can be lifted by a clearance.

    Asked of every value: a rule that renders one field of a record may read another that is annexed or ignored.
    """
    tables = judged.context.tables
    for one in judged.draft.inputs:
        if one.relation != "DIRECT" or one.source_field in tables.rendered:
            continue
        rule = tables.rules.get(one.source_field)
        lifted = rule is not None and rule.action is Action.HOLD and _is_cleared(judged.context, one)
        if not lifted:
            return Hold(reason="profile_rule", slot=judged.slot)
    return None


def not_classified_customer(judged: Judged) -> Hold | None:
    """A value that is not labelled `customer` never enters a field; absent labels mean restricted."""
    customer = Classification.CUSTOMER
    for one in [read.source for read in judged.values if read.label is not customer]:
        if one.subtype == "FILTER" or one.source_field in DECLASSIFICATION_INPUTS:
            continue
        if not _is_cleared(judged.context, one):
            return Hold(reason="classification", slot=judged.slot)
    return None


def in_conflict(judged: Judged) -> Hold | None:
    """A record that the field reads is in conflict about what the field reads (design: conflicts are scoped)."""
    if not judged.context.conflicts_by_record:
        return None
    for one in judged.draft.inputs:
        for conflict in judged.context.conflicts_by_record.get(one.reference, ()):
            if conflict.kind == CONFLICTING_COPIES_BELOW_HEAD:
                continue
            if not conflict.source_fields or one.source_field in conflict.source_fields:
                return Hold(reason=conflict.kind, slot=_slot_of(one.source_field))
    return None


def fed_by_rejected_input(judged: Judged) -> Hold | None:
    """A rejected record of the same source, type and subject might have said something worse."""
    if not judged.context.rejected_by_origin:
        return None
    for one in judged.draft.inputs:
        record = judged.context.records[one.reference]
        if (record.source, record.type, record.subject) in judged.context.rejected_by_origin:
            return Hold(reason="rejected_input", slot=_slot_of(one.source_field))
    return None


def no_value(judged: Judged) -> Hold | None:
    """The transformation has no value for what the source says: unknown word, unmapped name, nothing there."""
    problem = judged.derived.problem
    return Hold(reason=problem, slot=judged.slot) if problem else None


def leaks(judged: Judged) -> Hold | None:
    """A source-derived text holds a denied term."""
    rule = judged.context.tables.rules_by_id.get(judged.draft.rule_id)
    if judged.draft.transformation != "typed_parameter" or (rule is not None and rule.trusted):
        return None
    value = judged.derived.value
    hit = isinstance(value, str) and judged.context.denies(value)
    return Hold(reason="leak", slot=judged.slot) if hit else None


def told_otherwise(judged: Judged) -> Hold | None:
    """The customer was told a later status than the source of record holds: status timing disagrees."""
    if judged.draft.transformation not in {"incident_status", "document_status"}:
        return None
    status = incident_status(judged.context, judged.draft, judged.values).value
    if status not in _PROGRESS:
        return None
    told = [one.value for one in judged.values if one.source.source_field == "customer-status#/incident_status"]
    known = _PROGRESS.index(status)
    ahead = any(word not in _PROGRESS or _PROGRESS.index(word) > known for word in told)
    return Hold(reason="status_timing_disagreement", slot="other") if ahead else None


HOLD_GUARDS: tuple[HoldGuard, ...] = (
    contract_lapsed,
    claimed_by_two_contracts,
    # Before what asks for labels: what else a field reads beside records in conflict follows from their values.
    in_conflict,
    not_classified_customer,
    profile_holds_it,
    fed_by_rejected_input,
    no_value,
    leaks,
    told_otherwise,
)


def no_decision_yet(review: ReviewInputs, draft: Draft, slot: str) -> Hold | None:
    """People have not decided on the field, have rejected it, or have pulled it (rule R4; the table of acts)."""
    reason = review.on_hold.get(draft.pointer)
    return None if reason is None else Hold(reason=reason, slot="contract" if reason == NOT_ALLOWED else slot)


# Asked of a settled field that nothing else holds; `reviewed_fields` walks them.
ReviewGuard = Callable[[ReviewInputs, Draft, str], Hold | None]
REVIEW_GUARDS: tuple[ReviewGuard, ...] = (no_decision_yet,)


def settle(context: RenderingContext, draft: Draft) -> Field:
    """Give a draft its value: what its transformation makes of the inputs, or the hold that stands for it.

    The same function renders a field and re-applies its rule from lineage (invariant I3).
    """
    values = tuple(map(context.index.resolved.__getitem__, draft.inputs))
    derived = TRANSFORMATIONS[draft.transformation](context, draft, values)
    if draft.transformation == "profile_constant":
        return Field(draft=draft, value=derived.value)
    judged = Judged(context, draft, values, derived)
    for guard in HOLD_GUARDS:
        hold = guard(judged)
        if hold is not None:
            return Field(draft=draft, value=HELD_VALUES[draft.held_as], hold=hold)
    return Field(draft=draft, value=derived.value)
