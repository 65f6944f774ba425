"""The effect of a profile: which fields of the current packages would read otherwise under another one.

Belongs here: rendering what is known now of each incident under two profiles, and comparing the pages as far as they
may be seen. Nothing is stored, and nothing that one of the profiles keeps back is shown. The difference in words is
`review.profile_difference`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from dagster_project.application.pinned import read_snapshot
from dagster_project.application.profiles import bridges_with_profiles, require_sound
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.context import ProfileTables, RenderingContext, SnapshotIndex, bridges_of
from dagster_project.packaging.fields import Field
from dagster_project.packaging.lineage import lineage_of
from dagster_project.packaging.profile import Action, Profile
from dagster_project.packaging.release_check import release_check
from dagster_project.packaging.release_rules import Reason
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.review.profile_difference import Difference, Verdict, differences_of, verdict_on
from dagster_project.store.incidents import all_incidents
from dagster_project.store.profiles import assigned_profiles
from dagster_project.store.refreshes import RefreshRow, latest_refreshes
from dagster_project.store.transaction import Transaction

__all__ = [
    "BridgeEffect",
    "ChangedField",
    "Difference",
    "ProfileDifference",
    "Verdict",
    "compare_profiles",
    "compare_words",
]

ABSENT: Final = "absent"
ON_HOLD: Final = "on hold"
# A value that the other profile keeps back, or of a page that did not pass its check: it may be what must not be seen.
NOT_SHOWN: Final = "a value, not shown"


@dataclass(frozen=True)
class ChangedField:
    """One field that would read otherwise: package values in words, or that it is absent, on hold, or not shown."""

    pointer: str
    old: str
    new: str


@dataclass(frozen=True)
class BridgeEffect:
    """What becomes of one bridge's current page.

    `rendered_with_old` says that the old profile is the one it is rendered with now; `old_reasons` and `new_reasons`
    are why a page would not pass its release check, age apart, as ``rule: code``; empty where it would.
    """

    incident: str
    bridge: str
    rendered_with_old: bool
    old_reasons: tuple[str, ...]
    new_reasons: tuple[str, ...]
    changes: tuple[ChangedField, ...]


@dataclass(frozen=True)
class ProfileDifference:
    """Two profiles compared: which is stricter, in words, and by bridge; `bridges` is None where it was not asked."""

    old: str
    new: str
    old_digest: str
    new_digest: str
    verdict: Verdict
    differences: tuple[Difference, ...]
    bridges: tuple[BridgeEffect, ...] | None


def compare_words(old: Profile, new: Profile) -> ProfileDifference:
    """Compare two profiles in words alone; needs no deployment.

    Raises:
        UnsafeOrRejected: one of them has errors.
    """
    for one in (old, new):
        require_sound(one)
    return ProfileDifference(
        old=old.name,
        new=new.name,
        old_digest=ProfileTables(old).digest,
        new_digest=ProfileTables(new).digest,
        verdict=verdict_on(old, new),
        differences=differences_of(old, new),
        bridges=None,
    )


def compare_profiles(workspace: Workspace, old: Profile, new: Profile) -> ProfileDifference:
    """Compare two profiles in words and by what the current packages would say under each.

    Compared are the bridges that the old profile renders now; where it renders none, every bridge.

    Raises:
        UnsafeOrRejected: one of them has errors.
    """
    words = compare_words(old, new)
    tables = _Tables(ProfileTables(old), ProfileTables(new))
    with workspace.store.read() as transaction:
        names = [one.incident for one in all_incidents(transaction)]
        refreshed = latest_refreshes(transaction, names)
        assigned = assigned_profiles(transaction, names)
        found = [
            effect
            for incident in sorted(refreshed)
            for effect in _effects(transaction, refreshed[incident], tables, assigned)
        ]
    own = [one for one in found if one.rendered_with_old]
    return replace(words, bridges=tuple(own or found))


@dataclass(frozen=True)
class _Tables:
    """The two profiles with their lookups."""

    old: ProfileTables
    new: ProfileTables


def _effects(
    transaction: Transaction, refresh: RefreshRow, tables: _Tables, assigned: Mapping[tuple[str, str], str]
) -> Iterator[BridgeEffect]:
    snapshot = read_snapshot(transaction, refresh.incident, refresh.snapshot_digest)
    shared = SnapshotIndex(snapshot)
    for facts, digest in bridges_with_profiles(assigned, incident=refresh.incident, opened=bridges_of(snapshot)):
        context = RenderingContext(
            snapshot=snapshot,
            tables=tables.old,
            bridge=facts,
            evaluation_instant=refresh.evaluation_instant,
            code_key=transaction.keys.opaque_codes,
            shared=shared,
        )
        old, new = _Side.of(context), _Side.of(replace(context, tables=tables.new))
        yield BridgeEffect(
            incident=refresh.incident,
            bridge=facts.bridge,
            rendered_with_old=digest == tables.old.digest,
            old_reasons=old.reasons,
            new_reasons=new.reasons,
            changes=tuple(_changes(old, new)),
        )


@dataclass(frozen=True)
class _Side:
    """One page under one profile, and why it would not pass its check."""

    context: RenderingContext
    rendering: Rendering
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, context: RenderingContext) -> "_Side":
        rendering = render(context)
        lineage = lineage_of(context, rendering)
        check = release_check(rendering.content, lineage, context, predecessor_digest=None)
        return cls(context, rendering, tuple(_text_of(one) for one in check.reasons if one.rule != "fresh"))

    def renders(self, field: Field) -> bool:
        """Tell whether this profile lets all that a field is made of onto a page, and this page shows it."""
        rules = self.context.tables.rules
        own = self.rendering.by_pointer.get(field.pointer)
        made_of = {one.source_field for one in field.draft.inputs if one.relation == "DIRECT"}
        actions = {rules[one].action for one in made_of if one in rules}
        return not self.reasons and actions <= {Action.RENDER} and (own is None or own.hold is None)


def _text_of(reason: Reason) -> str:
    return f"{reason.rule}: {reason.code}"


def _changes(old: _Side, new: _Side) -> Iterator[ChangedField]:
    was, now = old.rendering.by_pointer, new.rendering.by_pointer
    for pointer in sorted(was.keys() | now.keys()):
        before, after = was.get(pointer), now.get(pointer)
        if _state(before) != _state(after):
            yield ChangedField(pointer, _says(before, old, new), _says(after, new, old))


def _state(field: Field | None) -> tuple[Any, ...]:
    return () if field is None else (field.hold is not None, field.value)


def _says(field: Field | None, own: _Side, other: _Side) -> str:
    if field is None:
        return ABSENT
    if field.hold is not None:
        return ON_HOLD
    if not (own.renders(field) and other.renders(field)):
        return NOT_SHOWN
    return field.value if isinstance(field.value, str) else canonical_bytes(field.value).decode()
