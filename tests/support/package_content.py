"""Package content for the tests of the views: one by hand that uses every part of the contract, and any at all."""

from typing import Any

from hypothesis import strategies as st

from dagster_project.packaging.content_schema import content_schema
from dagster_project.packaging.fields import leaves
from tests.support.schema_strategy import values_of

_ANY_CONTENT = values_of(content_schema())
_NAMES = content_schema()["properties"]["names"]["additionalProperties"]


def example_content() -> dict[str, Any]:
    """Return a fresh copy that a test may change."""
    return {
        "schema": "channelsafe-package/1",
        "channel": "customer_bridge",
        "tlp": "TLP:AMBER+STRICT",
        "document_status": "interim",
        "severity_code": "severity_1",
        "incident_status": "mitigating",
        "affected_capabilities": {
            "message-delivery": {
                "capability_status": "major_outage",
                "since": "2026-03-04T09:02:00Z",
                "regions": {"europe": "major_outage", "north-america": "degraded"},
            },
            "inbox-api": {
                "capability_status": "under_assessment",
                "since": None,
                "regions": {"europe": "under_assessment"},
            },
            "event-webhooks": {
                "capability_status": "operational",
                "since": "2026-03-04T10:40:00Z",
                "regions": {"europe": "operational"},
            },
        },
        "not_affected": {"admin-console": "operational"},
        "workarounds": {"k3v9q2m7xa": {"readiness": "available_verified", "applies_to": ["message-delivery"]}},
        "timeline": {
            "a81kd02nfz": {"checkpoint": "detected", "at": "2026-03-04T09:02:00Z"},
            "p02mqz7rtb": {"checkpoint": "on_hold", "at": None},
        },
        "statements": {
            "k3v9q2m7xa": {
                "template": "workaround_article",
                "text": "The steps are in help article {reference}.",
                "parameters": {"reference": "KB-1842"},
            },
            "committed-cadence": {
                "template": "committed_cadence",
                "text": "Your contract commits us to an update at least every {minutes} minutes.",
                "parameters": {"minutes": 30},
            },
        },
        "held": {
            "contract": _slot("contract", "none_declared", "legal"),
            "dependency": _slot("dependency", "on_hold", "security"),
            "exploitability": _slot("exploitability", "in_review", "security"),
            "internal_component": _slot("internal_component", "none_declared", "incident_command"),
            "other": _slot(
                "other",
                "on_hold",
                "incident_command",
                "/affected_capabilities/inbox-api/capability_status",
                "/affected_capabilities/inbox-api/regions/europe",
                "/affected_capabilities/inbox-api/since",
                "/timeline/p02mqz7rtb/at",
                "/timeline/p02mqz7rtb/checkpoint",
            ),
        },
        "names": {
            "message-delivery": "Message delivery",
            "inbox-api": "Inbox API",
            "event-webhooks": "Event webhooks",
            "admin-console": "Admin console",
            "europe": "Europe",
            "north-america": "North America",
        },
    }


def _slot(category: str, state: str, role: str, *fields: str) -> dict[str, Any]:
    return {"category": category, "slot_state": state, "review_role": role, "fields": list(fields)}


@st.composite
def allowed_contents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw any content that the contract allows, with what ties its parts together and no schema can draw.

    Texts say their parameters; slots point at what stands in the content; keys of the content have names, or not.
    """
    content: dict[str, Any] = draw(_ANY_CONTENT)
    for stated in content["statements"].values():
        if stated["parameters"]:
            stated["text"] = stated["text"][:60] + "".join(f" {{{name}}}" for name in stated["parameters"])
    places = sorted({place for pointer in leaves(content) for place in _places(pointer)})
    for slot in content["held"].values():
        slot["fields"] = [*dict.fromkeys([*slot["fields"], *draw(st.lists(st.sampled_from(places), max_size=6))])]
    keys = sorted({*content["affected_capabilities"], *content["not_affected"]})
    if keys:
        content["names"] |= draw(st.dictionaries(st.sampled_from(keys), values_of(_NAMES), max_size=len(keys)))
    return content


def _places(pointer: str) -> list[str]:
    """Return a pointer and every part that it stands in."""
    tokens = pointer.split("/")[1:]
    return ["/" + "/".join(tokens[:count]) for count in range(1, len(tokens) + 1)]
