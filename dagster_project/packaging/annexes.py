"""Annexes: restricted values kept inside, per audience, with the rule that keeps them there.

Belongs here: collecting the values of annexed and held source fields from a snapshot, and which role may see which of
them. An annex never leaves; who has a role, and who asks, is not known here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dagster_project.integrity.documents import typed_bytes
from dagster_project.packaging.clearance import CLEARED, clearance_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.profile import Action, Profile
from dagster_project.sources.record import RecordReference
from dagster_project.sources.source_fields import value_at


class AnnexEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One withheld value: where it comes from, which rule keeps it, and the value itself."""

    reference: RecordReference
    source_field: str
    rule_id: str
    value: Any


def annexes_of(context: RenderingContext) -> Mapping[str, tuple[AnnexEntry, ...]]:
    """Return the withheld values of a snapshot by audience, in record and field order."""
    found: dict[str, list[AnnexEntry]] = {}
    for record in context.snapshot.heads:
        if record.type in {"contract", "entitlement"} and record.data["account"] != context.bridge.account:
            continue
        for pointer, rule in context.tables.withheld_by_type.get(record.type, ()):
            value = value_at(record.data, pointer)
            if value is None:
                continue
            source_field = f"{record.type}#{pointer}"
            if rule.action is Action.HOLD and clearance_of(context, record, source_field) == CLEARED:
                continue
            entry = AnnexEntry(reference=record.reference, source_field=source_field, rule_id=rule.id, value=value)
            found.setdefault(rule.audience or "security", []).append(entry)
    return {audience: tuple(found[audience]) for audience in sorted(found)}


def annex_bytes(annexes: Mapping[str, tuple[AnnexEntry, ...]]) -> bytes:
    """Return the canonical bytes of the annexes of one candidate: restricted as a whole."""
    return typed_bytes(dict(annexes))


def withheld_counts(annexes: Mapping[str, tuple[AnnexEntry, ...]]) -> dict[str, int]:
    """Return how many values each audience's annex holds: what may be said of an annex elsewhere."""
    return {audience: len(entries) for audience, entries in annexes.items()}


def read_annexes(body: bytes) -> Mapping[str, tuple[AnnexEntry, ...]]:
    """Read the annexes of one candidate back from stored bytes that were verified."""
    return msgspec.json.decode(body, type=dict[str, tuple[AnnexEntry, ...]])


def review_roles_by_rule(profile: Profile) -> Mapping[str, str]:
    """Return who reviews what a rule keeps back, by rule id: the review role of its slot, where it has one."""
    return {rule.id: profile.slots[rule.slot].review_role for rule in profile.rules if rule.slot in profile.slots}


def seen_by(
    role: str, audience: str, entries: Sequence[AnnexEntry], review_roles: Mapping[str, str]
) -> tuple[AnnexEntry, ...]:
    """Return what a role may see of an audience's annex: its audience all, a slot's reviewer what that slot stands for.

    Args:
        role: Who asks.
        audience: Whose annex it is.
        entries: What the annex holds.
        review_roles: Who reviews what a rule keeps back, by rule id.
    """
    if role == audience:
        return tuple(entries)
    return tuple(entry for entry in entries if review_roles.get(entry.rule_id) == role)
