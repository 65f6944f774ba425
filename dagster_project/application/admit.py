"""Admission: delivered units become records in the log, or are kept aside with their reason.

Belongs here: what an admitted or rejected unit does to the store: the record, the delivery, the pending change.
The rules of admission are `sources.admission`; where units come from is `connections`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dagster_project.application.record_reading import read_records
from dagster_project.application.subjects import incidents_touched_by, register_incident
from dagster_project.application.urgency import remember_severity
from dagster_project.application.workspace import Workspace
from dagster_project.sources.admission import Rejection, admit_bytes, record_bytes
from dagster_project.sources.record import Record
from dagster_project.sources.severity import INCIDENT_TYPE
from dagster_project.sources.source_fields import body_classification
from dagster_project.store import incidents, intake, records
from dagster_project.store.intake import NewRejection, RejectedState
from dagster_project.store.records import Outcome
from dagster_project.store.transaction import Transaction

# Units admitted per transaction: enough to make commits cheap, few enough for other writers to come between.
BATCH: Final = 200
DUPLICATE_IS_RESTRICTED: Final = "duplicate_is_restricted"
DUPLICATE_ABOUT_ANOTHER: Final = "duplicate_about_another_subject"
DUPLICATE_REASONS: Final = (DUPLICATE_IS_RESTRICTED, DUPLICATE_ABOUT_ANOTHER)


@dataclass(frozen=True)
class DeliveredUnit:
    """The bytes of one event and where they came from: file or feed, and the line or index in it."""

    unit: str
    locator: str
    body: bytes


@dataclass(frozen=True)
class RejectedUnit:
    """A unit that was kept aside: where it came from, why, and where in it. Never its content."""

    unit: str
    locator: str
    reason_code: str
    where: str


@dataclass(frozen=True)
class AdmissionReport:
    """What became of a delivery: counts by outcome, the rejected units, and the incidents whose records moved."""

    counts: dict[str, int]
    rejected: tuple[RejectedUnit, ...]
    incidents: tuple[str, ...]

    @property
    def delivered(self) -> int:
        """How many units there were."""
        return sum(self.counts.values())


def merge_reports(reports: Iterable[AdmissionReport]) -> AdmissionReport:
    """Add up several reports."""
    counts: Counter[str] = Counter()
    rejected: list[RejectedUnit] = []
    touched: set[str] = set()
    for report in reports:
        counts.update(report.counts)
        rejected.extend(report.rejected)
        touched.update(report.incidents)
    return AdmissionReport(dict(sorted(counts.items())), tuple(rejected), tuple(sorted(touched)))


def admit(workspace: Workspace, units: Iterable[DeliveredUnit]) -> AdmissionReport:
    """Admit units in order; every unit ends at a record or at a rejected input."""
    reports: list[AdmissionReport] = []
    batch: list[DeliveredUnit] = []
    for unit in units:
        batch.append(unit)
        if len(batch) == BATCH:
            reports.append(_admit_batch(workspace, batch))
            batch = []
    if batch:
        reports.append(_admit_batch(workspace, batch))
    return merge_reports(reports)


_Origin = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class _Batch:
    """One transaction's worth of units; what could be looked up per unit is looked up once.

    `kept_aside` are the rejected inputs that wait, by (source, type, recordid) and number; `lagging` are the sources
    that lag; `restated` are incidents that a record of their own said something new about. All move as units are
    admitted.
    """

    transaction: Transaction
    received_at: datetime
    lagging: set[str]
    kept_aside: dict[_Origin, dict[int, NewRejection]] = field(default_factory=dict)
    restated: set[str] = field(default_factory=set)

    def keep_in_mind(self, number: int, rejection: NewRejection) -> None:
        """Remember a rejected input that waits for a better delivery."""
        origin = (rejection.source, rejection.type, rejection.recordid)
        self.kept_aside.setdefault(origin, {})[number] = rejection


def _admit_batch(workspace: Workspace, units: list[DeliveredUnit]) -> AdmissionReport:
    with workspace.store.begin() as transaction:
        batch = _Batch(
            transaction=transaction,
            received_at=workspace.clock.now(),
            lagging={row.source for row in intake.open_lagging(transaction)},
        )
        for row in intake.rejected_inputs_in(transaction, RejectedState.OPEN):
            batch.keep_in_mind(row.rejected_input_id, row)
        report = merge_reports([_admit_unit(workspace, batch, unit) for unit in units])
        remember_severity(transaction, sorted(batch.restated))
        incidents.raise_revision(transaction, report.incidents, at=batch.received_at)
    return report


def _admit_unit(workspace: Workspace, batch: _Batch, unit: DeliveredUnit) -> AdmissionReport:
    transaction = batch.transaction
    result = admit_bytes(unit.body, received_at=batch.received_at, registry=workspace.registry)
    if isinstance(result, Rejection):
        return _keep_aside(batch, unit, result)
    insertion = records.insert_record(
        transaction,
        result,
        body=record_bytes(result),
        body_classification=body_classification(result),
        admitted_at=batch.received_at,
    )
    if insertion.envelope_differs and (otherwise := _says_otherwise(transaction, result, insertion.sequence)):
        return _keep_aside(batch, unit, otherwise)
    intake.record_delivery(
        transaction,
        unit=unit.unit,
        locator=unit.locator,
        received_at=batch.received_at,
        outcome=insertion.outcome,
        record_sequence=insertion.sequence,
    )
    touched = _settle_rejected(batch, result)
    if insertion.outcome is not Outcome.DUPLICATE:
        register_incident(transaction, result, batch.received_at)
        touched |= incidents_touched_by(transaction, result)
        _hear(batch, result.source)
        if result.type == INCIDENT_TYPE:
            batch.restated.add(result.subject)
    return AdmissionReport({insertion.outcome.value: 1}, (), tuple(sorted(touched)))


def _hear(batch: _Batch, source: str) -> None:
    """End the lag of a source that said something readable."""
    if source in batch.lagging:
        intake.close_lagging(batch.transaction, source)
        batch.lagging.discard(source)


def _says_otherwise(transaction: Transaction, record: Record, sequence: int) -> Rejection | None:
    """Return why a duplicate cannot pass as one: it is about something else, or for fewer eyes than what is stored.

    Taking it for a duplicate would lose it, or keep showing what its source now restricts.
    """
    (stored,) = read_records(transaction, records.records_after(transaction, sequence - 1, limit=1))
    same = (stored.type, stored.subject) == (record.type, record.subject)
    if same and record.dataclassification.rank <= stored.dataclassification.rank:
        return None
    return Rejection(
        reason_code=DUPLICATE_IS_RESTRICTED if same else DUPLICATE_ABOUT_ANOTHER,
        where="/dataclassification" if same else "/subject",
        source=record.source,
        type=record.type,
        subject=record.subject,
        recordid=record.recordid,
        recordversion=record.recordversion,
    )


def _keep_aside(batch: _Batch, unit: DeliveredUnit, rejection: Rejection) -> AdmissionReport:
    version = rejection.recordversion
    kept = NewRejection(
        reason_code=rejection.reason_code,
        where_pointer=rejection.where,
        received_at=batch.received_at,
        source=rejection.source,
        type=rejection.type,
        subject=rejection.subject,
        recordid=rejection.recordid,
        recordversion=None if version is None else str(version),
    )
    number = intake.reject(batch.transaction, kept, unit.body)
    intake.record_delivery(
        batch.transaction,
        unit=unit.unit,
        locator=unit.locator,
        received_at=batch.received_at,
        outcome=Outcome.REJECTED,
        rejected_input_id=number,
    )
    batch.keep_in_mind(number, kept)
    if not (rejection.source and rejection.type and rejection.subject):
        source = rejection.source or f"unreadable:{unit.unit}"
        intake.mark_lagging(batch.transaction, source, kept.reason_code, batch.received_at)
        batch.lagging.add(source)
    subjects = [rejection.subject] if rejection.subject else []
    touched = incidents.incidents_fed_by(batch.transaction, subjects) if subjects else []
    report = RejectedUnit(unit.unit, unit.locator, rejection.reason_code, rejection.where)
    return AdmissionReport({Outcome.REJECTED.value: 1}, (report,), tuple(touched))


def _settle_rejected(batch: _Batch, record: Record) -> set[str]:
    """Mark rejected input as admitted once its own source delivers the same record well, at that version or later.

    What was kept aside as a duplicate that says otherwise waits for a later version: the same one settles nothing.
    """
    touched: set[str] = set()
    waiting = batch.kept_aside.get((record.source, record.type, record.recordid), {})
    for number, one in list(waiting.items()):
        version = int(one.recordversion) + int(one.reason_code in DUPLICATE_REASONS) if one.recordversion else 0
        if version <= record.recordversion:
            intake.decide_rejected(batch.transaction, number, RejectedState.ADMITTED)
            del waiting[number]
            touched.update(incidents.incidents_fed_by(batch.transaction, [record.subject]))
    return touched
