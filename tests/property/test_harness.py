"""The harness at reduced counts: no interference, no omission, and it finds out guards that are off.

`make prove` and `make prove-guards` do the same at full counts, some of it through the real thing.
"""

from collections.abc import Callable

import pytest

from dagster_project.packaging.guards import Guard
from tests.harness.blocks import run_blocks
from tests.harness.guards_off import all_guards, search
from tests.harness.real_thing import run_stage
from tests.support.histories import FULL

BLOCKS = 250 if FULL else 12
GUARDS = all_guards() if FULL else all_guards()[::6]


def test_nothing_interferes_and_nothing_is_omitted_over_generated_scenarios(announce: Callable[[str], None]) -> None:
    figures = run_blocks("make test", range(BLOCKS))
    announce("\n".join(figures.last_lines()))
    assert figures.interferences == []
    assert figures.omissions == []
    assert min(figures.restricted, figures.permitted) >= BLOCKS * 15


def test_the_same_seed_gives_the_same_figures() -> None:
    assert run_blocks("twice", range(1)) == run_blocks("twice", range(1))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda one: one.name)
def test_a_guard_that_is_off_is_found_out_within_a_thousand_mutations(guard: Guard) -> None:
    assert search(guard, "make test").by is not None


# In the second a value of a third bridge is mutated, of which the pure path knows nothing.
@pytest.mark.parametrize("seed", ["make test", "d6002884/9"])
def test_what_must_not_be_noticed_changes_nothing_of_the_real_thing(seed: str) -> None:
    figures = run_stage(seed, 4 if FULL else 3)
    assert figures.interferences == []
    assert figures.omissions == []
