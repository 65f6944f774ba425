"""Support systems in memory that keep every promise of the protocols, count effects, and fail when they are told to.

They are honest: keys give one effect, fences and versions are looked at, nothing but the listed fields is taken. Faults
are switched on per target and happen at the edge, as a network would make them.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from dagster_project.application.closing_systems import Systems
from dagster_project.closure.disposition import ArchiveReference, Disposition, DispositionEvent
from dagster_project.closure.schemas import TARGET_FIELDS
from dagster_project.closure.targets import (
    OutcomeUnknown,
    SubjectChanged,
    SubjectState,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
    TargetUnavailable,
)

CASE, ESCALATION, EPISODE = "CASE-1042", "ESC-77", "EP-1"
PACKET = ArchiveReference("archive/packets/1042", "sha256:" + "a" * 64)
NOTE = ArchiveReference("archive/notes/1042", "sha256:" + "b" * 64)
CLOSED_AT = "2026-03-04T09:30:00Z"
OPENS_SUBJECTS = frozenset({"archive_attachments", "coordinator_notices"})
TRACKER, LEDGER, QUEUE = "escalation_tracker", "case_ledger", "review_queue"
ARCHIVE, NOTICES = "archive_attachments", "coordinator_notices"


@dataclass
class MemoryTarget:
    """One target. `before` is called with every request before its effect, `after` with it, once it happened.

    `looked_at` is called once a subject was read. `late` is what it shows instead of what it holds.
    """

    name: str
    subjects: dict[str, tuple[int, dict[str, object]]] = field(default_factory=dict)
    receipts: dict[str, TargetReceipt] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    is_down: bool = False
    loses_answers: bool = False
    refuses: bool = False
    shows: Mapping[str, object] | None = None
    late: SubjectState | None = None
    after_seconds: float | None = None
    before: Callable[[TargetRequest], None] = lambda _request: None
    after: Callable[[TargetRequest], None] = lambda _request: None
    looked_at: Callable[[], None] = lambda: None
    calls: int = 0
    alone: threading.Lock = field(default_factory=threading.Lock)

    def _reach(self) -> None:
        self.calls += 1
        if self.is_down:
            raise TargetUnavailable("connection_refused", self.after_seconds)

    def read(self, subject: str) -> SubjectState | None:
        self._reach()
        found = self.subjects.get(subject)
        self.looked_at()
        if found is None or self.late is not None:
            return self.late
        version, values = found
        shown = {name: values.get(name) for name in TARGET_FIELDS[self.name]}
        return SubjectState(subject=subject, version=str(version), values={**shown, **(self.shows or {})})

    def raise_fence(self, subject: str, fence: int) -> None:
        self._reach()
        self.fences[subject] = max(fence, self.fences.get(subject, 0))

    def probe(self, key: str) -> TargetReceipt | None:
        self._reach()
        return self.receipts.get(key)

    def apply(self, request: TargetRequest) -> TargetReceipt:
        self._reach()
        self.asked[request.key] += 1
        self.before(request)
        with self.alone:
            receipt = self._effect(request)
        self.after(request)
        if self.loses_answers:
            raise OutcomeUnknown("read_timeout")
        return receipt

    def _effect(self, request: TargetRequest) -> TargetReceipt:
        if request.key in self.receipts:
            return self.receipts[request.key]
        if self.refuses or not set(request.values) <= set(TARGET_FIELDS[self.name]):
            raise TargetRefused("field_not_allowed")
        if request.fence < self.fences.get(request.subject, 0):
            raise TargetRefused("fence_superseded")
        if request.subject not in self.subjects and self.name not in OPENS_SUBJECTS:
            raise TargetRefused("subject_unknown")
        version, values = self.subjects.get(request.subject, (0, {}))
        if request.expected_version not in {None, str(version)}:
            raise SubjectChanged("subject_changed")
        self.fences[request.subject] = request.fence
        self.subjects[request.subject] = (version + 1, {**values, **request.values})
        self.effects[request.key] += 1
        receipt = TargetReceipt(
            key=request.key,
            subject=request.subject,
            reference=f"{self.name}-{len(self.receipts)}",
            version=f"{version + 1}",
        )
        self.receipts[request.key] = receipt
        return receipt

    def edit(self, subject: str, **values: object) -> None:
        """Write as a person of that system would."""
        version, before = self.subjects[subject]
        self.subjects[subject] = (version + 1, {**before, **values})

    def values(self, subject: str) -> dict[str, object]:
        return self.subjects[subject][1]


@dataclass
class SupportSystems:
    """The authority, the archive and the five targets of some cases."""

    records: dict[str, Disposition] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    targets: dict[str, MemoryTarget] = field(default_factory=dict)
    authority_is_down: bool = False
    faulty_cases: set[str] = field(default_factory=set)
    reads: int = 0

    def read(self, case: str) -> Disposition | None:
        self.reads += 1
        if case in self.faulty_cases:
            raise ZeroDivisionError
        if self.authority_is_down:
            raise TargetUnavailable("connection_refused")
        return self.records.get(case)

    def digest_of(self, reference: str) -> str | None:
        return self.documents.get(reference)

    @property
    def systems(self) -> Systems:
        return Systems(case_review=self, archive=self, targets=self.targets)

    def change(self, name: str = CASE, /, **values: object) -> None:
        """Change the source record as the case-review system would."""
        self.records[name] = msgspec.structs.replace(self.records[name], **values)

    @property
    def effects(self) -> dict[str, int]:
        """How many effects each target had."""
        return {name: sum(target.effects.values()) for name, target in self.targets.items()}

    @property
    def asked_again(self) -> int:
        """How many requests were sent with a key that had been sent before."""
        return sum(count - 1 for target in self.targets.values() for count in target.asked.values())

    @property
    def duplicated(self) -> int:
        """How many effects were had more than once under one key."""
        return sum(count - 1 for target in self.targets.values() for count in target.effects.values())


def disposition(case: str = CASE, **changed: object) -> Disposition:
    """Return the source record of a case, final."""
    made = Disposition(
        case=case,
        escalation=ESCALATION,
        episode=EPISODE,
        disposition_version=3,
        state="closure_approved",
        closure_packet=PACKET,
        internal_review_note=NOTE,
        tracker_record=f"TRK-{case}",
        ledger_record=f"LED-{case}",
        queue_item=f"Q-{case}",
        coordinator="support-ops",
        closed_at=CLOSED_AT,
    )
    return msgspec.structs.replace(made, **changed)


def event(event_id: str = "evt-1", case: str = CASE, **changed: object) -> bytes:
    """Return the event of a case's disposition, as the case-review system sends it."""
    made = DispositionEvent(
        event_id=event_id,
        source="case-review",
        case=case,
        escalation=ESCALATION,
        episode=EPISODE,
        disposition_version=3,
        closure_packet=PACKET,
        internal_review_note=NOTE,
    )
    return msgspec.json.encode(msgspec.structs.replace(made, **changed))


def make_support_systems(*cases: str) -> SupportSystems:
    """Return systems in which these cases (the sample one by default) are final, and nothing was propagated yet."""
    names = cases or (CASE,)
    made = SupportSystems(
        records={name: disposition(name) for name in names},
        documents={one.reference: one.digest for one in (PACKET, NOTE)},
        targets={name: MemoryTarget(name) for name in TARGET_FIELDS},
    )
    for name in names:
        made.targets[TRACKER].subjects[f"TRK-{name}"] = (1, {"review_state": "in_review", "state": "open"})
        made.targets[LEDGER].subjects[f"LED-{name}"] = (1, {"state": "active"})
        made.targets[QUEUE].subjects[f"Q-{name}"] = (1, {"queue_state": "waiting"})
    return made
