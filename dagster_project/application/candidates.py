"""Candidates: rendering the bridges of a snapshot and storing what was rendered.

Belongs here: the second step of a refresh. What is rendered is decided in `packaging`; nothing here is checked or
released, and nothing here is written where a reader of released packages looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.application.contexts import predecessor_of
from dagster_project.application.material_items import keep_material_evidence
from dagster_project.application.open_questions import new_open_item
from dagster_project.application.pinned import read_snapshot, require_incident
from dagster_project.application.profiles import bridges_with_profiles
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.packaging.candidate import Candidate, make_candidate
from dagster_project.packaging.context import RenderingContext, bridges_of
from dagster_project.packaging.open_items import RESOLUTIONS
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entries
from dagster_project.store.candidates import (
    CandidateOutcome,
    CandidateRow,
    NewCandidate,
    add_candidates,
    latest_candidates,
)
from dagster_project.store.open_items import keep_open_items
from dagster_project.store.profiles import assigned_profiles
from dagster_project.store.refreshes import (
    RefreshRow,
    add_refresh_candidates,
    candidates_of_refresh,
    latest_refresh,
)
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import incidents_with_versions


def view_digests(views: dict[str, bytes]) -> dict[str, str]:
    """Return the index of a candidate's views: digest by file name."""
    return {name: digest_bytes(body) for name, body in views.items()}


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
        assigned = assigned_profiles(transaction, [incident])
        latest = latest_candidates(transaction, [incident])
        made = []
        for facts, digest in bridges_with_profiles(assigned, incident=incident, opened=bridges_of(snapshot)):
            context = RenderingContext(
                snapshot=snapshot,
                tables=workspace.shelf.tables(transaction, digest),
                bridge=facts,
                evaluation_instant=refresh.evaluation_instant,
                code_key=transaction.keys.opaque_codes,
            )
            before = latest.get((incident, facts.bridge))
            candidate = make_candidate(context, predecessor_of(workspace, transaction, before))
            made.append(Made(refresh, context, before, candidate))
        return tuple(keep_candidates(workspace, transaction, made))


def opened_bridges(transaction: Transaction, refresh: RefreshRow) -> tuple[str, ...]:
    """Return the bridges that a refresh's snapshot opens; an incident may have none yet."""
    snapshot = read_snapshot(transaction, refresh.incident, refresh.snapshot_digest)
    return tuple(facts.bridge for facts in bridges_of(snapshot))


def is_open(transaction: Transaction, row: CandidateRow) -> bool:
    """Tell whether a contract record still opens the bridge of a candidate, as the latest refresh knows it.

    History that was evaluated anew closes nothing.
    """
    refresh = latest_refresh(transaction, row.incident)
    if refresh is None or refresh.is_history or refresh.snapshot_digest == row.snapshot_digest:
        return True
    return row.bridge in opened_bridges(transaction, refresh)


@dataclass(frozen=True)
class Made:
    """A candidate that was made, not stored yet: of which refresh, in which context, after which candidate."""

    refresh: RefreshRow
    context: RenderingContext
    before: CandidateRow | None
    candidate: Candidate


def keep_candidates(workspace: Workspace, transaction: Transaction, made: Sequence[Made]) -> list[CandidateRow]:
    """Store candidates of different bridges with all that belongs to them, and return their rows in this order."""
    rows = add_candidates(transaction, [_new_candidate(workspace, transaction, one) for one in made])
    add_refresh_candidates(transaction, [(one.refresh, row) for one, row in zip(made, rows, strict=True)])
    keep_open_items(
        transaction,
        [new_open_item(one.refresh.incident, item) for one in made for item in one.candidate.open_items],
        among={(row.incident, row.bridge) for row in rows},
        kinds=tuple(RESOLUTIONS),
        at=workspace.clock.now(),
    )
    _keep_material_evidence(workspace, transaction, made)
    append_entries(transaction, [_audit_entry(workspace, transaction, row) for row in rows])
    return rows


def _keep_material_evidence(workspace: Workspace, transaction: Transaction, made: Sequence[Made]) -> None:
    """Hold what the sources call for now against what bridges were told; most incidents were never released."""
    told = set(incidents_with_versions(transaction, {one.refresh.incident for one in made}))
    for one in made:
        if one.refresh.incident in told and not one.refresh.is_history:
            keep_material_evidence(workspace, transaction, one.context, one.candidate.rendering.fields)


def _new_candidate(workspace: Workspace, transaction: Transaction, made: Made) -> NewCandidate:
    candidate, context = made.candidate, made.context
    for body in candidate.views.values():
        transaction.put_sealed(body)
    holds = len(candidate.rendering.held) + len(candidate.rendering.absences)
    slots = candidate.content["held"].values()
    on_hold = holds > 0 or any(slot["slot_state"] in {"on_hold", "in_review"} for slot in slots)
    return NewCandidate(
        incident=made.refresh.incident,
        bridge=context.bridge.bridge,
        content_digest=transaction.put_sealed(candidate.content_bytes),
        snapshot_digest=made.refresh.snapshot_digest,
        profile_digest=context.tables.digest,
        renderer_digest=workspace.renderer.digest,
        tzdata_version=workspace.renderer.tzdata_version,
        evaluation_instant=made.refresh.evaluation_instant,
        as_of=candidate.as_of,
        predecessor_id=None if made.before is None else made.before.candidate_id,
        lineage_digest=transaction.put_sealed(candidate.lineage_bytes),
        delta_digest=transaction.put_sealed(candidate.delta_bytes),
        annex_digest=transaction.put_sealed(candidate.annex_bytes),
        view_digest=transaction.put_sealed(canonical_bytes(view_digests(candidate.views))),
        holds=holds,
        outcome=CandidateOutcome.HELD if on_hold else CandidateOutcome.RENDERED,
        created_at=workspace.clock.now(),
    )


def _audit_entry(workspace: Workspace, transaction: Transaction, row: CandidateRow) -> NewAuditEntry:
    """Say that a candidate was rendered: also where nothing visible changed (design section 4)."""
    details = {
        "content_digest": row.content_digest,
        "snapshot_digest": row.snapshot_digest,
        "profile_digest": row.profile_digest,
        "content_number": row.content_number,
    }
    return NewAuditEntry(
        at=workspace.clock.now(),
        actor="channelsafe",
        action=AuditAction.CANDIDATE_RENDERED if row.content_changed else AuditAction.NO_VISIBLE_CHANGE,
        subject=f"bridge/{row.bridge}/candidate/{row.ordinal}",
        details_digest=transaction.put_sealed(canonical_bytes(details)),
        incident=row.incident,
    )
