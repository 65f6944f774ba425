"""The one clock of Channelsafe.

Belongs here: the `Clock` protocol and its two implementations. Domain functions take an instant, never a clock;
the application reads a clock once per use case and passes the instant on (design: "Time is an input").
"""

from datetime import UTC, datetime
from typing import Protocol

from dagster_project.errors import UsageError


class Clock(Protocol):
    """Tells the present instant, in UTC."""

    def now(self) -> datetime:
        """Return the present instant as an aware UTC datetime."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the machine's present instant, in UTC, to the microsecond."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is set: for replay, the demo and tests."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant that was set last."""
        return self._instant

    def set(self, instant: datetime) -> None:
        """Move the clock to `instant`."""
        self._instant = instant.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC with ``Z``; a fraction only where there is one."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant as an aware UTC datetime.

    Raises:
        UsageError: no date-time, or no known offset. ``-00:00`` is RFC 3339's "offset unknown" and is refused.
    """
    if len(text) < len("2026-03-04T10:00:00Z") or text[10] not in "Tt" or text.endswith("-00:00"):
        raise _unreadable()
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise _unreadable()
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the overflow: a year that leaves the calendar when turned into UTC
        raise _unreadable() from error


def _unreadable() -> UsageError:
    return UsageError(
        "instant_unreadable",
        what="this is not an instant with a known offset",
        where="an RFC 3339 date-time",
        what_to_do="Write it as 2026-03-04T10:00:00Z or with an offset such as +01:00.",
    )
