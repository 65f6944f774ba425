"""Rehearsed records: what the record log would hold of history, in memory.

Belongs here: admitting events and remembering what became of them, as far as snapshots see it: by the rules of
`sources` that admission into a store follows (`admit`, `subjects`), without a store. A test holds the two together.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from dagster_project.integrity.digests import digest_bytes
from dagster_project.packaging.context import EVERY_INCIDENT
from dagster_project.packaging.holds import ACCOUNT_TYPES
from dagster_project.packaging.snapshot import RejectedInput, Snapshot, build_snapshot
from dagster_project.sources.admission import Rejection, admit_bytes, read_record, record_bytes
from dagster_project.sources.conflicts import heads_of
from dagster_project.sources.duplicates import says_otherwise, settles
from dagster_project.sources.record import Record
from dagster_project.sources.registry import SourceRegistry

_CONTRACT: Final = "contract"


@dataclass(frozen=True)
class _KeptAside:
    """A rejected input with the digest of its bytes."""

    rejection: Rejection
    body_digest: str


@dataclass
class RehearsedRecords:
    """The log of a rehearsal: records in order of admission, rejected input that is open, and sources that lag.

    `rejected` counts rejections by reason code; `unit` names what was delivered where its source cannot be read.
    """

    registry: SourceRegistry
    unit: str
    rejected: Counter[str] = field(default_factory=Counter)
    _records: list[Record] = field(default_factory=list)
    _copies: dict[tuple[Any, ...], list[int]] = field(default_factory=dict)
    _aside: dict[tuple[str, str], _KeptAside] = field(default_factory=dict)
    _settled: set[tuple[str, str]] = field(default_factory=set)
    _lagging: set[str] = field(default_factory=set)
    _contracts: dict[tuple[str, str], Record] = field(default_factory=dict)
    _feeding: dict[str, set[str]] = field(default_factory=dict)

    @property
    def incidents(self) -> tuple[str, ...]:
        """Every incident that was heard of, by name."""
        return tuple(sorted(self._feeding))

    def take_in(self, events: Iterable[bytes], at: datetime) -> tuple[str, ...]:
        """Admit events that are delivered together; return the incidents whose records moved, by name."""
        touched: set[str] = set()
        moved: set[str] = set()
        for body in events:
            judged = admit_bytes(body, received_at=at, registry=self.registry)
            ended = judged if isinstance(judged, Rejection) else self._append(judged)
            if isinstance(ended, Rejection):
                self._keep_aside(ended, digest_bytes(body), moved)
            elif isinstance(judged, Record):
                self._settle(judged, moved)
                touched.update(self._take(judged) if ended else ())
        touched.update(self._fed_by(moved))
        return tuple(sorted(touched))

    def known_of(self, incident: str) -> tuple[Record, ...]:
        """Return all versions of the records that concern an incident."""
        subjects = self._feeding[incident]
        return tuple(one for one in self._records if one.subject in subjects)

    def snapshot_of(self, incident: str, known: Sequence[Record]) -> Snapshot:
        """Pin what is known of an incident now.

        Args:
            incident: One that was heard of.
            known: What `known_of` returned for it.
        """
        subjects = self._feeding[incident]
        kept = ((name, one) for name, one in self._aside.items() if name not in self._settled)
        rejected = (_as_rejected(one) for _name, one in kept if one.rejection.subject in subjects)
        return build_snapshot(
            incident,
            known,
            rejected=(one for one in rejected if one is not None),
            lagging_sources=self._lagging & {one.source for one in known},
        )

    def _append(self, record: Record) -> bool | Rejection:
        """Append a record unless it is known; tell whether it is new, or why it can be taken for nothing of both."""
        # As it would be read back from the log.
        record = read_record(record_bytes(record))
        keys = ((record.source, record.id), record.version_identity)
        same = sorted({place for key in keys for place in self._copies.get(key, ())})
        equal = [place for place in same if self._records[place].datadigest == record.datadigest]
        if equal:
            known = self._records[equal[0]]
            return (None if known == record else says_otherwise(record, known)) or False
        for key in keys:
            self._copies.setdefault(key, []).append(len(self._records))
        self._records.append(record)
        return True

    def _take(self, record: Record) -> Iterable[str]:
        self._lagging.discard(record.source)
        if record.type not in ACCOUNT_TYPES:
            self._register(record.subject)
            return (record.subject,)
        if record.type == _CONTRACT:
            self._link(record)
        return self._fed_by({record.subject})

    def _register(self, incident: str) -> None:
        if incident in self._feeding:
            return
        named = {incident, EVERY_INCIDENT}
        accounts = (one.subject for one in self._contracts.values() if named & _named(one))
        self._feeding[incident] = {incident, *accounts}

    def _link(self, contract: Record) -> None:
        present = self._contracts.get(contract.identity)
        (self._contracts[contract.identity],) = heads_of([contract] if present is None else [present, contract])
        named = _named(contract)
        for incident, subjects in self._feeding.items():
            if named & {incident, EVERY_INCIDENT}:
                subjects.add(contract.subject)

    def _fed_by(self, subjects: set[str]) -> list[str]:
        return [incident for incident, feeding in self._feeding.items() if feeding & subjects]

    def _keep_aside(self, rejection: Rejection, body_digest: str, moved: set[str]) -> None:
        self.rejected[rejection.reason_code] += 1
        self._aside.setdefault((body_digest, rejection.reason_code), _KeptAside(rejection, body_digest))
        if not (rejection.source and rejection.type and rejection.subject):
            self._lagging.add(rejection.source or f"unreadable:{self.unit}")
        if rejection.subject:
            moved.add(rejection.subject)

    def _settle(self, record: Record, moved: set[str]) -> None:
        for name, one in self._aside.items():
            kept = one.rejection
            same = (kept.source, kept.type, kept.recordid) == (record.source, record.type, record.recordid)
            if same and name not in self._settled and settles(record, kept.reason_code, kept.recordversion):
                self._settled.add(name)
                moved.add(record.subject)


def _named(contract: Record) -> set[str]:
    return {incident for bridge in contract.data["bridges"].values() for incident in bridge["incidents"]}


def _as_rejected(one: _KeptAside) -> RejectedInput | None:
    kept = one.rejection
    if kept.source is None or kept.type is None or kept.subject is None:
        return None
    return RejectedInput(
        source=kept.source,
        type=kept.type,
        subject=kept.subject,
        reason_code=kept.reason_code,
        body_digest=one.body_digest,
    )
