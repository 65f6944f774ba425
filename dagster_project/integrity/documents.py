"""Documents: typed records as plain JSON values, the form that canonical bytes and digests are taken of.

Belongs here: the one way from a frozen record to its canonical content. Reading back is `msgspec.convert`.
"""

from typing import Any

import msgspec

from dagster_project.integrity.canonical import canonical_bytes


def document_of(record: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return a typed record, or a container of them, as JSON values: tuples as lists, instants as RFC 3339."""
    return msgspec.json.decode(msgspec.json.encode(record))


def typed_bytes(record: object) -> bytes:
    """Return the canonical bytes of typed records whose untyped values are canonical content already.

    Such values come from admitted records or package content, so nothing in them is left to refuse. Text that is ASCII
    is always in normal form, and of that the sorted output of the typed encoder is canonical as it stands, without the
    way through a document; tests compare it with the guarded writer.

    Raises:
        NotCanonical: text that is not ASCII is not in normal form.
    """
    written = msgspec.json.encode(record, order="sorted")
    return written if written.isascii() else canonical_bytes(document_of(record))


def read_document(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read a document back from stored bytes that were verified by their digest: what was written was canonical.

    Bytes that came from outside are read by `canonical.parse_strict`.
    """
    return msgspec.json.decode(body)
