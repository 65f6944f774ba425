"""Everything that rendering one bridge's package may read, indexed once.

Belongs here: the read-only context that drafting, transformations and holds share, and the facts of the bridge
(its contract and entitlement). No decision about a field is made here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property, partial
from typing import Any, Final

from dagster_project.clock import parse_instant
from dagster_project.integrity.digests import digest_of, opaque_code
from dagster_project.packaging.fields import Input, ReadValue
from dagster_project.packaging.profile import Action, Profile, Rule, profile_document, rule_digest, winning_rules
from dagster_project.packaging.review_inputs import NO_REVIEW, ReviewInputs
from dagster_project.packaging.snapshot import RejectedInput, Snapshot, snapshot_digest
from dagster_project.packaging.vocabulary import DATA_INTEGRITY
from dagster_project.scanning.deny_list import DenyList, NamesInRecords, deny_list_of, names_in_records
from dagster_project.scanning.shipped import breaks_a_rule
from dagster_project.sources.conflicts import Conflict
from dagster_project.sources.record import Classification, Record, RecordReference, reference_to
from dagster_project.sources.source_fields import field_classification, source_fields_in_schema_order, value_at

EVERY_INCIDENT = "*"
# The rule id of what the profile says as a whole: names, labels, the fixed set of slots.
WHOLE_PROFILE = "profile"
# The record types of which each record is an entry of a map in the package.
ENTRY_TYPES: Final = ("bridge-timeline", "workaround")
# The fields whose instants are compared with the evaluation instant, by record type.
_TIMED: Final = {
    "contract": ("valid_from", "valid_until"),
    "entitlement": ("valid_from", "valid_until"),
    "incident": ("monitoring_until",),
    "security-review": ("expires",),
}


class ProfileTables:
    """A profile with its lookups built once; shared by every rendering under that profile."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.document: dict[str, Any] = profile_document(profile)
        self.rules: Mapping[str, Rule] = winning_rules(profile)
        self.rules_by_id = {rule.id: rule for rule in profile.rules}
        self.capability_by_component = {
            component: capability
            for capability, entry in profile.capabilities.items()
            for component in entry.components
        }
        self.bucket_by_region = {
            region: bucket for bucket, entry in profile.region_buckets.items() for region in entry.regions
        }
        self.digest = digest_of(self.document)
        self.slots_by_rule = {rule.id: rule.slot or "other" for rule in profile.rules}
        self.rendered = frozenset(name for name, rule in self.rules.items() if rule.action is Action.RENDER)
        self.withheld_by_type = _withheld_by_type(self.rules)
        self.withheld_by_slot = {slot: _withheld(self.rules, slot) for slot in profile.slots}
        self._rule_digests: dict[tuple[str, str], str] = {}

    def digest_of_rule(self, rule_id: str, transformation: str) -> str:
        """Return the digest of a rule as `transformation` applies it; of `profile`, the whole profile's."""
        if rule_id == WHOLE_PROFILE:
            return self.digest
        key = (rule_id, transformation)
        if key not in self._rule_digests:
            rule = self.rules_by_id[rule_id]
            self._rule_digests[key] = rule_digest(self.profile, rule, transformation)
        return self._rule_digests[key]


def _withheld_by_type(rules: Mapping[str, Rule]) -> dict[str, list[tuple[str, Rule]]]:
    """Return pointer and rule of the source fields that rules keep back, by record type, in schema order."""
    found: dict[str, list[tuple[str, Rule]]] = {}
    for field in source_fields_in_schema_order():
        rule = rules.get(str(field))
        if rule is not None and rule.action in {Action.HOLD, Action.ANNEX}:
            found.setdefault(field.type, []).append((field.pointer, rule))
    return found


def _withheld(rules: Mapping[str, Rule], slot: str) -> tuple[tuple[str, Action], ...]:
    """Return the source fields that rules keep back under a slot, sorted, with how."""
    keeping = (Action.HOLD, Action.ANNEX)
    found = [(name, rule.action) for name, rule in rules.items() if rule.slot == slot and rule.action in keeping]
    return tuple(sorted(found))


@dataclass(frozen=True)
class BridgeFacts:
    """A bridge's contract and the entitlements of its account, as the snapshot holds them.

    `rivals` are other contracts that open a bridge of the same name: nobody can say whose bridge it is. There is no
    contract only where nothing may depend on one: see `EVERYBODY`.
    """

    bridge: str
    account: str
    contract: Record | None
    entitlements: tuple[Record, ...]
    rivals: tuple[Record, ...] = ()

    @property
    def contracts(self) -> tuple[Record, ...]:
        """The bridge's contract, or nothing where there is none."""
        return () if self.contract is None else (self.contract,)


# Who reads a page that depends on nobody's contract or entitlement. No candidate is ever rendered for it.
EVERYBODY: Final = BridgeFacts(bridge="", account="", contract=None, entitlements=())


def bridges_of(snapshot: Snapshot) -> tuple[BridgeFacts, ...]:
    """Return the customer bridges of this incident by name: those that a contract opens for it.

    Where several contracts open a bridge of one name the first by (source, recordid) stands for it and the others are
    its rivals; `holds` then keeps everything back.
    """
    opening: dict[str, list[Record]] = {}
    for contract in snapshot.heads:
        if contract.type == "contract":
            for bridge, entry in contract.data["bridges"].items():
                if EVERY_INCIDENT in entry["incidents"] or snapshot.incident in entry["incidents"]:
                    opening.setdefault(bridge, []).append(contract)
    return tuple(_facts(snapshot, bridge, *opening[bridge]) for bridge in sorted(opening))


def _facts(snapshot: Snapshot, bridge: str, contract: Record, *rivals: Record) -> BridgeFacts:
    account = contract.data["account"]
    entitlements = tuple(one for one in snapshot.heads if one.type == "entitlement" and one.data["account"] == account)
    return BridgeFacts(bridge, account, contract, entitlements, rivals)


def is_in_force(record: Record, instant: datetime) -> bool:
    """Tell whether a record with validity dates is valid at `instant` (from inclusive, until exclusive)."""
    valid_from, valid_until = record.data["valid_from"], record.data["valid_until"]
    return parse_instant(valid_from) <= instant < parse_instant(valid_until)


class ResolvedInputs(dict[Input, ReadValue]):
    """Every input that was asked for, with what it reads; looked up once, because many fields and rules cite it.

    A record that is not pinned is a KeyError.
    """

    def __init__(self, records: Mapping[RecordReference, Record]) -> None:
        super().__init__()
        self._records = records

    def __missing__(self, one: Input) -> ReadValue:
        record = self._records[one.reference]
        pointer = one.source_field.partition("#")[2]
        found = ReadValue(one, value_at(record.data, pointer), field_classification(record, pointer))
        self[one] = found
        return found


class SnapshotIndex:
    """What a snapshot alone says, looked up once; shared by the renderings of its bridges."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    @cached_property
    def digest(self) -> str:
        """The digest that pins the snapshot."""
        return snapshot_digest(self.snapshot)

    @cached_property
    def records(self) -> Mapping[RecordReference, Record]:
        """Every pinned record by reference."""
        return {reference_to(one): one for one in (*self.snapshot.heads, *self.snapshot.earlier)}

    @cached_property
    def heads_by_type(self) -> Mapping[str, tuple[Record, ...]]:
        """The heads of each record type, in snapshot order."""
        grouped: dict[str, list[Record]] = {}
        for record in self.snapshot.heads:
            grouped.setdefault(record.type, []).append(record)
        return {name: tuple(records) for name, records in grouped.items()}

    @cached_property
    def earlier_by_identity(self) -> Mapping[tuple[str, str], tuple[Record, ...]]:
        """Earlier versions by (source, recordid), oldest first."""
        grouped: dict[tuple[str, str], list[Record]] = {}
        for record in self.snapshot.earlier:
            grouped.setdefault(record.identity, []).append(record)
        return {
            identity: tuple(sorted(records, key=lambda one: one.recordversion)) for identity, records in grouped.items()
        }

    @cached_property
    def conflicts_by_record(self) -> Mapping[RecordReference, tuple[Conflict, ...]]:
        """The conflicts that each record version takes part in."""
        grouped: dict[RecordReference, list[Conflict]] = {}
        for conflict in self.snapshot.conflicts:
            for reference in conflict.references:
                grouped.setdefault(reference, []).append(conflict)
        return {reference: tuple(conflicts) for reference, conflicts in grouped.items()}

    @cached_property
    def rejected_by_origin(self) -> Mapping[tuple[str, str, str], tuple[RejectedInput, ...]]:
        """Open rejected input by (source, type, subject)."""
        grouped: dict[tuple[str, str, str], list[RejectedInput]] = {}
        for one in self.snapshot.rejected:
            grouped.setdefault((one.source, one.type, one.subject), []).append(one)
        return {origin: tuple(rejected) for origin, rejected in grouped.items()}

    @cached_property
    def turning_points(self) -> tuple[datetime, ...]:
        """The instants at which anything that a rendering decides by time may flip; between them it is constant.

        They are the ends and beginnings of contract, entitlements, clearances and monitoring. A test holds that
        nothing else in a rendering depends on the evaluation instant.
        """
        stated = (
            record.data.get(name)
            for record_type, names in _TIMED.items()
            for record in self.heads_by_type.get(record_type, ())
            for name in names
        )
        return tuple(sorted(parse_instant(one) for one in stated if one is not None))

    @cached_property
    def reviews_by_subject(self) -> Mapping[str, tuple[Record, ...]]:
        """The security reviews of each subject, in snapshot order."""
        grouped: dict[str, list[Record]] = {}
        for review in self.heads_by_type.get("security-review", ()):
            grouped.setdefault(review.data["review_subject"], []).append(review)
        return {subject: tuple(reviews) for subject, reviews in grouped.items()}

    @cached_property
    def resolved(self) -> Mapping[Input, ReadValue]:
        """What each input reads."""
        return ResolvedInputs(self.records)

    @cached_property
    def names(self) -> NamesInRecords:
        """The names in its records that no customer may read."""
        return names_in_records((*self.snapshot.heads, *self.snapshot.earlier))


@dataclass(frozen=True)
class RenderingContext:
    """What one rendering reads: pinned records, profile, bridge, evaluation instant and decisions, all inputs."""

    snapshot: Snapshot
    tables: ProfileTables
    bridge: BridgeFacts
    evaluation_instant: datetime
    code_key: bytes
    shared: SnapshotIndex | None = None
    review: ReviewInputs = NO_REVIEW

    @property
    def profile(self) -> Profile:
        """The profile in use."""
        return self.tables.profile

    @cached_property
    def index(self) -> SnapshotIndex:
        """What the snapshot alone says, looked up: shared with the other bridges where the caller gave it."""
        fits = self.shared is not None and self.shared.snapshot is self.snapshot
        return self.shared if self.shared is not None and fits else SnapshotIndex(self.snapshot)

    @property
    def records(self) -> Mapping[RecordReference, Record]:
        """Every pinned record by reference."""
        return self.index.records

    @property
    def heads_by_type(self) -> Mapping[str, tuple[Record, ...]]:
        """The heads of each record type, in snapshot order."""
        return self.index.heads_by_type

    @property
    def earlier_by_identity(self) -> Mapping[tuple[str, str], tuple[Record, ...]]:
        """Earlier versions by (source, recordid), oldest first."""
        return self.index.earlier_by_identity

    @property
    def conflicts_by_record(self) -> Mapping[RecordReference, tuple[Conflict, ...]]:
        """The conflicts that each record version takes part in."""
        return self.index.conflicts_by_record

    @property
    def rejected_by_origin(self) -> Mapping[tuple[str, str, str], tuple[RejectedInput, ...]]:
        """Open rejected input by (source, type, subject)."""
        return self.index.rejected_by_origin

    @cached_property
    def deny_list(self) -> DenyList:
        """Names from this incident that may not appear in source-derived text."""
        lexicons = self.profile.lexicons
        return deny_list_of(
            self.index.names,
            approved=lexicons.approved_public_names,
            denied_terms=lexicons.denied_terms,
            account=self.bridge.account,
        )

    def denies(self, text: str) -> bool:
        """Tell whether source-derived text holds a denied term, or what no text may hold.

        What the profile or the vocabulary words itself is not source-derived: if a restricted value could deny it,
        that value would decide what leaves (invariant I1).
        """
        own_words = {*self.profile.lexicons.approved_public_names.values(), *DATA_INTEGRITY}
        return text not in own_words and (self.deny_list.hits(text) > 0 or breaks_a_rule(text))

    @cached_property
    def unlisted(self) -> Mapping[str, Record]:
        """The records by code that would make an entry of their own and of which nothing may be shown.

        They make none, so that nobody can count what is kept inside. One that security reviewed is listed, on hold or
        not: people decide about it.
        """
        records = (one for record_type in ENTRY_TYPES for one in self.heads_by_type.get(record_type, ()))
        return {
            self.code(one): one
            for one in records
            if one.dataclassification is not Classification.CUSTOMER
            and f"{one.type}/{one.recordid}" not in self.index.reviews_by_subject
        }

    @cached_property
    def entitled(self) -> frozenset[str]:
        """Capabilities that the bridge's account bought, by entitlements in force; none if the account is in doubt.

        Everybody is told of all of them, whoever bought what.
        """
        if self.bridge.rivals:
            return frozenset()
        if self.bridge == EVERYBODY:
            return frozenset(self.profile.capabilities)
        return frozenset(
            capability
            for record in self.bridge.entitlements
            if is_in_force(record, self.evaluation_instant)
            for capability in record.data["capabilities"]
        )

    @cached_property
    def contract_in_force(self) -> bool:
        """Whether the bridge's contract is valid at the evaluation instant; what depends on none is in force."""
        return all(is_in_force(one, self.evaluation_instant) for one in self.bridge.contracts)

    def permits(self, field_class: str | None) -> bool:
        """Tell whether the bridge's contract permits a field class; what has no class says nothing of the incident."""
        return field_class is None or all(field_class in one.data["permitted_fields"] for one in self.bridge.contracts)

    def is_constant_between(self, one: datetime, other: datetime) -> bool:
        """Tell whether a rendering of this snapshot is the same at both instants."""
        first, last = sorted((one, other))
        return not any(first < point <= last for point in self.index.turning_points)

    def code(self, record: Record) -> str:
        """Return the opaque code that stands for a record's object in this bridge's packages."""
        return self._code_of(record.source, record.recordid)

    @cached_property
    def _code_of(self) -> Callable[[str, str], str]:
        return cache(partial(opaque_code, self.code_key, self.snapshot.incident, self.bridge.bridge))

    def value(self, reference: RecordReference, source_field: str) -> object:
        """Return the value of a source field in a pinned record, or None where the record has none."""
        return value_at(self.records[reference].data, source_field.partition("#")[2])
