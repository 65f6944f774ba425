"""The rows of the analytics files: one type per table, its fields are the columns.

Belongs here: what an analyst may be told, as types. No field here can carry a source value: values are package
values of candidates that passed, everything else is an id, a code, a count, an instant or a digest. Filling them
is `analytics_reading`; the views over them are in `sql/`.

Digests over anything restricted are keyed per deployment (``hmac-sha256:``), because a plain one could be guessed
back; plain ones (``sha256:``) name profiles, rules, the renderer and the content of candidates that passed.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import msgspec


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One registered incident and its pending change."""

    incident: str
    revision: int
    observed_revision: int
    pending_since: datetime | None
    urgent: bool
    registered_at: datetime


class CandidateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate. `content_digest` is keyed where it did not pass: its content may hold what must not leave."""

    candidate_id: int
    incident: str
    bridge: str
    ordinal: int
    content_number: int
    content_changed: bool
    content_digest: str
    predecessor_id: int | None
    evaluation_instant: datetime
    as_of: datetime | None
    outcome: str
    holds: int
    carried_forward: int
    profile: str
    profile_digest: str
    renderer_digest: str
    tzdata_version: str
    snapshot_digest: str
    created_at: datetime


class FieldRow(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf of a candidate's content. `value` is None, and `withheld` true, where the candidate did not pass."""

    candidate_id: int
    pointer: str
    field_class: str | None
    value: str | None
    withheld: bool
    value_digest: str
    on_hold: bool
    slot: str | None
    reason: str | None
    rule_id: str
    rule_digest: str
    transformation: str


class AbsenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One hold on a part of a candidate where no leaf can stand."""

    candidate_id: int
    pointer: str
    slot: str
    reason: str
    evidence_records: int
    rejected_inputs: int


class SlotRow(msgspec.Struct, frozen=True, kw_only=True):
    """One placeholder slot of a candidate that passed."""

    candidate_id: int
    slot: str
    category: str
    slot_state: str
    review_role: str
    fields: tuple[str, ...]


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True):
    """One internal manifest."""

    manifest_digest: str
    candidate_id: int
    check_id: int
    content_digest: str
    valid_until: datetime
    as_of: datetime | None
    evaluation_instant: datetime
    snapshot_digest: str
    profile_digest: str
    renderer_digest: str
    tzdata_version: str
    predecessor_id: int | None
    held: tuple[str, ...]
    withheld: int
    created_at: datetime


class AnnexRow(msgspec.Struct, frozen=True, kw_only=True):
    """How many values one audience's annex of a candidate holds; never which."""

    candidate_id: int
    audience: str
    withheld: int


class LineageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One input of one field; a profile constant has one row without an input."""

    candidate_id: int
    pointer: str
    source: str | None
    recordid: str | None
    recordversion: int | None
    data_digest: str | None
    source_field: str | None
    relation: str | None
    subtype: str | None
    masking: bool
    transformation: str
    rule_id: str
    rule_digest: str


class ChangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One delta operation. A value is None where the candidate that it belongs to did not pass."""

    candidate_id: int
    op: str
    pointer: str
    cause: str
    old_value: str | None
    new_value: str | None
    old_digest: str | None
    new_digest: str | None
    evidence_records: int


class ReleaseCheckRow(msgspec.Struct, frozen=True, kw_only=True):
    """One release check; digests as in its candidate."""

    check_id: int
    candidate_id: int
    content_digest: str
    snapshot_digest: str
    profile_digest: str
    deny_list_digest: str
    passed: bool
    evaluated_for: datetime
    valid_until: datetime | None
    created_at: datetime


class ReasonRow(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for which a release check failed."""

    check_id: int
    candidate_id: int
    rule: str
    code: str
    pointers: tuple[str, ...]


class OpenItemRow(msgspec.Struct, frozen=True, kw_only=True):
    """One open item, resolved or not."""

    open_item_id: int
    incident: str
    bridge: str
    kind: str
    slot: str
    fields: tuple[str, ...]
    owner_role: str
    resolved_by: str
    rejected_inputs: int
    opened_at: datetime
    resolved_at: datetime | None


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record version on a side of an open item."""

    open_item_id: int
    source: str
    recordid: str
    recordversion: int
    data_digest: str


class PublicationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What this file was made from, and when."""

    candidate_id: int
    check_id: int
    log_sequence: int
    published_at: datetime


TABLES: Final[Mapping[str, type[msgspec.Struct]]] = MappingProxyType(
    {
        "incidents": IncidentRow,
        "candidates": CandidateRow,
        "fields": FieldRow,
        "absences": AbsenceRow,
        "slots": SlotRow,
        "manifests": ManifestRow,
        "annexes": AnnexRow,
        "lineage": LineageRow,
        "changes": ChangeRow,
        "release_checks": ReleaseCheckRow,
        "release_check_reasons": ReasonRow,
        "open_items": OpenItemRow,
        "open_item_evidence": EvidenceRow,
        "publication": PublicationRow,
    }
)
