"""Snapshots: pinning what is known of an incident, and reading a pinned snapshot back.

Belongs here: the first step of a refresh. Building a snapshot from records is `packaging.snapshot`.
"""

from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.record_reading import read_records
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation, UsageError
from dagster_project.integrity.canonical import canonical_bytes, parse_strict
from dagster_project.packaging.snapshot import (
    RejectedInput,
    Snapshot,
    build_snapshot,
    pinned_references,
    restore_snapshot,
    snapshot_digest,
    snapshot_document,
)
from dagster_project.sources.record import reference_to
from dagster_project.store import incidents, intake, records
from dagster_project.store.candidates import add_snapshot, load_snapshot
from dagster_project.store.incidents import IncidentRow
from dagster_project.store.intake import RejectedInputRow, RejectedState
from dagster_project.store.records import RecordRow
from dagster_project.store.refreshes import Lane, NewRefresh, RefreshRow, add_refresh
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class SnapshotTaken:
    """What the first step of a refresh pinned: counts and digests only."""

    refresh: RefreshRow
    records: int
    conflicts: int
    rejected: int
    lagging: int


def require_incident(transaction: Transaction, incident: str) -> IncidentRow:
    """Return a registered incident.

    Raises:
        UsageError: no record about it was ever admitted.
    """
    row = incidents.find_incident(transaction, incident)
    if row is None:
        raise UsageError(
            "incident_unknown",
            what="no record about this incident was ever admitted",
            where=f"incident {incident}",
            what_to_do="See the known ones with `channelsafe status`.",
        )
    return row


def newest_recorded(workspace: Workspace, incident: str) -> datetime:
    """Return when the newest record about the incident itself was recorded: the end of its history so far."""
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        return max(row.recorded_at for row in records.records_for_subjects(transaction, [incident]))


def take_snapshot(
    workspace: Workspace, incident: str, at: datetime | None = None, *, lane: Lane = Lane.COMMAND
) -> SnapshotTaken:
    """Pin what is known of an incident and start a refresh.

    Args:
        workspace: The deployment.
        incident: A registered incident.
        at: Evaluate history at this instant, with what had been recorded by then; None for the present.
        lane: Which way the refresh goes.
    """
    now = workspace.clock.now()
    with workspace.store.begin() as transaction:
        row = require_incident(transaction, incident)
        subjects = incidents.subjects_of(transaction, incident)
        rows = records.records_for_subjects(transaction, subjects, recorded_until=at)
        snapshot = _build(transaction, incident, subjects, rows)
        digest = snapshot_digest(snapshot)
        add_snapshot(
            transaction,
            digest=digest,
            incident=incident,
            log_sequence=max((one.sequence for one in rows), default=0),
            body=canonical_bytes(snapshot_document(snapshot)),
            created_at=now,
        )
        new = NewRefresh(
            incident=incident,
            revision=row.revision,
            snapshot_digest=digest,
            evaluation_instant=at or _present(now, rows),
            is_history=at is not None,
            started_at=now,
            lane=lane,
        )
        refresh = add_refresh(transaction, new)
    return SnapshotTaken(
        refresh=refresh,
        records=len(snapshot.heads),
        conflicts=len(snapshot.conflicts),
        rejected=len(snapshot.rejected),
        lagging=len(snapshot.lagging_sources),
    )


def _present(now: datetime, rows: list[RecordRow]) -> datetime:
    """Return the present for evaluation: a source's clock may run ahead of ours by the admitted tolerance."""
    return max((now, *(row.recorded_at for row in rows)))


def _build(transaction: Transaction, incident: str, subjects: list[str], rows: list[RecordRow]) -> Snapshot:
    rejected = intake.rejected_inputs_in(transaction, RejectedState.OPEN, subjects=subjects)
    heard = {row.source for row in rows}
    return build_snapshot(
        incident,
        read_records(transaction, rows),
        rejected=(one for row in rejected for one in _as_rejected(row)),
        lagging_sources=(row.source for row in intake.open_lagging(transaction) if row.source in heard),
    )


def _as_rejected(row: RejectedInputRow) -> list[RejectedInput]:
    if row.source is None or row.type is None or row.subject is None:
        return []
    named = RejectedInput(
        source=row.source,
        type=row.type,
        subject=row.subject,
        reason_code=row.reason_code,
        body_digest=row.body_digest,
    )
    return [named]


def read_snapshot(transaction: Transaction, incident: str, digest: str) -> Snapshot:
    """Return a stored snapshot with its records.

    Raises:
        IntegrityViolation: the snapshot or a record that it pins is missing or not what was stored.
    """
    document = parse_strict(load_snapshot(transaction, digest))
    wanted = {(one.source, one.recordid, one.recordversion, one.datadigest) for one in pinned_references(document)}
    subjects = incidents.subjects_of(transaction, incident)
    rows = [
        row
        for row in records.records_for_subjects(transaction, subjects)
        if (row.source, row.recordid, row.recordversion, row.data_digest) in wanted
    ]
    found = {reference_to(record): record for record in read_records(transaction, rows)}
    if len(found) < len(wanted):
        raise IntegrityViolation(
            "pinned_record_missing",
            what=f"{len(wanted) - len(found)} records that a snapshot pins are not in the log",
            where=f"snapshot {digest} of incident {incident}",
            what_to_do="Run `channelsafe verify`, and restore from a backup what it lists.",
        )
    return restore_snapshot(document, found)
