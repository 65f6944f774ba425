"""Reach: what of a profile can never make a difference to any page.

Belongs here: going over rules, templates, tables, slots, names and terms of one profile, and naming by code and place
what can never fire, and which known words of sources it does not map. How bad that is says `profile_validation`; the
review policy is gone over in `policy_reach`.

Never firing means: whatever records come, no page and no decision is another one without it.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Final

from dagster_project.packaging import vocabulary
from dagster_project.packaging.profile import Action, Profile, Rule, winning_rules
from dagster_project.packaging.transformations import PARAMETER_TYPES
from dagster_project.scanning.deny_list import is_too_short, normalise
from dagster_project.sources.known_words import STATES, Vocabulary, is_known_word, known_vocabularies
from dagster_project.sources.source_fields import record_schemas

Found = tuple[str, str]

# The table of the profile that maps the words of a source field.
TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bridge-timeline#/checkpoint": "checkpoint_kinds",
        "incident#/severity": "severities",
        "incident#/state": "incident_states",
        "service-health#/state": "status_codes",
        "workaround#/readiness": "readiness_codes",
    }
)
# The statements that a page can make: the source field that each is made of, and the type of its parameter.
STATEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "contract#/committed_cadence_minutes": "minutes",
        "dependency#/vendors": "public_names",
        "incident#/data_integrity": "data_integrity",
        "workaround#/reference": "reference",
    }
)
_STATUS: Final = "incident#/state"
_OBSERVED: Final = ("component", "region", "since", "state")
# Which source fields each part of a page reads. The part is there only where the rule over its first field, the key
# here, renders or holds it (`drafting`). A test holds that a page's lineage cites these and no others.
READS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "bridge-timeline#/checkpoint": frozenset({"bridge-timeline#/checkpoint", "bridge-timeline#/at"}),
        "contract#/committed_cadence_minutes": frozenset({"contract#/committed_cadence_minutes"}),
        "dependency#/vendors": frozenset({"dependency#/vendors"}),
        "incident#/data_integrity": frozenset({"incident#/data_integrity"}),
        "incident#/severity": frozenset({"incident#/severity"}),
        _STATUS: frozenset(
            {
                "customer-status#/incident_status",
                "incident#/cause_confirmed",
                "incident#/data_integrity",
                "incident#/monitoring_until",
                "incident#/resolution_confirmed_by",
                _STATUS,
            }
        ),
        "service-health#/state": frozenset(f"service-health#/{one}" for one in _OBSERVED),
        "workaround#/readiness": frozenset(f"workaround#/{one}" for one in ("applies_to", "readiness", "verified")),
        "workaround#/reference": frozenset({"workaround#/reference", "workaround#/readiness", "workaround#/verified"}),
    }
)
# Read for every page, whatever its rules say: by what right it shows anything, and what is cleared.
CONDITIONS: Final = frozenset(
    {
        *(f"contract#/{one}" for one in ("account", "bridges", "permitted_fields", "required_fields")),
        *(f"{kind}#/{one}" for kind in ("contract", "entitlement") for one in ("valid_from", "valid_until")),
        *(f"entitlement#/{one}" for one in ("account", "capabilities")),
        *(f"security-review#/{one}" for one in ("review_subject", "subject_version", "outcome", "scope")),
        *(f"security-review#/{one}" for one in ("channels", "expires")),
        "customer-status#/bridge",
        "dependency#/component",
    }
)
# Only records of these types feed values of fields, so only they can be too old for a page.
AGEING_TYPES: Final = frozenset(field.partition("#")[0] for field in READS)


class Reach:
    """One profile with what its rules let onto a page."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.winners: Mapping[str, Rule] = winning_rules(profile)

    def shapes(self, source_field: str) -> bool:
        """Tell whether a part of a page is made of a source field, visibly on hold or not."""
        rule = self.winners.get(source_field)
        return rule is not None and rule.action in {Action.RENDER, Action.HOLD}

    @cached_property
    def read(self) -> frozenset[str]:
        """The source fields that some part of a page reads under this profile."""
        parts = [fields for source_field, fields in READS.items() if self.shapes(source_field)]
        return CONDITIONS.union(*parts)

    @cached_property
    def won(self) -> Mapping[str, frozenset[str]]:
        """The source fields that each rule decides, by rule id."""
        found: dict[str, set[str]] = {}
        for source_field, rule in self.winners.items():
            found.setdefault(rule.id, set()).add(source_field)
        return {rule: frozenset(fields) for rule, fields in found.items()}

    @cached_property
    def templates_in_use(self) -> frozenset[str]:
        """The templates in which a page can say something."""
        said = [self.winners[one].template for one in STATEMENTS if self.shapes(one)]
        return frozenset({self.profile.review_policy.fast_acknowledgement, *(one for one in said if one is not None)})

    @cached_property
    def spoken(self) -> tuple[Vocabulary, ...]:
        """The vocabularies that count for this profile."""
        states = self.profile.status_codes
        return tuple(
            one for one in known_vocabularies() if STATES not in one.words or states.keys() & {*one.words[STATES]}
        )


def what_never_fires(profile: Profile) -> Iterator[Found]:
    """Yield code and place of everything in a profile, its review policy apart, that can never make a difference."""
    reach = Reach(profile)
    yield from chain(
        _rules(reach), _statements(reach), _tables(reach), _groups(profile), _freshness(profile), _lexicons(reach)
    )


def words_not_mapped(profile: Profile) -> Iterator[Found]:
    """Yield code and place of every known word of a source that a page would have to show, and no table maps."""
    reach = Reach(profile)
    for source_field, table in TABLES.items():
        mapped = getattr(profile, table)
        for one in reach.spoken if reach.shapes(source_field) else ():
            for word in one.words.get(source_field, ()):
                if word not in mapped:
                    yield "source_word_not_mapped", f"{table}/{word} ({one.name})"


def _rules(reach: Reach) -> Iterator[Found]:
    for rule in reach.profile.rules:
        won = reach.won.get(rule.id, frozenset())
        if not won:
            yield "rule_never_fires", rule.id
        elif won & reach.read:
            continue
        elif rule.action is Action.RENDER:
            yield "render_rule_shows_nothing", rule.id
        elif rule.action is Action.HOLD and rule.slot is None:
            yield "hold_shows_nowhere", rule.id
    named = {rule.slot for rule in reach.winners.values()}
    for slot in reach.profile.slots.keys() - named - {*vocabulary.SHIPPED_SLOTS}:
        yield "slot_never_used", slot


def _statements(reach: Reach) -> Iterator[Found]:
    for source_field, kind in STATEMENTS.items():
        if not reach.shapes(source_field):
            continue
        rule = reach.winners[source_field]
        template = reach.profile.templates.get(rule.template or "")
        if rule.template is None:
            yield "statement_without_template", f"{rule.id}: {source_field}"
        elif template is not None and {*template.parameters.values()} != {kind}:
            yield "template_never_fits", f"{rule.id}: {rule.template}"
    for name in reach.profile.templates.keys() - reach.templates_in_use:
        yield "template_never_used", name


def _tables(reach: Reach) -> Iterator[Found]:
    for source_field, table in TABLES.items():
        mapped = getattr(reach.profile, table)
        if mapped and not reach.shapes(source_field):
            yield "table_never_consulted", table
            continue
        for word in mapped:
            if not is_known_word(source_field, word):
                yield "mapping_never_reached", f"{table}/{word}"


def _groups(profile: Profile) -> Iterator[Found]:
    for name, capability in profile.capabilities.items():
        if not capability.components:
            yield "capability_never_shown", name
    for name, bucket in profile.region_buckets.items():
        if not bucket.regions:
            yield "region_bucket_never_shown", name


def _freshness(profile: Profile) -> Iterator[Found]:
    for record_type in profile.freshness_minutes.keys() & record_schemas().keys():
        if record_type not in AGEING_TYPES:
            yield "freshness_never_applies", f"freshness_minutes/{record_type}"


def _lexicons(reach: Reach) -> Iterator[Found]:
    """Places are positions: what is denied is an internal name, and is not repeated."""
    lexicons = reach.profile.lexicons
    names = [kind for kind in STATEMENTS if STATEMENTS[kind] not in PARAMETER_TYPES]
    said = any(reach.shapes(one) and reach.winners[one].template for one in names)
    if lexicons.approved_public_names and not said:
        yield "approved_names_never_said", "lexicons/approved_public_names"
    approved = {normalise(name) for name in lexicons.approved_public_names.values()}
    seen: set[str] = set()
    for position, term in enumerate(lexicons.denied_terms):
        plain = normalise(term)
        if is_too_short(plain) or plain in approved | seen:
            yield "denied_term_never_matches", f"lexicons/denied_terms/{position}"
        seen.add(plain)
