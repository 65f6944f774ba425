"""Candidates: rendering the bridges of a snapshot and storing what was rendered.

Belongs here: the second step of a refresh. What is rendered is decided in `packaging`; nothing here is checked or
released, and nothing here is written where a reader of released packages looks.
"""

from collections.abc import Iterable

import msgspec

from dagster_project.application.contexts import predecessor_of
from dagster_project.application.profiles import profile_for
from dagster_project.application.snapshots import read_snapshot, require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.candidate import Candidate, make_candidate
from dagster_project.packaging.context import BridgeFacts, RenderingContext, bridges_of
from dagster_project.packaging.open_items import RESOLUTIONS, OpenItem
from dagster_project.packaging.snapshot import Snapshot
from dagster_project.store import open_items
from dagster_project.store.audit import NewAuditEntry, append_entry
from dagster_project.store.candidates import (
    CandidateOutcome,
    CandidateRow,
    NewCandidate,
    add_candidate,
    latest_candidate,
)
from dagster_project.store.open_items import NewOpenItem
from dagster_project.store.refreshes import (
    RefreshRow,
    add_refresh_candidate,
    candidates_of_refresh,
    latest_refresh,
)
from dagster_project.store.transaction import Transaction


def view_index(views: dict[str, bytes]) -> bytes:
    """Return the canonical index of a candidate's views: digest by file name."""
    return canonical_bytes({name: digest_bytes(body) for name, body in views.items()})


def current_refresh(transaction: Transaction, incident: str) -> RefreshRow:
    """Return the refresh that the later steps work on: the one that started last.

    Raises:
        UsageError: no snapshot of this incident was taken yet.
    """
    require_incident(transaction, incident)
    refresh = latest_refresh(transaction, incident)
    if refresh is None:
        raise UsageError(
            "snapshot_missing",
            what="no snapshot of this incident was taken yet",
            where=f"incident {incident}",
            what_to_do="Run `channelsafe refresh INCIDENT`, or materialize source_snapshot first.",
        )
    return refresh


def render_candidates(workspace: Workspace, incident: str) -> tuple[CandidateRow, ...]:
    """Render every bridge of the latest snapshot, once per refresh; a repeated call changes nothing."""
    with workspace.store.begin() as transaction:
        refresh = current_refresh(transaction, incident)
        done = candidates_of_refresh(transaction, refresh)
        if done:
            return tuple(done)
        snapshot = read_snapshot(transaction, incident, refresh.snapshot_digest)
        return tuple(_render(workspace, transaction, refresh, snapshot, facts) for facts in bridges_of(snapshot))


def opened_bridges(transaction: Transaction, refresh: RefreshRow) -> tuple[str, ...]:
    """Return the bridges that a refresh's snapshot opens; an incident may have none yet."""
    snapshot = read_snapshot(transaction, refresh.incident, refresh.snapshot_digest)
    return tuple(facts.bridge for facts in bridges_of(snapshot))


def _render(
    workspace: Workspace, transaction: Transaction, refresh: RefreshRow, snapshot: Snapshot, facts: BridgeFacts
) -> CandidateRow:
    profile_digest = profile_for(transaction, incident=refresh.incident, bridge=facts.bridge)
    context = RenderingContext(
        snapshot=snapshot,
        tables=workspace.shelf.tables(transaction, profile_digest),
        bridge=facts,
        evaluation_instant=refresh.evaluation_instant,
        code_key=transaction.keys.opaque_codes,
    )
    before = latest_candidate(transaction, refresh.incident, facts.bridge)
    candidate = make_candidate(context, predecessor_of(workspace, transaction, before))
    new = _store_bodies(workspace, transaction, refresh, candidate, context, before)
    row = add_candidate(transaction, new)
    add_refresh_candidate(transaction, refresh, row)
    _keep_open_items(transaction, workspace, row, candidate.open_items)
    _audit(workspace, transaction, row)
    return row


def _store_bodies(
    workspace: Workspace,
    transaction: Transaction,
    refresh: RefreshRow,
    candidate: Candidate,
    context: RenderingContext,
    before: CandidateRow | None,
) -> NewCandidate:
    for body in candidate.views.values():
        transaction.put_sealed(body)
    holds = len(candidate.rendering.held) + len(candidate.rendering.absences)
    slots = candidate.content["held"].values()
    on_hold = holds > 0 or any(slot["slot_state"] in {"on_hold", "in_review"} for slot in slots)
    return NewCandidate(
        incident=refresh.incident,
        bridge=context.bridge.bridge,
        content_digest=transaction.put_sealed(candidate.content_bytes),
        snapshot_digest=refresh.snapshot_digest,
        profile_digest=context.tables.digest,
        renderer_digest=workspace.renderer.digest,
        tzdata_version=workspace.renderer.tzdata_version,
        evaluation_instant=refresh.evaluation_instant,
        as_of=candidate.as_of,
        predecessor_id=None if before is None else before.candidate_id,
        lineage_digest=transaction.put_sealed(candidate.lineage_bytes),
        delta_digest=transaction.put_sealed(candidate.delta_bytes),
        annex_digest=transaction.put_sealed(candidate.annex_bytes),
        view_digest=transaction.put_sealed(view_index(candidate.views)),
        holds=holds,
        outcome=CandidateOutcome.HELD if on_hold else CandidateOutcome.RENDERED,
        created_at=workspace.clock.now(),
    )


def _keep_open_items(
    transaction: Transaction, workspace: Workspace, row: CandidateRow, items: Iterable[OpenItem]
) -> None:
    """Open what a rendering calls for, and resolve what no longer has a cause."""
    now = workspace.clock.now()
    present = [
        open_items.open_item(
            transaction,
            NewOpenItem(
                incident=row.incident,
                bridge=row.bridge,
                kind=item.kind,
                identity_digest=item.identity_digest,
                owner_role=item.owner_role,
            ),
            detail=canonical_bytes(document_of(item)),
            at=now,
        )
        for item in items
    ]
    open_items.resolve_absent(
        transaction, row.incident, bridge=row.bridge, kinds=tuple(RESOLUTIONS), present=present, at=now
    )


def _audit(workspace: Workspace, transaction: Transaction, row: CandidateRow) -> None:
    """Write one entry per rendering: also where nothing visible changed (design section 4)."""
    details = {
        "content_digest": row.content_digest,
        "snapshot_digest": row.snapshot_digest,
        "profile_digest": row.profile_digest,
        "content_number": row.content_number,
    }
    entry = NewAuditEntry(
        at=workspace.clock.now(),
        actor="channelsafe",
        action="candidate_rendered" if row.content_changed else "no_visible_change",
        subject=f"bridge/{row.bridge}/candidate/{row.ordinal}",
        details_digest=transaction.put_sealed(canonical_bytes(details)),
        incident=row.incident,
    )
    append_entry(transaction, entry)


def read_open_item(transaction: Transaction, body_digest: str) -> OpenItem:
    """Return a stored open item with both its sides."""
    return msgspec.json.decode(transaction.get_sealed(body_digest), type=OpenItem)
