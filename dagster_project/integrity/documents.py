"""Documents: typed records as plain JSON values, the form that canonical bytes and digests are taken of.

Belongs here: the one way from a frozen record to its canonical content. Reading back is `msgspec.convert`.
"""

from typing import Any

import msgspec


def document_of(record: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return a typed record, or a container of them, as JSON values: tuples as lists, instants as RFC 3339."""
    return msgspec.json.decode(msgspec.json.encode(record))


def read_document(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read a document back from stored bytes that were verified by their digest: what was written was canonical.

    Bytes that came from outside are read by `canonical.parse_strict`.
    """
    return msgspec.json.decode(body)
