"""Attempts: when a change whose refresh ended without observing it is refreshed again.

Belongs here: the pause before each further attempt. A refresh that cannot succeed must not be run at every tick, and
one that died half way must not be forgotten. Runs are counted by whoever starts them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=1)
_MOST_DOUBLINGS: Final = 10  # far beyond the longest pause; keeps the power small


@dataclass(frozen=True)
class Attempts:
    """The runs that one pending change has had: how many ended, and when the newest of them did."""

    ended: int
    last_ended_at: datetime


def next_attempt_at(attempts: Attempts) -> datetime:
    """Return from when on the change may be tried again: half a minute after the first end, then ever later.

    An attempt is never given up: the pause stops growing at one hour.
    """
    return attempts.last_ended_at + _pause(attempts.ended)


def pauses() -> tuple[timedelta, ...]:
    """Return the pauses after the first, second... attempt; the last one holds for all that follow."""
    return tuple(_pause(ended) for ended in range(1, _MOST_DOUBLINGS + 2))


def _pause(ended: int) -> timedelta:
    factor: int = 2 ** min(max(ended - 1, 0), _MOST_DOUBLINGS)
    return min(FIRST_PAUSE * factor, LONGEST_PAUSE)
