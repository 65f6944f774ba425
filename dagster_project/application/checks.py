"""Checks and manifests: judging candidates, and the boundary that unsafe ones do not pass.

Belongs here: the third and fourth step of a refresh (design section 5, layers 3 and 4). A manifest exists only for
a candidate whose stored bytes passed their release check, and whose check is valid at the gate's instant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.candidates import current_refresh, opened_bridges
from dagster_project.application.contexts import context_of, lineage_of_row, predecessor_row
from dagster_project.application.profiles import without_profile
from dagster_project.application.pulling import pull_what_lapsed
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.integrity.documents import document_of, read_document
from dagster_project.packaging.annexes import withheld_counts
from dagster_project.packaging.lineage import Lineage
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
from dagster_project.store.refreshes import RefreshRow, candidates_of_refresh, finish_refreshes
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class CheckedCandidate:
    """A candidate with its release check; `manifest_digest` is None where it did not pass the gate."""

    row: CandidateRow
    check: ReleaseCheck
    manifest_digest: str | None


@dataclass(frozen=True)
class Judged:
    """A stored candidate with the release check over it, and the parts of it that its manifest names."""

    refresh: RefreshRow
    row: CandidateRow
    check: ReleaseCheck
    lineage: Lineage
    view_digests: Mapping[str, str]
    withheld: Mapping[str, int]


def check_candidates(workspace: Workspace, incident: str) -> tuple[CheckedCandidate, ...]:
    """Check every candidate of the latest refresh from its stored bytes, and record each result.

    Each candidate that passes gets its internal manifest in the same transaction, so that one bridge's unsafe
    candidate never keeps another bridge in the dark. With every candidate judged, the refresh has observed its
    revision.
    """
    with workspace.store.begin() as transaction:
        refresh = current_refresh(transaction, incident)
        rows = candidates_of_refresh(transaction, refresh)
        checked = keep_checks(workspace, transaction, [_judge(workspace, transaction, refresh, row) for row in rows])
        if rows or not opened_bridges(transaction, refresh):
            conclude_refreshes(workspace, transaction, [refresh])
    pull_what_lapsed(workspace, [incident])
    return tuple(checked)


def conclude_refreshes(workspace: Workspace, transaction: Transaction, refreshes: Sequence[RefreshRow]) -> None:
    """Say that refreshes of different incidents have judged every candidate, and so observed their revisions."""
    incidents.set_observed(transaction, {one.incident: one.revision for one in refreshes})
    finish_refreshes(transaction, [one.refresh_id for one in refreshes], workspace.clock.now())


def write_manifests(workspace: Workspace, incident: str) -> tuple[CheckedCandidate, ...]:
    """Return the internal manifests of the latest refresh; derive release checks that are absent.

    Raises:
        UnsafeOrRejected: a candidate did not pass, or its check is no longer valid; the manifests of the incident's
            other bridges are written all the same.
        Unavailable: nobody gave a bridge of the incident a profile; the manifests of the others are written.
    """
    with workspace.store.begin() as transaction:
        refresh = current_refresh(transaction, incident)
        rows = candidates_of_refresh(transaction, refresh)
        stored = gates.latest_release_checks(transaction, [row.candidate_id for row in rows])
        absent = [row for row in rows if row.candidate_id not in stored]
        derived = keep_checks(workspace, transaction, [_judge(workspace, transaction, refresh, row) for row in absent])
        present = [
            (_as_stored(transaction, refresh, row, stored[row.candidate_id]), stored[row.candidate_id].check_id)
            for row in rows
            if row.candidate_id in stored
        ]
        checked = [*derived, *_conclude(workspace, transaction, present)]
        bare = {*opened_bridges(transaction, refresh)} - {row.bridge for row in rows} if rows else set()
    refused = [one for one in checked if one.manifest_digest is None]
    if refused:
        bridges = ", ".join(sorted(one.row.bridge for one in refused))
        rules = sorted({f"{reason.rule}/{reason.code}" for one in refused for reason in one.check.reasons})
        raise UnsafeOrRejected(
            "candidate_unsafe",
            what=f"{len(refused)} candidates did not pass the gate: {', '.join(rules) or 'check no longer valid'}",
            where=f"incident {incident}, {bridges}",
            what_to_do="See the reason with `channelsafe show`; correct the profile or record and refresh.",
        )
    if bare:
        raise without_profile(incident, bare)
    return tuple(sorted(checked, key=lambda one: one.row.bridge))


def _judge(workspace: Workspace, transaction: Transaction, refresh: RefreshRow, row: CandidateRow) -> Judged:
    """Check a candidate from its stored bytes."""
    before = predecessor_row(transaction, row)
    check = release_check(
        read_document(transaction.get_sealed(row.content_digest)),
        lineage_of_row(transaction, row),
        context_of(workspace, transaction, row),
        predecessor_digest=None if before is None else before.content_digest,
    )
    return _judged(transaction, refresh, row, check)


def _as_stored(transaction: Transaction, refresh: RefreshRow, row: CandidateRow, stored: ReleaseCheckRow) -> Judged:
    """Take a stored check; that it is over exactly these bytes is what the gate looks at."""
    return _judged(transaction, refresh, row, read_stored_check(transaction, stored))


def _judged(transaction: Transaction, refresh: RefreshRow, row: CandidateRow, check: ReleaseCheck) -> Judged:
    return Judged(
        refresh=refresh,
        row=row,
        check=check,
        lineage=lineage_of_row(transaction, row),
        view_digests=read_document(transaction.get_sealed(row.view_digest)),
        withheld=withheld_counts(read_document(transaction.get_sealed(row.annex_digest))),
    )


def keep_checks(workspace: Workspace, transaction: Transaction, judged: Sequence[Judged]) -> list[CheckedCandidate]:
    """Record release checks, and write the manifests of the candidates that the gate lets pass, in this order."""
    news = [_new_check(workspace, transaction, one) for one in judged]
    check_ids = gates.add_release_checks(transaction, news)
    return _conclude(workspace, transaction, list(zip(judged, check_ids, strict=True)))


def _new_check(workspace: Workspace, transaction: Transaction, judged: Judged) -> NewReleaseCheck:
    check = judged.check
    body = canonical_bytes(release_check_document(check))
    return NewReleaseCheck(
        candidate_id=judged.row.candidate_id,
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
        reasons_digest=transaction.put_sealed(canonical_bytes(document_of(check.reasons))) if check.reasons else None,
    )


def read_stored_check(transaction: Transaction, stored: ReleaseCheckRow) -> ReleaseCheck:
    """Return a stored release check; whether it passed is derived from its body, not read from its row."""
    return read_release_check(read_document(transaction.get_sealed(stored.check_body_digest)))


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
    workspace: Workspace, transaction: Transaction, judged: Sequence[tuple[Judged, int]]
) -> list[CheckedCandidate]:
    """Write the internal manifest of every candidate whose check opens the gate; one that is there stays."""
    passing = {
        one.row.candidate_id
        for one, _check_id in judged
        if is_open(one.check, one.row, _gate_instant(workspace, one.refresh))
    }
    manifests = gates.find_manifests(transaction, sorted(passing))
    news = [
        _new_manifest(workspace, transaction, one, check_id)
        for one, check_id in judged
        if one.row.candidate_id in passing and one.row.candidate_id not in manifests
    ]
    gates.add_manifests(transaction, news)
    digests = {one.candidate_id: one.manifest_digest for one in (*manifests.values(), *news)}
    return [CheckedCandidate(one.row, one.check, digests.get(one.row.candidate_id)) for one, _check_id in judged]


def _new_manifest(workspace: Workspace, transaction: Transaction, judged: Judged, check_id: int) -> ManifestRow:
    body = canonical_bytes(manifest_document(_manifest(judged)))
    return ManifestRow(
        manifest_digest=digest_bytes(body),
        candidate_id=judged.row.candidate_id,
        check_id=check_id,
        incident=judged.row.incident,
        bridge=judged.row.bridge,
        body_digest=transaction.put_sealed(body),
        created_at=workspace.clock.now(),
    )


def _manifest(judged: Judged) -> InternalManifest:
    row, check, lineage = judged.row, judged.check, judged.lineage
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
        view_digests=dict(judged.view_digests),
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
        withheld=dict(judged.withheld),
    )
