"""Version verification: every released version made again from what it pins, and held against what was signed.

Belongs here: replaying one version byte for byte (invariant I6), and verifying its statement. Verifying a whole
deployment is `verify`; what outsiders can verify is `verify_published`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from dagster_project.application.issuing import payload_digests, payload_of
from dagster_project.application.releasing import context_of_version, predecessor_of_version
from dagster_project.application.trust import trust_chain
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation, UsageError
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.publication import read_release_statement, version_folder
from dagster_project.integrity.signatures import read_envelope, signed_by
from dagster_project.packaging.acknowledgement import acknowledgement_content, acknowledgement_lineage
from dagster_project.packaging.candidate import make_candidate
from dagster_project.packaging.header import Header
from dagster_project.packaging.lineage import lineage_bytes
from dagster_project.sources.record import Classification
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, versions_of


@dataclass(frozen=True)
class VersionReplay:
    """Which parts of a version came out equal. Under another renderer only equal content is expected."""

    incident: str
    bridge: str
    version: int
    same_renderer: bool
    equal: dict[str, bool]

    @property
    def reproduced(self) -> bool:
        """Whether everything that must be equal is."""
        return all(self.equal.values()) if self.same_renderer else self.equal["content"]


def replay_version(
    workspace: Workspace, transaction: Transaction, row: VersionRow, before: Sequence[VersionRow]
) -> VersionReplay:
    """Make a version again from its pins and compare it with what was stored.

    Args:
        workspace: The deployment.
        transaction: Any transaction.
        row: The version.
        before: The versions before it, in order.
    """
    manifest = read_document(transaction.get_sealed(row.manifest_digest))
    content, lineage = _made_again(workspace, transaction, row, before)
    payload = payload_of(content, msgspec.convert(manifest["header"], Header))
    made_by = (manifest.get("renderer_digest"), manifest.get("tzdata_version"))
    renderer = workspace.renderer
    return VersionReplay(
        incident=row.incident,
        bridge=row.bridge,
        version=row.version,
        same_renderer=made_by in {(renderer.digest, renderer.tzdata_version), (None, None)},
        equal={
            "content": digest_bytes(canonical_bytes(content)) == row.content_digest,
            "lineage": digest_bytes(lineage) == row.lineage_digest,
            "payload": _digests(payload) == payload_digests(transaction, row),
        },
    )


def replay_one_version(workspace: Workspace, incident: str, bridge: str, version: int | None = None) -> VersionReplay:
    """Replay one version; without a number the newest of the bridge.

    Raises:
        UsageError: there is no such version.
    """
    with workspace.store.read() as transaction:
        versions = versions_of(transaction, incident, bridge)
        wanted = version or len(versions)
        if not 1 <= wanted <= len(versions):
            raise UsageError(
                "version_unknown",
                what="there is no such version",
                where=f"incident {incident}, bridge {bridge}, version {version or 'newest'}",
                what_to_do=f"See what there is with `channelsafe history {incident}`.",
            )
        return replay_version(workspace, transaction, versions[wanted - 1], versions[: wanted - 1])


def _made_again(
    workspace: Workspace, transaction: Transaction, row: VersionRow, before: Sequence[VersionRow]
) -> tuple[dict[str, object], bytes]:
    if row.candidate_id is None:
        tables = workspace.shelf.tables(transaction, row.profile_digest)
        return acknowledgement_content(tables), lineage_bytes(acknowledgement_lineage(tables))
    context = context_of_version(workspace, transaction, row)
    again = make_candidate(context, predecessor_of_version(workspace, transaction, before))
    return again.content, again.lineage_bytes


def _digests(payload: Mapping[str, bytes]) -> dict[str, str]:
    return {name: digest_bytes(body) for name, body in payload.items()}


def verify_version(
    workspace: Workspace, transaction: Transaction, row: VersionRow, before: Sequence[VersionRow]
) -> None:
    """Verify a version's bodies, its statement, and that it follows from what it pins.

    Raises:
        IntegrityViolation: something is not what was stored, signed or made.
    """
    stored = payload_digests(transaction, row)
    for digest in stored.values():
        transaction.blobs.get(digest, Classification.CUSTOMER)
    _verify_statement(workspace, transaction, row, stored)
    report = replay_version(workspace, transaction, row, before)
    for part, equal in report.equal.items():
        if not equal and (report.same_renderer or part == "content"):
            raise _violation(f"{part}_not_reproduced", row)


def _verify_statement(
    workspace: Workspace, transaction: Transaction, row: VersionRow, payload: Mapping[str, str]
) -> None:
    envelope = read_envelope(transaction.blobs.get(row.statement_digest, Classification.CUSTOMER))
    keys = {
        keyid: public
        for adopted in trust_chain(transaction, workspace)
        for keyid, public in adopted.trust.service_keys("release").items()
    }
    release = read_release_statement(envelope)
    folder = version_folder(row.version)
    said = (release.package_id, release.version, dict(release.files))
    if said != (row.package_id, row.version, {f"{folder}/{name}": digest for name, digest in payload.items()}):
        raise _violation("statement_differs", row)
    if not signed_by(envelope, keys):
        raise _violation("statement_not_signed", row)


def _violation(code: str, row: VersionRow) -> IntegrityViolation:
    return IntegrityViolation(
        code,
        what="a released version is not what it pins or what was signed",
        where=f"version {row.version} of incident {row.incident}, bridge {row.bridge}",
        what_to_do="Restore the store from a backup; `channelsafe verify` lists all that is affected.",
    )
