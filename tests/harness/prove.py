"""Proving: many mutations over many bases, on all processes, with the figures at the end.

A run is made of stages, on which mutants go through the real thing, and of blocks, on which they go through the pure
path.
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import Final

from tests.harness.blocks import run_blocks
from tests.harness.figures import Figures
from tests.harness.real_thing import PER_STAGE, run_stage

# How many go through store, Dagster, command line and published folder.
REAL: Final = 300
_BLOCKS_PER_TASK: Final = 4
_SECONDS_BETWEEN_LINES: Final = 15


def prove(mutations: int, seed: str, *, real: int = REAL, processes: int = 2) -> Figures:
    """Make at least `mutations`, half of either kind, some of them through the real thing; return the figures."""
    figures, begun, told = Figures(), time.monotonic(), 0.0
    stages = -(-real // PER_STAGE)
    with ProcessPoolExecutor(processes) as pool:
        for part in _parts(pool, seed, stages, processes):
            figures.add(part)
            seconds = time.monotonic() - begun
            if seconds - told > _SECONDS_BETWEEN_LINES:
                told = seconds
                made = figures.restricted + figures.permitted
                _say(f"{made} mutations after {seconds:.0f} s, {figures.real} of them through the real thing")
            if min(figures.restricted, figures.permitted) >= mutations // 2 and figures.stages == stages:
                break
        pool.shutdown(cancel_futures=True)
    return figures


def _parts(pool: ProcessPoolExecutor, seed: str, stages: int, processes: int) -> Iterator[Figures]:
    """Yield the figures of all stages and then of all blocks, in order, without an end."""
    blocks = (range(first, first + _BLOCKS_PER_TASK) for first in range(0, 10**9, _BLOCKS_PER_TASK))
    tasks: Iterator[Callable[[], Figures]] = chain(
        (partial(run_stage, f"{seed}/{number}") for number in range(stages)),
        (partial(run_blocks, seed, numbers) for numbers in blocks),
    )
    waiting = [pool.submit(work) for work in islice(tasks, processes * 2)]
    while True:
        yield waiting.pop(0).result()
        waiting.append(pool.submit(next(tasks)))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
