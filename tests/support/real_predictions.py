"""What a real run did, in the form in which a backtest predicts it: every version with all that stands behind it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby

from dagster_project.application.backtest_figures import PredictedVersion
from dagster_project.application.workspace import Workspace
from dagster_project.clock import parse_instant
from dagster_project.integrity.documents import read_document
from dagster_project.store.decisions import decisions_of_incident
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, all_versions
from tests.support.review_figures import reviewed_manifests


def versions_told(workspace: Workspace, roles: Mapping[str, tuple[str, ...]]) -> list[PredictedVersion]:
    """Return every version that was released, by incident, bridge and number."""
    with workspace.store.read() as transaction:
        rows = all_versions(transaction)
        return [
            told
            for (incident, _bridge), package in groupby(rows, key=lambda one: (one.incident, one.bridge))
            for told in _told(transaction, incident, list(package), roles)
        ]


def code_key(workspace: Workspace) -> bytes:
    """Return the key of the deployment's opaque codes: with it a prediction has the digests of its run."""
    with workspace.store.read() as transaction:
        return transaction.keys.opaque_codes


def _told(
    transaction: Transaction, incident: str, rows: list[VersionRow], roles: Mapping[str, tuple[str, ...]]
) -> Iterator[PredictedVersion]:
    people = {one.decision_digest: one.person for one in decisions_of_incident(transaction, incident)}
    manifests = [dict(read_document(transaction.get_sealed(row.manifest_digest))) for row in rows]
    released = [one for row, one in zip(rows, manifests, strict=True) if row.kind == "release"]
    counted = iter(reviewed_manifests(released, people))
    for row, manifest in zip(rows, manifests, strict=True):
        approved, deciding = next(counted) if row.kind == "release" else (0, [])
        yield PredictedVersion(
            incident=row.incident,
            bridge=row.bridge,
            version=row.version,
            kind=row.kind,
            issued_at=row.issued_at,
            stale_after=parse_instant(manifest["header"]["stale_after"]),
            content_digest=row.content_digest,
            approved=approved,
            decisions=dict(Counter(role for person in deciding for role in roles[person])),
        )
