"""The internal manifest: everything that a candidate was made of, so that it can be made again byte for byte.

Belongs here: the form of the internal manifest. It exists only for candidates that passed their release check,
and never leaves.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from dagster_project.integrity.documents import document_of


class Pins(msgspec.Struct, frozen=True, kw_only=True):
    """What rendering read, by digest: enough to replay content, views, lineage and delta (invariant I6)."""

    snapshot_digest: str
    profile_digest: str
    renderer_digest: str
    tzdata_version: str
    evaluation_instant: datetime
    predecessor_id: str | None


class InternalManifest(msgspec.Struct, frozen=True, kw_only=True):
    """Names one checked candidate and all that stands behind it. `withheld` counts annexed values by audience."""

    incident: str
    bridge: str
    candidate_id: str
    content_digest: str
    view_digests: dict[str, str]
    lineage_digest: str
    delta_digest: str
    annex_digest: str
    release_check_digest: str
    valid_until: datetime
    as_of: datetime | None
    pins: Pins
    held: tuple[str, ...]
    withheld: dict[str, int]


def manifest_document(manifest: InternalManifest) -> dict[str, Any]:
    """Return the canonical form of an internal manifest."""
    document: dict[str, Any] = document_of(manifest)
    return document


def read_manifest(document: Mapping[str, Any]) -> InternalManifest:
    """Read a stored internal manifest back."""
    return msgspec.convert(document, InternalManifest)
