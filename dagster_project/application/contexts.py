"""Contexts: rebuilding what a stored candidate was rendered from.

Belongs here: from the digests in a candidate's row to the domain's `RenderingContext` and `Predecessor`. Check,
replay and verification start here, from stored bytes and never from what a process remembers.
"""

from collections.abc import Iterable, Mapping

from dagster_project.application.pinned import read_snapshot
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.documents import read_document
from dagster_project.packaging.context import BridgeFacts, RenderingContext, bridges_of
from dagster_project.packaging.delta import Predecessor
from dagster_project.packaging.fields import leaves
from dagster_project.packaging.lineage import Lineage, fields_from, read_lineage
from dagster_project.packaging.snapshot import Snapshot
from dagster_project.store.candidates import CandidateRow, find_candidate
from dagster_project.store.transaction import Transaction


def context_of(workspace: Workspace, transaction: Transaction, row: CandidateRow) -> RenderingContext:
    """Return the context that a candidate was rendered in, from its pins."""
    return _context(workspace, transaction, row, read_snapshot(transaction, row.incident, row.snapshot_digest))


def _context(workspace: Workspace, transaction: Transaction, row: CandidateRow, snapshot: Snapshot) -> RenderingContext:
    return RenderingContext(
        snapshot=snapshot,
        tables=workspace.shelf.tables(transaction, row.profile_digest),
        bridge=_facts(snapshot, row.bridge),
        evaluation_instant=row.evaluation_instant,
        code_key=transaction.keys.opaque_codes,
    )


def _facts(snapshot: Snapshot, bridge: str) -> BridgeFacts:
    for facts in bridges_of(snapshot):
        if facts.bridge == bridge:
            return facts
    raise IntegrityViolation(
        "bridge_not_in_snapshot",
        what="the pinned snapshot opens no such bridge",
        where=f"bridge {bridge} of incident {snapshot.incident}",
        what_to_do="Run `channelsafe verify`, and restore from a backup what it lists.",
    )


def lineage_of_row(transaction: Transaction, row: CandidateRow) -> Lineage:
    """Return the stored lineage of a candidate."""
    return read_lineage(transaction.get_sealed(row.lineage_digest))


def predecessor_of(workspace: Workspace, transaction: Transaction, row: CandidateRow | None) -> Predecessor | None:
    """Return the candidate `row` as a predecessor, or None where there is none."""
    if row is None:
        return None
    snapshot = read_snapshot(transaction, row.incident, row.snapshot_digest)
    return predecessor_from(workspace, transaction, row, snapshot, predecessor_bodies(transaction, [row]))


def predecessor_bodies(transaction: Transaction, rows: Iterable[CandidateRow]) -> Mapping[str, bytes]:
    """Return by digest what a delta needs of its predecessors, verified: contents and lineages."""
    return transaction.get_all_sealed(digest for row in rows for digest in (row.content_digest, row.lineage_digest))


def predecessor_from(
    workspace: Workspace,
    transaction: Transaction,
    row: CandidateRow,
    snapshot: Snapshot,
    bodies: Mapping[str, bytes],
) -> Predecessor:
    """Return the candidate `row` as a predecessor, rendered from `snapshot`, which is the one that it pins.

    Args:
        workspace: The deployment.
        transaction: Any transaction.
        row: The candidate.
        snapshot: The one that it pins.
        bodies: What `predecessor_bodies` returned for it, and maybe for others.
    """
    content = read_document(bodies[row.content_digest])
    return Predecessor(
        content=content,
        context=_context(workspace, transaction, row, snapshot),
        fields=fields_from(read_lineage(bodies[row.lineage_digest]), leaves(content)),
        same_renderer=is_of_this_renderer(workspace, row),
    )


def is_of_this_renderer(workspace: Workspace, row: CandidateRow) -> bool:
    """Tell whether the renderer of this process, with its time zone data, made a candidate."""
    renderer = workspace.renderer
    return (row.renderer_digest, row.tzdata_version) == (renderer.digest, renderer.tzdata_version)


def predecessor_row(transaction: Transaction, row: CandidateRow) -> CandidateRow | None:
    """Return the row of a candidate's predecessor on its bridge, or None for the first."""
    return None if row.predecessor_id is None else find_candidate(transaction, row.predecessor_id)
