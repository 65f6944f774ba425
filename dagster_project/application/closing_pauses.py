"""Closing pauses: when a step is tried again, and for how long a system that fails is left alone.

Belongs here: the figures. Chance is a parameter, so that a run can be repeated from its seed.
"""

from datetime import timedelta
from random import Random
from typing import Final

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=5)
# A target may name a longer pause itself; it is believed up to here.
LONGEST_NAMED_PAUSE: Final = timedelta(hours=1)
# After so many attempts a person is told; the step goes on being tried.
MOST_ATTEMPTS: Final = 6
# After so many failures in a row a system is left alone.
MOST_FAILURES: Final = 3
LEFT_ALONE: Final = timedelta(seconds=30)
_MOST_DOUBLINGS: Final = 10  # far beyond the longest pause; keeps the power small


def pause_after(attempts: int, chance: Random) -> timedelta:
    """Return the pause after so many attempts: twice as long each time, shortened by chance by up to a half.

    Chance keeps many steps that failed together from coming back together.
    """
    factor: int = 2 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return _shortened(min(FIRST_PAUSE * factor, LONGEST_PAUSE), chance)


def time_left_alone(chance: Random) -> timedelta:
    """Return for how long a system that failed too often is not called."""
    return _shortened(LEFT_ALONE, chance)


def named_pause(after: float | None) -> timedelta:
    """Return the pause that a target named, within bounds; none where it named none."""
    return (
        timedelta() if after is None or not after > 0 else min(timedelta(seconds=min(after, 1e6)), LONGEST_NAMED_PAUSE)
    )


def _shortened(pause: timedelta, chance: Random) -> timedelta:
    return pause * (0.5 + chance.random() / 2)
