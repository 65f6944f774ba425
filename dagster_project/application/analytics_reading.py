"""Reading for analytics: from the stored bodies of every candidate to the rows of the analytics files.

Belongs here: verifying and flattening. Every body that stands behind a candidate is read through the store, so a
flipped byte stops the publication; of record bodies and annexes nothing is copied but counts and keyed digests.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from dagster_project.application import analytics_rows as rows
from dagster_project.application.analytics_gate import Gate, StoredCheck, StoredManifest, differs, read_gates
from dagster_project.connections.duckdb_columns import Row
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import keyed_digest
from dagster_project.packaging.delta import Delta
from dagster_project.packaging.fields import Input, leaves
from dagster_project.packaging.lineage import Lineage, LineageGroup
from dagster_project.packaging.open_items import OpenItem
from dagster_project.store import incidents, open_items
from dagster_project.store.candidates import CandidateRow, candidates_of, load_snapshots
from dagster_project.store.profiles import find_profile
from dagster_project.store.transaction import Transaction

# What is read here verified by its digest and was written canonically, so the fast decoder is strict enough.
_LINEAGE: Final = msgspec.json.Decoder(Lineage)
_DELTA: Final = msgspec.json.Decoder(Delta)
_OPEN_ITEM: Final = msgspec.json.Decoder(OpenItem)
_DOCUMENT: Final = msgspec.json.Decoder(dict[str, Any])
# Candidates whose bodies are read together: some 20 kB each.
_BATCH: Final = 50


class Reading:
    """One pass over a store: remembers what was verified or keyed already. Use it within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._keyed: dict[str, str] = {}
        self._profiles: dict[str, str] = {}
        self._snapshots: set[str] = set()
        self._passed: dict[int, bool] = {}

    def every_row(self, names: Collection[str]) -> Iterator[Row]:
        """Yield every row of every table about these incidents.

        Raises:
            IntegrityViolation: a body behind a candidate is not what was stored.
        """
        for incident in incidents.all_incidents(self._transaction):
            if incident.incident in names:
                yield rows.IncidentRow(**{name: getattr(incident, name) for name in rows.IncidentRow.__struct_fields__})
        # Candidates come in the order of their bridge, so that a predecessor is judged before its successor.
        every = (row for name in names for row in candidates_of(self._transaction, name))
        while batch := list(islice(every, _BATCH)):
            yield from self._candidates(batch)
        for name in names:
            yield from self._open_items(name)

    def _candidates(self, batch: Sequence[CandidateRow]) -> Iterator[Row]:
        self._verify(batch)
        gates = read_gates(self._transaction, batch)
        self._passed.update({number: gate.passed for number, gate in gates.items()})
        bodies = self._transaction.get_all_sealed(
            digest
            for row in batch
            for digest in (row.content_digest, row.lineage_digest, row.delta_digest, row.annex_digest)
        )
        for row in batch:
            yield from self._candidate(row, gates[row.candidate_id], bodies)

    def _candidate(self, row: CandidateRow, gate: Gate, bodies: Mapping[str, bytes]) -> Iterator[Row]:
        content = _DOCUMENT.decode(bodies[row.content_digest])
        lineage = _LINEAGE.decode(bodies[row.lineage_digest])
        delta = _DELTA.decode(bodies[row.delta_digest])
        if lineage.content_digest != row.content_digest:
            raise differs("lineage_differs", row)
        yield self._candidate_row(row, delta)
        yield from self._fields(row, lineage, leaves(content))
        yield from self._lineage(row, lineage)
        yield from self._changes(row, delta)
        yield from _annexes(row, _DOCUMENT.decode(bodies[row.annex_digest]))
        if gate.passed:
            yield from _slots(row, content)
        yield from self._gate(row, gate)

    def _verify(self, batch: Sequence[CandidateRow]) -> None:
        """Read the bodies that are copied nowhere: the snapshots, and the views."""
        new = {row.snapshot_digest for row in batch} - self._snapshots
        load_snapshots(self._transaction, new)
        self._snapshots |= new
        views = self._transaction.get_all_sealed(row.view_digest for row in batch)
        self._transaction.get_all_sealed(
            digest for document in views.values() for digest in _DOCUMENT.decode(document).values()
        )

    def _key(self, digest: str) -> str:
        if digest not in self._keyed:
            self._keyed[digest] = keyed_digest(self._transaction.keys.digest, digest.encode())
        return self._keyed[digest]

    def _content_digest(self, row: CandidateRow) -> str:
        return row.content_digest if self._passed[row.candidate_id] else self._key(row.content_digest)

    def _profile_name(self, digest: str) -> str:
        if digest not in self._profiles:
            stored = find_profile(self._transaction, digest)
            if stored is None:
                raise IntegrityViolation(
                    "profile_missing",
                    what="a candidate names a profile that is not stored, so nothing was published",
                    where=f"profile {digest}",
                    what_to_do="Run `channelsafe verify`, and restore from a backup what it lists.",
                )
            self._profiles[digest] = stored.name
        return self._profiles[digest]

    def _candidate_row(self, row: CandidateRow, delta: Delta) -> rows.CandidateRow:
        return rows.CandidateRow(
            candidate_id=row.candidate_id,
            incident=row.incident,
            bridge=row.bridge,
            ordinal=row.ordinal,
            content_number=row.content_number,
            content_changed=row.content_changed,
            content_digest=self._content_digest(row),
            predecessor_id=row.predecessor_id,
            evaluation_instant=row.evaluation_instant,
            as_of=row.as_of,
            outcome=row.outcome.value,
            holds=row.holds,
            carried_forward=delta.carried_forward,
            profile=self._profile_name(row.profile_digest),
            profile_digest=row.profile_digest,
            renderer_digest=row.renderer_digest,
            tzdata_version=row.tzdata_version,
            snapshot_digest=self._key(row.snapshot_digest),
            created_at=row.created_at,
        )

    def _fields(self, row: CandidateRow, lineage: Lineage, values: dict[str, Any]) -> Iterator[Row]:
        passed = self._passed[row.candidate_id]
        for group in lineage.groups:
            draft, hold = group.draft, group.hold
            yield rows.FieldRow(
                candidate_id=row.candidate_id,
                pointer=draft.pointer,
                field_class=draft.field_class,
                value=as_text(values.get(draft.pointer)) if passed else None,
                withheld=not passed,
                value_digest=self._key(group.value_digest),
                on_hold=hold is not None,
                slot=None if hold is None else hold.slot,
                reason=None if hold is None else hold.reason,
                rule_id=draft.rule_id,
                rule_digest=group.rule_digest,
                transformation=draft.transformation,
            )
        for absence in lineage.absences:
            yield rows.AbsenceRow(
                candidate_id=row.candidate_id,
                pointer=absence.pointer,
                slot=absence.slot,
                reason=absence.reason,
                evidence_records=len(absence.evidence),
                rejected_inputs=len(absence.rejected),
            )

    def _lineage(self, row: CandidateRow, lineage: Lineage) -> Iterator[Row]:
        for group in lineage.groups:
            for one in group.draft.inputs or (None,):
                yield self._lineage_row(row, group, one)

    def _lineage_row(self, row: CandidateRow, group: LineageGroup, one: Input | None) -> rows.LineageRow:
        reference = None if one is None else one.reference
        return rows.LineageRow(
            candidate_id=row.candidate_id,
            pointer=group.draft.pointer,
            source=None if reference is None else reference.source,
            recordid=None if reference is None else reference.recordid,
            recordversion=None if reference is None else reference.recordversion,
            data_digest=None if reference is None else self._key(reference.datadigest),
            source_field=None if one is None else one.source_field,
            relation=None if one is None else one.relation,
            subtype=None if one is None else one.subtype,
            masking=one is not None and one.masking,
            transformation=group.draft.transformation,
            rule_id=group.draft.rule_id,
            rule_digest=group.rule_digest,
        )

    def _changes(self, row: CandidateRow, delta: Delta) -> Iterator[Row]:
        new_shown = self._passed[row.candidate_id]
        # A predecessor was judged before; an unknown one is not shown.
        old_shown = row.predecessor_id is not None and self._passed.get(row.predecessor_id, False)
        for one in delta.operations:
            yield rows.ChangeRow(
                candidate_id=row.candidate_id,
                op=one.op,
                pointer=one.pointer,
                cause=one.cause,
                old_value=as_text(one.old) if old_shown else None,
                new_value=as_text(one.new) if new_shown else None,
                old_digest=None if one.old_digest is None else self._key(one.old_digest),
                new_digest=None if one.new_digest is None else self._key(one.new_digest),
                evidence_records=len(one.evidence),
            )

    def _gate(self, row: CandidateRow, gate: Gate) -> Iterator[Row]:
        for one in gate.checks:
            yield self._check_row(row, one)
            for reason in one.check.reasons:
                yield rows.ReasonRow(
                    check_id=one.row.check_id,
                    candidate_id=row.candidate_id,
                    rule=reason.rule,
                    code=reason.code,
                    pointers=reason.pointers,
                )
        if gate.manifest is not None:
            yield self._manifest_row(row, gate.manifest)

    def _check_row(self, row: CandidateRow, one: StoredCheck) -> rows.ReleaseCheckRow:
        return rows.ReleaseCheckRow(
            check_id=one.row.check_id,
            candidate_id=row.candidate_id,
            content_digest=self._content_digest(row),
            snapshot_digest=self._key(one.check.snapshot_digest),
            profile_digest=one.check.profile_digest,
            deny_list_digest=self._key(one.check.deny_list_digest),
            passed=one.check.passed,
            evaluated_for=one.check.evaluated_for,
            valid_until=one.check.valid_until,
            created_at=one.row.created_at,
        )

    def _manifest_row(self, row: CandidateRow, one: StoredManifest) -> rows.ManifestRow:
        manifest, pins = one.manifest, one.manifest.pins
        return rows.ManifestRow(
            manifest_digest=self._key(one.row.manifest_digest),
            candidate_id=row.candidate_id,
            check_id=one.row.check_id,
            content_digest=self._content_digest(row),
            valid_until=manifest.valid_until,
            as_of=manifest.as_of,
            evaluation_instant=pins.evaluation_instant,
            snapshot_digest=self._key(pins.snapshot_digest),
            profile_digest=pins.profile_digest,
            renderer_digest=pins.renderer_digest,
            tzdata_version=pins.tzdata_version,
            predecessor_id=None if pins.predecessor_id is None else int(pins.predecessor_id),
            held=manifest.held,
            withheld=sum(manifest.withheld.values()),
            created_at=one.row.created_at,
        )

    def _open_items(self, incident: str) -> Iterator[Row]:
        stored = open_items.items_of(self._transaction, incident)
        bodies = self._transaction.get_all_sealed(row.body_digest for row in stored)
        for row in stored:
            item = _OPEN_ITEM.decode(bodies[row.body_digest])
            yield rows.OpenItemRow(
                open_item_id=row.open_item_id,
                incident=row.incident,
                bridge=row.bridge,
                kind=row.kind,
                slot=item.slot,
                fields=item.fields,
                owner_role=row.owner_role,
                resolved_by=item.resolved_by,
                rejected_inputs=len(item.rejected),
                opened_at=row.opened_at,
                resolved_at=row.resolved_at,
            )
            for side in item.evidence:
                yield rows.EvidenceRow(
                    open_item_id=row.open_item_id,
                    source=side.source,
                    recordid=side.recordid,
                    recordversion=side.recordversion,
                    data_digest=self._key(side.datadigest),
                )


def _annexes(row: CandidateRow, annexes: Mapping[str, Any]) -> Iterator[Row]:
    for audience, entries in annexes.items():
        yield rows.AnnexRow(candidate_id=row.candidate_id, audience=audience, withheld=len(entries))


def _slots(row: CandidateRow, content: dict[str, Any]) -> Iterator[Row]:
    for slot, state in content["held"].items():
        yield rows.SlotRow(
            candidate_id=row.candidate_id,
            slot=slot,
            category=state["category"],
            slot_state=state["slot_state"],
            review_role=state["review_role"],
            fields=tuple(state["fields"]),
        )


def as_text(value: object) -> str | None:
    """Return a package value as text: text as it is, anything else as canonical JSON, nothing as None."""
    return value if value is None or isinstance(value, str) else canonical_bytes(value).decode()
