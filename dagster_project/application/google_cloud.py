"""The Google Cloud status feed as a use case: which bridge it feeds, taking it in, playing its history.

Belongs here: what is this feed's own. What every feed does to the store is `feeds`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from dagster_project.application.admit import AdmissionReport, DeliveredUnit
from dagster_project.application.feeds import Feed, PlayedMoment, ingest_feed, play_feed
from dagster_project.application.workspace import Workspace
from dagster_project.connections.google_cloud import parse_feed
from dagster_project.connections.google_cloud_records import SOURCE, feed_records

SAMPLE_BRIDGE: Final = "harbourline"
SAMPLE_PROFILE: Final = "google_cloud_bridge"
GOOGLE_CLOUD: Final = Feed(
    unit="google-cloud",
    source=SOURCE,
    samples="google_cloud",
    bridge=SAMPLE_BRIDGE,
    profile=SAMPLE_PROFILE,
    events=lambda content: feed_records(parse_feed(content)),
)


def ingest_google_cloud(workspace: Workspace, units: Iterable[DeliveredUnit]) -> AdmissionReport:
    """Admit a feed's units, with the sample bridge's account records before them."""
    return ingest_feed(workspace, GOOGLE_CLOUD, units)


def play_google_cloud(workspace: Workspace, location: str) -> Iterator[PlayedMoment]:
    """Admit a feed's events in the order of time under a simulated clock, refreshing as each moment requires.

    Raises:
        UnsafeOrRejected: the feed is malformed as a whole; nothing of it was admitted.
        Unavailable: it cannot be read.
    """
    return play_feed(workspace, GOOGLE_CLOUD, location)
