"""Admission: delivered units become records in the log, or are kept aside with their reason.

Belongs here: what admitted and rejected units do to the store, batch by batch: records, deliveries, pending changes.
The rules of admission are `sources.admission`; where units come from is `connections`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from dagster_project.application.record_reading import read_records
from dagster_project.application.subjects import Accounts, SubjectsOfBatch
from dagster_project.application.urgency import remember_severity
from dagster_project.application.workspace import Workspace
from dagster_project.sources.admission import Rejection, admit_bytes, record_bytes
from dagster_project.sources.duplicates import says_otherwise, settles
from dagster_project.sources.record import Record
from dagster_project.sources.severity import INCIDENT_TYPE
from dagster_project.sources.source_fields import body_classification
from dagster_project.store import incidents, intake, records
from dagster_project.store.chunks import chunks
from dagster_project.store.intake import NewDelivery, NewRejection, RejectedState
from dagster_project.store.record_appending import Insertion, NewRecord, append_records
from dagster_project.store.records import Outcome
from dagster_project.store.transaction import Transaction

# Units and bytes admitted per transaction: enough to make commits cheap, few enough for other writers to come between.
BATCH: Final = 500
LARGEST_BATCH: Final = 8 * 1024 * 1024
_Unit = TypeVar("_Unit")


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
    accounts = Accounts()
    parts = batches(units, size=lambda unit: len(unit.body))
    return merge_reports(admit_batch(workspace, accounts, batch) for batch in parts)


def batches(units: Iterable[_Unit], *, size: Callable[[_Unit], int]) -> Iterator[list[_Unit]]:
    """Yield units in order, as many at a time as one transaction admits; `size` tells a unit's bytes."""
    batch: list[_Unit] = []
    gathered = 0
    for unit in units:
        batch.append(unit)
        gathered += size(unit)
        if len(batch) == BATCH or gathered >= LARGEST_BATCH:
            yield batch
            batch, gathered = [], 0
    if batch:
        yield batch


def admit_batch(
    workspace: Workspace,
    accounts: Accounts,
    units: Sequence[DeliveredUnit],
    also: Callable[[Transaction], None] = lambda _transaction: None,
) -> AdmissionReport:
    """Admit the units of one batch, in order, in one transaction.

    Args:
        workspace: The deployment.
        accounts: What earlier batches of this admission learnt of contracts.
        units: What was delivered.
        also: What is to be written with it.
    """
    at = workspace.clock.now()
    judged = [admit_bytes(unit.body, received_at=at, registry=workspace.registry) for unit in units]
    with workspace.store.begin() as transaction:
        batch = _begin(transaction, accounts, units, judged, at)
        ended = _append(transaction, judged, at)
        numbers = iter(_keep_rejected(transaction, units, ended, at))
        for unit, one in zip(units, ended, strict=True):
            if isinstance(one, Rejection):
                batch.keep_aside(unit, one, next(numbers))
            else:
                batch.take(unit, one)
        batch.conclude()
        also(transaction)
    return batch.report()


@dataclass(frozen=True)
class _Admitted:
    """A record that is in the log, and how it came there."""

    record: Record
    insertion: Insertion


_Origin: TypeAlias = tuple[str | None, str | None, str | None]
_Judged: TypeAlias = Sequence[Record | Rejection]
_Ended: TypeAlias = Sequence[_Admitted | Rejection]


@dataclass(frozen=True)
class _Batch:
    """One transaction's worth of units; what could be looked up per unit was looked up once.

    `waiting` are the rejected inputs that wait for a better delivery, by (source, type, recordid) and number;
    `lagging` are the reasons for which sources lag. Both move as units are taken in. `moved` are subjects about which
    rejected input came or went, `restated` incidents that a record of their own said something new about.
    """

    transaction: Transaction
    at: datetime
    subjects: SubjectsOfBatch
    lagging: dict[str, set[str]]
    waiting: dict[_Origin, dict[int, NewRejection]]
    touched: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    restated: set[str] = field(default_factory=set)
    settled: list[int] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    rejected: list[RejectedUnit] = field(default_factory=list)

    def take(self, unit: DeliveredUnit, admitted: _Admitted) -> None:
        """Take in a record."""
        record, insertion = admitted.record, admitted.insertion
        self._deliver(unit, insertion.outcome, record_sequence=insertion.sequence)
        self._settle(record)
        if insertion.outcome is Outcome.DUPLICATE:
            return
        self.touched.update(self.subjects.take(record))
        if self.lagging.pop(record.source, None):
            intake.close_lagging(self.transaction, record.source)
        if record.type == INCIDENT_TYPE:
            self.restated.add(record.subject)

    def keep_aside(self, unit: DeliveredUnit, rejection: Rejection, number: int) -> None:
        """Take in a rejected input that was kept under this number."""
        self._deliver(unit, Outcome.REJECTED, rejected_input_id=number)
        self.rejected.append(RejectedUnit(unit.unit, unit.locator, rejection.reason_code, rejection.where))
        self.wait_for(number, _kept(rejection, self.at))
        if not (rejection.source and rejection.type and rejection.subject):
            self._mark_lagging(_lagging_source(unit, rejection), rejection.reason_code)
        if rejection.subject:
            self.moved.add(rejection.subject)

    def wait_for(self, number: int, rejection: NewRejection) -> None:
        """Remember a rejected input that waits for a better delivery."""
        origin = (rejection.source, rejection.type, rejection.recordid)
        self.waiting.setdefault(origin, {})[number] = rejection

    def conclude(self) -> None:
        """Write down what the units did together."""
        self.subjects.register()
        intake.decide_rejected(self.transaction, self.settled, RejectedState.ADMITTED)
        intake.record_deliveries(self.transaction, self.deliveries)
        self.touched.update(incidents.incidents_fed_by(self.transaction, self.moved))
        remember_severity(self.transaction, sorted(self.restated))
        incidents.raise_revision(self.transaction, self.touched, at=self.at)

    def report(self) -> AdmissionReport:
        """Say what became of the units."""
        counts = Counter(one.outcome.value for one in self.deliveries)
        return AdmissionReport(dict(sorted(counts.items())), tuple(self.rejected), tuple(sorted(self.touched)))

    def _deliver(
        self,
        unit: DeliveredUnit,
        outcome: Outcome,
        *,
        record_sequence: int | None = None,
        rejected_input_id: int | None = None,
    ) -> None:
        self.deliveries.append(
            NewDelivery(
                unit=unit.unit,
                locator=unit.locator,
                received_at=self.at,
                outcome=outcome,
                record_sequence=record_sequence,
                rejected_input_id=rejected_input_id,
            )
        )

    def _mark_lagging(self, source: str, reason_code: str) -> None:
        reasons = self.lagging.setdefault(source, set())
        if reason_code not in reasons:
            intake.mark_lagging(self.transaction, source, reason_code, self.at)
            reasons.add(reason_code)

    def _settle(self, record: Record) -> None:
        """Settle rejected input once its own source delivers the same record well."""
        waiting = self.waiting.get((record.source, record.type, record.recordid), {})
        for number, one in list(waiting.items()):
            if settles(record, one.reason_code, int(one.recordversion) if one.recordversion else None):
                self.settled.append(number)
                del waiting[number]
                self.moved.add(record.subject)


def _begin(
    transaction: Transaction, accounts: Accounts, units: Sequence[DeliveredUnit], judged: _Judged, at: datetime
) -> _Batch:
    """Look up what the units of a batch are held against, before anything of the batch is written."""
    read = [one for one in judged if not isinstance(one, Rejection)]
    sources = {one.source for one in read}
    refused = [(unit, one) for unit, one in zip(units, judged, strict=True) if isinstance(one, Rejection)]
    sources.update(_lagging_source(unit, one) for unit, one in refused)
    lagging: dict[str, set[str]] = {}
    for row in intake.open_lagging(transaction, sources):
        lagging.setdefault(row.source, set()).add(row.reason_code)
    registered = {
        name for chunk in chunks({one.subject for one in read}) for name in incidents.find_incidents(transaction, chunk)
    }
    subjects = SubjectsOfBatch(transaction, at, accounts, records.last_sequence(transaction), registered)
    batch = _Batch(transaction, at, subjects, lagging, waiting={})
    for kept in intake.open_rejected_of(transaction, {one.recordid for one in read}):
        batch.wait_for(kept.rejected_input_id, kept)
    return batch


def _append(transaction: Transaction, judged: _Judged, at: datetime) -> _Ended:
    """Append what was admitted to the log; a duplicate that says otherwise than what is stored is rejected."""
    read = [one for one in judged if not isinstance(one, Rejection)]
    news = [NewRecord(record=one, body=record_bytes(one), body_classification=body_classification(one)) for one in read]
    insertions = append_records(transaction, news, admitted_at=at)
    admitted = [_Admitted(record, insertion) for record, insertion in zip(read, insertions, strict=True)]
    in_question = {one.insertion.sequence for one in admitted if one.insertion.envelope_differs}
    rows = records.records_at(transaction, in_question)
    stored = dict(zip((row.sequence for row in rows), read_records(transaction, rows), strict=True))
    ended = iter(_says_otherwise(one, stored) or one for one in admitted)
    return [one if isinstance(one, Rejection) else next(ended) for one in judged]


def _says_otherwise(admitted: _Admitted, stored: Mapping[int, Record]) -> Rejection | None:
    """Return why a duplicate cannot pass as one, or None where it can."""
    if not admitted.insertion.envelope_differs:
        return None
    return says_otherwise(admitted.record, stored[admitted.insertion.sequence])


def _keep_rejected(transaction: Transaction, units: Sequence[DeliveredUnit], ended: _Ended, at: datetime) -> list[int]:
    refused = [(unit, one) for unit, one in zip(units, ended, strict=True) if isinstance(one, Rejection)]
    return intake.keep_rejected(transaction, [(_kept(one, at), unit.body) for unit, one in refused])


def _kept(rejection: Rejection, at: datetime) -> NewRejection:
    version = rejection.recordversion
    return NewRejection(
        reason_code=rejection.reason_code,
        where_pointer=rejection.where,
        received_at=at,
        source=rejection.source,
        type=rejection.type,
        subject=rejection.subject,
        recordid=rejection.recordid,
        recordversion=None if version is None else str(version),
    )


def _lagging_source(unit: DeliveredUnit, rejection: Rejection) -> str:
    return rejection.source or f"unreadable:{unit.unit}"
