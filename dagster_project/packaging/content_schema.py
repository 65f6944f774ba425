"""The package contract as a JSON Schema, built from the vocabulary.

Belongs here: the form of package content. A field that is not in it cannot be in a package: there is no place for
credits, commitments, estimates, causes or free text (requirement document 1, scope).
"""

from functools import cache
from typing import Any

import jsonschema_rs

from dagster_project.packaging import vocabulary

_ID = "^[a-z0-9][a-z0-9-]{0,62}$"
_INSTANT: dict[str, Any] = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}


def _closed(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _keyed(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "propertyNames": {"pattern": _ID}, "additionalProperties": value}


def _one_of(words: tuple[str, ...]) -> dict[str, Any]:
    return {"enum": list(words)}


def content_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of package content."""
    status = _one_of(vocabulary.CAPABILITY_STATUSES)
    capability = _closed(
        {"capability_status": status, "since": _INSTANT, "regions": _keyed(status)},
        optional=("capability_status", "since", "regions"),
    )
    names = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"enum": ["on_hold", None]}]}
    statement = _closed(
        {
            "template": {"type": "string", "pattern": "^[a-z0-9_]{1,62}$"},
            "text": {"type": "string", "maxLength": 400},
            "parameters": {
                "type": "object",
                "additionalProperties": {"type": ["string", "integer", "array"], "maxLength": 64},
            },
        }
    )
    slot = _closed(
        {
            "category": {"type": "string", "pattern": "^[a-z_]{1,62}$"},
            "slot_state": _one_of(vocabulary.SLOT_STATES),
            "review_role": _one_of(vocabulary.REVIEW_ROLES),
            "fields": {"type": "array", "items": {"type": "string", "pattern": "^/"}, "uniqueItems": True},
        }
    )
    checkpoint = _closed({"checkpoint": _one_of(vocabulary.CHECKPOINTS), "at": _INSTANT})
    workaround = _closed({"readiness": _one_of(vocabulary.READINESS_CODES), "applies_to": names})
    properties = {
        "schema": {"const": "channelsafe-package/1"},
        "channel": {"type": "string", "pattern": "^[a-z_]{1,62}$"},
        "tlp": _one_of(vocabulary.LABELS),
        "document_status": _one_of(vocabulary.DOCUMENT_STATUSES),
        "severity_code": _one_of(vocabulary.SEVERITY_CODES),
        "incident_status": _one_of(vocabulary.INCIDENT_STATUSES),
        "affected_capabilities": _keyed(capability),
        "not_affected": _keyed(status),
        "workarounds": _keyed(workaround),
        "timeline": _keyed(checkpoint),
        "statements": _keyed(statement),
        "held": _keyed_slots(slot),
        "names": _keyed({"type": "string", "minLength": 1, "maxLength": 120}),
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _closed(
        properties, optional=("document_status", "severity_code", "incident_status")
    )


def _keyed_slots(slot: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "propertyNames": {"pattern": "^[a-z_]{1,62}$"}, "additionalProperties": slot}


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(content_schema(), validate_formats=True)


def schema_violations(content: dict[str, Any]) -> list[str]:
    """Return the pointers of everything in `content` that the contract does not allow; never its values."""
    return sorted(
        {"/" + "/".join(str(name) for name in error.instance_path) for error in _validator().iter_errors(content)}
    )
