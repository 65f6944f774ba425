"""Changes to approve: what differs between what a bridge was told and what the sources call for now.

Belongs here: the typed change with its identity, its classes and who must approve it (rules R1 to R3). Counting
approvals is `coverage`; what becomes of what is not approved is `staging`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from dagster_project.integrity.digests import digest_of
from dagster_project.packaging import review_policy as policies
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Draft, Field, pointer_tokens
from dagster_project.packaging.review_inputs import REJECTED, UNDECIDED
from dagster_project.review.change_classes import classes_of
from dagster_project.review.pages import (
    SLOT_STATE,
    Page,
    ReleasedPage,
    hold_in_slot,
    is_companion,
    is_decided_upon,
    support_digest,
    unit_of,
)

_NOTHING: Final = digest_of(None)


class Change(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One change to approve. Values are package values; the digest names exactly this change on this bridge.

    `roles` are needed, each from another person; `recorded_by` may not approve it, and where `recorder_unknown` two
    people are needed (design, Record). `standing` says that the profile's own approval covers it.
    """

    incident: str
    bridge: str
    pointer: str
    op: str
    old: Any
    new: Any
    old_digest: str
    new_digest: str
    rule_digest: str
    support_digest: str
    unit: str
    classes: tuple[str, ...]
    roles: tuple[str, ...]
    standing: bool
    material: bool
    recorded_by: tuple[str, ...]
    recorder_unknown: bool

    @cached_property
    def digest(self) -> str:
        """What an approval names: incident, bridge, leaf, both values, rule and support."""
        return digest_of(
            {
                "incident": self.incident,
                "bridge": self.bridge,
                "pointer": self.pointer,
                "old": self.old_digest,
                "new": self.new_digest,
                "rule": self.rule_digest,
                "support": self.support_digest,
            }
        )


@dataclass(frozen=True)
class _Compared:
    """What both sides say, and in which context the newer one was rendered."""

    context: RenderingContext
    before: ReleasedPage | None
    now: Page

    def told(self, pointer: str) -> Field | None:
        """What the bridge was told."""
        return None if self.before is None else self.before.fields.get(pointer)


def changes_of(context: RenderingContext, now: Mapping[str, Field], before: ReleasedPage | None) -> tuple[Change, ...]:
    """Return every change to approve, by pointer.

    Args:
        context: What the newer page was rendered in.
        now: Its fields by pointer.
        before: What the bridge was told of the incident, or None where it was told nothing yet.
    """
    compared = _Compared(context, before, Page(fields=now))
    told = {} if before is None else before.fields
    changed = sorted(pointer for pointer in told.keys() | now.keys() if _is_change(compared, pointer))
    own = {pointer: _classes(compared, pointer) for pointer in changed}
    units: dict[str, list[str]] = {}
    for pointer in changed:
        units.setdefault(unit_of(pointer, before, compared.now), []).append(pointer)
    return tuple(
        _change(compared, pointer, unit, _with_companions(compared, pointer, own, pointers))
        for unit, pointers in sorted(units.items())
        for pointer in pointers
    )


def _draft(compared: _Compared, pointer: str) -> Draft:
    field = compared.now.fields.get(pointer) or compared.told(pointer)
    assert field is not None  # noqa: S101 - a pointer of neither side is never asked for
    return field.draft


def _is_change(compared: _Compared, pointer: str) -> bool:
    told, now = compared.told(pointer), compared.now.fields.get(pointer)
    if not is_decided_upon(_draft(compared, pointer)):
        return False
    if told is not None and now is not None and told.value == now.value:
        return False
    return not (pointer_tokens(pointer)[-1] == SLOT_STATE and _follows_decisions(compared, pointer))


def _follows_decisions(compared: _Compared, pointer: str) -> bool:
    """Tell whether a slot was closed only because decisions were missing: then nothing is taken off hold by it."""
    slot = pointer_tokens(pointer)[1]
    held = () if compared.before is None else hold_in_slot(compared.before, slot)
    return bool(held) and all(one.reason in {UNDECIDED, REJECTED} for one in held)


def _classes(compared: _Compared, pointer: str) -> frozenset[str]:
    policy = compared.context.profile.review_policy
    told, now = compared.told(pointer), compared.now.fields.get(pointer)
    return classes_of(policy, told, now, is_first=compared.before is None)


def _with_companions(
    compared: _Compared, pointer: str, own: Mapping[str, frozenset[str]], unit: list[str]
) -> frozenset[str]:
    """A leaf that only says more of a state is of the classes of what changed beside it."""
    if not is_companion(_draft(compared, pointer)):
        return own[pointer]
    beside = [own[one] for one in unit if not is_companion(_draft(compared, one))]
    return frozenset().union(*beside) if beside else own[pointer]


def _change(compared: _Compared, pointer: str, unit: str, classes: frozenset[str]) -> Change:
    context, policy = compared.context, compared.context.profile.review_policy
    told, now = compared.told(pointer), compared.now.fields.get(pointer)
    old, new = (None if one is None else one.value for one in (told, now))
    standing = classes <= {*policy.standing}
    field_class = _draft(compared, pointer).field_class
    material = compared.before is not None and policy.is_material(field_class, old, new)
    asked = classes | ({policies.MATERIAL} if material and not standing else frozenset())
    return Change(
        incident=context.snapshot.incident,
        bridge=context.bridge.bridge,
        pointer=pointer,
        op="add" if told is None else "remove" if now is None else "replace",
        old=old,
        new=new,
        old_digest=_NOTHING if told is None else digest_of(old),
        new_digest=_NOTHING if now is None else digest_of(new),
        rule_digest=_NOTHING if now is None else _rule_digest(context, now.draft),
        support_digest=_NOTHING if now is None else support_digest(context, now.draft),
        unit=unit,
        classes=tuple(sorted(asked)),
        roles=tuple(sorted({*_roles(compared, pointer, asked)})),
        standing=standing,
        material=material,
        recorded_by=tuple(sorted({*_recorders(context, now)} - {""})),
        recorder_unknown="" in _recorders(context, now),
    )


def _rule_digest(context: RenderingContext, draft: Draft) -> str:
    return context.tables.digest_of_rule(draft.rule_id, draft.transformation)


def _recorders(context: RenderingContext, now: Field | None) -> frozenset[str]:
    """Return who recorded what feeds a field; an empty name stands for a record that does not say."""
    if now is None or now.hold is not None:
        return frozenset()
    return frozenset(
        context.records[one.reference].recordedby or "" for one in now.draft.inputs if one.relation == "DIRECT"
    )


def _roles(compared: _Compared, pointer: str, classes: frozenset[str]) -> Iterator[str]:
    profile = compared.context.profile
    for name in classes:
        for role in profile.review_policy.requirements[name]:
            if role != policies.SLOT_REVIEW_ROLE:
                yield role
                continue
            yield profile.slots[_slot(compared, pointer)].review_role


def _slot(compared: _Compared, pointer: str) -> str:
    tokens = pointer_tokens(pointer)
    if tokens[0] == "held":
        return tokens[1]
    told = compared.told(pointer)
    slot = told.hold.slot if told is not None and told.hold is not None else "other"
    return slot if slot in compared.context.profile.slots else "other"
