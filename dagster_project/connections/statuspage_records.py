"""What the feed of a Statuspage says, as records: pure, from a feed that `statuspage.parse_feed` accepted.

Belongs here: which records an incident's updates make, and their versions. Nothing is admitted here: the events go
through admission like those of any other source. Ids and states are taken over as the feed writes them; what they
mean is the profile's business. Of texts only the body of an update is taken over, as an internal note.

Versions come from the feed alone, so that the same or a later copy of it yields duplicates:

- `incident` and `service-health`: epoch seconds of the update's `created_at`, one more where an incident's updates
  share a second. An impact that is changed without an update makes conflicting copies at the head, as does a heading
  whose status is not that of the last update: the page then says two things of one moment.
- `bridge-timeline`: version 1 of an update's checkpoint says that it happened; the version with the text is that of
  `updated_at`, recorded then.

What is said of a component comes from the transitions of the updates. The list of components under an incident shows
their state of today, which later incidents have changed too, so it speaks only where updates are silent:

- a listed component that no update speaks of is affected in a state that nobody stated (`unspecified`);
- a state that was set by hand, after the last update that spoke of the component, counts while the incident is open;
  once it has ended, only a state that was set before the end counts, as what stood at the end.
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

SOURCE: Final = "//statuspage.io/feed"
ENDED: Final = frozenset({"resolved", "postmortem", "completed"})
REPEATED: Final = "status_update"


@dataclass(frozen=True)
class _Update:
    """One update with what its place among the others decides; `moved` are component ids with their new state."""

    id: str
    created: datetime
    edited: datetime
    shown: datetime
    status: str
    text: str
    moved: tuple[tuple[str, str], ...]
    version: int

    @property
    def occasion(self) -> Occasion:
        """When the stated fact happened, and when the feed recorded it."""
        return Occasion(self.shown, self.created)


@dataclass(frozen=True)
class _Said:
    """What was last said of a component: its state, since when, and the version that said so."""

    state: str
    since: datetime
    version: int


def feed_records(feed: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Return the feed as events, one CloudEvents JSON document each, in the order in which they were recorded."""
    return in_recorded_order(event for incident in feed for event in _incident_events(incident))


def _incident_events(incident: Mapping[str, Any]) -> Iterator[Event]:
    about = Statements(SOURCE, incident["id"])
    updates = _in_order(incident["incident_updates"])
    created = parse_instant(incident["created_at"])
    started = parse_instant(incident.get("started_at") or incident["created_at"])
    yield about.checkpoint("detected", "detected", Occasion(started, min(created, updates[0].created)))
    before = ""
    for update in updates:
        yield _state(about, incident, update, update.status)
        step = REPEATED if update.status == before else update.status
        yield from about.checkpoint_and_text(update.id, step, update.occasion, text=update.text, edited=update.edited)
        before = update.status
    if incident["status"] != before and not {incident["status"], before} <= ENDED:
        yield _state(about, incident, updates[-1], incident["status"])
    yield from _component_events(about, incident, updates)


def _in_order(updates: Sequence[Mapping[str, Any]]) -> list[_Update]:
    """Sort updates by `created_at` and give each its version."""
    ordered = sorted(
        updates, key=lambda one: (parse_instant(one["created_at"]), parse_instant(one["display_at"]), one["id"])
    )
    versions = versions_of([parse_instant(one["created_at"]) for one in ordered])
    return [
        _Update(
            id=one["id"],
            created=parse_instant(one["created_at"]),
            edited=parse_instant(one["updated_at"]),
            shown=parse_instant(one["display_at"]),
            status=one["status"],
            text=one["body"] or "",
            moved=tuple(dict.fromkeys((it["code"], it["new_status"]) for it in one.get("affected_components") or ())),
            version=version,
        )
        for one, version in zip(ordered, versions, strict=True)
    ]


def _state(about: Statements, incident: Mapping[str, Any], update: _Update, status: str) -> Event:
    data = {"severity": incident["impact"], "state": status}
    return about.event("incident", "", update.version, update.occasion, data)


def _component_events(about: Statements, incident: Mapping[str, Any], updates: Sequence[_Update]) -> Iterator[Event]:
    listed = incident.get("components") or []
    spoken_of = {component for update in updates for component, _state in update.moved}
    silent = [one["id"] for one in listed if one["id"] not in spoken_of]
    if not listed and not spoken_of:
        silent = [UNSPECIFIED]
    said: dict[str, _Said] = {}
    for number, update in enumerate(updates):
        unstated = [(component, UNSPECIFIED) for component in dict.fromkeys(silent)] if number == 0 else []
        for component, state in (*update.moved, *unstated):
            before = said.get(component)
            since = before.since if before and before.state == state else update.shown
            said[component] = _Said(state, since, update.version)
            yield _health(about, component, said[component], update.occasion)
    for one in listed:
        yield from _set_by_hand(about, one, said[one["id"]], _end(updates))


def _end(updates: Sequence[_Update]) -> _Update | None:
    """Return the update that ended the incident, or None while it is open; a postmortem comes after the end."""
    end = None
    for update in reversed(updates):
        if update.status not in ENDED:
            break
        end = update
    return end


def _set_by_hand(about: Statements, listed: Mapping[str, Any], said: _Said, end: _Update | None) -> Iterator[Event]:
    """Say what the list of components adds to the updates; see the module's text for when it may."""
    at = parse_instant(listed["updated_at"])
    second = int(at.timestamp())
    if listed["status"] == said.state or (end is not None and second > end.version):
        return
    version = second if end is None else end.version
    if version > said.version:
        recorded = at if end is None else end.created
        yield _health(about, listed["id"], _Said(listed["status"], at, version), Occasion(at, recorded))


def _health(about: Statements, component: str, said: _Said, occasion: Occasion) -> Event:
    data = {
        "component": component,
        "region": UNSPECIFIED,
        "state": said.state,
        "since": format_instant(said.since),
    }
    return about.event("service-health", component, said.version, occasion, data)
