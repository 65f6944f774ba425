"""The form of a status feed: JSON without a doubt about it, judged as a whole by a schema.

Belongs here: what judging one provider's feed has in common with judging another's. What the members mean is the
business of each feed's own module.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Final

import jsonschema_rs
import orjson

from dagster_project.errors import ChannelsafeError, UnsafeOrRejected
from dagster_project.integrity.canonical import NotCanonical, parse_strict
from dagster_project.sources.envelope import is_instant, pointer_to

_ESCAPED_CHARACTER: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([0-9A-Fa-f]{4})")
_LAST_ASCII: Final = 0x7F
_WHOLE: Final = "the whole feed"


def parse_document(content: bytes, *, schema: str) -> Any:  # noqa: ANN401 - what the schema says
    """Read a whole feed and hold it against its schema.

    Text is brought to NFC first: the provider's texts are free, and one accent must not reject an outage.

    Args:
        content: The feed's bytes.
        schema: File name of the JSON Schema, in `schemas`.

    Raises:
        UnsafeOrRejected: ``feed_not_json`` (HTML among it), or ``feed_malformed`` with the place.
    """
    try:
        feed = parse_strict(_in_nfc(content))
    except NotCanonical as error:
        if error.reason in {"not_json", "invalid_utf8"}:
            raise rejected_feed("feed_not_json", "the feed is not JSON") from None
        raise rejected_feed("feed_malformed", f"the feed breaks a rule: {error.reason}", error.pointer) from None
    fault = next(iter(_validator(schema).iter_errors(feed)), None)
    if fault is not None:
        raise rejected_feed("feed_malformed", "the feed does not have the form we know", _place(fault))
    return feed


def require_incidents(incidents: Iterable[dict[str, Any]], *, under: str = "") -> None:
    """Require at least one incident, and refuse two that would be one subject: ids are upper-cased as subjects.

    Raises:
        UnsafeOrRejected: ``feed_empty``, or ``feed_malformed`` with the place, below the pointer `under`.
    """
    seen: set[str] = set()
    for place, incident in enumerate(incidents):
        subject = incident["id"].upper()
        if subject in seen:
            what = "two incidents have the same id but for case"
            raise rejected_feed("feed_malformed", what, f"{under}/{place}/id")
        seen.add(subject)
    if not seen:
        raise rejected_feed("feed_empty", "the feed holds no incident")


def rejected_feed(code: str, what: str, where: str = "") -> ChannelsafeError:
    """Return the error of a feed that is rejected as a whole."""
    return UnsafeOrRejected(
        code,
        what=f"{what}; nothing of it was admitted",
        where=where or _WHOLE,
        what_to_do="Look at what the address serves. The last good copy stays in force until a good one comes.",
    )


def _in_nfc(content: bytes) -> bytes:
    """Normalise the text of a JSON document; escaped characters are written out first, so that they take part."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    return unicodedata.normalize("NFC", _ESCAPED_CHARACTER.sub(_written_out, text)).encode("utf-8")


def _written_out(escape: re.Match[str]) -> str:
    code = int(escape[2], 16)
    is_surrogate = 0xD800 <= code <= 0xDFFF  # noqa: PLR2004 - the surrogate range of Unicode; half a character
    return escape[0] if code <= _LAST_ASCII or is_surrogate else escape[1] + chr(code)


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    file = resources.files("dagster_project.connections") / "schemas" / schema
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(file.read_bytes()), validate_formats=True, formats={"date-time": is_instant}
    )


def _place(error: jsonschema_rs.ValidationError) -> str:
    where = ""
    for token in error.instance_path:
        where = pointer_to(where, str(token))
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return pointer_to(where, min(kind.unexpected))
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return pointer_to(where, str(kind.property))
    return where or _WHOLE
