"""The envelope: which attributes an event has and the form of each (CloudEvents 1.0 and design section 6, "Record").

Belongs here: judging and reading one attribute at a time. Which checks an input passes, and in which order, is
`admission`. A refusal names the attribute and the rule, never the value.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from dagster_project.clock import parse_instant
from dagster_project.errors import UsageError
from dagster_project.integrity.canonical import MAX_SAFE_INTEGER
from dagster_project.sources.record import Classification

REQUIRED_ATTRIBUTES: Final = (
    "specversion", "id", "source", "type", "subject", "time", "recordid", "recordversion", "recordedtime", "data",
)  # fmt: skip
OPTIONAL_ATTRIBUTES: Final = ("datacontenttype", "recordedby", "dataclassification", "datadigest", "causationid")
SPECVERSION: Final = "1.0"
DATACONTENTTYPE: Final = "application/json"

# Visible ASCII only: identifiers are shown, sorted, and joined into names, so nothing in them may be invisible.
_IDENTIFIER: Final = re.compile(r"[!-~]{1,400}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SUBJECT: Final = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,62}")
_PERSON: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,400}")
_VERSION: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Refused(Exception):
    """An input does not pass a check: a judgement, which `admission` turns into a rejection.

    Args:
        reason_code: The rule that it breaks.
        where: JSON pointer of the place, or ``envelope`` for the input as a whole.
    """

    def __init__(self, reason_code: str, where: str) -> None:
        super().__init__(f"{reason_code} at {where}")
        self.reason_code = reason_code
        self.where = where


def check_attributes(event: Mapping[str, Any]) -> None:
    """Refuse an attribute that is missing or that this contract does not know."""
    for name in REQUIRED_ATTRIBUTES:
        if name not in event:
            raise Refused("attribute_missing", f"/{name}")
    if not event.keys() <= {*REQUIRED_ATTRIBUTES, *OPTIONAL_ATTRIBUTES}:
        unknown = min(event.keys() - {*REQUIRED_ATTRIBUTES, *OPTIONAL_ATTRIBUTES})
        raise Refused("attribute_unknown", pointer_to("", unknown))
    if event["specversion"] != SPECVERSION:
        raise Refused("specversion_unknown", "/specversion")
    if event.get("datacontenttype", DATACONTENTTYPE) != DATACONTENTTYPE:
        raise Refused("datacontenttype_unknown", "/datacontenttype")


def pointer_to(parent: str, name: str) -> str:
    """Return the pointer of a member; a name that is no plain field name may be content and is not repeated."""
    return f"{parent}/{name}" if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) else f"{parent}/?"


def read_identifier(event: Mapping[str, Any], name: str) -> str:
    """Read an id or URI: 1 to 400 visible ASCII characters without ``..`` (it may end up in a path)."""
    value = event[name]
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value) or ".." in value:
        raise Refused("identifier_malformed", f"/{name}")
    return value


def read_type(event: Mapping[str, Any]) -> str:
    """Read the record type: lower-case words joined by hyphens. Whether it is known is the registry's business."""
    value = event["type"]
    if not isinstance(value, str) or not _TYPE.fullmatch(value):
        raise Refused("type_malformed", "/type")
    return value


def read_subject(event: Mapping[str, Any]) -> str:
    """Read the incident or account, upper-cased. Judged as ASCII first: upper-casing makes ASCII of some letters."""
    value = event["subject"]
    if not isinstance(value, str) or not value.isascii() or not _SUBJECT.fullmatch(value.upper()):
        raise Refused("subject_malformed", "/subject")
    return value.upper()


def read_version(event: Mapping[str, Any]) -> int:
    """Read the record version: an integer written as a string, without sign or leading zeros, at most 2**53 - 1."""
    value = event["recordversion"]
    if not isinstance(value, str) or not _VERSION.fullmatch(value) or int(value) > MAX_SAFE_INTEGER:
        raise Refused("recordversion_malformed", "/recordversion")
    return int(value)


def is_instant(text: str) -> bool:
    """Tell whether `text` is an RFC 3339 date-time with a known offset (``-00:00`` says: unknown)."""
    try:
        parse_instant(text)
    except (UsageError, OverflowError):  # the overflow: a year that leaves the calendar when turned into UTC
        return False
    return _INSTANT.fullmatch(text) is not None


def read_instant(event: Mapping[str, Any], name: str) -> datetime:
    """Read an instant, in UTC. Digits beyond the microsecond are dropped: no rule of ours is finer."""
    value = event[name]
    if not isinstance(value, str) or not is_instant(value):
        raise Refused("instant_malformed", f"/{name}")
    return parse_instant(value)


def read_classification(event: Mapping[str, Any]) -> Classification:
    """Read the label; absent means restricted, an unknown one is refused."""
    value = event.get("dataclassification", Classification.RESTRICTED.value)
    if not isinstance(value, str) or value not in {one.value for one in Classification}:
        raise Refused("classification_unknown", "/dataclassification")
    return Classification(value)


def read_person(event: Mapping[str, Any]) -> str | None:
    """Read who recorded the fact, if anyone is named."""
    value = event.get("recordedby")
    if "recordedby" in event and (not isinstance(value, str) or not _PERSON.fullmatch(value)):
        raise Refused("recordedby_malformed", "/recordedby")
    return value


def read_cause(event: Mapping[str, Any]) -> str | None:
    """Read the id of the event that caused this one, if there is one."""
    return read_identifier(event, "causationid") if "causationid" in event else None
