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
from dagster_project.integrity.canonical import canonical_bytes

SOURCE: Final = "//status.cloud.google.com/feed"
AVAILABLE: Final = "AVAILABLE"
ACTIVE, ENDED = "active", "ended"
# Stands for the location where an update names none, and for the product where an incident names none.
UNSPECIFIED: Final = "unspecified"
_FACT_VERSION: Final = 1


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


def feed_records(feed: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Return the feed as events, one CloudEvents JSON document each, in the order in which they were recorded."""
    events = [event for incident in feed for event in _incident_events(incident)]
    events.sort(key=lambda one: (parse_instant(one["recordedtime"]), one["id"]))
    return [canonical_bytes(event) for event in events]


def feed_end(feed: Sequence[Mapping[str, Any]]) -> datetime:
    """Return the instant from which on everything in the feed is recorded."""
    return max(
        parse_instant(update[name]) for one in feed for update in one["updates"] for name in ("created", "modified")
    )


def _incident_events(incident: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    updates = _in_order(incident["updates"])
    products = tuple(dict.fromkeys(one["id"] for one in incident["affected_products"])) or (UNSPECIFIED,)
    yield _detected(incident, first=updates[0])
    standing: dict[tuple[str, str], tuple[str, datetime]] = {}
    for update in updates:
        yield _incident_state(incident, update)
        for pair in _pairs_spoken_of(update, products, tuple(standing)):
            status, since = standing.get(pair, (None, update.when))
            standing[pair] = (update.status, since if status == update.status else update.when)
            yield _health(incident, update, pair, since=standing[pair][1])
        yield from _checkpoint(incident, update)


def _in_order(updates: Sequence[Mapping[str, Any]]) -> list[_Update]:
    """Sort updates by `created` and give each its version and key; equal instants are told apart by their order."""
    ordered = sorted(
        updates, key=lambda one: (parse_instant(one["created"]), parse_instant(one["when"]), one["status"])
    )
    found: list[_Update] = []
    version = 0
    keys: dict[str, int] = {}
    for one in ordered:
        created = parse_instant(one["created"])
        version = max(int(created.timestamp()), version + 1)
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


def _event(
    incident: Mapping[str, Any], *, kind: str, recordid: str, version: int, at: tuple[datetime, datetime], data: object
) -> dict[str, Any]:
    """Make an event; `at` is when the stated fact happened and when the feed recorded it."""
    happened, recorded = at
    return {
        "specversion": "1.0",
        "id": f"{kind}/{recordid}/{version}",
        "source": SOURCE,
        "type": kind,
        "subject": incident["id"].upper(),
        "time": format_instant(happened),
        "datacontenttype": "application/json",
        "recordid": recordid,
        "recordversion": str(version),
        "recordedtime": format_instant(recorded),
        "dataclassification": "customer",
        "data": data,
    }


def _detected(incident: Mapping[str, Any], *, first: _Update) -> dict[str, Any]:
    begin = parse_instant(incident["begin"])
    return _event(
        incident,
        kind="bridge-timeline",
        recordid=f"{incident['id']}/detected",
        version=_FACT_VERSION,
        at=(begin, min(parse_instant(incident["created"]), first.created)),
        data={"checkpoint": "detected", "at": format_instant(begin)},
    )


def _incident_state(incident: Mapping[str, Any], update: _Update) -> dict[str, Any]:
    state = ENDED if update.status == AVAILABLE else ACTIVE
    return _event(
        incident,
        kind="incident",
        recordid=incident["id"],
        version=update.version,
        at=(update.when, update.created),
        data={"severity": incident["severity"], "state": state},
    )


def _health(incident: Mapping[str, Any], update: _Update, pair: tuple[str, str], *, since: datetime) -> dict[str, Any]:
    product, place = pair
    return _event(
        incident,
        kind="service-health",
        recordid=f"{incident['id']}/{product}/{place}",
        version=update.version,
        at=(update.when, update.created),
        data={"component": product, "region": place, "state": update.status, "since": format_instant(since)},
    )


def _checkpoint(incident: Mapping[str, Any], update: _Update) -> Iterator[dict[str, Any]]:
    kind = "first_update" if update.is_first else "status_update"
    fact = {"checkpoint": "available" if update.status == AVAILABLE else kind, "at": format_instant(update.when)}
    recordid = f"{incident['id']}/{update.key}"
    at = (update.when, update.created)
    yield _event(incident, kind="bridge-timeline", recordid=recordid, version=_FACT_VERSION, at=at, data=fact)
    if update.text:
        edited = max(update.modified, update.created)
        version = max(int(edited.timestamp()), _FACT_VERSION + 1)
        data = {**fact, "note": update.text}
        at = (update.when, edited)
        yield _event(incident, kind="bridge-timeline", recordid=recordid, version=version, at=at, data=data)
