"""Blocks: one base each, and the same number of mutations of either kind.

What a block does depends on the seed and its number alone, so the figures are the same on any number of processes.
"""

from typing import Final

from tests.harness.bases import make_base
from tests.harness.figures import Figures
from tests.harness.permitted import mutate_permitted
from tests.harness.restricted import find_what_no_pair_shows, mutate_restricted
from tests.support.mutations import seeded

PER_BLOCK: Final = 20


def run_block(seed: str, number: int, times: int = PER_BLOCK) -> Figures:
    """Make one base and mutate it `times` times in either way."""
    name = f"{seed}/{number}"
    random = seeded(name)
    base = make_base(name, random)
    figures = Figures()
    if not find_what_no_pair_shows(base, figures):
        mutate_restricted(base, random, figures, times=times)
        mutate_permitted(base, random, figures, times=times)
    return figures


def run_blocks(seed: str, numbers: range, times: int = PER_BLOCK) -> Figures:
    """Run several blocks one after the other."""
    figures = Figures()
    for number in numbers:
        figures.add(run_block(seed, number, times))
    return figures
