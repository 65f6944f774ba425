"""What leaves a bridge, as bytes: content, page views, statement and index as the published folder would hold them.

Everything is made by the product's own pure functions; signing uses a key of the harness. A page that failed its check
leaves nothing, but that it failed, and why, is shown to people inside who may not know the values either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from dagster_project.application.issuing import payload_of, release_statement_of
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.digests import digest_bytes, opaque_code
from dagster_project.integrity.publication import (
    NEWEST_INDEX,
    Index,
    ListedVersion,
    index_bytes,
    statement_path,
    version_folder,
)
from dagster_project.integrity.signatures import SigningKey, sign_envelope
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.header import Header, Revision
from dagster_project.packaging.lineage import lineage_of
from dagster_project.packaging.release_check import ReleaseCheck, release_check
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.packaging.views import views_of

_KEY: Final = SigningKey(b"h" * 32)
_INDEX_LIFE: Final = timedelta(hours=6)


@dataclass(frozen=True)
class Outgoing:
    """Everything of one bridge that leaves, or that decides whether it may; two are equal where no byte differs.

    `files` are the files of the published folder by path, and of a page that failed its check the views alone.
    """

    content: bytes
    files: Mapping[str, bytes]
    reasons: bytes
    passed: bool
    as_of: datetime | None
    valid_until: datetime | None

    def differences(self, other: "Outgoing") -> list[str]:
        """Name the parts in which two differ."""
        return [name for name in self.__dataclass_fields__ if getattr(self, name) != getattr(other, name)]


@dataclass(frozen=True)
class Packaged:
    """A bridge's package on its way out: the rendering, its check, and what leaves."""

    rendering: Rendering
    check: ReleaseCheck
    outgoing: Outgoing


def packaged(context: RenderingContext) -> Packaged:
    """Take one bridge through rendering, lineage, release check, views, statement and index."""
    rendering = render(context)
    check = release_check(rendering.content, lineage_of(context, rendering), context, predecessor_digest=None)
    outgoing = Outgoing(
        content=rendering.content_bytes,
        files=_published(context, rendering, check) if check.passed else _views(rendering),
        reasons=msgspec.json.encode(check.reasons),
        passed=check.passed,
        as_of=rendering.as_of,
        valid_until=check.valid_until,
    )
    return Packaged(rendering, check, outgoing)


def _views(rendering: Rendering) -> dict[str, bytes]:
    """Return the views of a page that failed its check; none where it holds what no view has words for."""
    try:
        return views_of(rendering.content)
    except UnsafeOrRejected:
        return {}


def _published(context: RenderingContext, rendering: Rendering, check: ReleaseCheck) -> dict[str, bytes]:
    """Return the files of the published folder with this as the first version."""
    at, package_id = context.evaluation_instant, opaque_code(context.code_key, "package", context.bridge.bridge)
    assert check.valid_until is not None
    header = Header(
        package_id=package_id,
        version=1,
        supersedes=None,
        issued_at=at,
        as_of=rendering.as_of,
        stale_after=check.valid_until,
        reaffirmed_at=None,
        revision_history=(Revision(version=1, issued_at=at, cause="release"),),
    )
    content: dict[str, Any] = rendering.content
    payload = payload_of(content, header)
    statement = sign_envelope(release_statement_of(content, context.profile.label, header, payload), [_KEY])
    index = Index(
        package_id=package_id,
        index_version=1,
        current=1,
        versions={1: ListedVersion(state="released", statement_digest=digest_bytes(statement))},
        signed_at=at,
        expires=at + _INDEX_LIFE,
    )
    return {
        **{f"{version_folder(1)}/{name}": body for name, body in payload.items()},
        statement_path(1): statement,
        NEWEST_INDEX: sign_envelope(index_bytes(index), [_KEY]),
    }
