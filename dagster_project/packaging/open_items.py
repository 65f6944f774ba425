"""Open items: conflicts and questions that a person must resolve, with both sides.

Belongs here: which open items one rendering calls for, who owns them and what resolves each. Opening, keeping and
resolving them over time is the application's business.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from dagster_project.integrity.digests import digest_of
from dagster_project.packaging.clearance import CLEARED, clearance_of, reviews_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.drafting.slots import withheld_values
from dagster_project.packaging.fields import Field, Input
from dagster_project.packaging.profile import Action
from dagster_project.packaging.rendering import Rendering
from dagster_project.packaging.review_inputs import REVIEW_REASONS
from dagster_project.sources.record import RecordReference, reference_to

# kind: (owner role, what resolves it)
RESOLUTIONS: Final = {
    "conflicting_copies": ("incident_command", "A newer version of the record from its source."),
    "contradicting_authorities": (
        "incident_command",
        "The two sources agreeing, or one of them withdrawing.",
    ),
    "rejected_input": ("incident_command", "A corrected delivery of the same record, or its dismissal."),
    "unknown_value": ("support_leadership", "A mapping in the profile, or a corrected record."),
    "incomparable_value": ("support_leadership", "A status in the profile that can be compared."),
    "unmapped_component": ("support_leadership", "A capability in the profile for the component."),
    "unmapped_region": ("support_leadership", "A region bucket in the profile for the region."),
    "unmapped_name": ("support_leadership", "A capability or region bucket in the profile."),
    "missing_value": ("incident_command", "The record that states the value."),
    "classification": ("security", "A record labelled for customers, or a clearance."),
    "profile_rule": ("security", "A clearance of security review for this field."),
    "leak": ("security", "A corrected record, or an approved public name."),
    "no_public_name": ("legal", "An approved public name in the profile."),
    "status_timing_disagreement": (
        "support_leadership",
        "The source of record catching up, or a correction.",
    ),
    "contract_lapsed": ("account_leadership", "A contract in force."),
    "bridge_claimed_twice": ("account_leadership", "Contracts that name each bridge once."),
    "entitlement_lapsed": ("account_leadership", "An entitlement in force."),
    "required_but_missing": ("account_leadership", "A record that feeds the required field."),
    "dependency_not_cleared": ("security", "A clearance that names this record version, field and channel."),
}
MATERIAL_CHANGE: Final = "material_change"
# Questions that a release opens, not a rendering: they are kept and resolved apart.
RELEASE_RESOLUTIONS: Final = {
    MATERIAL_CHANGE: ("support_leadership", "Support leadership approving a page of this bridge after it."),
}


class OpenItem(msgspec.Struct, frozen=True, kw_only=True):
    """One question for a person: what it concerns, the records on both sides, who owns it, what resolves it."""

    kind: str
    bridge: str
    slot: str
    fields: tuple[str, ...]
    evidence: tuple[RecordReference, ...]
    rejected: tuple[str, ...]
    owner_role: str
    resolved_by: str

    @property
    def identity_digest(self) -> str:
        """What makes it the same question at the next refresh: its kind, place and slot."""
        return digest_of([self.kind, self.bridge, self.slot, list(self.fields)])


def open_items_of(context: RenderingContext, rendering: Rendering) -> tuple[OpenItem, ...]:
    """Return the open items that a rendering calls for, in a stable order."""
    items = (*_of_holds(context, rendering), *_of_clearance(context))
    return tuple(sorted(items, key=lambda one: (one.kind, one.slot, one.fields, one.evidence)))


def material_change(context: RenderingContext, fields: Iterable[Field]) -> OpenItem:
    """Return the open item of a material change that the profile's own approval let leave (rule R3).

    Args:
        context: What the page was rendered in.
        fields: The leaves that changed together, as the sources call for them.
    """
    changed = tuple(fields)
    owner, resolved_by = RELEASE_RESOLUTIONS[MATERIAL_CHANGE]
    return OpenItem(
        kind=MATERIAL_CHANGE,
        bridge=context.bridge.bridge,
        slot=context.tables.slots_by_rule.get(changed[0].draft.rule_id, "other"),
        fields=tuple(sorted(one.pointer for one in changed)),
        evidence=tuple(
            sorted({one.reference for field in changed for one in field.draft.inputs if one.relation == "DIRECT"})
        ),
        rejected=(),
        owner_role=owner,
        resolved_by=resolved_by,
    )


def _of_holds(context: RenderingContext, rendering: Rendering) -> Iterator[OpenItem]:
    grouped: dict[tuple[str, str], list[str]] = {}
    evidence: dict[tuple[str, str], set[RecordReference]] = {}
    rejected: dict[tuple[str, str], set[str]] = {}
    for field in rendering.held:
        # What waits for a decision lies at the review desk already.
        if field.hold is not None and field.hold.reason not in REVIEW_REASONS:
            key = (field.hold.reason, field.hold.slot)
            grouped.setdefault(key, []).append(field.pointer)
            evidence.setdefault(key, set()).update(_disputed(context, field.hold.reason, field.draft.inputs))
    for absence in rendering.absences:
        key = (absence.reason, absence.slot)
        grouped.setdefault(key, []).append(absence.pointer)
        evidence.setdefault(key, set()).update(absence.evidence)
        rejected.setdefault(key, set()).update(absence.rejected)
    for (reason, slot), pointers in grouped.items():
        sides = tuple(sorted(evidence.get((reason, slot), ())))
        named = tuple(sorted(rejected.get((reason, slot), ())))
        yield _item(context, reason, slot, tuple(sorted(set(pointers))), sides, named)


def _disputed(context: RenderingContext, reason: str, inputs: Iterable[Input]) -> set[RecordReference]:
    """Return both sides of a conflict, or else the records that the held field reads."""
    references = {one.reference for one in inputs if one.subtype != "FILTER"}
    sides = {
        side
        for reference in references
        for conflict in context.conflicts_by_record.get(reference, ())
        if conflict.kind == reason
        for side in conflict.references
    }
    return sides or references


def _of_clearance(context: RenderingContext) -> Iterator[OpenItem]:
    for slot in sorted(context.profile.slots):
        for withheld in withheld_values(context, slot):
            if withheld.action is not Action.HOLD:
                continue
            if clearance_of(context, withheld.record, withheld.source_field) != CLEARED:
                reviews = (reference_to(one) for one in reviews_of(context, withheld.record))
                sides = tuple(sorted((reference_to(withheld.record), *reviews)))
                yield _item(context, "dependency_not_cleared", slot, (f"/held/{slot}",), sides, ())


def _item(
    context: RenderingContext,
    kind: str,
    slot: str,
    fields: tuple[str, ...],
    evidence: tuple[RecordReference, ...],
    rejected: tuple[str, ...],
) -> OpenItem:
    owner, resolved_by = RESOLUTIONS[kind]
    return OpenItem(
        kind=kind,
        bridge=context.bridge.bridge,
        slot=slot,
        fields=fields,
        evidence=evidence,
        rejected=rejected,
        owner_role=owner,
        resolved_by=resolved_by,
    )
