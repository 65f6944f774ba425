"""Reading releases for analytics: from signed bytes to rows of versions, and what was decided and heard about them.

Belongs here: verifying before copying (design, section 5, layer 5). What the public file may show comes from the index,
the statement and the package as they were signed, and from nothing else: a row of the store that says otherwise stops
the publication.
"""

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from dagster_project.application import analytics_rows as rows
from dagster_project.application.analytics_reading import as_text
from dagster_project.application.issuing import payload_digests
from dagster_project.application.trust import trust_chain
from dagster_project.application.workspace import Workspace
from dagster_project.clock import parse_instant
from dagster_project.connections.duckdb_columns import Row
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes, keyed_digest
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.publication import (
    PACKAGE,
    PULLED,
    Index,
    ReleaseStatement,
    read_index,
    read_release_statement,
    version_folder,
)
from dagster_project.integrity.signatures import Envelope, read_envelope, signed_by
from dagster_project.packaging.fields import leaves
from dagster_project.sources.record import Classification
from dagster_project.store.decisions import decisions_of_incident
from dagster_project.store.release_tables import findings, receipts
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import (
    VersionRow,
    incidents_with_versions,
    latest_index,
    released_bridges,
    versions_of,
)


def released_rows(workspace: Workspace, transaction: Transaction, names: Collection[str]) -> Iterator[Row]:
    """Yield the rows of everything released, decided and heard about these incidents.

    Raises:
        IntegrityViolation: a body is not what was stored, or not what was signed.
    """
    reading = _Releases(workspace, transaction)
    for name in sorted(names):
        yield from reading.decisions(name)
    for name in incidents_with_versions(transaction, names):
        for bridge in released_bridges(transaction, name):
            yield from reading.versions(name, bridge)
        yield from reading.receipts(name)
        yield from reading.findings(name)


class _Releases:
    """One pass over what was released, in one transaction."""

    def __init__(self, workspace: Workspace, transaction: Transaction) -> None:
        self._workspace, self._transaction = workspace, transaction

    @cached_property
    def _keys(self) -> dict[str, dict[str, bytes]]:
        """The keys that the two services ever had: what they signed then stays signed."""
        chain = [one.trust for one in trust_chain(self._transaction, self._workspace)]
        return {
            service: {keyid: key for trust in chain for keyid, key in trust.service_keys(service).items()}
            for service in ("release", "index")
        }

    def versions(self, incident: str, bridge: str) -> Iterator[Row]:
        """Yield the versions of one package, as they were signed."""
        versions = versions_of(self._transaction, incident, bridge)
        index = self._index(versions[0])
        if {one.version for one in versions} != set(index.versions):
            raise _differs("index_differs", versions[-1])
        for one in versions:
            yield from self._version(one, index)

    def _version(self, row: VersionRow, index: Index) -> Iterator[Row]:
        listed = index.versions[row.version]
        if (row.package_id, row.state, row.statement_digest) != (
            index.package_id,
            listed.state,
            listed.statement_digest,
        ):
            raise _differs("index_differs", row)
        statement = self._statement(row)
        package = self._package(row, statement)
        header, content = package["header"], package["content"]
        yield rows.ReleasedVersionRow(
            package_id=statement.package_id,
            version=statement.version,
            kind=header["revision_history"][-1]["cause"],
            publication_state=listed.state,
            channel=statement.channel,
            profile_label=statement.profile_label,
            content_digest=digest_bytes(canonical_bytes(content)),
            issued_at=statement.issued_at,
            as_of=header["as_of"] and parse_instant(header["as_of"]),
            stale_after=statement.stale_after,
            reaffirmed_at=header["reaffirmed_at"] and parse_instant(header["reaffirmed_at"]),
        )
        # What was pulled is nowhere to be read any more but in the sealed store.
        for pointer, value in {} if listed.state in PULLED else leaves(content).items():
            yield rows.ReleasedFieldRow(
                package_id=statement.package_id, version=statement.version, pointer=pointer, value=as_text(value)
            )
        yield self._origin(row)

    def _origin(self, row: VersionRow) -> rows.VersionOriginRow:
        changes = read_document(self._transaction.get_sealed(row.manifest_digest)).get("changes", [])
        standing = sum(1 for one in changes if one["standing"])
        return rows.VersionOriginRow(
            incident=row.incident,
            bridge=row.bridge,
            version=row.version,
            package_id=row.package_id,
            candidate_id=row.candidate_id,
            profile_digest=row.profile_digest,
            approved_changes=len(changes) - standing,
            standing_changes=standing,
        )

    def _index(self, row: VersionRow) -> Index:
        stored = latest_index(self._transaction, row.package_id)
        if stored is None:
            raise _differs("index_missing", row)
        return read_index(self._signed(row, stored.body_digest, "index"))

    def _statement(self, row: VersionRow) -> ReleaseStatement:
        statement = read_release_statement(self._signed(row, row.statement_digest, "release"))
        payload = payload_digests(self._transaction, row)
        files = {f"{version_folder(row.version)}/{name}": digest for name, digest in payload.items()}
        if (statement.package_id, statement.version, statement.files) != (row.package_id, row.version, files):
            raise _differs("statement_differs", row)
        return statement

    def _package(self, row: VersionRow, statement: ReleaseStatement) -> dict[str, Any]:
        digest = statement.files[f"{version_folder(row.version)}/{PACKAGE}"]
        package = read_document(self._transaction.blobs.get(digest, Classification.CUSTOMER))
        if digest_bytes(canonical_bytes(package["content"])) != row.content_digest:
            raise _differs("content_differs", row)
        return dict(package)

    def _signed(self, row: VersionRow, digest: str, service: str) -> Envelope:
        envelope = read_envelope(self._transaction.blobs.get(digest, Classification.CUSTOMER))
        if not signed_by(envelope, self._keys[service]):
            raise _differs(f"{service}_not_signed", row)
        return envelope

    def decisions(self, incident: str) -> Iterator[Row]:
        """Yield the decisions about an incident; what each one says is verified with its signature when it is taken."""
        for one in decisions_of_incident(self._transaction, incident):
            yield rows.DecisionRow(
                decision_id=one.decision_id,
                incident=incident,
                bridge=one.bridge,
                act=one.act,
                decided_by=self._key(one.person),
                received_at=one.received_at,
            )

    def receipts(self, incident: str) -> Iterator[Row]:
        """Yield the receipts of an incident's versions."""
        for one in self._of(receipts, incident):
            yield rows.ReceiptRow(
                receipt_id=one["receipt_id"],
                incident=incident,
                bridge=one["bridge"],
                version=one["version"],
                recipient=self._key(one["recipient"]),
                kind=one["kind"],
                reopened_internal=one["reopened_internal"],
                happened_at=one["at"],
                recorded_at=one["recorded_at"],
            )

    def findings(self, incident: str) -> Iterator[Row]:
        """Yield the findings about an incident's versions."""
        for one in self._of(findings, incident):
            yield rows.FindingRow(
                finding_id=one["finding_id"],
                incident=incident,
                bridge=one["bridge"],
                version=one["version"],
                pointer=one["field_pointer"],
                kind=one["kind"],
                found_at=one["found_at"],
            )

    def _of(self, table: sa.Table, incident: str) -> sa.MappingResult:
        statement = sa.select(table).where(table.c.incident == incident).order_by(*table.primary_key.columns)
        return self._transaction.connection.execute(statement).mappings()

    def _key(self, name: str) -> str:
        return keyed_digest(self._transaction.keys.digest, name.encode())


def _differs(code: str, row: VersionRow) -> IntegrityViolation:
    return IntegrityViolation(
        code,
        what="what is stored of a released version is not what was signed, so nothing was published",
        where=f"version {row.version} of incident {row.incident}, bridge {row.bridge}",
        what_to_do="Run `channelsafe verify`, and restore from a backup what it lists; then publish again.",
    )
