"""Invariant I3: every leaf has one lineage group and every group one leaf, and the group explains the leaf."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_of
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Absence, Hold, leaves, pointer_tokens
from dagster_project.packaging.lineage import Lineage, LineageGroup, lineage_bytes, lineage_of, read_lineage
from dagster_project.packaging.release_check import release_check
from dagster_project.packaging.rendering import Rendering, reapply, render
from dagster_project.sources.record import reference_to
from tests.support.histories import FULL, History, after, shipped_tables, story
from tests.support.strategies import varied_histories

INPUTLESS = {"profile_constant", "content_schema"}


def packages(history: History) -> Iterator[tuple[RenderingContext, Rendering, Lineage]]:
    for context in history.contexts(shipped_tables()).values():
        rendering = render(context)
        yield context, rendering, lineage_of(context, rendering)


def assert_explained(context: RenderingContext, rendering: Rendering, lineage: Lineage) -> None:
    shown = leaves(rendering.content)
    pointers = [group.draft.pointer for group in lineage.groups]
    assert len(pointers) == len(set(pointers))
    assert set(pointers) == set(shown)
    stored = {reference_to(one): one for one in (*context.snapshot.heads, *context.snapshot.earlier)}
    for group in lineage.groups:
        value = shown[group.draft.pointer]
        assert group.value_digest == digest_of(value)
        assert reapply(context, group.draft, rendering.fields, lineage.absences) == value
        assert bool(group.draft.inputs) != (group.draft.transformation in INPUTLESS)
        for one in group.draft.inputs:
            assert one.reference in stored
            if one.subtype == "IDENTITY" and group.hold is None:
                assert value == context.value(one.reference, one.source_field)
    assert lineage_bytes(lineage) == canonical_bytes(document_of(lineage))
    assert read_lineage(lineage_bytes(lineage)) == lineage


def masked_values(context: RenderingContext, lineage: Lineage) -> set[str]:
    """Return every text behind a masked input that no public value of the package's own world equals."""
    public = {*context.tables.capability_by_component, *context.tables.bucket_by_region}
    found: set[str] = set()
    for group in lineage.groups:
        for one in group.draft.inputs:
            if one.masking:
                found |= set(_texts(context.value(one.reference, one.source_field)))
    return found - public


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


@pytest.mark.parametrize("step", range(1, len(story()) + 1))
def test_lineage_explains_every_leaf_of_the_story(step: int) -> None:
    for context, rendering, lineage in packages(after(step)):
        assert_explained(context, rendering, lineage)


def test_masked_inputs_are_cited_and_their_values_never_shown() -> None:
    seen: set[str] = set()
    for history in story():
        for context, rendering, lineage in packages(history):
            masked = masked_values(context, lineage)
            text = json.dumps(rendering.content, ensure_ascii=False)
            assert {one for one in masked if one in text} == set()
            seen |= masked
    assert len(seen) >= 5


@settings(max_examples=300 if FULL else 40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(varied_histories())
def test_lineage_explains_every_leaf_of_any_history(history: History) -> None:
    for context, rendering, lineage in packages(history):
        assert_explained(context, rendering, lineage)
        check = release_check(rendering.content, lineage, context, predecessor_digest=None)
        assert check.passed or {one.code for one in check.reasons} == {"stale"}


# ---- whatever is tampered with, the release check fails --------------------------------------------------------

Tampered = tuple[dict[str, Any], Lineage]
Tampering = Callable[[dict[str, Any], Lineage, LineageGroup], Tampered | None]


def _with_group(lineage: Lineage, old: LineageGroup, *new: LineageGroup) -> Lineage:
    groups = tuple(one for group in lineage.groups for one in (new if group is old else (group,)))
    return msgspec.structs.replace(lineage, groups=groups)


def _put(content: dict[str, Any], pointer: str, value: object) -> dict[str, Any]:
    changed = deepcopy(content)
    *parents, last = pointer_tokens(pointer)
    place = changed
    for name in parents:
        place = place[name]
    place[last] = value
    return changed


def value_changed(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered:
    """Another value, with every digest made to fit: only re-applying the rule can tell."""
    value = leaves(content)[group.draft.pointer]
    other: object = ("major_outage" if value == "operational" else "operational") if isinstance(value, str) else ["no"]
    changed = _put(content, group.draft.pointer, other)
    fitted = msgspec.structs.replace(group, value_digest=digest_of(other))
    fitted_lineage = _with_group(lineage, group, fitted)
    return changed, msgspec.structs.replace(fitted_lineage, content_digest=digest_of(changed))


def group_removed(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered:
    return content, _with_group(lineage, group)


def group_twice(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered:
    return content, _with_group(lineage, group, group, group)


def leaf_removed_with_its_group(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered:
    changed = deepcopy(content)
    *parents, last = pointer_tokens(group.draft.pointer)
    place = changed
    for name in parents:
        place = place[name]
    del place[last]
    return changed, msgspec.structs.replace(_with_group(lineage, group), content_digest=digest_of(changed))


def input_removed(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered | None:
    if not group.draft.inputs:
        return None
    draft = msgspec.structs.replace(group.draft, inputs=group.draft.inputs[1:])
    return content, _with_group(lineage, group, msgspec.structs.replace(group, draft=draft))


def input_of_other_bytes(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered | None:
    if not group.draft.inputs:
        return None
    first = group.draft.inputs[0]
    reference = msgspec.structs.replace(first.reference, datadigest=digest_of("of nothing here"))
    inputs = (msgspec.structs.replace(first, reference=reference), *group.draft.inputs[1:])
    draft = msgspec.structs.replace(group.draft, inputs=inputs)
    return content, _with_group(lineage, group, msgspec.structs.replace(group, draft=draft))


def rule_of_other_bytes(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered:
    return content, _with_group(
        lineage, group, msgspec.structs.replace(group, rule_digest=digest_of("of nothing here"))
    )


def value_digest_changed(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered:
    return content, _with_group(
        lineage, group, msgspec.structs.replace(group, value_digest=digest_of("of nothing here"))
    )


def hold_exchanged(content: dict[str, Any], lineage: Lineage, group: LineageGroup) -> Tampered:
    hold = None if group.hold else Hold(reason="leak", slot="other")
    return content, _with_group(lineage, group, msgspec.structs.replace(group, hold=hold))


def content_digest_changed(content: dict[str, Any], lineage: Lineage, _group: LineageGroup) -> Tampered:
    return content, msgspec.structs.replace(lineage, content_digest=digest_of("of nothing here"))


def absence_added(content: dict[str, Any], lineage: Lineage, _group: LineageGroup) -> Tampered:
    return content, msgspec.structs.replace(
        lineage, absences=(Absence(pointer="/timeline", reason="rejected_input", slot="other"),)
    )


TAMPERINGS: tuple[Tampering, ...] = (
    value_changed,
    group_removed,
    group_twice,
    leaf_removed_with_its_group,
    input_removed,
    input_of_other_bytes,
    rule_of_other_bytes,
    value_digest_changed,
    hold_exchanged,
    content_digest_changed,
    absence_added,
)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda one: one.__name__)
def test_whatever_is_tampered_with_fails_the_release_check(tamper: Tampering) -> None:
    made = 0
    for step in (17, 26) if not FULL else range(1, len(story()) + 1):
        for context, rendering, lineage in packages(after(step)):
            assert release_check(rendering.content, lineage, context, predecessor_digest=None).passed
            for group in lineage.groups[:: 1 if FULL else 3]:
                tampered = tamper(rendering.content, lineage, group)
                if tampered is None:
                    continue
                check = release_check(*tampered, context, predecessor_digest=None)
                assert not check.passed, (group.draft.pointer, step)
                made += 1
    assert made >= 20


def test_a_candidate_without_its_worst_region_does_not_pass() -> None:
    """The dishonest candidate that explains itself: the outage's region left out of content, lineage and inputs."""
    context = after(2).contexts()["harbourline"]
    healed = after(1).contexts()["harbourline"]
    rendering = render(healed)
    check = release_check(rendering.content, lineage_of(healed, rendering), context, predecessor_digest=None)
    assert not check.passed
