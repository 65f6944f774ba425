"""Checks and manifests: judging candidates, and the boundary that unsafe ones do not pass.

Belongs here: the third and fourth step of a refresh (design section 5, layers 3 and 4). A manifest exists only for
a candidate whose stored bytes passed their release check, and whose check is valid at the gate's instant.
"""

from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.candidates import current_refresh, opened_bridges
from dagster_project.application.contexts import context_of, lineage_of_row, predecessor_row
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.canonical import canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.annexes import withheld_counts
from dagster_project.packaging.manifest import InternalManifest, Pins, manifest_document
from dagster_project.packaging.release_check import (
    ReleaseCheck,
    read_release_check,
    release_check,
    release_check_document,
)
from dagster_project.store import gates, incidents
from dagster_project.store.candidates import CandidateRow
from dagster_project.store.gates import ManifestRow, NewReleaseCheck, ReleaseCheckRow
from dagster_project.store.refreshes import RefreshRow, candidates_of_refresh, finish_refresh
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class CheckedCandidate:
    """A candidate with its release check; `manifest_digest` is None where it did not pass the gate."""

    row: CandidateRow
    check: ReleaseCheck
    manifest_digest: str | None


def check_candidates(workspace: Workspace, incident: str) -> tuple[CheckedCandidate, ...]:
    """Check every candidate of the latest refresh from its stored bytes, and record each result.

    Each candidate that passes gets its internal manifest in the same transaction, so that one bridge's unsafe
    candidate never keeps another bridge in the dark. With every candidate judged, the refresh has observed its
    revision.
    """
    with workspace.store.begin() as transaction:
        refresh = current_refresh(transaction, incident)
        rows = candidates_of_refresh(transaction, refresh)
        checked = tuple(_check(workspace, transaction, refresh, row) for row in rows)
        if rows or not opened_bridges(transaction, refresh):
            incidents.set_observed(transaction, incident, refresh.revision)
            finish_refresh(transaction, refresh, workspace.clock.now())
    return checked


def write_manifests(workspace: Workspace, incident: str) -> tuple[CheckedCandidate, ...]:
    """Return the internal manifests of the latest refresh; derive release checks that are absent.

    Raises:
        UnsafeOrRejected: a candidate did not pass, or its check is no longer valid. Those that passed have their
            manifests all the same.
    """
    with workspace.store.begin() as transaction:
        refresh = current_refresh(transaction, incident)
        checked = tuple(
            _gate(workspace, transaction, refresh, row) for row in candidates_of_refresh(transaction, refresh)
        )
    refused = [one for one in checked if one.manifest_digest is None]
    if refused:
        bridges = ", ".join(one.row.bridge for one in refused)
        rules = sorted({f"{reason.rule}/{reason.code}" for one in refused for reason in one.check.reasons})
        raise UnsafeOrRejected(
            "candidate_unsafe",
            what=f"{len(refused)} candidates did not pass the gate: {', '.join(rules) or 'check no longer valid'}",
            where=f"incident {incident}, {bridges}",
            what_to_do="See the reason with `channelsafe show`; correct the profile or record and refresh.",
        )
    return checked


def _gate(workspace: Workspace, transaction: Transaction, refresh: RefreshRow, row: CandidateRow) -> CheckedCandidate:
    """Let a candidate pass only with a stored check of exactly its bytes, else judge it anew."""
    stored = gates.latest_release_check(transaction, row.candidate_id)
    if stored is None:
        return _check(workspace, transaction, refresh, row)
    check = read_stored_check(transaction, stored)
    return _conclude(workspace, transaction, refresh, row, check, stored.check_id)


def _check(workspace: Workspace, transaction: Transaction, refresh: RefreshRow, row: CandidateRow) -> CheckedCandidate:
    before = predecessor_row(transaction, row)
    check = release_check(
        parse_strict(transaction.get_sealed(row.content_digest)),
        lineage_of_row(transaction, row),
        context_of(workspace, transaction, row),
        predecessor_digest=None if before is None else before.content_digest,
    )
    body = canonical_bytes(release_check_document(check))
    reasons = canonical_bytes(document_of(check.reasons))
    new = NewReleaseCheck(
        candidate_id=row.candidate_id,
        check_digest=digest_bytes(body),
        content_digest=check.content_digest,
        snapshot_digest=check.snapshot_digest,
        profile_digest=check.profile_digest,
        predecessor_digest=check.predecessor_digest,
        deny_list_digest=check.deny_list_digest,
        bridge=check.bridge,
        passed=check.passed,
        check_body_digest=transaction.put_sealed(body),
        evaluated_for=check.evaluated_for,
        valid_until=check.valid_until,
        created_at=workspace.clock.now(),
        reasons_digest=transaction.put_sealed(reasons) if check.reasons else None,
    )
    check_id = gates.add_release_check(transaction, new)
    return _conclude(workspace, transaction, refresh, row, check, check_id)


def read_stored_check(transaction: Transaction, stored: ReleaseCheckRow) -> ReleaseCheck:
    """Return a stored release check; whether it passed is derived from its body, not read from its row."""
    return read_release_check(parse_strict(transaction.get_sealed(stored.check_body_digest)))


def _gate_instant(workspace: Workspace, refresh: RefreshRow) -> datetime:
    if refresh.is_history:
        return refresh.evaluation_instant
    return max(workspace.clock.now(), refresh.evaluation_instant)


def is_open(check: ReleaseCheck, row: CandidateRow, instant: datetime) -> bool:
    """Tell whether a check opens the gate: passed, valid at `instant`, and over exactly this candidate's bytes."""
    same_bytes = (check.bridge, check.content_digest, check.snapshot_digest, check.profile_digest) == (
        row.bridge,
        row.content_digest,
        row.snapshot_digest,
        row.profile_digest,
    )
    return same_bytes and check.lineage_digest == row.lineage_digest and check.holds_at(instant)


def _conclude(
    workspace: Workspace,
    transaction: Transaction,
    refresh: RefreshRow,
    row: CandidateRow,
    check: ReleaseCheck,
    check_id: int,
) -> CheckedCandidate:
    if not is_open(check, row, _gate_instant(workspace, refresh)):
        return CheckedCandidate(row, check, None)
    body = canonical_bytes(manifest_document(_manifest(transaction, row, check)))
    manifest = ManifestRow(
        manifest_digest=digest_bytes(body),
        candidate_id=row.candidate_id,
        check_id=check_id,
        incident=row.incident,
        bridge=row.bridge,
        body_digest=transaction.put_sealed(body),
        created_at=workspace.clock.now(),
    )
    present = gates.find_manifest(transaction, row.candidate_id)
    if present is None:
        gates.add_manifest(transaction, manifest)
    return CheckedCandidate(row, check, manifest.manifest_digest if present is None else present.manifest_digest)


def _manifest(transaction: Transaction, row: CandidateRow, check: ReleaseCheck) -> InternalManifest:
    lineage = lineage_of_row(transaction, row)
    annex = parse_strict(transaction.get_sealed(row.annex_digest))
    held = [group.draft.pointer for group in lineage.groups if group.hold is not None]
    if check.valid_until is None:
        raise UnsafeOrRejected(
            "check_without_end",
            what="a release check without an end is no check",
            where=f"incident {row.incident}, bridge {row.bridge}",
            what_to_do="Refresh the incident.",
        )
    return InternalManifest(
        incident=row.incident,
        bridge=row.bridge,
        candidate_id=str(row.candidate_id),
        content_digest=row.content_digest,
        view_digests=parse_strict(transaction.get_sealed(row.view_digest)),
        lineage_digest=row.lineage_digest,
        delta_digest=row.delta_digest,
        annex_digest=row.annex_digest,
        release_check_digest=digest_of(release_check_document(check)),
        valid_until=check.valid_until,
        as_of=row.as_of,
        pins=Pins(
            snapshot_digest=row.snapshot_digest,
            profile_digest=row.profile_digest,
            renderer_digest=row.renderer_digest,
            tzdata_version=row.tzdata_version,
            evaluation_instant=row.evaluation_instant,
            predecessor_id=None if row.predecessor_id is None else str(row.predecessor_id),
        ),
        held=tuple(sorted([*held, *(absence.pointer for absence in lineage.absences)])),
        withheld=withheld_counts(annex),
    )
