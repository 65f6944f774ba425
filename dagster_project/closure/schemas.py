"""Schemas: the form of an event, and the allow-list of every target, as JSON Schema (draft 2020-12).

Belongs here: the schemas as data, and judging by them. Nothing that is not listed can be written anywhere: identifiers,
the final state, archive references and instants are. What a step writes is `steps`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import jsonschema_rs

_IDENTIFIER: Final[dict[str, Any]] = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,127}$"}
_DIGEST: Final[dict[str, Any]] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_VERSION: Final[dict[str, Any]] = {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}
# To the second, in UTC.
_INSTANT: Final[dict[str, Any]] = {
    "type": "string",
    "format": "date-time",
    "pattern": "^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]Z$",
}
_STEP: Final = "(archive_attached|tracker_synchronized|ledger_marked|queue_closed|coordinator_notified)"
_NOTICE: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": f"^(complete|taken back|(incomplete|taken back in part), skipped: {_STEP}(, {_STEP})*)$",
}
_SKIPPED: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "string", "pattern": f"^{_STEP}$"},
    "uniqueItems": True,
}
_REFERENCES: Final = {
    "closure_packet": _IDENTIFIER,
    "closure_packet_digest": _DIGEST,
    "internal_review_note": _IDENTIFIER,
    "internal_review_note_digest": _DIGEST,
}
_DISPOSITION: Final = {"disposition_version": _VERSION, "closed_at": _INSTANT}
# What an undo may write back stood in the field before: any short value, and none.
_PRIOR: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "null"},
        {"type": "boolean"},
        {"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1},
        {"type": "string", "maxLength": 512},
        {"type": "array", "items": {"type": "string", "maxLength": 512}, "maxItems": 16},
    ]
}

TARGET_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "archive_attachments": {**_REFERENCES, **_DISPOSITION},
    "escalation_tracker": {"review_state": {"const": "review_complete"}, **_REFERENCES, **_DISPOSITION},
    "case_ledger": {"review_marker": {"const": "review_complete"}, **_DISPOSITION},
    "review_queue": {"queue_state": {"const": "closed"}, **_DISPOSITION},
    "coordinator_notices": {
        "coordinator": _IDENTIFIER,
        "case": _IDENTIFIER,
        "escalation": _IDENTIFIER,
        "episode": _IDENTIFIER,
        "notice": _NOTICE,
        "skipped": _SKIPPED,
        **_DISPOSITION,
    },
}


def _closed(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


_ARCHIVED: Final = _closed({"reference": _IDENTIFIER, "digest": _DIGEST})

EVENT_SCHEMA: Final = _closed(
    {
        "event_id": _IDENTIFIER,
        "source": _IDENTIFIER,
        "case": _IDENTIFIER,
        "escalation": _IDENTIFIER,
        "episode": _IDENTIFIER,
        "disposition_version": _VERSION,
        "closure_packet": _ARCHIVED,
        "internal_review_note": _ARCHIVED,
        "requested_steps": {
            "type": "array",
            "maxItems": 20,
            "items": {"type": "string", "pattern": "^[a-z][a-z_]{0,63}$"},
        },
    },
    "requested_steps",
)


def write_schema(target: str) -> dict[str, Any]:
    """Return the schema of what may be written to a target; all of its fields are written at once."""
    return _closed(TARGET_FIELDS[target])


def restore_schema(target: str) -> dict[str, Any]:
    """Return the schema of what may be restored at a target: the same fields, each as it was before."""
    return _closed(dict.fromkeys(TARGET_FIELDS[target], _PRIOR))


def is_event(document: object) -> bool:
    """Tell whether a JSON document has the form of an event: nothing less, and nothing besides."""
    return _event_validator().is_valid(document)


def may_be_written(target: str, values: Mapping[str, Any]) -> bool:
    """Tell whether these values, and no other fields, may be written to a target."""
    return target in TARGET_FIELDS and _validator(target).is_valid(dict(values))


def may_be_restored(target: str, values: Mapping[str, Any]) -> bool:
    """Tell whether these values may be written back to a target."""
    return target in TARGET_FIELDS and _restore_validator(target).is_valid(dict(values))


def is_identifier(text: object) -> bool:
    """Tell whether a value is an identifier: only such are shown to people and written anywhere."""
    return _identifier_validator().is_valid(text)


def is_instant(text: object) -> bool:
    """Tell whether a value is an instant in UTC to the second."""
    return _instant_validator().is_valid(text)


@cache
def _event_validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(EVENT_SCHEMA)


@cache
def _validator(target: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(write_schema(target), validate_formats=True)


@cache
def _restore_validator(target: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(restore_schema(target))


@cache
def _identifier_validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_IDENTIFIER)


@cache
def _instant_validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_INSTANT, validate_formats=True)
