"""The disclosure profile: what one channel may say, and in which words (YAML, one per channel).

Belongs here: the typed profile, reading it from YAML text, its digests, and which rule wins for a source field.
Judging a profile (coverage, overlaps, dead rules) is `profile_validation`; applying it is `rendering`.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.digests import digest_of
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.review_policy import ReviewPolicy


class Action(StrEnum):
    """What a rule does with a source field. Where rules overlap, the later of these wins."""

    RENDER = "render"
    IGNORE = "ignore"
    ANNEX = "annex"
    HOLD = "hold"

    @property
    def rank(self) -> int:
        """How restrictive the action is: 0 for render, 3 for hold (the one that stays visible)."""
        return list(Action).index(self)


class Capability(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer buys and would name; source components map to it."""

    name: str
    components: tuple[str, ...]


class RegionBucket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer-safe grouping of internal regions."""

    name: str
    regions: tuple[str, ...]


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A declared place where something may be on hold, always present in the package."""

    category: str
    review_role: str


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens with the source fields it covers (``type#/pointer``).

    `slot` is where a hold of these fields shows: for a rendered field the slot `other` unless named, for an
    annex no slot unless named. `audience` is who may open the annex; `template` is the
    statement that the fields make once they may be shown. `trusted` declares that a rendered text comes from a
    controlled list and needs no leak scan while rendering; the release check does not take the profile's word
    for it.
    """

    id: str
    covers: tuple[str, ...]
    action: Action
    slot: str | None = None
    audience: str | None = None
    template: str | None = None
    trusted: bool = False


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An approved sentence. `parameters` maps each name to its type; no other text enters a package."""

    text: str
    parameters: dict[str, str]


class Lexicons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names that may be said in public, by internal name, and terms that never may."""

    approved_public_names: dict[str, str] = {}
    denied_terms: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One channel's disclosure profile (design section 6). Maps are from the source's word to ours."""

    name: str
    channel: str
    label: str
    expires: Annotated[datetime, msgspec.Meta(tz=True)]
    freshness_minutes: dict[str, int]
    capabilities: dict[str, Capability]
    region_buckets: dict[str, RegionBucket]
    status_codes: dict[str, str]
    incident_states: dict[str, str]
    severities: dict[str, str]
    readiness_codes: dict[str, str]
    checkpoint_kinds: dict[str, str]
    slots: dict[str, Slot]
    rules: tuple[Rule, ...]
    templates: dict[str, Template]
    lexicons: Lexicons
    review_policy: ReviewPolicy


def read_profile(document: object, *, where: str) -> Profile:
    """Turn parsed YAML into a profile.

    Args:
        document: What a safe YAML loader returned.
        where: The name to show in errors.

    Raises:
        UnsafeOrRejected: an unknown key, a missing key or a wrong type; the message names the key.
    """
    try:
        return msgspec.convert(document, Profile, strict=True)
    except msgspec.ValidationError as error:
        raise UnsafeOrRejected(
            "profile_malformed",
            what=f"the profile does not have the form of a disclosure profile: {error}",
            where=where,
            what_to_do="Correct the key that is named; `channelsafe profile validate` lists every finding.",
        ) from error


def profile_document(profile: Profile) -> dict[str, Any]:
    """Return the profile as canonical JSON content, the form that its digest is taken of."""
    document: dict[str, Any] = document_of(profile)
    return document


def profile_digest(profile: Profile) -> str:
    """Return the digest that identifies this profile: an edit is another profile."""
    return digest_of(profile_document(profile))


def winning_rules(profile: Profile) -> Mapping[str, Rule]:
    """Return the rule that decides each covered source field; the most restrictive wins (design section 6)."""
    winners: dict[str, Rule] = {}
    for rule in profile.rules:
        for source_field in rule.covers:
            present = winners.get(source_field)
            if present is None or (rule.action.rank, rule.id) > (present.action.rank, present.id):
                winners[source_field] = rule
    return winners


# The profile tables that a transformation consults, so that a rule's digest moves when its tables do.
TABLES_BY_TRANSFORMATION: Mapping[str, tuple[str, ...]] = {
    "map_severity": ("severities",),
    "incident_status": ("incident_states",),
    "document_status": ("incident_states",),
    "worst_status": ("status_codes", "capabilities", "region_buckets"),
    "status_since": ("status_codes", "capabilities", "region_buckets"),
    "readiness": ("readiness_codes",),
    "capabilities_helped": ("capabilities",),
    "checkpoint": ("checkpoint_kinds",),
    "approved_public_names": ("lexicons", "templates"),
    "typed_parameter": ("templates",),
}


def rule_digest(profile: Profile, rule: Rule, transformation: str) -> str:
    """Return the digest of a rule as one transformation applies it: the rule and the tables it consults."""
    document = profile_document(profile)
    tables = {name: document[name] for name in TABLES_BY_TRANSFORMATION.get(transformation, ())}
    return digest_of({"rule": document_of(rule), "tables": tables, "transformation": transformation})
