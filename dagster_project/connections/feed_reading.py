"""Fetching a status feed: its bytes, from a file or URL.

Belongs here: what every feed needs before anything of it is judged. The form of a feed is its own module's.
"""

import http.client
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from dagster_project.connections.feed_form import rejected_feed
from dagster_project.errors import Unavailable, UsageError

LARGEST_FEED: Final = 64 * 1024 * 1024
SILENCE_SECONDS: Final = 30.0
DEADLINE_SECONDS: Final = 120.0
_CHUNK: Final = 64 * 1024


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
            raise rejected_feed("feed_too_large", f"the feed is larger than {LARGEST_FEED // 2**20} MiB", where)
        if time.monotonic() > deadline:
            raise _unavailable(where, "it takes too long")
    return b"".join(parts)


def _shown(url: str) -> str:
    """Return a URL without what may be a secret: user, password, query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _unavailable(where: str, why: str) -> Unavailable:
    return Unavailable(
        "feed_unavailable",
        what=f"the status feed cannot be read: {why}",
        where=where,
        what_to_do="Check the path or address and try again; what was admitted before stays in force.",
    )
