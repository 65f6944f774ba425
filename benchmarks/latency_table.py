"""The table of `refresh_latency`: percentiles of each kind of sample beside its baseline.

Belongs here: arithmetic and layout. Nothing is measured here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PERCENTILES: Final = (50, 95, 99)
_WIDTH: Final = 58


@dataclass(frozen=True)
class Row:
    """The seconds that samples of one kind took.

    Attributes:
        name: What was measured.
        seconds: Of the samples that were finished.
        taken: How many samples were taken; those that did not finish in time are missing from `seconds`.
        baseline: The name of the row that this one is compared with; its own for a baseline.
    """

    name: str
    seconds: Sequence[float]
    taken: int
    baseline: str


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest of `values` that at least `percent` percent of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def table(rows: Sequence[Row]) -> str:
    """Return one line per row: percentiles, finished and taken samples, and the median beside the baseline's.

    Below a hundred samples p99 is the longest, below twenty p95 is too.
    """
    named = {row.name: row for row in rows}
    heading = "".join(f"{f'p{percent}':>8}" for percent in PERCENTILES)
    lines = [f"{'':{_WIDTH}}{heading}{'samples':>10}{'p50 beside empty job':>24}"]
    lines.extend(_line(row, named[row.baseline]) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _line(row: Row, baseline: Row) -> str:
    samples = f"{len(row.seconds)}/{row.taken}"
    if not row.seconds:
        return f"{row.name:{_WIDTH}}{'none finished':>24}{samples:>10}"
    figures = "".join(f"{percentile(row.seconds, percent):>8.2f}" for percent in PERCENTILES)
    return f"{row.name:{_WIDTH}}{figures}{samples:>10}{_beside(row, baseline)}"


def _beside(row: Row, baseline: Row) -> str:
    if row.name == baseline.name or not baseline.seconds:
        return ""
    ours, theirs = percentile(row.seconds, 50), percentile(baseline.seconds, 50)
    return f"{ours / theirs:>12.2f} x {ours - theirs:>+8.2f} s"
