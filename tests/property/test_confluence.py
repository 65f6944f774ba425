"""Invariant I5, and the delta: order and duplication of what arrives decide nothing, and every change has its cause."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_of
from dagster_project.packaging import rendering as rendering_module
from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.delta import Delta, Predecessor, delta_of
from dagster_project.packaging.fields import Field, assemble, leaves
from dagster_project.packaging.open_items import open_items_of
from dagster_project.packaging.profile import Profile
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.packaging.snapshot import snapshot_digest
from dagster_project.sources.conflicts import CONFLICTING_COPIES, CONFLICTING_COPIES_BELOW_HEAD
from tests.support.histories import FULL, History, after, shipped_profile, shipped_tables, story
from tests.support.strategies import varied_histories

EXAMPLES = settings(
    max_examples=200 if FULL else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
COPIES = {CONFLICTING_COPIES, CONFLICTING_COPIES_BELOW_HEAD}
SOURCE_CAUSES = {"new_evidence", "source_update", "review_decision"}


# ---- order and duplication -------------------------------------------------------------------------------------


def arrangements(draw: st.DataObject, history: History) -> History:
    """Return the same records in any order, some of them delivered more than once."""
    twice = draw.draw(st.lists(st.sampled_from(history.records), max_size=10))
    shuffled = draw.draw(st.randoms(use_true_random=False))
    records = [*history.records, *twice]
    shuffled.shuffle(records)
    return replace(history, records=tuple(records))


def digests(history: History) -> dict[str, str]:
    return {name: digest_of(render(context).content) for name, context in history.contexts().items()}


def open_decisions(history: History) -> dict[str, set[str]]:
    return {
        name: {one.identity_digest for one in open_items_of(context, render(context))}
        for name, context in history.contexts().items()
    }


@EXAMPLES
@given(st.sampled_from(story()), st.data())
def test_order_and_duplication_of_the_story_change_nothing(history: History, draw: st.DataObject) -> None:
    other = arrangements(draw, history)
    assert snapshot_digest(other.snapshot) == snapshot_digest(history.snapshot)
    assert digests(other) == digests(history)
    assert open_decisions(other) == open_decisions(history)


@EXAMPLES
@given(varied_histories(), st.data())
def test_order_and_duplication_of_any_history_change_nothing(history: History, draw: st.DataObject) -> None:
    other = arrangements(draw, history)
    assert open_decisions(other) == open_decisions(history)
    if not COPIES & {one.kind for one in history.snapshot.conflicts}:
        assert snapshot_digest(other.snapshot) == snapshot_digest(history.snapshot)
        assert digests(other) == digests(history)


def test_the_story_has_conflicting_copies_to_tell_of() -> None:
    assert COPIES & {one.kind for one in after(16).snapshot.conflicts}
    assert any(open_decisions(after(16)).values())


# ---- the delta -------------------------------------------------------------------------------------------------


def predecessor(context: RenderingContext) -> Predecessor:
    rendering = render(context)
    return Predecessor(rendering.content, context, rendering.fields)


def apply(delta: Delta, content: dict[str, Any]) -> bytes:
    """Return what the delta makes of the old content, by pointer; empty sections are no leaves."""
    values = leaves(content)
    for one in delta.operations:
        assert (one.pointer in values) == (one.op != "add")
        if one.op == "remove":
            del values[one.pointer]
        else:
            values[one.pointer] = one.new
    return canonical_bytes(assemble(values))


def assert_exact(delta: Delta, old: dict[str, Any], rendering: Rendering) -> None:
    new = rendering.content
    assert apply(delta, old) == canonical_bytes(assemble(leaves(new)))
    assert (not delta.operations) == (digest_of(old) == digest_of(new))
    assert len({one.pointer for one in delta.operations}) == len(delta.operations)
    values, before = leaves(new), leaves(old)
    for one in delta.operations:
        assert one.cause in {*SOURCE_CAUSES, "policy_change", "clock"}
        assert one.new_digest == (digest_of(values[one.pointer]) if one.pointer in values else None)
        assert one.old_digest == (digest_of(before[one.pointer]) if one.pointer in before else None)


def steps() -> Iterator[tuple[RenderingContext, RenderingContext]]:
    for one, other in pairwise(story()):
        old, new = one.contexts(), other.contexts()
        yield from ((old[name], new[name]) for name in old.keys() & new.keys())


def test_every_delta_of_the_story_leads_from_one_content_to_the_next() -> None:
    for old, new in steps():
        before = predecessor(old)
        rendering = render(new)
        assert_exact(delta_of(new, rendering, before), before.content, rendering)


@EXAMPLES
@given(varied_histories(), varied_histories())
def test_a_delta_between_any_two_histories_is_exact_and_has_causes(one: History, other: History) -> None:
    old, new = one.contexts(), other.contexts()
    for name in old.keys() & new.keys():
        before = predecessor(old[name])
        rendering = render(new[name])
        assert_exact(delta_of(new[name], rendering, before), before.content, rendering)


def test_a_first_content_is_new_evidence_throughout() -> None:
    for context in after(5).contexts().values():
        rendering = render(context)
        delta = delta_of(context, rendering, None)
        assert {one.cause for one in delta.operations} == {"new_evidence"}
        assert len(delta.operations) == len(leaves(rendering.content))


def other_profiles() -> Iterator[Profile]:
    shipped = shipped_profile()
    replaced = msgspec.structs.replace
    yield replaced(shipped, label="TLP:RED")
    yield replaced(shipped, status_codes=shipped.status_codes | {"partial": "major_outage"})
    yield replaced(shipped, severities=shipped.severities | {"SEV1": "severity_2"})
    yield replaced(shipped, region_buckets={key: one for key, one in shipped.region_buckets.items() if key != "europe"})


@EXAMPLES
@given(varied_histories())
def test_changing_records_alone_is_never_called_a_change_of_policy(history: History) -> None:
    base = replace(after(14), at=history.at)
    for name, context in history.contexts(shipped_tables()).items():
        old = base.contexts(shipped_tables())[name]
        delta = delta_of(context, render(context), predecessor(old))
        assert {one.cause for one in delta.operations} <= SOURCE_CAUSES


@pytest.mark.parametrize("step", [7, 14, 21, 26])
def test_changing_the_profile_alone_is_called_a_change_of_policy(step: int) -> None:
    for profile in other_profiles():
        tables = ProfileTables(profile)
        for context in after(step).contexts(shipped_tables()).values():
            new = replace(context, tables=tables)
            delta = delta_of(new, render(new), predecessor(context))
            assert {one.cause for one in delta.operations} <= {"policy_change"}
            assert delta.operations or profile.label == context.profile.label


@pytest.mark.parametrize("step", [9, 21, 25])
def test_changing_the_instant_alone_is_called_the_clock(step: int) -> None:
    changes = 0
    for context in after(step).contexts(shipped_tables()).values():
        for hours in (1, 24, 24 * 400):
            at = context.evaluation_instant + hours * (after(2).at.resolution * 3_600_000_000)
            new = replace(context, evaluation_instant=at)
            delta = delta_of(new, render(new), predecessor(context))
            assert {one.cause for one in delta.operations} <= {"clock"}
            changes += len(delta.operations)
    assert changes


def test_a_change_without_any_cause_is_an_error() -> None:
    """Mutation: a renderer that is no function of its inputs; the delta says so instead of guessing."""
    (context, *_) = after(9).contexts().values()
    before = predecessor(context)
    rendering = render(context)
    changed = dict(rendering.content) | {"severity_code": "severity_4"}
    with pytest.raises(IntegrityViolation):
        delta_of(context, replace(rendering, content=changed), before)


def test_a_renderer_that_has_changed_is_told_from_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    (context, *_) = after(9).contexts().values()
    before = predecessor(context)

    def forgets_severity(_context: RenderingContext, field: Field) -> bool:
        return field.pointer == "/severity_code"

    monkeypatch.setattr(rendering_module, "DROP_GUARDS", (*rendering_module.DROP_GUARDS, forgets_severity))
    delta = delta_of(context, render(context), before)
    assert [(one.pointer, one.cause) for one in delta.operations] == [("/severity_code", "renderer_change")]
