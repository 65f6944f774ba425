"""The feed of a Statuspage (public API v2, `incidents.json`): judging it as a whole.

Belongs here: the form of the feed. What its updates say as records is `statuspage_records`. The unit is the whole
file: one malformed incident rejects it, and nothing of it is admitted, because half a feed is a rosier feed.
"""

from typing import Any, Final

from dagster_project.connections.feed_form import parse_document, rejected_feed, require_incidents

_SCHEMA: Final = "statuspage_feed.json"


def parse_feed(content: bytes) -> list[dict[str, Any]]:
    """Read and judge a whole feed.

    Returns:
        The incidents as the feed gives them; every instant has a known offset, and ids differ.

    Raises:
        UnsafeOrRejected: ``feed_not_json`` (HTML among it), ``feed_empty``, or ``feed_malformed`` with the place.
    """
    incidents: list[dict[str, Any]] = parse_document(content, schema=_SCHEMA)["incidents"]
    require_incidents(incidents, under="/incidents")
    for place, incident in enumerate(incidents):
        _require_own_updates(incident, f"/incidents/{place}/incident_updates")
    return incidents


def _require_own_updates(incident: dict[str, Any], under: str) -> None:
    """Refuse an update that comes twice, or that says it belongs to another incident: two facts would be one record."""
    seen: set[str] = set()
    for place, update in enumerate(incident["incident_updates"]):
        if update["id"] in seen:
            raise rejected_feed("feed_malformed", "two updates have the same id", f"{under}/{place}/id")
        if update.get("incident_id", incident["id"]) != incident["id"]:
            what = "an update belongs to another incident"
            raise rejected_feed("feed_malformed", what, f"{under}/{place}/incident_id")
        seen.add(update["id"])
