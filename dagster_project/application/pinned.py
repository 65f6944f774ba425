"""Pinned: incidents that are known, and the snapshots that their refreshes pinned, read back.

Belongs here: what every use case over a stored refresh starts with. Pinning a new snapshot is `snapshots`.
"""

from collections.abc import Sequence

from dagster_project.application.record_reading import read_records
from dagster_project.errors import IntegrityViolation, UsageError
from dagster_project.integrity.documents import read_document
from dagster_project.packaging.snapshot import Snapshot, pinned_references, restore_snapshot
from dagster_project.sources.record import reference_to
from dagster_project.store import incidents, records
from dagster_project.store.candidates import load_snapshot
from dagster_project.store.incidents import IncidentRow
from dagster_project.store.transaction import Transaction


def require_incident(transaction: Transaction, incident: str) -> IncidentRow:
    """Return a registered incident.

    Raises:
        UsageError: no record about it was ever admitted.
    """
    return require_incidents(transaction, [incident])[incident]


def require_incidents(transaction: Transaction, names: Sequence[str]) -> dict[str, IncidentRow]:
    """Return registered incidents by name.

    Raises:
        UsageError: no record about one of them was ever admitted.
    """
    found = incidents.find_incidents(transaction, names)
    for name in names:
        if name not in found:
            raise UsageError(
                "incident_unknown",
                what="no record about this incident was ever admitted",
                where=f"incident {name}",
                what_to_do="See the known ones with `channelsafe status`.",
            )
    return found


def read_snapshot(transaction: Transaction, incident: str, digest: str) -> Snapshot:
    """Return a stored snapshot with its records.

    Raises:
        IntegrityViolation: the snapshot or a record that it pins is missing or not what was stored.
    """
    document = read_document(load_snapshot(transaction, digest))
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
