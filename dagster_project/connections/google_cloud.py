"""The Google Cloud status feed: judging it as a whole.

Belongs here: the form of the feed. What its updates say as records is `google_cloud_records`. The unit is the whole
file: one malformed incident rejects it, and nothing of it is admitted, because half a feed is a rosier feed.
"""

from typing import Any, Final

from dagster_project.connections.feed_form import parse_document, require_incidents
from dagster_project.connections.feed_reading import read_feed

__all__ = ["parse_feed", "read_feed"]

_SCHEMA: Final = "google_cloud_feed.json"


def parse_feed(content: bytes) -> list[dict[str, Any]]:
    """Read and judge a whole feed.

    Returns:
        The incidents as the feed gives them; every instant has a known offset, and ids differ.

    Raises:
        UnsafeOrRejected: ``feed_not_json`` (HTML among it), ``feed_empty``, or ``feed_malformed`` with the place.
    """
    incidents: list[dict[str, Any]] = parse_document(content, schema=_SCHEMA)
    require_incidents(incidents)
    return incidents
