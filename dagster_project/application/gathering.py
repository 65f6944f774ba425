"""Gathering: what one refresh needs to know of each incident, read in one go.

Belongs here: the read transaction in front of a refresh, for one incident or for many at once. Every stored byte that
is read is verified once. Nothing is rendered and nothing is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.contexts import predecessor_bodies, predecessor_from
from dagster_project.application.pinned import read_snapshot, require_incidents
from dagster_project.application.profiles import bridges_with_profiles
from dagster_project.application.record_reading import read_records
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.documents import read_document
from dagster_project.packaging.context import BridgeFacts, RenderingContext, SnapshotIndex, bridges_of
from dagster_project.packaging.delta import Predecessor
from dagster_project.packaging.snapshot import (
    RejectedInput,
    Snapshot,
    build_snapshot,
    restore_snapshot,
    snapshot_bytes,
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
class Pinned:
    """What was known of one incident in one consistent state of the store, pinned.

    `log_sequence` is the newest record seen; `known` are all versions of the records that concern the incident.
    """

    row: IncidentRow
    snapshot: Snapshot
    snapshot_digest: str
    snapshot_body: bytes
    log_sequence: int
    evaluation_instant: datetime
    known: tuple[Record, ...]


@dataclass(frozen=True)
class Gathered:
    """What was pinned of one incident, and its bridges.

    `latest` are the ids of its newest candidates, by bridge; `without_profile` names the bridges that nobody gave a
    profile, so that nothing is rendered for them.
    """

    pinned: Pinned
    bridges: tuple[BridgeToRender, ...]
    latest: Mapping[str, int]
    without_profile: tuple[str, ...] = ()

    @property
    def incident(self) -> str:
        """The incident's name."""
        return self.pinned.row.incident


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
        Unavailable: no bridge of an incident has a profile.
    """
    latest: dict[str, dict[str, CandidateRow]] = {name: {} for name in names}
    for (name, bridge), row in latest_candidates(transaction, names).items():
        latest[name][bridge] = row
    assigned = assigned_profiles(transaction, names)
    digests = {row.snapshot_digest for rows in latest.values() for row in rows.values()}
    bodies = load_snapshots(transaction, digests)
    pins = pin(workspace, transaction, names, at)
    opened = {one.row.incident: bridges_of(one.snapshot) for one in pins}
    contents = predecessor_bodies(
        transaction,
        [latest[name][one.bridge] for name, bridges in opened.items() for one in bridges if one.bridge in latest[name]],
    )
    gathered = []
    for pinned in pins:
        before = latest[pinned.row.incident]
        known = {reference_to(one): one for one in pinned.known}
        index = SnapshotIndex(pinned.snapshot)
        earlier = {
            digest: _earlier(transaction, pinned.row.incident, digest, bodies[digest], known)
            for digest in {row.snapshot_digest for row in before.values()} - {pinned.snapshot_digest}
        }
        earlier[pinned.snapshot_digest] = pinned.snapshot
        bridges = []
        every = opened[pinned.row.incident]
        rendered = bridges_with_profiles(assigned, incident=pinned.row.incident, opened=every)
        for facts, digest in rendered:
            context = _context(workspace, transaction, index, pinned, facts, digest)
            one, predecessor = before.get(facts.bridge), None
            if one is not None:
                predecessor = predecessor_from(workspace, transaction, one, earlier[one.snapshot_digest], contents)
            bridges.append(BridgeToRender(context, one, predecessor))
        bare = {one.bridge for one in every} - {one.bridge for one, _digest in rendered}
        newest = {bridge: row.candidate_id for bridge, row in before.items()}
        gathered.append(Gathered(pinned, tuple(bridges), newest, tuple(sorted(bare))))
    return gathered


def _context(
    workspace: Workspace,
    transaction: Transaction,
    index: SnapshotIndex,
    pinned: Pinned,
    facts: BridgeFacts,
    digest: str,
) -> RenderingContext:
    return RenderingContext(
        snapshot=pinned.snapshot,
        tables=workspace.shelf.tables(transaction, digest),
        bridge=facts,
        evaluation_instant=pinned.evaluation_instant,
        code_key=transaction.keys.opaque_codes,
        shared=index,
    )


def pin(
    workspace: Workspace, transaction: Transaction, names: Sequence[str], at: datetime | None = None
) -> list[Pinned]:
    """Return what is known of each incident, in the order of `names`; arguments and errors are those of `gather`."""
    found = require_incidents(transaction, names)
    subjects = incidents.subjects_of_each(transaction, names)
    every = sorted({subject for each in subjects.values() for subject in each})
    rows = records.records_for_subjects(transaction, every, recorded_until=at)
    read = dict(zip((row.sequence for row in rows), read_records(transaction, rows), strict=True))
    by_subject = _by_subject(rows)
    rejected: dict[str, list[RejectedInput]] = {}
    for kept in intake.rejected_inputs_in(transaction, RejectedState.OPEN, subjects=every):
        rejected.setdefault(str(kept.subject), []).extend(_as_rejected(kept))
    lagging = {row.source for row in intake.open_lagging(transaction)}
    now = workspace.clock.now()
    pinned = []
    for name in names:
        own = [row for subject in subjects[name] for row in by_subject.get(subject, ())]
        known = tuple(read[row.sequence] for row in own)
        snapshot = build_snapshot(
            name,
            known,
            rejected=(one for subject in subjects[name] for one in rejected.get(subject, ())),
            lagging_sources=lagging & {row.source for row in own},
        )
        body = snapshot_bytes(snapshot)
        pinned.append(
            Pinned(
                row=found[name],
                snapshot=snapshot,
                snapshot_digest=digest_bytes(body),
                snapshot_body=body,
                log_sequence=max((row.sequence for row in own), default=0),
                # A source's clock may run ahead of ours by the admitted tolerance.
                evaluation_instant=at or max((now, *(row.recorded_at for row in own))),
                known=known,
            )
        )
    return pinned


def _by_subject(rows: Iterable[RecordRow]) -> dict[str, list[RecordRow]]:
    grouped: dict[str, list[RecordRow]] = {}
    for row in rows:
        grouped.setdefault(row.subject, []).append(row)
    return grouped


def _earlier(
    transaction: Transaction, incident: str, digest: str, body: bytes, known: Mapping[RecordReference, Record]
) -> Snapshot:
    """Restore the snapshot of an earlier candidate; its records are almost always among those just read."""
    try:
        return restore_snapshot(read_document(body), known)
    except KeyError:
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
