"""What a status feed says, as events: the form that events of every feed have in common.

Belongs here: making one event, its versions and the order of all. Which facts a feed states is the business of each
feed's own records module. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dagster_project.clock import format_instant, parse_instant
from dagster_project.integrity.canonical import canonical_bytes

# Stands for a product or location where a feed names none.
UNSPECIFIED: Final = "unspecified"
FACT_VERSION: Final = 1

Event = dict[str, Any]


@dataclass(frozen=True)
class Occasion:
    """When a stated fact happened, and when the feed recorded that it did."""

    happened: datetime
    recorded: datetime


@dataclass(frozen=True)
class Statements:
    """What one feed says of one incident: makes events about it. `incident` is the id as the feed writes it."""

    source: str
    incident: str

    def event(self, kind: str, recordid: str, version: int, occasion: Occasion, data: Mapping[str, Any]) -> Event:
        """Make an event; the record's id is `recordid` below that of the incident."""
        whole = f"{self.incident}/{recordid}" if recordid else self.incident
        return {
            "specversion": "1.0",
            "id": f"{kind}/{whole}/{version}",
            "source": self.source,
            "type": kind,
            "subject": self.incident.upper(),
            "time": format_instant(occasion.happened),
            "datacontenttype": "application/json",
            "recordid": whole,
            "recordversion": str(version),
            "recordedtime": format_instant(occasion.recorded),
            "dataclassification": "customer",
            "data": dict(data),
        }

    def checkpoint(self, key: str, kind: str, occasion: Occasion) -> Event:
        """Say that a step of the incident happened."""
        data = {"checkpoint": kind, "at": format_instant(occasion.happened)}
        return self.event("bridge-timeline", key, FACT_VERSION, occasion, data)

    def checkpoint_and_text(
        self, key: str, kind: str, occasion: Occasion, *, text: str, edited: datetime
    ) -> Iterator[Event]:
        """Say that a step happened, and with what text: an own version, recorded when the text was last edited.

        So an evaluation at an earlier instant sees the step without a text that did not stand there yet.
        """
        step = self.checkpoint(key, kind, occasion)
        yield step
        if text:
            recorded = max(edited, occasion.recorded)
            version = max(int(recorded.timestamp()), FACT_VERSION + 1)
            data = {**step["data"], "note": text}
            yield self.event("bridge-timeline", key, version, Occasion(occasion.happened, recorded), data)


def versions_of(instants: Sequence[datetime]) -> tuple[int, ...]:
    """Return the version of each update: epoch seconds of its instant, one more where two share a second.

    Args:
        instants: When the updates of one incident were made, in order.
    """
    found: list[int] = []
    for instant in instants:
        found.append(max(int(instant.timestamp()), found[-1] + 1 if found else 0))
    return tuple(found)


def in_recorded_order(events: Iterable[Event]) -> list[bytes]:
    """Return events as CloudEvents JSON documents, in the order in which they were recorded."""
    ordered = sorted(events, key=lambda one: (parse_instant(one["recordedtime"]), one["id"]))
    return [canonical_bytes(event) for event in ordered]
