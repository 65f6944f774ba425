"""Staging: the page that may leave now, given what is covered (rule R4).

Belongs here: deciding for every unit with an undecided or rejected change whether it keeps what the bridge was told or
goes on hold, so that the approved rest goes out and nothing shown is better than its source.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Field, pointer_tokens
from dagster_project.packaging.review_inputs import PULLED, REJECTED, UNDECIDED, Kept, ReviewInputs
from dagster_project.packaging.rights import is_allowed
from dagster_project.review.changes import Change
from dagster_project.review.coverage import Coverage
from dagster_project.review.pages import (
    SLOT_STATE,
    Page,
    ReleasedPage,
    is_companion,
    is_decided_upon,
    unit_of,
)

# What a slot shows that was opened and that nobody has agreed to open yet, where the bridge was told nothing before.
_NOT_AGREED_YET: Final = "in_review"


def review_inputs_of(
    context: RenderingContext,
    now: Mapping[str, Field],
    before: ReleasedPage | None,
    changes: Sequence[Change],
    coverage: Coverage,
    pulled: frozenset[str] = frozenset(),
) -> ReviewInputs:
    """Return what rendering needs to know for the page that may leave now.

    Args:
        context: What `now` was rendered in.
        now: What the sources call for, by pointer.
        before: What the bridge was told, or None.
        changes: What differs.
        coverage: What decisions cover of it.
        pulled: Leaves that were pulled and not restored.
    """
    staged = _Staged(context, Page(fields=now), before)
    reasons: dict[str, str] = {}
    for change in changes:
        if not coverage.covers(change):
            rejected = change.digest in coverage.rejected
            reasons[change.unit] = REJECTED if rejected else reasons.get(change.unit, UNDECIDED)
    for unit, reason in sorted(reasons.items()):
        staged.keep_back(unit, reason)
    for pointer in sorted(pulled):
        staged.pull(pointer)
    staged.keep_names()
    return ReviewInputs(
        on_hold=dict(sorted(staged.on_hold.items())),
        kept=tuple(staged.kept[pointer] for pointer in sorted(staged.kept)),
        gone=tuple(sorted(staged.gone)),
    )


@dataclass
class _Staged:
    """The page as it comes about, unit by unit."""

    context: RenderingContext
    now: Page
    before: ReleasedPage | None
    on_hold: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def keep_back(self, unit: str, reason: str) -> None:
        """Keep what was told of a unit where that is not better than its source, and else put it on hold."""
        told = self._leaves(unit, self.before)
        due = self._leaves(unit, self.now)
        if unit.startswith("held/"):
            self._keep_slot(told, due)
        elif told and (not due or _may_be_kept(self.context, told, due)):
            if self._is_allowed(unit, told):
                self._keep(told, due, reason)
                self._keep_wording(unit)
        else:
            self.on_hold.update(dict.fromkeys(due, reason))

    def pull(self, pointer: str) -> None:
        """Put a leaf on hold whatever else was decided of it."""
        told = None if self.before is None else self.before.fields.get(pointer)
        if pointer in self.now.fields:
            self.kept.pop(pointer, None)
            self.gone.discard(pointer)
            self.on_hold[pointer] = PULLED
        elif told is None or told.hold is None:
            # Nothing calls for the leaf any more: with it goes all that is said beside it.
            place = "/".join(pointer.split("/")[:3])
            for name in [one for one in self.kept if one == pointer or one.startswith(f"{place}/")]:
                del self.kept[name]

    def keep_names(self) -> None:
        """Keep the names of what is kept, where the sources call for them no more."""
        if self.before is None:
            return
        words = {token for pointer in self.kept for token in pointer_tokens(pointer)}
        for pointer, one in self.before.fields.items():
            tokens = pointer_tokens(pointer)
            if tokens[0] == "names" and tokens[1] in words and pointer not in self.now.fields:
                self.kept[pointer] = self._as_kept(one)

    def _leaves(self, unit: str, page: Page | None) -> dict[str, Field]:
        fields = {} if page is None else page.fields
        return {
            pointer: one
            for pointer, one in fields.items()
            if is_decided_upon(one.draft) and unit_of(pointer, self.before, self.now) == unit
        }

    def _keep(self, told: Mapping[str, Field], due: Mapping[str, Field], reason: str) -> None:
        for pointer, one in told.items():
            if one.hold is not None and pointer in due:
                self.on_hold[pointer] = reason
            else:
                self.kept[pointer] = self._as_kept(one)
        self.gone.update(pointer for pointer in due if pointer not in told)

    def _keep_wording(self, unit: str) -> None:
        """Let the profile's own words in a statement come and go with what they are said of."""
        told, due = (self._wording(unit, page) for page in (self.before, self.now))
        self.kept.update({pointer: self._as_kept(one) for pointer, one in told.items() if pointer not in due})
        self.gone.update(due.keys() - told.keys())

    def _wording(self, unit: str, page: Page | None) -> dict[str, Field]:
        fields = {} if page is None else page.fields
        return {
            pointer: one
            for pointer, one in fields.items()
            if pointer.startswith("/statements/")
            and not is_decided_upon(one.draft)
            and unit_of(pointer, self.before, self.now) == unit
        }

    def _keep_slot(self, told: Mapping[str, Field], due: Mapping[str, Field]) -> None:
        for pointer, one in due.items():
            before = told.get(pointer)
            if before is None:
                self.kept[pointer] = self._as_kept(one, _NOT_AGREED_YET)
            else:
                self.kept[pointer] = self._as_kept(before)

    def _as_kept(self, one: Field, value: str | None = None) -> Kept:
        return Kept(
            pointer=one.pointer,
            value=one.value if value is None else value,
            version=0 if self.before is None else self.before.version,
            field_class=one.draft.field_class,
            held_as=one.draft.held_as,
        )

    def _is_allowed(self, unit: str, told: Mapping[str, Field]) -> bool:
        """Tell whether a unit may be kept at all: taking back needs nobody's leave.

        What contract or entitlement allow no more is not kept, nor what became a matter of the inside.
        """
        kind, _, rest = unit.partition("/")
        if kind in {"timeline", "item"} and rest in self.context.unlisted:
            return False
        return all(is_allowed(self.context, one.draft) for one in told.values())


def _may_be_kept(context: RenderingContext, told: Mapping[str, Field], due: Mapping[str, Field]) -> bool:
    """Tell whether nothing told before is better than, or beyond comparison with, what the sources hold now."""
    return all(not reason for reason in _against_keeping(context, told, due))


def _against_keeping(context: RenderingContext, told: Mapping[str, Field], due: Mapping[str, Field]) -> Iterator[bool]:
    policy = context.profile.review_policy
    for pointer, now in due.items():
        before = told.get(pointer)
        if pointer_tokens(pointer)[-1] == SLOT_STATE or is_companion(now.draft):
            continue
        if now.hold is not None:
            yield True
        elif before is None:
            yield pointer.startswith("/affected_capabilities/") and not _is_told(pointer, told)
        elif before.hold is None and before.value != now.value:
            yield not policy.is_better(now.draft.field_class or "", now.value, before.value)


def _is_told(pointer: str, told: Mapping[str, Field]) -> bool:
    """Tell whether anything was said before of the capability that a leaf speaks of, as affected."""
    place = "/".join(pointer.split("/")[:3]) + "/"
    return any(one.startswith(place) for one in told)
