"""Gathering: what one refresh needs to know of each incident, read in one go.

Belongs here: the read transaction in front of a refresh, for one incident or for many at once. Every stored byte that
is read is verified once. Nothing is rendered and nothing is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.contexts import predecessor_from
from dagster_project.application.pinned import read_snapshot, require_incidents
from dagster_project.application.profiles import profile_for
from dagster_project.application.record_reading import read_records
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.canonical import canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_bytes
from dagster_project.packaging.context import RenderingContext, bridges_of
from dagster_project.packaging.delta import Predecessor
from dagster_project.packaging.snapshot import (
    RejectedInput,
    Snapshot,
    build_snapshot,
    pinned_references,
    restore_snapshot,
    snapshot_document,
)
from dagster_project.sources.record import Record, RecordReference, reference_to
from dagster_project.store import incidents, intake, records
from dagster_project.store.candidates import CandidateRow, latest_candidates, load_snapshots
from dagster_project.store.incidents import IncidentRow
from dagster_project.store.intake import RejectedInputRow, RejectedState
from dagster_project.store.profiles import assigned_profiles
from dagster_project.store.records import RecordRow
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class BridgeToRender:
    """One customer bridge: the context to render it in, and the candidate before with what it was rendered from."""

    context: RenderingContext
    before: CandidateRow | None
    predecessor: Predecessor | None


@dataclass(frozen=True)
class Gathered:
    """One incident as it stood in one consistent state of the store.

    `log_sequence` is the newest record seen; `latest` are the ids of its newest candidates, by bridge.
    """

    row: IncidentRow
    snapshot: Snapshot
    snapshot_digest: str
    snapshot_body: bytes
    log_sequence: int
    evaluation_instant: datetime
    bridges: tuple[BridgeToRender, ...]
    latest: Mapping[str, int]


@dataclass(frozen=True)
class _Read:
    """What was read for all incidents together."""

    rows: Mapping[str, list[RecordRow]]
    records: Mapping[int, Record]
    rejected: Mapping[str, list[RejectedInput]]
    lagging: frozenset[str]
    assigned: Mapping[tuple[str, str], str]
    latest: Mapping[tuple[str, str], CandidateRow]
    snapshots: Mapping[str, bytes]


def gather(
    workspace: Workspace, transaction: Transaction, names: Sequence[str], at: datetime | None = None
) -> list[Gathered]:
    """Return what a refresh of each incident needs, in the order of `names`.

    Args:
        workspace: The deployment.
        transaction: Any transaction; everything is read from its one state.
        names: Registered incidents, each once.
        at: Evaluate history at this instant, with what had been recorded by then; None for the present.

    Raises:
        UsageError: an incident is not registered.
        IntegrityViolation: something stored is not what was stored.
        Unavailable: no profile is in use.
    """
    found = require_incidents(transaction, names)
    subjects = incidents.subjects_of_each(transaction, names)
    read = _read(transaction, names, sorted({one for each in subjects.values() for one in each}), at)
    return [_gathered(workspace, transaction, found[name], subjects[name], read, at) for name in names]


def _read(transaction: Transaction, names: Sequence[str], subjects: Sequence[str], at: datetime | None) -> _Read:
    every = records.records_for_subjects(transaction, subjects, recorded_until=at)
    by_subject: dict[str, list[RecordRow]] = {}
    for row in every:
        by_subject.setdefault(row.subject, []).append(row)
    rejected: dict[str, list[RejectedInput]] = {}
    for kept in intake.rejected_inputs_in(transaction, RejectedState.OPEN, subjects=subjects):
        rejected.setdefault(str(kept.subject), []).extend(_as_rejected(kept))
    latest = latest_candidates(transaction, names)
    return _Read(
        rows=by_subject,
        records=dict(zip((row.sequence for row in every), read_records(transaction, every), strict=True)),
        rejected=rejected,
        lagging=frozenset(row.source for row in intake.open_lagging(transaction)),
        assigned=assigned_profiles(transaction, names),
        latest=latest,
        snapshots=load_snapshots(transaction, {row.snapshot_digest for row in latest.values()}),
    )


def _gathered(
    workspace: Workspace,
    transaction: Transaction,
    incident: IncidentRow,
    subjects: Iterable[str],
    read: _Read,
    at: datetime | None,
) -> Gathered:
    rows = [row for subject in subjects for row in read.rows.get(subject, ())]
    known = [read.records[row.sequence] for row in rows]
    snapshot = build_snapshot(
        incident.incident,
        known,
        rejected=(one for subject in subjects for one in read.rejected.get(subject, ())),
        lagging_sources=read.lagging & {row.source for row in rows},
    )
    body = canonical_bytes(snapshot_document(snapshot))
    # A source's clock may run ahead of ours by the admitted tolerance.
    present = max((workspace.clock.now(), *(row.recorded_at for row in rows)))
    latest = {row.bridge: row for (name, _bridge), row in read.latest.items() if name == incident.incident}
    instant = at or present
    by_reference = {reference_to(one): one for one in known}
    earlier = {
        digest: _earlier(transaction, incident.incident, digest, read.snapshots[digest], by_reference)
        for digest in {row.snapshot_digest for row in latest.values()}
    }
    bridges = []
    for facts in bridges_of(snapshot):
        digest = profile_for(read.assigned, incident=incident.incident, bridge=facts.bridge)
        context = RenderingContext(
            snapshot=snapshot,
            tables=workspace.shelf.tables(transaction, digest),
            bridge=facts,
            evaluation_instant=instant,
            code_key=transaction.keys.opaque_codes,
        )
        before = latest.get(facts.bridge)
        predecessor = (
            None
            if before is None
            else predecessor_from(workspace, transaction, before, earlier[before.snapshot_digest])
        )
        bridges.append(BridgeToRender(context, before, predecessor))
    return Gathered(
        row=incident,
        snapshot=snapshot,
        snapshot_digest=digest_bytes(body),
        snapshot_body=body,
        log_sequence=max((row.sequence for row in rows), default=0),
        evaluation_instant=instant,
        bridges=tuple(bridges),
        latest={bridge: row.candidate_id for bridge, row in latest.items()},
    )


def _earlier(
    transaction: Transaction, incident: str, digest: str, body: bytes, known: Mapping[RecordReference, Record]
) -> Snapshot:
    """Restore the snapshot of an earlier candidate; its records are almost always among those just read."""
    document = parse_strict(body)
    if all(reference in known for reference in pinned_references(document)):
        return restore_snapshot(document, known)
    return read_snapshot(transaction, incident, digest)


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
