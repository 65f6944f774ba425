"""The Google Cloud status feed as a use case: taking it in, and playing its history under a simulated clock.

Belongs here: what a feed does to the store. The form of the feed is `connections.google_cloud`.
"""

from collections.abc import Iterable, Iterator
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
from dagster_project.connections.google_cloud import parse_feed, read_feed
from dagster_project.connections.google_cloud_records import feed_records
from dagster_project.store.profiles import assigned_profile

SAMPLE_BRIDGE = "harbourline"
SAMPLE_PROFILE = "google_cloud_bridge"


@dataclass(frozen=True)
class PlayedMoment:
    """One instant of a feed's history: how many events it had, and the refreshes that they led to."""

    at: datetime
    events: int
    refreshes: tuple[RefreshReport, ...]


def feed_units(location: str) -> list[DeliveredUnit]:
    """Read a whole feed from a file or URL as units to admit.

    Raises:
        UnsafeOrRejected: the feed is malformed as a whole; nothing of it may be admitted.
        Unavailable: it cannot be read.
    """
    return list(_units(feed_records(parse_feed(read_feed(location)))))


def ingest_google_cloud(workspace: Workspace, units: Iterable[DeliveredUnit]) -> AdmissionReport:
    """Admit a feed's units, with the sample bridge's account records before them."""
    return merge_reports((_prepare_sample_bridge(workspace), admit(workspace, units)))


def _units(events: list[bytes]) -> Iterator[DeliveredUnit]:
    for number, body in enumerate(events, start=1):
        yield DeliveredUnit(unit="google-cloud", locator=f"event {number}", body=body)


def _prepare_sample_bridge(workspace: Workspace) -> AdmissionReport:
    """Give the sample bridge its contract, entitlement and profile, unless it has a profile already."""
    folder = resources.files("dagster_project.demo") / "google_cloud"
    lines = (folder / "account_records.ndjson").read_bytes().splitlines()
    units = [
        DeliveredUnit(unit="account_records.ndjson", locator=f"line {number}", body=line)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    with workspace.store.read() as transaction:
        assigned = assigned_profile(transaction, incident="", bridge=SAMPLE_BRIDGE)
    if assigned is None:
        assign_profile(workspace, load_profile(workspace, shipped_profile(SAMPLE_PROFILE)), bridge=SAMPLE_BRIDGE)
    return admit(workspace, units)


def _recorded(event: bytes) -> datetime:
    return parse_instant(orjson.loads(event)["recordedtime"])


def play_google_cloud(workspace: Workspace, location: str) -> Iterator[PlayedMoment]:
    """Admit a feed's events in the order of time under a simulated clock, refreshing as each moment requires.

    Raises:
        UnsafeOrRejected: the feed is malformed as a whole; nothing of it was admitted.
        Unavailable: it cannot be read.
    """
    return _play(workspace, sorted(feed_records(parse_feed(read_feed(location))), key=_recorded))


def _play(workspace: Workspace, events: list[bytes]) -> Iterator[PlayedMoment]:
    clock = FixedClock(_recorded(events[0]))
    simulated = replace(workspace, clock=clock)
    _prepare_sample_bridge(simulated)
    for at, moment in groupby(events, key=_recorded):
        clock.set(at)
        bodies = list(moment)
        report = admit(simulated, _units(bodies))
        yield PlayedMoment(at, len(bodies), tuple(refresh(simulated, name) for name in report.incidents))
