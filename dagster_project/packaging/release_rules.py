"""The single checks that a release check is made of.

Belongs here: one function per way in which rendered bytes can be unsafe or dishonest, and `RELEASE_RULES`, the
registry. A check judges the stored bytes and their lineage against the sources, and takes neither the renderer's
nor the profile's word for it. No other module may construct a `Reason` but `release_check`, for what it cannot judge.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import msgspec

from dagster_project.integrity.digests import digest_of
from dagster_project.packaging.content_schema import schema_violations
from dagster_project.packaging.context import EVERYBODY, RenderingContext
from dagster_project.packaging.drafting.slots import SLOT_TRANSFORMATIONS
from dagster_project.packaging.fields import Draft, Field, leaves, pointer_tokens
from dagster_project.packaging.lineage import Lineage, LineageGroup, fields_from
from dagster_project.packaging.rendering import Rendering, reapply, render
from dagster_project.packaging.review_inputs import KEPT_FROM_VERSION
from dagster_project.packaging.validity import valid_until
from dagster_project.packaging.vocabulary import STANDARD_STATE_FLOORS, is_better
from dagster_project.sources.conflicts import CONFLICTING_COPIES_BELOW_HEAD
from dagster_project.sources.record import RecordReference

INPUTLESS: Final = ("profile_constant", "content_schema", KEPT_FROM_VERSION)


class Reason(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Why a candidate did not pass: the check, what it found, and where. Never a value."""

    rule: str
    code: str
    pointers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """What is judged: exact content, its lineage, and the context that it claims to be rendered from."""

    content: dict[str, Any]
    lineage: Lineage
    context: RenderingContext

    @cached_property
    def leaves(self) -> dict[str, Any]:
        """The leaves of the content by pointer; empty sections are no leaves."""
        return leaves(self.content)

    @cached_property
    def held(self) -> tuple[Field, ...]:
        """The leaves on hold, joined with their lineage."""
        return tuple(one for one in fields_from(self.lineage, self.leaves) if one.hold is not None)

    @cached_property
    def valid_until(self) -> datetime:
        """The first instant at which the candidate is no longer valid."""
        return valid_until(self)

    @cached_property
    def content_digest(self) -> str:
        """The digest of the content, taken of its canonical bytes here."""
        return digest_of(self.content)

    @cached_property
    def drafted_again(self) -> Rendering:
        """What the renderer makes of the context: the rules compare with it, and never take it for the candidate."""
        return render(self.context)

    @cached_property
    def shown(self) -> tuple[tuple[LineageGroup, Any], ...]:
        """The groups whose field is not on hold, with the rendered value."""
        leaves = self.leaves
        return tuple((one, leaves.get(one.draft.pointer)) for one in self.lineage.groups if one.hold is None)


ReleaseRule = Callable[[Candidate], Iterator[Reason]]


def _found(rule: str, code: str, pointers: list[str]) -> Iterator[Reason]:
    if pointers:
        yield Reason(rule=rule, code=code, pointers=tuple(sorted(pointers)))


def schema(candidate: Candidate) -> Iterator[Reason]:
    """The content has the form of the package contract and only its words."""
    yield from _found("schema", "not_in_contract", schema_violations(candidate.content))


def lineage(candidate: Candidate) -> Iterator[Reason]:
    """Every leaf has one lineage group, its inputs resolve, and its rule gives the value again (invariant I3)."""
    pointers = Counter(group.draft.pointer for group in candidate.lineage.groups)
    yield from _found("lineage", "leaf_without_lineage", [*(candidate.leaves.keys() ^ pointers.keys())])
    yield from _found("lineage", "lineage_twice", [one for one, times in pointers.items() if times > 1])
    if candidate.lineage.content_digest != candidate.content_digest:
        yield Reason(rule="lineage", code="other_bytes")
    wrong = [group.draft.pointer for group in candidate.lineage.groups if not _explains(candidate, group)]
    yield from _found("lineage", "rule_gives_another_value", wrong)


def _explains(candidate: Candidate, group: LineageGroup) -> bool:
    context, draft = candidate.context, group.draft
    if not draft.inputs and not _rests_on_the_profile(context, draft):
        return False
    if group.rule_digest != context.tables.digest_of_rule(draft.rule_id, draft.transformation):
        return False
    stored = candidate.leaves.get(draft.pointer)
    return group.value_digest == digest_of(stored) and _gives(candidate, draft, stored)


def _rests_on_the_profile(context: RenderingContext, draft: Draft) -> bool:
    """Tell whether a leaf may have no inputs: a slot has its contract's, but for a page that depends on none."""
    without_contract = context.bridge == EVERYBODY and draft.transformation in SLOT_TRANSFORMATIONS
    return draft.transformation in INPUTLESS or without_contract


def _gives(candidate: Candidate, draft: Draft, value: object) -> bool:
    """Apply a rule to the inputs that lineage cites; where just this was drafted again, that is done already."""
    again = candidate.drafted_again.by_pointer.get(draft.pointer)
    if again is not None and again.draft == draft and draft.transformation not in SLOT_TRANSFORMATIONS:
        return bool(again.value == value)
    records = candidate.context.records
    if any(one.reference not in records for one in draft.inputs):
        return False
    return bool(reapply(candidate.context, draft, candidate.held, candidate.lineage.absences) == value)


def nothing_left_out(candidate: Candidate) -> Iterator[Reason]:
    """The fields, their inputs and holds, and the absences are those that the sources call for.

    Re-applying a rule to the inputs that lineage cites cannot tell that an input, a field or a hold is missing: a
    candidate without its worst region would explain itself well. So the fields are drafted again.
    """
    again = candidate.drafted_again
    expected = {one.pointer: (one.draft, one.hold) for one in again.fields}
    stated = {group.draft.pointer: (group.draft, group.hold) for group in candidate.lineage.groups}
    other = [pointer for pointer in expected.keys() | stated.keys() if expected.get(pointer) != stated.get(pointer)]
    yield from _found("nothing_left_out", "not_as_drafted", other)
    absent = {*again.absences} ^ {*candidate.lineage.absences}
    yield from _found("nothing_left_out", "other_absences", [*{one.pointer for one in absent}])


def leak(candidate: Candidate) -> Iterator[Reason]:
    """No source-derived text holds a denied term, whatever the profile declares of its rule."""
    hits = []
    for group, value in candidate.shown:
        if group.draft.field_class != "template_parameter" or not group.draft.inputs:
            continue
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and candidate.context.denies(text) for text in texts):
            hits.append(group.draft.pointer)
    yield from _found("leak", "denied_term", hits)


def honest_about_conflicts(candidate: Candidate) -> Iterator[Reason]:
    """Every field that reads disputed or doubtful records is on hold."""
    context = candidate.context
    drafts = [group.draft for group, _value in candidate.shown if group.draft.field_class != "slot"]
    conflicts = context.conflicts_by_record
    disputed = {
        draft.pointer
        for draft in (drafts if conflicts else ())
        for one in draft.inputs
        for conflict in conflicts.get(one.reference, ())
        if not one.masking
        and conflict.kind != CONFLICTING_COPIES_BELOW_HEAD
        and (not conflict.source_fields or one.source_field in conflict.source_fields)
    }
    yield from _found("honest_about_conflicts", "conflict_not_on_hold", [*disputed])
    rejected = context.rejected_by_origin
    doubtful = {
        draft.pointer
        for draft in (drafts if rejected else ())
        for one in draft.inputs
        if _origin(context, one.reference) in rejected
    }
    yield from _found("honest_about_conflicts", "rejected_input_not_on_hold", [*doubtful])


def _origin(context: RenderingContext, reference: RecordReference) -> tuple[str, str, str]:
    record = context.records[reference]
    return (record.source, record.type, record.subject)


def not_better_than_source(candidate: Candidate) -> Iterator[Reason]:
    """No status is shown better than what a source says in the standard words, and no claim goes unconfirmed."""
    flattering = []
    for group, value in candidate.shown:
        states = {*_direct_values(candidate, group, "service-health#/state")}
        if any(is_better(value, STANDARD_STATE_FLOORS.get(state, value)) for state in states):
            flattering.append(group.draft.pointer)
    yield from _found("not_better_than_source", "better_than_source", flattering)
    yield from _found("not_better_than_source", "unconfirmed_claim", _unconfirmed(candidate))


def _direct_values(candidate: Candidate, group: LineageGroup, source_field: str) -> list[Any]:
    if group.draft.field_class not in {"capability_status", "region_status"}:
        return []
    if group.draft.held_as == "instant":
        return []
    return [
        candidate.context.index.resolved[one].value
        for one in group.draft.inputs
        if one.relation == "DIRECT" and one.source_field == source_field
    ]


# claim: (pointer's last name, source field that must be true or present)
_CLAIMS: Final = {
    "identified": ("incident_status", "incident#/cause_confirmed"),
    "resolved": ("incident_status", "incident#/resolution_confirmed_by"),
    "available_verified": ("readiness", "workaround#/verified"),
}


def _unconfirmed(candidate: Candidate) -> list[str]:
    found = []
    for group, value in candidate.shown:
        last, source_field = _CLAIMS.get(value, ("", "")) if isinstance(value, str) else ("", "")
        if last and pointer_tokens(group.draft.pointer)[-1] == last:
            confirmations = [
                candidate.context.index.resolved[one].value
                for one in group.draft.inputs
                if one.source_field == source_field
            ]
            if not any(confirmations):
                found.append(group.draft.pointer)
    return found


def holds_are_visible(candidate: Candidate) -> Iterator[Reason]:
    """Every hold shows in its slot, and the set of slots is the profile's, complete."""
    slots = candidate.content["held"]
    if set(slots) != set(candidate.context.profile.slots):
        yield Reason(rule="holds_are_visible", code="slots_incomplete")
    hidden = [
        group.draft.pointer
        for group in candidate.lineage.groups
        if group.hold is not None and group.draft.pointer not in slots[group.hold.slot]["fields"]
    ]
    hidden += [one.pointer for one in candidate.lineage.absences if one.pointer not in slots[one.slot]["fields"]]
    yield from _found("holds_are_visible", "hold_not_shown", hidden)


def permitted(candidate: Candidate) -> Iterator[Reason]:
    """The contract permits every field class that is shown, and the account bought every capability named.

    Not even the place of another class may show, on hold or not.
    """
    context = candidate.context
    outside = [
        group.draft.pointer
        for group in candidate.lineage.groups
        if group.draft.field_class != "slot"
        and not context.permits(group.draft.field_class)
        and group.draft.pointer != "/document_status"
    ]
    yield from _found("permitted", "not_permitted_by_contract", outside)
    named = {*candidate.content["affected_capabilities"], *candidate.content["not_affected"]}
    yield from _found("permitted", "not_entitled", [*(named - context.entitled)])


def fresh(candidate: Candidate) -> Iterator[Reason]:
    """At its own evaluation instant the candidate is still valid: nothing behind it, nor its profile, has ended."""
    context = candidate.context
    if context.evaluation_instant >= context.profile.expires:
        yield Reason(rule="fresh", code="profile_expired")
    elif context.evaluation_instant >= candidate.valid_until:
        yield Reason(rule="fresh", code="stale")


RELEASE_RULES: tuple[ReleaseRule, ...] = (
    schema,
    lineage,
    nothing_left_out,
    leak,
    honest_about_conflicts,
    not_better_than_source,
    holds_are_visible,
    permitted,
    fresh,
)
