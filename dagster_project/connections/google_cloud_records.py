"""What the Google Cloud status feed says, as records: pure, from a feed that `google_cloud.parse_feed` accepted.

Belongs here: which records an incident's updates make, and their versions. Nothing is admitted here: the events go
through admission like those of any other source.

Versions come from the feed alone, so that the same or a later copy of it yields duplicates:

- `incident` and `service-health`: epoch seconds of the update's `created`, one more where an incident's updates share
  a second. The feed has no version for its headings, so a severity (or status, or product) that the provider changes
  without an update makes conflicting copies at the head. That is meant: the provider then says two things of one
  moment. After the next update the copies lie below the head and disturb nothing.
- `bridge-timeline`: version 1 of an update's checkpoint says that it happened, recorded at `created`; the version
  with the text, which may be edited days later, is that of `modified`, recorded at `modified`. So an evaluation at
  an earlier instant sees the checkpoint without a text that did not stand there yet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dagster_project.clock import format_instant, parse_instant
from dagster_project.connections.feed_events import (
    UNSPECIFIED,
    Event,
    Occasion,
    Statements,
    in_recorded_order,
    versions_of,
)

SOURCE: Final = "//status.cloud.google.com/feed"
AVAILABLE: Final = "AVAILABLE"
ACTIVE, ENDED = "active", "ended"


@dataclass(frozen=True)
class _Update:
    """One update with what its place among the others decides; `key` names it within its incident."""

    created: datetime
    modified: datetime
    when: datetime
    status: str
    text: str
    locations: tuple[str, ...]
    version: int
    key: str
    is_first: bool

    @property
    def occasion(self) -> Occasion:
        """When the stated fact happened, and when the feed recorded it."""
        return Occasion(self.when, self.created)


def feed_records(feed: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Return the feed as events, one CloudEvents JSON document each, in the order in which they were recorded."""
    return in_recorded_order(event for incident in feed for event in _incident_events(incident))


def feed_end(feed: Sequence[Mapping[str, Any]]) -> datetime:
    """Return the instant from which on everything in the feed is recorded."""
    return max(
        parse_instant(update[name]) for one in feed for update in one["updates"] for name in ("created", "modified")
    )


def _incident_events(incident: Mapping[str, Any]) -> Iterator[Event]:
    said = Statements(SOURCE, incident["id"])
    updates = _in_order(incident["updates"])
    products = tuple(dict.fromkeys(one["id"] for one in incident["affected_products"])) or (UNSPECIFIED,)
    begin = parse_instant(incident["begin"])
    recorded = min(parse_instant(incident["created"]), updates[0].created)
    yield said.checkpoint("detected", "detected", Occasion(begin, recorded))
    standing: dict[tuple[str, str], tuple[str, datetime]] = {}
    for update in updates:
        state = {"severity": incident["severity"], "state": ENDED if update.status == AVAILABLE else ACTIVE}
        yield said.event("incident", "", update.version, update.occasion, state)
        for pair in _pairs_spoken_of(update, products, tuple(standing)):
            status, since = standing.get(pair, (None, update.when))
            standing[pair] = (update.status, since if status == update.status else update.when)
            yield _health(said, update, pair, since=standing[pair][1])
        yield from _checkpoint(said, update)


def _in_order(updates: Sequence[Mapping[str, Any]]) -> list[_Update]:
    """Sort updates by `created` and give each its version and key; equal instants are told apart by their order."""
    ordered = sorted(
        updates, key=lambda one: (parse_instant(one["created"]), parse_instant(one["when"]), one["status"])
    )
    versions = versions_of([parse_instant(one["created"]) for one in ordered])
    found: list[_Update] = []
    keys: dict[str, int] = {}
    for one, version in zip(ordered, versions, strict=True):
        created = parse_instant(one["created"])
        instant = format_instant(created)
        keys[instant] = keys.get(instant, 0) + 1
        found.append(
            _Update(
                created=created,
                modified=parse_instant(one["modified"]),
                when=parse_instant(one["when"]),
                status=one["status"],
                text=one["text"],
                locations=tuple(dict.fromkeys(place["id"] for place in one["affected_locations"])),
                version=version,
                key=instant if keys[instant] == 1 else f"{instant}/{keys[instant]}",
                is_first=not found,
            )
        )
    return found


def _pairs_spoken_of(
    update: _Update, products: Sequence[str], seen: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Return the (product, location) pairs whose state an update states.

    Saying AVAILABLE ends the incident for every pair seen so far, listed or not: those updates rarely repeat the
    list. Any other update says nothing of a pair that it does not list.
    """
    if update.status == AVAILABLE and seen and not update.locations:
        return tuple(seen)
    listed = tuple((product, place) for product in products for place in update.locations or (UNSPECIFIED,))
    return tuple(dict.fromkeys((*seen, *listed))) if update.status == AVAILABLE else listed


def _health(said: Statements, update: _Update, pair: tuple[str, str], *, since: datetime) -> Event:
    product, place = pair
    data = {"component": product, "region": place, "state": update.status, "since": format_instant(since)}
    return said.event("service-health", f"{product}/{place}", update.version, update.occasion, data)


def _checkpoint(said: Statements, update: _Update) -> Iterator[Event]:
    kind = "first_update" if update.is_first else "status_update"
    step = "available" if update.status == AVAILABLE else kind
    return said.checkpoint_and_text(update.key, step, update.occasion, text=update.text, edited=update.modified)
