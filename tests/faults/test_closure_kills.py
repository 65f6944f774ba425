"""SIGKILL at every point of a worker's round, forward and back: no effect twice, finally each once.

A point is right before or after a commit or a call (`closure_points`); within an effect is the point at which its rows
are written and not committed, or its request is sent and not answered. Effects are counted in the targets' own log. By
default some points are taken, other ones in each test; with CHANNELSAFE_EXAMPLES=full it is every one, each followed by
a second death of whoever takes over.
"""

from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from tests.support.closure_processes import admitting, run, working
from tests.support.closure_rounds import PREPARED, around_effects, judge, points_of, settle
from tests.support.closure_sites import LATER, Site
from tests.support.histories import FULL

# How many deaths of each kind there are by default, for each database, way and direction.
SOME: Final = 5


def some(numbers: list[int], seed: str, count: int) -> list[int]:
    return numbers if FULL else sorted(Random(seed).sample(numbers, min(count, len(numbers))))  # noqa: S311 - a sample


@pytest.mark.parametrize("direction", PREPARED)
def test_a_worker_that_is_killed_leaves_what_the_next_one_finishes_once(
    site: Site, request: pytest.FixtureRequest, direction: str, announce: Callable[[str], None]
) -> None:
    passed = points_of(site, direction)
    seed = request.node.name
    every = list(range(1, len(passed) + 1))
    numbers = sorted({*some(around_effects(passed), seed, SOME), *some(every, f"{seed} other", 2)})
    for number in numbers:
        case = PREPARED[direction](site, site.new_case())
        assert not run(working, site.reach, die_at=number), passed[number - 1]
        settle(site)
        assert site.finish(case) in {"complete", "reverted"}, passed[number - 1]
        judge(site, case, direction)
    announce(f"closures, {seed}: {len(numbers)} of {len(passed)} points died at by SIGKILL")


@pytest.mark.parametrize("direction", PREPARED)
def test_whoever_takes_over_may_be_killed_too(site: Site, request: pytest.FixtureRequest, direction: str) -> None:
    passed = points_of(site, direction)
    chance = Random(f"{request.node.name} twice")  # noqa: S311 - a sample
    firsts = some(list(range(3, len(passed) + 1)), f"{request.node.name} first", 2)
    for first in firsts:
        case = PREPARED[direction](site, site.new_case())
        for number in (first, *(chance.randint(1, 24) for _ in range(2))):
            run(working, site.reach, die_at=number)
            settle(site)
            site.pass_time(LATER)
        site.finish(case)
        judge(site, case, direction)


def test_an_event_whose_admission_is_killed_is_neither_lost_nor_taken_twice(site: Site) -> None:
    died = 0
    for number in range(1, 100):
        case = site.new_case()
        ended = run(admitting, site.reach, site.body(case), die_at=number)
        died += not ended
        # Whoever sent it heard nothing, and sends it again.
        assert site.admit(site.body(case)).outcome in {"admitted", "duplicate"}
        assert site.finish(case, rounds=3) == "complete"
        site.assert_closed_once(case)
        if ended:
            break
    assert died >= 4
