"""Between two turning points a rendering does not depend on the instant: what the delta takes for granted is true."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.rendering import render
from tests.support.histories import FULL, History, shipped_tables, story
from tests.support.strategies import varied_histories

MINUTES = st.integers(min_value=-(400 * 24 * 60), max_value=400 * 24 * 60)


def _at(context: RenderingContext, minutes: int) -> RenderingContext:
    return replace(context, evaluation_instant=context.evaluation_instant + timedelta(minutes=minutes))


@settings(max_examples=200 if FULL else 25, deadline=None, suppress_health_check=list(HealthCheck))
@given(varied_histories(), MINUTES, MINUTES)
def test_a_rendering_is_constant_between_turning_points(history: History, one: int, other: int) -> None:
    for context in history.contexts(shipped_tables()).values():
        first, second = _at(context, one), _at(context, other)
        if context.is_constant_between(first.evaluation_instant, second.evaluation_instant):
            assert render(first) == render(second)


@pytest.mark.parametrize("step", range(1, len(story()) + 1))
def test_every_step_of_the_sample_is_constant_on_both_sides_of_each_turning_point(step: int) -> None:
    for context in story()[step - 1].contexts(shipped_tables()).values():
        points = context.index.turning_points
        for before, after in pairwise(points):
            if before < after:
                last = after - timedelta(microseconds=1)
                assert context.is_constant_between(before, last)
                assert render(replace(context, evaluation_instant=before)) == render(
                    replace(context, evaluation_instant=last)
                )


def test_a_turning_point_is_where_a_rendering_may_change() -> None:
    changed = 0
    for history in story():
        for context in history.contexts(shipped_tables()).values():
            for point in context.index.turning_points:
                before = point - timedelta(microseconds=1)
                assert not context.is_constant_between(before, point)
                changed += render(replace(context, evaluation_instant=before)) != render(
                    replace(context, evaluation_instant=point)
                )
    assert changed > 0
