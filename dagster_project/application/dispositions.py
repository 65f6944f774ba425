"""Dispositions: what became of every record that concerns an incident (invariant I4).

Belongs here: the one classification of records after a refresh. Nothing is decided by it: it accounts for what
snapshot and conflicts decided, so that no record can be lost without a trace. Rejected input is outside: it is no
record, and its re-admission is a new admission.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dagster_project.application.pinned import read_snapshot, require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.packaging.snapshot import Snapshot
from dagster_project.sources.conflicts import CONFLICTING_COPIES, CONTRADICTING_AUTHORITIES
from dagster_project.sources.record import RecordReference, reference_to
from dagster_project.store import incidents, records
from dagster_project.store.candidates import find_snapshot
from dagster_project.store.records import Outcome, RecordRow
from dagster_project.store.refreshes import RefreshRow, latest_refresh
from dagster_project.store.transaction import Transaction

# Copies that differ below the head are history: nobody has to decide between them.
_TO_BE_RESOLVED: Final = frozenset({CONFLICTING_COPIES, CONTRADICTING_AUTHORITIES})


class Disposition(StrEnum):
    """What became of a record, or of one delivery of it, for one incident."""

    PENDING = "pending"
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"
    SUPERSEDED = "superseded"
    OPEN_ITEM = "open_item"


@dataclass(frozen=True)
class RecordDisposition:
    """One record version in the log, and what became of it."""

    sequence: int
    reference: RecordReference
    disposition: Disposition


def dispositions_of(
    snapshot: Snapshot, known: Iterable[RecordRow], unobserved: frozenset[int]
) -> tuple[RecordDisposition, ...]:
    """Say of every record what became of it, in the order of the log.

    Args:
        snapshot: What the latest refresh of the incident pinned.
        known: Every record about the incident's subjects, each version and copy once.
        unobserved: Sequences of the records that this refresh did not see.

    Returns:
        Exactly one disposition per record: ``pending`` where it is unobserved; ``open_item`` on a side of a conflict
        that a person must resolve; ``applied`` at the head; below the head ``stale`` where it arrived after its
        successor, else ``superseded``.
    """
    rows = sorted(known, key=lambda one: one.sequence)
    heads = {reference_to(one) for one in snapshot.heads}
    disputed = {
        side for conflict in snapshot.conflicts if conflict.kind in _TO_BE_RESOLVED for side in conflict.references
    }
    newest: dict[tuple[str, str], int] = {}
    found: list[RecordDisposition] = []
    for row in rows:
        reference = _reference(row)
        identity = (row.source, row.recordid)
        if row.sequence in unobserved:
            disposition = Disposition.PENDING
        elif reference in disputed:
            disposition = Disposition.OPEN_ITEM
        elif reference in heads:
            disposition = Disposition.APPLIED
        elif newest.get(identity, row.recordversion) > row.recordversion:
            disposition = Disposition.STALE
        else:
            disposition = Disposition.SUPERSEDED
        newest[identity] = max(newest.get(identity, row.recordversion), row.recordversion)
        found.append(RecordDisposition(row.sequence, reference, disposition))
    return tuple(found)


def disposition_of_delivery(outcome: Outcome, of_record: Disposition | None) -> Disposition | None:
    """Say what became of one delivered unit: its record's disposition, ``duplicate``, or None where it was rejected."""
    if outcome is Outcome.DUPLICATE:
        return Disposition.DUPLICATE
    return None if outcome is Outcome.REJECTED else of_record


def incident_dispositions(workspace: Workspace, incident: str) -> tuple[RecordDisposition, ...]:
    """Return what became of every record that concerns an incident, after its latest refresh.

    Raises:
        UsageError: no record about this incident was ever admitted.
    """
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        known = records.records_for_subjects(transaction, incidents.subjects_of(transaction, incident))
        refresh = latest_refresh(transaction, incident)
        if refresh is None:
            return tuple(RecordDisposition(one.sequence, _reference(one), Disposition.PENDING) for one in known)
        snapshot = read_snapshot(transaction, incident, refresh.snapshot_digest)
        return dispositions_of(snapshot, known, _unobserved(transaction, refresh, known))


def _unobserved(transaction: Transaction, refresh: RefreshRow, known: Iterable[RecordRow]) -> frozenset[int]:
    """Return the records that a refresh did not see; in doubt a record counts as unseen until the next refresh."""
    later = {one.sequence for one in known if refresh.is_history and one.recorded_at > refresh.evaluation_instant}
    incident = require_incident(transaction, refresh.incident)
    if incident.revision == refresh.revision == incident.observed_revision:
        return frozenset(later)
    row = find_snapshot(transaction, refresh.snapshot_digest)
    seen = 0 if row is None or incident.observed_revision < refresh.revision else row.log_sequence
    return frozenset(later | {one.sequence for one in known if one.sequence > seen})


def _reference(row: RecordRow) -> RecordReference:
    return RecordReference(
        source=row.source, recordid=row.recordid, recordversion=row.recordversion, datadigest=row.data_digest
    )
