"""Expiry: how near the end of something is that people have to renew, warned of 30, 7 and 1 days before.

Belongs here: the stages, for an end and an instant. What an end means is said where it is asked for.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

# Design, section 6: expiry warns early. The last is when whoever is on duty tonight has to act.
WARNING_DAYS: Final = (30, 7, 1)
LAST_DAYS: Final = WARNING_DAYS[-1]


class Expiry(msgspec.Struct, frozen=True, kw_only=True):
    """When something ends, as seen at one instant.

    `within_days` is the nearest of 30, 7 and 1 days within which it ends; None where it ends later, or has ended.
    """

    ends: datetime
    expired: bool
    within_days: int | None

    @property
    def is_near(self) -> bool:
        """Whether a warning stands: it has ended, or ends within 30 days."""
        return self.expired or self.within_days is not None

    @property
    def ends_tonight(self) -> bool:
        """Whether it has ended, or ends within a day."""
        return self.expired or self.within_days == LAST_DAYS


def expiry_at(ends: datetime, now: datetime) -> Expiry:
    """Return how near an end is at `now`; from its own instant on it has ended."""
    left = ends - now
    within = [days for days in WARNING_DAYS if left <= timedelta(days=days)]
    expired = left <= timedelta(0)
    return Expiry(ends=ends, expired=expired, within_days=None if expired or not within else min(within))
