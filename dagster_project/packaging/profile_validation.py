"""Judging a profile: is it total, can every rule fire, and does it speak only words that exist.

Belongs here: findings over one profile. An error keeps a profile from being used at all; a warning names what is
likely to fail a release check or to surprise. What can never fire is found in `profile_reach` and `policy_reach`;
what a code means is in `profile_findings`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from dagster_project.packaging import vocabulary
from dagster_project.packaging.channels import CHANNELS, PUBLIC_PAGE, account_fields_shown
from dagster_project.packaging.policy_reach import (
    orders_turned_round,
    standing_beyond_closed_values,
    what_never_decides,
)
from dagster_project.packaging.profile import Action, Profile, winning_rules
from dagster_project.packaging.profile_reach import what_never_fires, words_not_mapped
from dagster_project.packaging.profile_wording import shown_texts
from dagster_project.packaging.review_policy import policy_faults
from dagster_project.packaging.transformations import PARAMETER_TYPES, TABLE_PARAMETER_TYPES
from dagster_project.scanning.wording import TextJudge, judge_wording
from dagster_project.sources.source_fields import all_source_fields, record_schemas

ERROR, WARNING = "error", "warning"


class Finding(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that is wrong with a profile, where, and how bad it is."""

    level: str
    code: str
    where: str


Judge = Callable[[Profile], Iterator[Finding]]


def _coverage(profile: Profile) -> Iterator[Finding]:
    known = {str(one) for one in all_source_fields()}
    covered = Counter(source_field for rule in profile.rules for source_field in rule.covers)
    for source_field in known - covered.keys():
        yield Finding(level=ERROR, code="source_field_not_covered", where=source_field)
    for source_field in covered.keys() - known:
        yield Finding(level=ERROR, code="no_such_source_field", where=source_field)
    winners = winning_rules(profile)
    for source_field, times in covered.items():
        if times > 1:
            rules = ", ".join(sorted(rule.id for rule in profile.rules if source_field in rule.covers))
            where = f"{source_field}: {rules} ({winners[source_field].id} wins)"
            yield Finding(level=WARNING, code="source_field_covered_twice", where=where)


def _rules(profile: Profile) -> Iterator[Finding]:
    for name, times in Counter(rule.id for rule in profile.rules).items():
        if times > 1 or name == "profile":
            yield Finding(level=ERROR, code="rule_id_not_unique", where=name)
    for rule in profile.rules:
        if rule.slot is not None and rule.slot not in profile.slots:
            yield Finding(level=ERROR, code="no_such_slot", where=rule.id)
        if rule.template is not None and rule.template not in profile.templates:
            yield Finding(level=ERROR, code="no_such_template", where=rule.id)
        if rule.action in {Action.ANNEX, Action.HOLD} and rule.audience not in vocabulary.REVIEW_ROLES:
            yield Finding(level=ERROR, code="withheld_without_audience", where=rule.id)
        if rule.trusted:
            yield Finding(level=WARNING, code="source_text_declared_trusted", where=rule.id)


_TABLES: Final = {
    "status_codes": vocabulary.STATUS_CHAIN,
    "incident_states": vocabulary.INCIDENT_STATUSES[:-1],
    "severities": vocabulary.SEVERITY_CODES[:-1],
    "readiness_codes": vocabulary.READINESS_CODES[:-1],
    "checkpoint_kinds": vocabulary.CHECKPOINTS[:-1],
}


def _words(profile: Profile) -> Iterator[Finding]:
    for table, words in _TABLES.items():
        for source_word, word in getattr(profile, table).items():
            if word not in words:
                yield Finding(level=ERROR, code="no_such_code", where=f"{table}/{source_word}")
    if profile.label not in vocabulary.LABELS:
        yield Finding(level=ERROR, code="no_such_label", where="label")
    for state, status in profile.status_codes.items():
        floor = vocabulary.STANDARD_STATE_FLOORS.get(state, status)
        if vocabulary.is_better(status, floor):
            yield Finding(level=WARNING, code="better_than_source", where=f"status_codes/{state}")


def _slots(profile: Profile) -> Iterator[Finding]:
    for slot in set(vocabulary.SHIPPED_SLOTS) - profile.slots.keys():
        yield Finding(level=ERROR, code="slot_missing", where=slot)
    for slot, entry in profile.slots.items():
        if entry.review_role not in vocabulary.REVIEW_ROLES:
            yield Finding(level=ERROR, code="no_such_role", where=slot)


def _maps(profile: Profile) -> Iterator[Finding]:
    components = Counter(name for one in profile.capabilities.values() for name in one.components)
    regions = Counter(name for one in profile.region_buckets.values() for name in one.regions)
    for code, names in (("component_mapped_twice", components), ("region_mapped_twice", regions)):
        for name, times in names.items():
            if times > 1:
                yield Finding(level=ERROR, code=code, where=name)


def _single_regions(profile: Profile) -> Iterator[Finding]:
    """A bucket with one region names it: that must be a name which may be said in public, and the bucket's own."""
    public = profile.lexicons.approved_public_names
    for bucket, entry in profile.region_buckets.items():
        if len(entry.regions) == 1 and public.get(entry.regions[0]) != entry.name:
            yield Finding(level=ERROR, code="bucket_names_one_region", where=f"region_buckets/{bucket}")


def _templates(profile: Profile) -> Iterator[Finding]:
    for name, template in profile.templates.items():
        wanted = int(name != profile.review_policy.fast_acknowledgement)
        if len(template.parameters) != wanted:
            yield Finding(
                level=ERROR,
                code="template_needs_one_parameter" if wanted else "acknowledgement_with_parameter",
                where=name,
            )
        for parameter, kind in template.parameters.items():
            if kind not in PARAMETER_TYPES and kind not in TABLE_PARAMETER_TYPES:
                yield Finding(level=ERROR, code="no_such_parameter_type", where=f"{name}/{parameter}")
            if "{" + parameter + "}" not in template.text:
                yield Finding(level=ERROR, code="parameter_not_in_text", where=f"{name}/{parameter}")


def _review_policy(profile: Profile) -> Iterator[Finding]:
    for code, where in policy_faults(profile.review_policy, frozenset(vocabulary.REVIEW_ROLES)):
        yield Finding(level=ERROR, code=code, where=where)
    if profile.review_policy.fast_acknowledgement not in profile.templates:
        yield Finding(level=ERROR, code="no_such_template", where="review_policy/fast_acknowledgement")


def _channel(profile: Profile) -> Iterator[Finding]:
    if profile.channel not in CHANNELS:
        yield Finding(level=ERROR, code="no_such_channel", where="channel")
    if profile.channel == PUBLIC_PAGE:
        for source_field in account_fields_shown(profile):
            yield Finding(level=ERROR, code="public_page_depends_on_contract", where=source_field)


def _reach(profile: Profile) -> Iterator[Finding]:
    for code, where in (*what_never_fires(profile), *what_never_decides(profile.review_policy)):
        yield Finding(level=WARNING, code=code, where=where)


def _vocabularies(profile: Profile) -> Iterator[Finding]:
    for code, where in words_not_mapped(profile):
        yield Finding(level=WARNING, code=code, where=where)


def _freshness(profile: Profile) -> Iterator[Finding]:
    for record_type in profile.freshness_minutes.keys() - record_schemas().keys():
        yield Finding(level=ERROR, code="no_such_record_type", where=f"freshness_minutes/{record_type}")


def _standing(profile: Profile) -> Iterator[Finding]:
    policy = profile.review_policy
    for code, where in (*orders_turned_round(policy), *standing_beyond_closed_values(policy)):
        yield Finding(level=ERROR, code=code, where=where)


JUDGES: tuple[Judge, ...] = (
    _coverage,
    _rules,
    _words,
    _vocabularies,
    _slots,
    _maps,
    _single_regions,
    _freshness,
    _templates,
    _review_policy,
    _standing,
    _channel,
    _reach,
)


def validate_profile(profile: Profile) -> tuple[Finding, ...]:
    """Return every finding over a profile, each once, errors first. A profile with an error must not be used."""
    return tuple(sorted({finding for judge in JUDGES for finding in judge(profile)}))


WordingGuard = Callable[[Profile, TextJudge], Iterator[Finding]]


def wording_code(rule: str) -> str:
    """Return the code of the finding that a text breaks a writing rule."""
    return f"writing_rule_{rule.lower()}"


def _texts(profile: Profile, judge: TextJudge) -> Iterator[Finding]:
    for shown in shown_texts(profile):
        broken = judge_wording(shown.text, shown.names, judge=judge)
        for rule, severity in sorted({(one.rule, one.severity) for one in broken}):
            level = WARNING if severity == "warn" else ERROR
            yield Finding(level=level, code=wording_code(rule), where=shown.where)


WORDING_GUARDS: tuple[WordingGuard, ...] = (_texts,)


def validate_wording(profile: Profile, judge: TextJudge) -> tuple[Finding, ...]:
    """Return where texts of a profile break a writing rule, errors first; a rule that only warns gives a warning."""
    return tuple(sorted(finding for guard in WORDING_GUARDS for finding in guard(profile, judge)))
