"""The delta between two successive contents of one bridge, with a cause for every changed field.

Belongs here: the keyed operations and the counterfactual renderings that find their causes. A cause is found by
rendering again with one input exchanged, never guessed; a change without a cause is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.digests import digest_of
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Field, Input, leaves
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.sources.record import RecordReference


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One changed leaf. `old` and `new` are package values, so customer-safe wherever the package is."""

    op: str
    pointer: str
    cause: str
    old: Any = None
    new: Any = None
    old_digest: str | None = None
    new_digest: str | None = None
    evidence: tuple[RecordReference, ...] = ()


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """Every change from the predecessor's content to this one, and how many leaves carried on unchanged."""

    operations: tuple[Operation, ...]
    carried_forward: int


@dataclass(frozen=True)
class Predecessor:
    """The content that came before on this bridge, and the context it was rendered in.

    `same_renderer` says that the present renderer, with the same time zone data, made it: then it is what that context
    gives (invariant I6).
    """

    content: dict[str, Any]
    context: RenderingContext
    fields: tuple[Field, ...]
    same_renderer: bool = False

    @cached_property
    def content_leaves(self) -> dict[str, Any]:
        """The leaves of the content by pointer."""
        return leaves(self.content)

    @cached_property
    def by_pointer(self) -> dict[str, Field]:
        """The fields by pointer."""
        return {one.pointer: one for one in self.fields}


def delta_of(context: RenderingContext, rendering: Rendering, predecessor: Predecessor | None) -> Delta:
    """Return the delta to `rendering` from its predecessor (None: everything is new evidence).

    Raises:
        IntegrityViolation: a change has no cause; the renderer is not a function of its pinned inputs.
    """
    new = leaves(rendering.content)
    old = predecessor.content_leaves if predecessor else {}
    changed = sorted(pointer for pointer in old.keys() | new.keys() if _differs(old, new, pointer))
    cause = _cause_finder(context, rendering, predecessor, new)
    operations = tuple(_operation(pointer, old, new, cause, rendering, predecessor) for pointer in changed)
    return Delta(operations=operations, carried_forward=len(new.keys() - set(changed)))


_ABSENT = object()


def _differs(left: Mapping[str, Any], right: Mapping[str, Any], pointer: str) -> bool:
    return bool(left.get(pointer, _ABSENT) != right.get(pointer, _ABSENT))


def _operation(
    pointer: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    cause: Callable[[str], str],
    rendering: Rendering,
    predecessor: Predecessor | None,
) -> Operation:
    kind = "add" if pointer not in old else "remove" if pointer not in new else "replace"
    return Operation(
        op=kind,
        pointer=pointer,
        cause=cause(pointer),
        old=old.get(pointer),
        new=new.get(pointer),
        old_digest=digest_of(old[pointer]) if pointer in old else None,
        new_digest=digest_of(new[pointer]) if pointer in new else None,
        evidence=_evidence(pointer, rendering.by_pointer, predecessor.by_pointer if predecessor else {}),
    )


def _evidence(pointer: str, new: Mapping[str, Field], old: Mapping[str, Field]) -> tuple[RecordReference, ...]:
    before = {one.reference for one in _inputs_at(pointer, old)}
    after = {one.reference for one in _inputs_at(pointer, new)}
    return tuple(sorted((after - before) or (before - after)))


def _inputs_at(pointer: str, fields: Mapping[str, Field]) -> tuple[Input, ...]:
    return fields[pointer].draft.inputs if pointer in fields else ()


def _cause_finder(
    context: RenderingContext, rendering: Rendering, predecessor: Predecessor | None, new: Mapping[str, Any]
) -> Callable[[str], str]:
    if predecessor is None:
        return lambda _pointer: "new_evidence"
    renderings = _Counterfactuals(context, predecessor, new)

    def cause(pointer: str) -> str:
        if _differs(renderings.nothing_changed(), predecessor.content_leaves, pointer):
            return "renderer_change"
        found = _exchanged_input(renderings, new, pointer)
        if found == "snapshot":
            return _source_cause(pointer, rendering, predecessor)
        return found or _joint_cause(context, predecessor, pointer)

    return cause


def _exchanged_input(renderings: "_Counterfactuals", new: Mapping[str, Any], pointer: str) -> str | None:
    """Name the one exchanged input that brings the change about alone, or else the first that moves the field."""
    exchanged: tuple[tuple[str, Callable[[], Mapping[str, Any]]], ...] = (
        ("snapshot", renderings.only_snapshot),
        ("policy_change", renderings.only_profile),
        ("clock", renderings.only_instant),
        ("review_decision", renderings.only_review),
    )
    alone = (name for name, made in exchanged if not _differs(made(), new, pointer))
    moved = (name for name, made in exchanged if _differs(made(), renderings.nothing_changed(), pointer))
    return next(alone, None) or next(moved, None)


def _joint_cause(context: RenderingContext, predecessor: Predecessor, pointer: str) -> str:
    """Name the cause of a change that no single exchanged input brings about."""
    if predecessor.context.tables.digest != context.tables.digest:
        return "policy_change"
    if predecessor.context.evaluation_instant != context.evaluation_instant:
        return "clock"
    if predecessor.context.review != context.review:
        return "review_decision"
    raise IntegrityViolation(
        "change_without_cause",
        what="a field changed although none of the inputs of rendering did",
        where=f"field {pointer} of incident {context.snapshot.incident}",
        what_to_do="The renderer is not deterministic; do not release, and report this.",
    )


class _Counterfactuals:
    """Renderings of the predecessor with one input exchanged for the present one.

    Each is made when first asked for, and only where it can differ from what is known already.
    """

    def __init__(self, context: RenderingContext, predecessor: Predecessor, new: Mapping[str, Any]) -> None:
        self._context = context
        self._predecessor = predecessor
        self._before = predecessor.context
        self._new = new
        self._made: dict[str, Mapping[str, Any]] = {}

    @cached_property
    def _same_moment(self) -> bool:
        return self._context.is_constant_between(self._before.evaluation_instant, self._context.evaluation_instant)

    @cached_property
    def _same_profile(self) -> bool:
        return self._context.tables.digest == self._before.tables.digest

    @cached_property
    def _same_review(self) -> bool:
        return self._context.review == self._before.review

    def _leaves(self, name: str, **exchanged: object) -> Mapping[str, Any]:
        if name not in self._made:
            variant = replace(self._before, **exchanged)  # type: ignore[arg-type] # names are this class's own
            self._made[name] = leaves(render(variant).content)
        return self._made[name]

    def nothing_changed(self) -> Mapping[str, Any]:
        """Render the predecessor again, by the present renderer; what that renderer made needs no rendering."""
        if self._predecessor.same_renderer:
            return self._predecessor.content_leaves
        return self._leaves("nothing")

    def only_snapshot(self) -> Mapping[str, Any]:
        """Render new sources under the old profile at the old instant; where those make no difference, nothing."""
        if self._context.snapshot == self._before.snapshot and self._context.bridge == self._before.bridge:
            return self.nothing_changed()
        if self._same_profile and self._same_moment and self._same_review:
            return self._new
        return self._leaves(
            "snapshot", snapshot=self._context.snapshot, shared=self._context.index, bridge=self._context.bridge
        )

    def only_profile(self) -> Mapping[str, Any]:
        """Render old sources under the new profile at the old instant; the same profile needs no rendering."""
        if self._same_profile:
            return self.nothing_changed()
        return self._leaves("profile", tables=self._context.tables)

    def only_instant(self) -> Mapping[str, Any]:
        """Render old sources under the old profile at the new instant."""
        return self._leaves("instant", evaluation_instant=self._context.evaluation_instant)

    def only_review(self) -> Mapping[str, Any]:
        """Render old sources with the new decisions; the same decisions need no rendering."""
        if self._same_review:
            return self.nothing_changed()
        return self._leaves("review", review=self._context.review)


def _source_cause(pointer: str, rendering: Rendering, predecessor: Predecessor) -> str:
    """Class a change that the sources brought about, by the records that the field now reads."""
    before = {one.reference for one in _inputs_at(pointer, predecessor.by_pointer)}
    moved = [one for one in _inputs_at(pointer, rendering.by_pointer) if one.reference not in before]
    if any(one.source_field.startswith("security-review#") for one in moved):
        return "review_decision"
    known = {(one.source, one.recordid) for one in before}
    advanced = [one for one in moved if (one.reference.source, one.reference.recordid) in known]
    return "source_update" if advanced or not moved else "new_evidence"


def delta_document(delta: Delta) -> dict[str, Any]:
    """Return the canonical form of a delta."""
    document: dict[str, Any] = document_of(delta)
    return document
