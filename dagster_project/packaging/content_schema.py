"""The package contract as a JSON Schema, built from the vocabulary.

Belongs here: the form of package content. A field that is not in it cannot be in a package: there is no place for
credits, commitments, estimates, causes or free text (requirement document 1, scope). It allows nothing that the views
cannot show: whatever passes has every view, with every value in it (a property test draws content from this schema).
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import jsonschema_rs

from dagster_project.packaging import vocabulary

_ID: Final = "^[a-z0-9][a-z0-9-]{0,62}$"
_WORD: Final = "^[a-z_]{1,62}$"
_CODE: Final = "^[a-z0-9_]{1,62}$"
# At least one character that is seen: a blank name or value would be left out in silence.
_SEEN: Final = r"[^\s\u0000-\u001f\u007f-\u009f]"
# As `clock.format_instant` writes it. The format alone allows a leap second and the year 0, which no calendar here has.
_UTC: Final = r"^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{6})?Z$"
_INSTANT: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string", "format": "date-time", "pattern": _UTC}, {"type": "null"}]
}
# Every pointer to a leaf or a part of a package; `/` where a contract requires a field that no part is for.
_POINTER: Final = "^(/|(/[a-z0-9_-]{1,63})+)$"
_LARGEST_INTEGER: Final = 2**53 - 1


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
    capabilities = {"type": "array", "items": {"type": "string", "pattern": _ID}, "minItems": 1, "uniqueItems": True}
    slot = _closed(
        {
            "category": {"type": "string", "pattern": "^[a-z_]*[a-z][a-z_]*$", "maxLength": 62},
            "slot_state": _one_of(vocabulary.SLOT_STATES),
            "review_role": _one_of(vocabulary.REVIEW_ROLES),
            "fields": {"type": "array", "items": {"type": "string", "pattern": _POINTER}, "uniqueItems": True},
        }
    )
    checkpoint = _closed({"checkpoint": _one_of(vocabulary.CHECKPOINTS), "at": _INSTANT})
    workaround = _closed(
        {"readiness": _one_of(vocabulary.READINESS_CODES), "applies_to": {"anyOf": [capabilities, {"type": "null"}]}}
    )
    properties = {
        "schema": {"const": "channelsafe-package/1"},
        "channel": {"type": "string", "pattern": _WORD},
        "tlp": _one_of(vocabulary.LABELS),
        "document_status": _one_of(vocabulary.DOCUMENT_STATUSES),
        "severity_code": _one_of(vocabulary.SEVERITY_CODES),
        "incident_status": _one_of(vocabulary.INCIDENT_STATUSES),
        "affected_capabilities": _keyed(capability),
        "not_affected": _keyed(status),
        "workarounds": _keyed(workaround),
        "timeline": _keyed(checkpoint),
        "statements": _keyed(_statement()),
        "held": _keyed_slots(slot),
        "names": _keyed({"type": "string", "pattern": _SEEN, "maxLength": 120}),
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _closed(
        properties, optional=("document_status", "severity_code", "incident_status")
    )


def _keyed_slots(slot: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "propertyNames": {"pattern": _WORD}, "additionalProperties": slot}


def _statement() -> dict[str, Any]:
    parameter = {
        "anyOf": [
            {"type": "string", "pattern": _SEEN, "maxLength": 64},
            {"type": "integer", "minimum": -_LARGEST_INTEGER, "maximum": _LARGEST_INTEGER},
            {"type": "array", "items": {"type": "string", "pattern": _SEEN}, "minItems": 1},
        ]
    }
    return _closed(
        {
            "template": {"type": "string", "pattern": _CODE},
            "text": {"type": "string", "pattern": _SEEN, "maxLength": 400},
            "parameters": {
                "type": "object",
                "properties": {"data_integrity": _one_of(vocabulary.DATA_INTEGRITY)},
                "propertyNames": {"pattern": _CODE},
                "additionalProperties": parameter,
            },
        }
    )


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(content_schema(), validate_formats=True)


def _unsaid(content: dict[str, Any]) -> Iterator[str]:
    """Yield the parameters that the text of their statement leaves out, which JSON Schema cannot say."""
    for key, stated in content["statements"].items():
        for name in stated["parameters"]:
            if "{" + name + "}" not in stated["text"]:
                yield f"/statements/{key}/parameters/{name}"


def schema_violations(content: dict[str, Any]) -> list[str]:
    """Return the pointers of everything in `content` that the contract does not allow; never its values.

    What is not JSON at all (half a character, a name that is no text) is one violation of the whole, `/`.
    """
    try:
        errors = list(_validator().iter_errors(content))
    except (ValueError, TypeError):
        return ["/"]
    if not errors:
        return sorted(_unsaid(content))
    return sorted({"/" + "/".join(str(name) for name in error.instance_path) for error in errors})
