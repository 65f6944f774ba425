"""Status feeds as a use case: taking one in, and playing its history under a simulated clock.

Belongs here: what any feed does to the store. The form of a feed is its module's in `connections`; which feeds there
are, and the sample bridge of each, is `google_cloud` and `statuspage` beside this module.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources
from itertools import groupby

import orjson

from dagster_project.application.admit import AdmissionReport, DeliveredUnit, admit, merge_reports
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.refresh import RefreshReport, refresh
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock, parse_instant
from dagster_project.connections.feed_reading import read_feed
from dagster_project.errors import UnsafeOrRejected
from dagster_project.store.intake import NewDelivery, NewRejection, keep_rejected, record_deliveries
from dagster_project.store.profiles import assigned_profile
from dagster_project.store.records import Outcome


@dataclass(frozen=True)
class Feed:
    """One kind of feed: how its bytes become events, and the sample bridge that comes with it.

    `unit` names the feed in deliveries, `source` its events; `samples` is the folder of the sample bridge's account
    records.
    """

    unit: str
    source: str
    samples: str
    bridge: str
    profile: str
    events: Callable[[bytes], list[bytes]]


@dataclass(frozen=True)
class PlayedMoment:
    """One instant of a feed's history: how many events it had, and the refreshes that they led to."""

    at: datetime
    events: int
    refreshes: tuple[RefreshReport, ...]


def feed_units(workspace: Workspace, feed: Feed, location: str) -> list[DeliveredUnit]:
    """Read a whole feed from a file or URL as units to admit; a malformed one is kept aside as a whole.

    Raises:
        UnsafeOrRejected: the feed is malformed as a whole; nothing of it may be admitted.
        Unavailable: it cannot be read.
    """
    content = read_feed(location)
    try:
        return list(_units(feed, feed.events(content)))
    except UnsafeOrRejected as error:
        _keep_aside(workspace, feed, content, error)
        raise


def _keep_aside(workspace: Workspace, feed: Feed, content: bytes, error: UnsafeOrRejected) -> None:
    """Keep a feed that was refused, with the reason: what it would have said is not lost, and status names it."""
    at = workspace.clock.now()
    refused = NewRejection(reason_code=error.code, where_pointer=error.where, received_at=at, source=feed.source)
    with workspace.store.begin() as transaction:
        (number,) = keep_rejected(transaction, [(refused, content)])
        delivery = NewDelivery(
            unit=feed.unit,
            locator="the whole feed",
            received_at=at,
            outcome=Outcome.REJECTED,
            rejected_input_id=number,
        )
        record_deliveries(transaction, [delivery])


def ingest_feed(workspace: Workspace, feed: Feed, units: Iterable[DeliveredUnit]) -> AdmissionReport:
    """Admit a feed's units, with the sample bridge's account records before them."""
    return merge_reports((_prepare_sample_bridge(workspace, feed), admit(workspace, units)))


def play_feed(workspace: Workspace, feed: Feed, location: str) -> Iterator[PlayedMoment]:
    """Admit a feed's events in the order of time under a simulated clock, refreshing as each moment requires.

    Raises:
        UnsafeOrRejected: the feed is malformed as a whole; nothing of it was admitted.
        Unavailable: it cannot be read.
    """
    return _play(workspace, feed, sorted(feed.events(read_feed(location)), key=_recorded))


def _units(feed: Feed, events: list[bytes]) -> Iterator[DeliveredUnit]:
    for number, body in enumerate(events, start=1):
        yield DeliveredUnit(unit=feed.unit, locator=f"event {number}", body=body)


def _prepare_sample_bridge(workspace: Workspace, feed: Feed) -> AdmissionReport:
    """Give the sample bridge its contract, entitlement and profile, unless it has a profile already."""
    folder = resources.files("dagster_project.demo") / feed.samples
    lines = (folder / "account_records.ndjson").read_bytes().splitlines()
    units = [
        DeliveredUnit(unit="account_records.ndjson", locator=f"line {number}", body=line)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    with workspace.store.read() as transaction:
        assigned = assigned_profile(transaction, incident="", bridge=feed.bridge)
    if assigned is None:
        assign_profile(workspace, load_profile(workspace, shipped_profile(feed.profile)), bridge=feed.bridge)
    return admit(workspace, units)


def _recorded(event: bytes) -> datetime:
    return parse_instant(orjson.loads(event)["recordedtime"])


def _play(workspace: Workspace, feed: Feed, events: list[bytes]) -> Iterator[PlayedMoment]:
    clock = FixedClock(_recorded(events[0]))
    simulated = replace(workspace, clock=clock)
    _prepare_sample_bridge(simulated, feed)
    for at, moment in groupby(events, key=_recorded):
        clock.set(at)
        bodies = list(moment)
        report = admit(simulated, _units(feed, bodies))
        yield PlayedMoment(at, len(bodies), tuple(refresh(simulated, name) for name in report.incidents))
