"""The Google Cloud status feed: fetching it and judging it as a whole.

Belongs here: bytes from a file or URL, and the form of the feed. What its updates say as records is
`google_cloud_records`. The unit is the whole file: one malformed incident rejects it, and nothing of it is
admitted, because half a feed is a rosier feed.
"""

import http.client
import re
import time
import unicodedata
import urllib.error
import urllib.request
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import jsonschema_rs
import orjson

from dagster_project.errors import ChannelsafeError, Unavailable, UnsafeOrRejected, UsageError
from dagster_project.integrity.canonical import NotCanonical, parse_strict
from dagster_project.sources.envelope import is_instant, pointer_to

LARGEST_FEED: Final = 64 * 1024 * 1024
SILENCE_SECONDS: Final = 30.0
DEADLINE_SECONDS: Final = 120.0
_CHUNK: Final = 64 * 1024
_ESCAPED_CHARACTER: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([0-9A-Fa-f]{4})")
_LAST_ASCII: Final = 0x7F


def read_feed(location: str) -> bytes:
    """Fetch the feed's bytes.

    Args:
        location: Path of a file, or an http(s) URL. Redirects are followed, within http and https.

    Raises:
        UsageError: a URL of another scheme.
        Unavailable: the file or server cannot be read, answers with an error, or takes longer than two minutes.
        UnsafeOrRejected: ``feed_too_large``, above 64 MiB.
    """
    if re.match(r"(?i)https?://", location):
        return _fetch(location)
    if "://" in location:
        raise UsageError(
            "feed_location_unknown",
            what="this is neither a file nor an http(s) URL",
            where="the feed's location",
            what_to_do="Name a file, or a URL that starts with https:// or http://.",
        )
    try:
        with Path(location).open("rb") as file:
            return _read_all(file, where=location)
    except OSError as error:
        raise _unavailable(location, type(error).__name__) from error


def _fetch(url: str) -> bytes:
    try:
        with _opener().open(url, timeout=SILENCE_SECONDS) as answer:
            content = _read_all(answer, where=_shown(url))
            if answer.length:  # what the server announced and did not send
                raise _unavailable(_shown(url), "the answer broke off")
            return content
    except urllib.error.HTTPError as error:
        raise _unavailable(_shown(url), f"the server answered {error.code}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:  # URLError is an OSError
        raise _unavailable(_shown(url), type(error).__name__) from None


def _opener() -> urllib.request.OpenerDirector:
    """Open http and https only: the library's default would open local files and ftp as well."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _read_all(source: IO[bytes], *, where: str) -> bytes:
    # A server that sends a byte now and then never falls silent, so there is a deadline as well.
    deadline = time.monotonic() + DEADLINE_SECONDS
    parts: list[bytes] = []
    size = 0
    while part := source.read(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > LARGEST_FEED:
            raise _rejected("feed_too_large", f"the feed is larger than {LARGEST_FEED // 2**20} MiB", where)
        if time.monotonic() > deadline:
            raise _unavailable(where, "it takes too long")
    return b"".join(parts)


def _shown(url: str) -> str:
    """Return a URL without what may be a secret: user, password, query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def parse_feed(content: bytes) -> list[dict[str, Any]]:
    """Read and judge a whole feed.

    Text is brought to NFC first: the provider's texts are free, and one accent must not reject an outage.

    Returns:
        The incidents as the feed gives them; every instant has a known offset, and ids differ.

    Raises:
        UnsafeOrRejected: ``feed_not_json`` (HTML among it), ``feed_empty``, or ``feed_malformed`` with the place.
    """
    try:
        feed = parse_strict(_in_nfc(content))
    except NotCanonical as error:
        if error.reason in {"not_json", "invalid_utf8"}:
            raise _rejected("feed_not_json", "the feed is not JSON", "the whole feed") from None
        raise _rejected("feed_malformed", f"the feed breaks a rule: {error.reason}", error.pointer) from None
    if feed == []:
        raise _rejected("feed_empty", "the feed holds no incident", "the whole feed")
    fault = next(iter(_validator().iter_errors(feed)), None)
    if fault is not None:
        raise _rejected("feed_malformed", "the feed does not have the form we know", _place(fault))
    _check_ids(feed)
    incidents: list[dict[str, Any]] = feed
    return incidents


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
def _validator() -> jsonschema_rs.Draft202012Validator:
    file = resources.files("dagster_project.connections") / "schemas" / "google_cloud_feed.json"
    schema = orjson.loads(file.read_bytes())
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, formats={"date-time": is_instant})


def _place(error: jsonschema_rs.ValidationError) -> str:
    where = ""
    for token in error.instance_path:
        where = pointer_to(where, str(token))
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return pointer_to(where, min(kind.unexpected))
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return pointer_to(where, str(kind.property))
    return where or "the whole feed"


def _check_ids(feed: list[dict[str, Any]]) -> None:
    """Refuse two incidents that would be one subject: ids are upper-cased when they become subjects."""
    seen: set[str] = set()
    for place, incident in enumerate(feed):
        subject = incident["id"].upper()
        if subject in seen:
            raise _rejected("feed_malformed", "two incidents have the same id but for case", f"/{place}/id")
        seen.add(subject)


def _unavailable(where: str, why: str) -> Unavailable:
    return Unavailable(
        "feed_unavailable",
        what=f"the status feed cannot be read: {why}",
        where=where,
        what_to_do="Check the path or address and try again; what was admitted before stays in force.",
    )


def _rejected(code: str, what: str, where: str) -> ChannelsafeError:
    return UnsafeOrRejected(
        code,
        what=f"{what}; nothing of it was admitted",
        where=where or "the whole feed",
        what_to_do="Look at what the address serves. The last good copy stays in force until a good one comes.",
    )
