"""The header: what a release adds to content.

Belongs here: the typed header, the package document that joins it with content, and the lines that views show of it.
Nothing in it comes from a record but `as_of`, which is of rendered fields alone.
"""

from datetime import datetime
from typing import Any

import msgspec

from dagster_project.clock import format_instant
from dagster_project.integrity.documents import document_of
from dagster_project.integrity.publication import Predecessor


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One version in the history of a package: its number, its instant, and the kind of its release."""

    version: int
    issued_at: datetime
    cause: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What release adds to content.

    `as_of` is the greatest recorded time among the records that feed rendered fields, None where none does.
    `stale_after` is the age limit of the data and no promise. `reaffirmed_at` is when a person saw it to be still so.
    """

    package_id: str
    version: int
    supersedes: Predecessor | None
    issued_at: datetime
    as_of: datetime | None
    stale_after: datetime
    reaffirmed_at: datetime | None
    revision_history: tuple[Revision, ...]


def package_document(header: Header, content: dict[str, Any]) -> dict[str, Any]:
    """Return a released package: header and content side by side, the content exactly as it was approved."""
    return {"header": document_of(header), "content": content}


def header_lines(header: Header) -> tuple[str, ...]:
    """Return what a page says of its own version, a sentence each."""
    follows = (
        "It is the first version." if header.supersedes is None else f"It replaces version {header.supersedes.version}."
    )
    lines = [f"Version {header.version}, issued at {_said(header.issued_at)}. {follows}"]
    if header.as_of is not None:
        lines.append(f"What it states was recorded by {_said(header.as_of)}.")
    if header.reaffirmed_at is not None:
        lines.append(f"It was seen to be still so at {_said(header.reaffirmed_at)}.")
    lines.append(f"After {_said(header.stale_after)} its data is too old to rely on; this is no promise of an update.")
    return tuple(lines)


def _said(instant: datetime) -> str:
    return format_instant(instant).replace("T", " ").replace("Z", " UTC")
