"""The rows of the analytics files: one type per table, its fields are the columns and say what they mean.

Belongs here: what an analyst may be told, as types, with a word on each column. No field here can carry a source
value: values are package values of candidates that passed, everything else is an id, a code, a count, an instant or
a digest. This is the one definition of the columns: whatever else speaks of them is made from it
(`connections.duckdb_columns`, `analytics_columns`). Filling the rows is `analytics_reading`; the views over them are
in `sql/`.

Digests over anything restricted are keyed per deployment (``hmac-sha256:``), because a plain one could be guessed
back; plain ones (``sha256:``) name profiles, rules, the renderer and the content of candidates that passed.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, get_args

from dagster_project.application.analytics_closure_rows import CLOSURE_TABLES
from dagster_project.application.findings import FINDING_KINDS
from dagster_project.application.receipts import RECEIPT_KINDS
from dagster_project.application.reporting import VALIDITY_RULE
from dagster_project.connections.duckdb_columns import KEYED, PLAIN, Row, Says
from dagster_project.integrity.publication import PublicState
from dagster_project.packaging.drafting.slots import SLOT_TRANSFORMATIONS
from dagster_project.packaging.open_items import RELEASE_RESOLUTIONS, RESOLUTIONS
from dagster_project.packaging.release_rules import INPUTLESS, RELEASE_RULES
from dagster_project.packaging.transformations import TRANSFORMATIONS
from dagster_project.packaging.vocabulary import FIELD_CLASSES, REVIEW_ROLES, SLOT_STATES
from dagster_project.review.decisions import Act
from dagster_project.store.candidates import CandidateOutcome

# OpenLineage's words, the nine causes of a delta (design, section 6) and the keyed operations.
_RELATIONS: Final = ("DIRECT", "INDIRECT")
_SUBTYPES: Final = ("IDENTITY", "TRANSFORMATION", "AGGREGATION", "CONDITIONAL", "FILTER", "GROUP_BY")
_CAUSES: Final = (
    "new_evidence", "source_update", "routine_carry_forward", "policy_change", "review_decision", "correction",
    "renderer_change", "clock", "reaffirmation",
)  # fmt: skip
_VERSION_KINDS: Final = ("release", "acknowledgement", "reaffirmation", "pull")
_PUBLICATION_STATES: Final = get_args(PublicState)
_ACTS: Final = tuple(act.value for act in Act if act not in {Act.APPROVE_PROFILE, Act.REJECT_PROFILE})
_OPERATIONS: Final = ("add", "remove", "replace")
_OUTCOMES: Final = tuple(outcome.value for outcome in CandidateOutcome)
_TRANSFORMATIONS: Final = tuple(sorted({*TRANSFORMATIONS, *SLOT_TRANSFORMATIONS, *INPUTLESS}))
_RULES: Final = (*(rule.__name__ for rule in RELEASE_RULES), VALIDITY_RULE)

CandidateId = Annotated[int, Says("The candidate, counted over all incidents.")]
Incident = Annotated[str, Says("The incident, by its id.")]
Bridge = Annotated[str, Says("The customer bridge, by its name.")]
Pointer = Annotated[str, Says("The field, as a JSON pointer into the package.")]
RuleId = Annotated[str, Says("The profile's rule that makes the field.")]
RuleDigest = Annotated[str, Says("The digest of that rule.", form=PLAIN)]
Transformation = Annotated[str, Says("How the rule makes the value.", _TRANSFORMATIONS)]
ContentDigest = Annotated[
    str, Says("The digest of the content: plain where the candidate passed, else keyed.", form=f"{PLAIN}|{KEYED}")
]
SnapshotDigest = Annotated[str, Says("The keyed digest of the pinned record versions.", form=KEYED)]
DataDigest = Annotated[str, Says("The keyed digest of the record's data.", form=KEYED)]
ProfileDigest = Annotated[str, Says("The digest of the disclosure profile.", form=PLAIN)]
RendererDigest = Annotated[str, Says("The digest of the renderer.", form=PLAIN)]
TzdataVersion = Annotated[str, Says("The version of the time zone data.")]
EvaluationInstant = Annotated[datetime, Says("The instant for which the candidate was rendered.")]
AsOf = Annotated[datetime | None, Says("The latest recorded time among the records that feed its fields.")]
PredecessorId = Annotated[int | None, Says("The candidate before it on this bridge; NULL for the first.")]
Version = Annotated[int, Says("The version, counted for its incident and bridge from 1.")]
PackageId = Annotated[str, Says("The opaque id of the package, which its bridge knows it by.")]
Slot = Annotated[str, Says("The placeholder slot, by its name in the profile.")]
RejectedInputs = Annotated[int, Says("How many rejected inputs are behind it.")]
EvidenceRecords = Annotated[int, Says("How many record versions are behind it.")]
RecordSource = Annotated[str, Says("The source system of the record.")]
RecordId = Annotated[str, Says("The record's id in its source system.")]
RecordVersion = Annotated[int, Says("The version of the record.")]


class IncidentRow(Row, frozen=True, kw_only=True):
    """One registered incident and its pending change."""

    unique: ClassVar[tuple[str, ...]] = ("incident",)
    part_of: ClassVar[str] = "incident"
    incident: Incident
    revision: Annotated[int, Says("How often its records moved.")]
    observed_revision: Annotated[int, Says("The revision that its last refresh observed.")]
    pending_since: Annotated[datetime | None, Says("Since when a change waits for a refresh; NULL where none does.")]
    urgent: Annotated[bool, Says("Whether the pending change is of severity one.")]
    registered_at: Annotated[datetime, Says("When its first record was admitted.")]


class CandidateRow(Row, frozen=True, kw_only=True):
    """One candidate. `content_digest` is keyed where it did not pass: its content may hold what must not leave."""

    unique: ClassVar[tuple[str, ...]] = ("candidate_id",)
    part_of: ClassVar[str] = "incident"
    candidate_id: CandidateId
    incident: Incident
    bridge: Bridge
    ordinal: Annotated[int, Says("Counts the candidates of this incident and bridge, from 1.")]
    content_number: Annotated[int, Says("Counts their different contents, from 1.")]
    content_changed: Annotated[bool, Says("Whether the content differs from that of the candidate before.")]
    content_digest: ContentDigest
    predecessor_id: PredecessorId
    evaluation_instant: EvaluationInstant
    as_of: AsOf
    outcome: Annotated[str, Says("'held' where a field or slot is on hold.", _OUTCOMES)]
    holds: Annotated[int, Says("How many holds it has, those without a field included.")]
    carried_forward: Annotated[int, Says("How many fields are as in the candidate before.")]
    profile: Annotated[str, Says("The disclosure profile, by its name.")]
    profile_digest: ProfileDigest
    renderer_digest: RendererDigest
    tzdata_version: TzdataVersion
    snapshot_digest: SnapshotDigest
    created_at: Annotated[datetime, Says("When it was stored.")]


class FieldRow(Row, frozen=True, kw_only=True):
    """One leaf of a candidate's content. `value` is None, and `withheld` true, where the candidate did not pass."""

    unique: ClassVar[tuple[str, ...]] = ("candidate_id", "pointer")
    part_of: ClassVar[str] = "candidate_id"
    candidate_id: CandidateId
    pointer: Pointer
    field_class: Annotated[str | None, Says("The kind of field that policy speaks of.", FIELD_CLASSES)]
    value: Annotated[str | None, Says("The package value as text, lists and numbers as JSON; NULL where withheld.")]
    withheld: Annotated[bool, Says("Whether the value is not shown because the candidate did not pass.")]
    value_digest: Annotated[str, Says("The keyed digest of the value; equal digests are equal values.", form=KEYED)]
    on_hold: Annotated[bool, Says("Whether the value stands in for one that is kept back.")]
    slot: Annotated[str | None, Says("The slot in which the hold shows; NULL where there is none.")]
    reason: Annotated[str | None, Says("Why it is on hold; NULL where it is not.")]
    rule_id: RuleId
    rule_digest: RuleDigest
    transformation: Transformation


class AbsenceRow(Row, frozen=True, kw_only=True):
    """One hold on a part of a candidate where no leaf can stand."""

    unique: ClassVar[tuple[str, ...]] = ("candidate_id", "pointer", "slot", "reason")
    part_of: ClassVar[str] = "candidate_id"
    candidate_id: CandidateId
    pointer: Annotated[str, Says("The part of the package concerned, as a JSON pointer.")]
    slot: Slot
    reason: Annotated[str, Says("Why no field can stand there.")]
    evidence_records: EvidenceRecords
    rejected_inputs: RejectedInputs


class SlotRow(Row, frozen=True, kw_only=True):
    """One placeholder slot of a candidate that passed."""

    unique: ClassVar[tuple[str, ...]] = ("candidate_id", "slot")
    part_of: ClassVar[str] = "candidate_id"
    candidate_id: CandidateId
    slot: Slot
    category: Annotated[str, Says("What kind of thing the slot is for.")]
    slot_state: Annotated[str, Says("Whether something is on hold there.", SLOT_STATES)]
    review_role: Annotated[str, Says("Who reviews what is on hold there.", REVIEW_ROLES)]
    fields: Annotated[tuple[str, ...], Says("The pointers of what is on hold there.")]


class ManifestRow(Row, frozen=True, kw_only=True):
    """One internal manifest."""

    unique: ClassVar[tuple[str, ...]] = ("candidate_id",)
    part_of: ClassVar[str] = "candidate_id"
    manifest_digest: Annotated[str, Says("The keyed digest of the internal manifest.", form=KEYED)]
    candidate_id: CandidateId
    check_id: Annotated[int, Says("The passed release check that it names.")]
    content_digest: ContentDigest
    valid_until: Annotated[datetime, Says("Until when the release check holds.")]
    as_of: AsOf
    evaluation_instant: EvaluationInstant
    snapshot_digest: SnapshotDigest
    profile_digest: ProfileDigest
    renderer_digest: RendererDigest
    tzdata_version: TzdataVersion
    predecessor_id: PredecessorId
    held: Annotated[tuple[str, ...], Says("The pointers on hold.")]
    withheld: Annotated[int, Says("How many values its annexes keep inside.")]
    created_at: Annotated[datetime, Says("When it was stored.")]


class AnnexRow(Row, frozen=True, kw_only=True):
    """How many values one audience's annex of a candidate holds; never which."""

    unique: ClassVar[tuple[str, ...]] = ("candidate_id", "audience")
    part_of: ClassVar[str] = "candidate_id"
    candidate_id: CandidateId
    audience: Annotated[str, Says("Who may open the annex.", REVIEW_ROLES)]
    withheld: Annotated[int, Says("How many values it keeps inside.")]


class LineageRow(Row, frozen=True, kw_only=True):
    """One input of one field; a profile constant has one row without an input."""

    # Nothing is unique: a field may read the same source field of a record twice, to different ends.
    part_of: ClassVar[str] = "candidate_id"
    candidate_id: CandidateId
    pointer: Pointer
    source: Annotated[str | None, Says("The source system of the record that was read; NULL for a constant.")]
    recordid: Annotated[str | None, Says("The record's id in its source system.")]
    recordversion: Annotated[int | None, Says("The version of the record.")]
    data_digest: Annotated[str | None, Says("The keyed digest of the record's data.", form=KEYED)]
    source_field: Annotated[str | None, Says("The field of the record that was read.")]
    relation: Annotated[str | None, Says("DIRECT: the value enters the field; INDIRECT: it only decides.", _RELATIONS)]
    subtype: Annotated[str | None, Says("The relation in more detail, in OpenLineage's words.", _SUBTYPES)]
    masking: Annotated[bool, Says("Whether the input cannot be recovered from the field.")]
    transformation: Transformation
    rule_id: RuleId
    rule_digest: RuleDigest


class ChangeRow(Row, frozen=True, kw_only=True):
    """One delta operation. A value is None where the candidate that it belongs to did not pass."""

    unique: ClassVar[tuple[str, ...]] = ("candidate_id", "pointer")
    part_of: ClassVar[str] = "candidate_id"
    candidate_id: CandidateId
    op: Annotated[str, Says("What happened to the field.", _OPERATIONS)]
    pointer: Pointer
    cause: Annotated[str, Says("What brought the change about.", _CAUSES)]
    old_value: Annotated[str | None, Says("The value before; NULL where the candidate before did not pass.")]
    new_value: Annotated[str | None, Says("The value now; NULL where this candidate did not pass.")]
    old_digest: Annotated[str | None, Says("The keyed digest of the value before.", form=KEYED)]
    new_digest: Annotated[str | None, Says("The keyed digest of the value now.", form=KEYED)]
    evidence_records: EvidenceRecords


class ReleaseCheckRow(Row, frozen=True, kw_only=True):
    """One release check; digests as in its candidate."""

    unique: ClassVar[tuple[str, ...]] = ("check_id",)
    part_of: ClassVar[str] = "candidate_id"
    check_id: Annotated[int, Says("The release check, counted over all incidents.")]
    candidate_id: CandidateId
    content_digest: ContentDigest
    snapshot_digest: SnapshotDigest
    profile_digest: ProfileDigest
    deny_list_digest: Annotated[str, Says("The keyed digest of the deny list that it was judged by.", form=KEYED)]
    passed: Annotated[bool, Says("Whether it passed.")]
    evaluated_for: Annotated[datetime, Says("The instant for which it was judged.")]
    valid_until: Annotated[datetime | None, Says("Until when it holds; NULL where that cannot be said.")]
    created_at: Annotated[datetime, Says("When it was stored.")]


class ReasonRow(Row, frozen=True, kw_only=True):
    """One reason for which a release check failed."""

    # Nothing is unique: one rule may find the same code in several places.
    part_of: ClassVar[str] = "candidate_id"
    check_id: Annotated[int, Says("The release check that failed.")]
    candidate_id: CandidateId
    rule: Annotated[str, Says("The release rule that found the reason.", _RULES)]
    code: Annotated[str, Says("What it found, as a code.")]
    pointers: Annotated[tuple[str, ...], Says("The fields concerned.")]


class OpenItemRow(Row, frozen=True, kw_only=True):
    """One open item, resolved or not."""

    unique: ClassVar[tuple[str, ...]] = ("open_item_id",)
    part_of: ClassVar[str] = "incident"
    open_item_id: Annotated[int, Says("The open item, counted over all incidents.")]
    incident: Incident
    bridge: Annotated[str, Says("The customer bridge; '' where it concerns all of them.")]
    kind: Annotated[str, Says("What kind of conflict or question it is.", (*RESOLUTIONS, *RELEASE_RESOLUTIONS))]
    slot: Annotated[str, Says("The slot in which it shows.")]
    fields: Annotated[tuple[str, ...], Says("The fields concerned.")]
    owner_role: Annotated[str, Says("Who resolves it.", REVIEW_ROLES)]
    resolved_by: Annotated[str, Says("What resolves it.")]
    rejected_inputs: RejectedInputs
    opened_at: Annotated[datetime, Says("When it was last opened.")]
    resolved_at: Annotated[datetime | None, Says("When it was resolved; NULL while it is open.")]


class EvidenceRow(Row, frozen=True, kw_only=True):
    """One record version on a side of an open item."""

    unique: ClassVar[tuple[str, ...]] = ("open_item_id", "source", "recordid", "recordversion", "data_digest")
    part_of: ClassVar[str] = "open_item_id"
    open_item_id: Annotated[int, Says("The open item.")]
    source: RecordSource
    recordid: RecordId
    recordversion: RecordVersion
    data_digest: DataDigest


class ReleasedVersionRow(Row, frozen=True, kw_only=True):
    """One released version, as its bridge can see it: from the signed index, statement and package alone."""

    unique: ClassVar[tuple[str, ...]] = ("package_id", "version")
    part_of: ClassVar[str] = "package_id"
    package_id: PackageId
    version: Version
    kind: Annotated[str, Says("What brought it about.", _VERSION_KINDS)]
    publication_state: Annotated[str, Says("Its publication state, as the signed index says.", _PUBLICATION_STATES)]
    channel: Annotated[str, Says("The channel that it was released to.")]
    profile_label: Annotated[str, Says("The label of its disclosure profile.")]
    content_digest: Annotated[str, Says("The digest of its content, which its last approval signs.", form=PLAIN)]
    issued_at: Annotated[datetime, Says("When it was issued.")]
    as_of: Annotated[datetime | None, Says("By when what it states was recorded; NULL where it states nothing.")]
    stale_after: Annotated[datetime, Says("When its data becomes too old to rely on.")]
    reaffirmed_at: Annotated[datetime | None, Says("When a person saw it to be still so; NULL where nobody did.")]


class ReleasedFieldRow(Row, frozen=True, kw_only=True):
    """One leaf of a released version that is not pulled."""

    unique: ClassVar[tuple[str, ...]] = ("package_id", "version", "pointer")
    part_of: ClassVar[str] = "package_id"
    package_id: PackageId
    version: Version
    pointer: Pointer
    value: Annotated[str | None, Says("The package value as text, lists and numbers as JSON.")]


class VersionOriginRow(Row, frozen=True, kw_only=True):
    """Where one released version comes from, which its bridge cannot see."""

    unique: ClassVar[tuple[str, ...]] = ("incident", "bridge", "version")
    part_of: ClassVar[str] = "incident"
    incident: Incident
    bridge: Bridge
    version: Version
    package_id: PackageId
    candidate_id: Annotated[int | None, Says("The candidate behind it; NULL for the fast acknowledgement.")]
    profile_digest: ProfileDigest
    under_review: Annotated[bool, Says("Whether it is current and an open item is about what it implies.")]
    approved_changes: Annotated[int, Says("How many changes people approved for it.")]
    standing_changes: Annotated[int, Says("How many changes the profile's own approval covered.")]


class DecisionRow(Row, frozen=True, kw_only=True):
    """One decision about an incident that was accepted."""

    unique: ClassVar[tuple[str, ...]] = ("decision_id",)
    part_of: ClassVar[str] = "incident"
    decision_id: Annotated[int, Says("The decision, counted over all incidents.")]
    incident: Incident
    bridge: Annotated[str, Says("The customer bridge; '' where it concerns all of them.")]
    act: Annotated[str, Says("What it does.", _ACTS)]
    decided_by: Annotated[str, Says("Who decided, as a keyed digest: equal digests are one person.", form=KEYED)]
    received_at: Annotated[datetime, Says("When it was accepted.")]


class ReceiptRow(Row, frozen=True, kw_only=True):
    """What happened to one version at one recipient."""

    unique: ClassVar[tuple[str, ...]] = ("receipt_id",)
    part_of: ClassVar[str] = "incident"
    receipt_id: Annotated[int, Says("The receipt, counted over all incidents.")]
    incident: Incident
    bridge: Bridge
    version: Version
    recipient: Annotated[str, Says("Who received it, as a keyed digest: equal digests are one recipient.", form=KEYED)]
    kind: Annotated[str, Says("What happened; 'accepted' and 'rejected' are verdicts.", RECEIPT_KINDS)]
    reopened_internal: Annotated[
        bool | None, Says("Whether an internal system had to be reopened; NULL where nobody answered.")
    ]
    happened_at: Annotated[datetime, Says("When it happened.")]
    recorded_at: Annotated[datetime, Says("When it was recorded here.")]


class FindingRow(Row, frozen=True, kw_only=True):
    """One thing that was found wrong with a version after its release."""

    unique: ClassVar[tuple[str, ...]] = ("finding_id",)
    part_of: ClassVar[str] = "incident"
    finding_id: Annotated[int, Says("The finding, counted over all incidents.")]
    incident: Incident
    bridge: Bridge
    version: Version
    pointer: Pointer
    kind: Annotated[str, Says("What is wrong.", FINDING_KINDS)]
    found_at: Annotated[datetime, Says("When it was found.")]


class PositionRow(Row, frozen=True, kw_only=True):
    """How far one incident had come when its rows were made: for the next publication, which keeps them if it may."""

    unique: ClassVar[tuple[str, ...]] = ("incident",)
    part_of: ClassVar[str] = "incident"
    incident: Incident
    position: Annotated[str, Says("How far it had come: revisions, counts and instants of the store.")]


class PublicationRow(Row, frozen=True, kw_only=True):
    """What this file was made from, and when."""

    unique: ClassVar[tuple[str, ...]] = ("published_at",)
    candidate_id: Annotated[int, Says("The last candidate in the file.")]
    check_id: Annotated[int, Says("The last release check in the file.")]
    log_sequence: Annotated[int, Says("The last record that had been admitted.")]
    published_at: Annotated[datetime, Says("When the file was made.")]


TABLES: Final[Mapping[str, type[Row]]] = MappingProxyType(
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
        "released_versions": ReleasedVersionRow,
        "released_fields": ReleasedFieldRow,
        "version_origins": VersionOriginRow,
        "decisions": DecisionRow,
        "receipts": ReceiptRow,
        "findings": FindingRow,
        "positions": PositionRow,
        "publication": PublicationRow,
        **CLOSURE_TABLES,
    }
)
