"""Where a publication stands: how much of the store it has seen, and whether what lies there is still it.

Belongs here: the position in the store's logs, and the seal, a small file beside the DuckDB files that says which
position and which definitions they were made from and what their bytes are. It is written last, so files without
a matching seal are half a publication, or somebody else's, and are made again.
"""

import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from dagster_project.connections.duckdb_files import write_whole
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import keyed_digest
from dagster_project.integrity.documents import document_of
from dagster_project.store import records
from dagster_project.store.release_tables import decisions, findings, receipts, versions
from dagster_project.store.tables import candidates, incidents, internal_manifests, open_items, release_checks
from dagster_project.store.transaction import Transaction

SEAL_NAME: Final = "publication.json"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far each log had come. No position comes twice, so an equal one means that nothing is new.

    `revisions` and `observed_revisions` are sums over all incidents; they rise with every pending change, and with
    every refresh that observes one. The parts after them are counts. Of closures they count what is settled: an event
    that is verified once more counts as unsettled until then, but the command that asked for it is one more.
    """

    candidate_id: int
    check_id: int
    log_sequence: int
    revisions: int
    observed_revisions: int
    manifests: int
    incidents: int
    open_items: int
    resolved_items: int
    versions: int
    decisions: int
    receipts: int
    findings: int
    closure_deliveries: int
    closure_events_settled: int
    closure_plans: int
    closure_steps_finished: int
    closure_steps_held_up: int
    closure_audit_rows: int
    closure_follow_ups: int
    closure_follow_ups_resolved: int
    closure_commands: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many incidents, candidates and fields a publication holds."""

    incidents: int
    candidates: int
    fields: int


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What the published files are: made from this position by these definitions; `files` holds their keyed digests."""

    position: Position
    definition_digest: str
    counts: Counts
    files: dict[str, str]


def position_of(transaction: Transaction) -> Position:
    """Return the present position of the store."""
    # Not with the code location, which loads this module: the tables of closures cost its start too much.
    from dagster_project.store.closure_position import closure_counts

    statement = sa.select(
        _of(candidates, sa.func.max(candidates.c.candidate_id)).label("candidate_id"),
        _of(release_checks, sa.func.max(release_checks.c.check_id)).label("check_id"),
        _of(incidents, sa.func.sum(incidents.c.revision)).label("revisions"),
        _of(incidents, sa.func.sum(incidents.c.observed_revision)).label("observed_revisions"),
        _of(internal_manifests, sa.func.count()).label("manifests"),
        _of(incidents, sa.func.count()).label("incidents"),
        _of(open_items, sa.func.count()).label("open_items"),
        _of(open_items, sa.func.count(open_items.c.resolved_at)).label("resolved_items"),
        _of(versions, sa.func.count()).label("versions"),
        _of(decisions, sa.func.count()).label("decisions"),
        _of(receipts, sa.func.count()).label("receipts"),
        _of(findings, sa.func.count()).label("findings"),
    )
    found = transaction.connection.execute(statement).mappings().one()
    counted = {name: int(value or 0) for name, value in found.items()}
    return Position(log_sequence=records.last_sequence(transaction), **counted, **closure_counts(transaction))


def incident_positions(transaction: Transaction) -> dict[str, str]:
    """Return by incident how far it has come: as long as the text is the same, so are all its rows."""
    about = sa.select(incidents.c.incident, incidents.c.revision, incidents.c.observed_revision)
    parts = [
        about.add_columns(incidents.c.pending_since, incidents.c.urgent),
        _grouped(candidates.c.incident, sa.func.max(candidates.c.candidate_id)),
        _grouped(candidates.c.incident, sa.func.max(release_checks.c.check_id)).join(
            release_checks, release_checks.c.candidate_id == candidates.c.candidate_id
        ),
        _grouped(internal_manifests.c.incident, sa.func.max(internal_manifests.c.created_at)),
        _grouped(open_items.c.incident, sa.func.max(open_items.c.opened_at), sa.func.max(open_items.c.resolved_at)),
        # The state of a version moves with a version or a decision, and with nothing else.
        _grouped(versions.c.incident, sa.func.max(versions.c.issued_at)),
        _grouped(decisions.c.incident, sa.func.max(decisions.c.decision_id)).where(decisions.c.incident != ""),
        _grouped(receipts.c.incident, sa.func.max(receipts.c.receipt_id)),
        _grouped(findings.c.incident, sa.func.max(findings.c.finding_id)),
    ]
    found: dict[str, list[str]] = {}
    for number, part in enumerate(parts):
        for incident, *values in transaction.connection.execute(part):
            found.setdefault(incident, []).append(f"{number}:{'/'.join(map(str, values))}")
    return {incident: " ".join(values) for incident, values in found.items()}


def _grouped(incident: sa.Column[str], *values: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return sa.select(incident, sa.func.count(), *values).group_by(incident)


def _of(table: sa.Table, value: sa.ColumnElement[int]) -> sa.ScalarSelect[int]:
    return sa.select(value).select_from(table).scalar_subquery()


def read_seal(folder: Path, key: bytes) -> Seal | None:
    """Return the seal of the files in `folder`, or None where there is none or the files are not what it says."""
    try:
        seal = msgspec.convert(parse_strict((folder / SEAL_NAME).read_bytes()), Seal)
        present = {name: file_digest(folder / name, key) for name in seal.files}
    except (OSError, NotCanonical, msgspec.ValidationError):
        return None
    return seal if present == seal.files else None


def file_digest(path: Path, key: bytes) -> str:
    """Return the keyed digest of a file: whoever has no key cannot put another file in its place.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return keyed_digest(key, hashlib.file_digest(file, "sha256").digest())


def write_seal(folder: Path, seal: Seal) -> None:
    """Write the seal of the files in `folder`.

    Raises:
        Unavailable: it cannot be written.
    """
    write_whole(folder / SEAL_NAME, canonical_bytes(document_of(seal)))
