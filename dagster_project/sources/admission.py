"""Admission: bytes of a source become a record, or a rejection that says why and keeps what could be read.

Belongs here: the order of the checks and the two forms of the result. The form of each envelope attribute is
`envelope`; who may speak is `registry`. Nothing here reads a clock or stores anything, and a rejection never
carries content (invariant I9): the rejected bytes are kept aside by the caller.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from dagster_project.clock import format_instant
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_of
from dagster_project.sources.envelope import (
    Refused,
    check_attributes,
    is_instant,
    pointer_to,
    read_cause,
    read_classification,
    read_identifier,
    read_instant,
    read_person,
    read_subject,
    read_type,
    read_version,
)
from dagster_project.sources.record import Record
from dagster_project.sources.registry import SourceRegistry
from dagster_project.sources.source_fields import record_schemas

LARGEST_RECORD: Final = 1024 * 1024
# Up to here a record that is too large is read for whom it speaks.
LARGEST_SALVAGE: Final = 16 * LARGEST_RECORD
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
WHOLE_INPUT: Final = "envelope"
# What admission may add to the bytes of an input: the digest, the label, the content type, digits of instants.
_MOST_ADDED: Final = 1024
# An envelope's version is written as a string.
_DECODER: Final = msgspec.json.Decoder(Record, strict=False)


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why an input was not admitted, and what could be read of whom it speaks for; never its content.

    `where` is a JSON pointer into the event, or ``envelope`` for the input as a whole. Each of the other parts is
    there only if it is well-formed by itself: fields that (source, type, subject) feeds go on hold.
    """

    reason_code: str
    where: str
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    recordid: str | None = None
    recordversion: int | None = None


def admit_bytes(line: bytes, *, received_at: datetime, registry: SourceRegistry) -> Record | Rejection:
    """Judge one event as it was delivered.

    Args:
        line: The bytes of one CloudEvents 1.0 JSON event, without the line's end.
        received_at: When it was delivered; a record from further ahead than five minutes is rejected.
        registry: Who may state what.

    Returns:
        The record, or why there is none. It never raises for bad input.
    """
    try:
        event = _read_event(line)
        return _admit(event, line_size=len(line), received_at=received_at, registry=registry)
    except Refused as refusal:
        reason_code, where = refusal.reason_code, refusal.where
    return Rejection(reason_code=reason_code, where=where, **_readable(_salvage(line)))


def _read_event(line: bytes) -> Mapping[str, Any]:
    if len(line) > LARGEST_RECORD:
        raise Refused("record_too_large", WHOLE_INPUT)
    try:
        event = parse_strict(line)
    except NotCanonical as error:
        raise Refused(error.reason, _plain(error.pointer)) from None
    if not isinstance(event, dict):
        raise Refused("not_an_object", WHOLE_INPUT)
    return event


def _plain(pointer: str) -> str:
    """Repeat of a pointer what are plain names: the keys of a document that no schema has seen may be content."""
    where = ""
    for token in pointer.split("/")[1:]:
        where = pointer_to(where, token)
    return where or WHOLE_INPUT


def _admit(event: Mapping[str, Any], *, line_size: int, received_at: datetime, registry: SourceRegistry) -> Record:
    check_attributes(event)
    record = Record(
        id=read_identifier(event, "id"),
        source=read_identifier(event, "source"),
        type=read_type(event),
        subject=read_subject(event),
        time=read_instant(event, "time"),
        recordid=read_identifier(event, "recordid"),
        recordversion=read_version(event),
        recordedtime=read_instant(event, "recordedtime"),
        recordedby=read_person(event),
        causationid=read_cause(event),
        dataclassification=read_classification(event),
        data=event["data"],
        datadigest=digest_of(event["data"]),
    )
    _check_source(record, registry)
    _check_data(record)
    if event.get("datadigest", record.datadigest) != record.datadigest:
        raise Refused("datadigest_differs", "/datadigest")
    if record.recordedtime > received_at + CLOCK_TOLERANCE:
        raise Refused("recorded_in_the_future", "/recordedtime")
    # What is stored must be admissible again, so what admission adds counts towards the limit too.
    if line_size > LARGEST_RECORD - _MOST_ADDED and len(record_bytes(record)) > LARGEST_RECORD:
        raise Refused("record_too_large", WHOLE_INPUT)
    return record


def _check_source(record: Record, registry: SourceRegistry) -> None:
    if not registry.knows(record.source):
        raise Refused("source_unknown", "/source")
    if record.type not in record_schemas():
        raise Refused("type_unknown", "/type")
    if not registry.allows(record.source, record.type):
        raise Refused("type_not_of_this_source", "/type")


@cache
def _validator(record_type: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        dict(record_schemas()[record_type]), validate_formats=True, formats={"date-time": is_instant}
    )


def _check_data(record: Record) -> None:
    """Refuse data that its type's schema does not allow; the first fault in pointer order is named."""
    validator = _validator(record.type)
    if not validator.is_valid(record.data):
        raise min(map(_fault, validator.iter_errors(record.data)), key=lambda one: (one.where, one.reason_code))


def _fault(error: jsonschema_rs.ValidationError) -> Refused:
    where = "/data"
    for token in error.instance_path:
        where = pointer_to(where, str(token))
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return Refused("field_unknown", min(pointer_to(where, name) for name in error.kind.unexpected))
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        return Refused("field_missing", pointer_to(where, str(error.kind.property)))
    return Refused("field_malformed", where)


def _salvage(line: bytes) -> Mapping[str, Any]:
    """Read what can be read of a rejected event, canonical or not, so that a rejected outage finds its subject.

    A key that comes twice says nothing. The result serves only `_readable`, which judges each part by itself.
    """
    if len(line) > LARGEST_SALVAGE:
        return {}
    try:
        event = json.loads(line, object_pairs_hook=_unambiguous, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):  # not JSON, or not UTF-8
        return {}
    return event if isinstance(event, dict) else {}


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    times = Counter(name for name, _value in pairs)
    return {name: value for name, value in pairs if times[name] == 1}


_IDENTITY: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "source": lambda event: read_identifier(event, "source"),
    "type": read_type,
    "subject": read_subject,
    "recordid": lambda event: read_identifier(event, "recordid"),
    "recordversion": read_version,
}


def _readable(event: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, read in _IDENTITY.items():
        try:
            found[name] = read(event) if name in event else None
        except Refused:
            found[name] = None
    return found


def record_bytes(record: Record) -> bytes:
    """Return the canonical bytes of an admitted event: what is stored as the record's body.

    Admitting them again gives an equal record.
    """
    event: dict[str, Any] = {
        "specversion": record.specversion,
        "id": record.id,
        "source": record.source,
        "type": record.type,
        "subject": record.subject,
        "time": format_instant(record.time),
        "datacontenttype": record.datacontenttype,
        "recordid": record.recordid,
        "recordversion": str(record.recordversion),
        "recordedtime": format_instant(record.recordedtime),
        "dataclassification": record.dataclassification.value,
        "datadigest": record.datadigest,
        "data": record.data,
    }
    optional = {"recordedby": record.recordedby, "causationid": record.causationid}
    event.update({name: value for name, value in optional.items() if value is not None})
    return canonical_bytes(event)


def read_record(body: bytes) -> Record:
    """Read the body of an admitted event back: what was admitted is well-formed, so only types are restored.

    The bytes are `record_bytes`', verified by whoever stored them.
    """
    return _DECODER.decode(body)
