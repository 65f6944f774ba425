"""What can never fire, what no table maps and what would stand too wide is found, with a sentence that says what to do.

Each finding has its row here, and the shipped profile, in which none of them is, is the negative twin of them all.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest

import dagster_project
from dagster_project.application.profiles import shipped_profile, shipped_profile_names
from dagster_project.packaging.context import ProfileTables
from dagster_project.packaging.lineage import lineage_of
from dagster_project.packaging.policy_reach import STANDARD_ORDERS
from dagster_project.packaging.profile import Action, Capability, Profile, RegionBucket, Rule, Slot, Template
from dagster_project.packaging.profile_findings import finding_meanings
from dagster_project.packaging.profile_reach import CONDITIONS, READS, TABLES
from dagster_project.packaging.profile_validation import ERROR, WARNING, validate_profile
from dagster_project.packaging.rendering import render
from dagster_project.packaging.review_policy import Materiality
from dagster_project.sources.known_words import is_known_word, known_vocabularies
from dagster_project.sources.registry import shipped_registry
from dagster_project.sources.source_fields import all_source_fields
from tests.support.histories import story

SHIPPED = shipped_profile("customer_bridge")
POLICY = SHIPPED.review_policy
PACKAGING = Path(dagster_project.__file__).parent / "packaging"
# The modules in which findings are made or named by code.
JUDGING = ("profile_validation", "profile_reach", "policy_reach", "review_policy")
Found = tuple[str, str, str]


def findings(profile: Profile) -> set[Found]:
    return {(one.level, one.code, one.where) for one in validate_profile(profile)}


def with_parts(**parts: Any) -> Profile:  # noqa: ANN401 - any part of a profile
    return msgspec.structs.replace(SHIPPED, **parts)


def with_policy(**parts: Any) -> Profile:  # noqa: ANN401 - any part of a policy
    return with_parts(review_policy=msgspec.structs.replace(POLICY, **parts))


def with_rules(**changes: Mapping[str, Any] | None) -> Profile:
    """Return the shipped profile with rules changed by id (dashes as underscores); None takes one out."""
    rules = []
    for rule in SHIPPED.rules:
        change = changes.get(rule.id.replace("-", "_"), {})
        if change is not None:
            rules.append(msgspec.structs.replace(rule, **change))
    return with_parts(rules=tuple(rules))


def annexed() -> dict[str, Any]:
    return {"action": Action.ANNEX, "audience": "security"}


def added(*rules: Rule, **parts: Any) -> Profile:  # noqa: ANN401 - any part of a profile
    return with_parts(rules=(*SHIPPED.rules, *rules), **parts)


def held_without_slot() -> Profile:
    rest = tuple(one for one in SHIPPED.rules if one.id != "observed-host")
    covers = ("service-health#/host", "service-health#/note")
    return with_parts(rules=(*rest, Rule("observed-host", covers, Action.HOLD, audience="security")))


def lexicons(**parts: Any) -> Profile:  # noqa: ANN401 - any part of the lexicons
    return with_parts(lexicons=msgspec.structs.replace(SHIPPED.lexicons, **parts))


def row(old: str, new: str, field_class: str = "checkpoint") -> Materiality:
    return Materiality(field_class=field_class, old=old, new=new, material=True)


POINTLESS: list[tuple[Profile, Found]] = [
    # rules
    (added(Rule("none", (), Action.IGNORE)), (WARNING, "rule_never_fires", "none")),
    (
        with_rules(severity={"covers": ("incident#/severity", "incident#/note")}),
        (WARNING, "source_field_covered_twice", "incident#/note: incident-actions, severity (incident-actions wins)"),
    ),
    (
        with_rules(incident_people={"action": Action.RENDER}),
        (WARNING, "render_rule_shows_nothing", "incident-people"),
    ),
    (held_without_slot(), (WARNING, "hold_shows_nowhere", "observed-host")),
    (
        with_parts(slots=SHIPPED.slots | {"attic": Slot("attic", "security")}),
        (WARNING, "slot_never_used", "attic"),
    ),
    # statements
    (
        with_parts(templates=SHIPPED.templates | {"poem": Template("{minutes} lines.", {"minutes": "minutes"})}),
        (WARNING, "template_never_used", "poem"),
    ),
    (with_rules(workaround_article=annexed()), (WARNING, "template_never_used", "workaround_article")),
    (
        with_rules(workaround_article={"template": "committed_cadence"}),
        (WARNING, "template_never_fits", "workaround-article: committed_cadence"),
    ),
    (
        with_rules(workaround_article={"template": None}),
        (WARNING, "statement_without_template", "workaround-article: workaround#/reference"),
    ),
    # words
    (
        with_parts(status_codes=SHIPPED.status_codes | {"purple": "degraded"}),
        (WARNING, "mapping_never_reached", "status_codes/purple"),
    ),
    (
        with_parts(severities={"SEV1": "severity_1", "SEV2": "severity_2", "SEV4": "severity_4"}),
        (WARNING, "source_word_not_mapped", "severities/SEV3 (operations)"),
    ),
    (
        with_parts(status_codes=SHIPPED.status_codes | {"SERVICE_OUTAGE": "major_outage"}),
        (WARNING, "source_word_not_mapped", "status_codes/SERVICE_DISRUPTION (google-cloud)"),
    ),
    (with_rules(severity=annexed()), (WARNING, "table_never_consulted", "severities")),
    (with_rules(workaround=annexed()), (WARNING, "table_never_consulted", "readiness_codes")),
    # groups and ages
    (
        with_parts(capabilities=SHIPPED.capabilities | {"fax": Capability("Fax", ())}),
        (WARNING, "capability_never_shown", "fax"),
    ),
    (
        with_parts(region_buckets=SHIPPED.region_buckets | {"moon": RegionBucket("Moon", ())}),
        (WARNING, "region_bucket_never_shown", "moon"),
    ),
    (
        with_parts(freshness_minutes=SHIPPED.freshness_minutes | {"incidents": 5}),
        (ERROR, "no_such_record_type", "freshness_minutes/incidents"),
    ),
    (
        with_parts(freshness_minutes=SHIPPED.freshness_minutes | {"customer-status": 5}),
        (WARNING, "freshness_never_applies", "freshness_minutes/customer-status"),
    ),
    # names and terms
    (
        with_rules(dependency_vendors=annexed()),
        (WARNING, "approved_names_never_said", "lexicons/approved_public_names"),
    ),
    (
        lexicons(denied_terms=("relay-07", "NORTH GATE")),
        (WARNING, "denied_term_never_matches", "lexicons/denied_terms/1"),
    ),
    (lexicons(denied_terms=("db-1",)), (WARNING, "denied_term_never_matches", "lexicons/denied_terms/0")),
    (
        lexicons(denied_terms=("relay-07", "Relay 07")),
        (WARNING, "denied_term_never_matches", "lexicons/denied_terms/1"),
    ),
    # review policy
    (
        with_policy(materiality=(row("*", "recovered"), row("detected", "recovered"))),
        (WARNING, "materiality_row_never_decides", "review_policy/materiality/1"),
    ),
    (
        with_policy(materiality=(row("*", "*", "mood"),)),
        (WARNING, "no_such_field_class", "review_policy/materiality/mood"),
    ),
    (
        with_policy(materiality=(row("detectd", "*"),)),
        (WARNING, "no_such_value", "review_policy/materiality/checkpoint/detectd"),
    ),
    (
        with_policy(listed_worsenings={"incident_status": (("monitoring", "identified"),)}),
        (
            WARNING,
            "listed_worsening_never_stands",
            "review_policy/listed_worsenings/incident_status: monitoring to identified",
        ),
    ),
    (
        with_policy(standing=("inserted_hold",)),
        (
            WARNING,
            "listed_worsening_never_stands",
            "review_policy/listed_worsenings/severity: severity_2 to severity_1",
        ),
    ),
]
TOO_WIDE: list[tuple[Profile, Found]] = [
    (
        with_policy(standing=("listed_worsening", "improvement")),
        (ERROR, "standing_approval_too_wide", "review_policy/standing/improvement"),
    ),
    (
        with_policy(
            orders=POLICY.orders | {"template_parameter": (("15", "30"),)},
            listed_worsenings={"template_parameter": (("15", "30"),)},
        ),
        (ERROR, "standing_approval_too_wide", "review_policy/listed_worsenings/template_parameter"),
    ),
    (
        with_policy(orders=POLICY.orders | {"severity": (("severity_1", "severity_2"),)}),
        (ERROR, "order_contradicts_standard", "review_policy/orders/severity: severity_1 before severity_2"),
    ),
    (
        with_policy(orders=POLICY.orders | {"checkpoint": (("detected", "engaged"), ("engaged", "detected"))}),
        (ERROR, "order_contradicts_itself", "review_policy/orders/checkpoint: detected before engaged"),
    ),
    *(
        (
            with_policy(requirements=POLICY.requirements | {name: tuple(roles[1:])}),
            (ERROR, "review_policy_too_weak", f"review_policy/requirements/{name}"),
        )
        for name, roles in POLICY.requirements.items()
        if roles
    ),
]


@pytest.mark.parametrize(
    ("profile", "found"), [*POINTLESS, *TOO_WIDE], ids=lambda one: "-".join(one[1:]) if isinstance(one, tuple) else ""
)
def test_it_is_found_and_the_shipped_profile_has_it_not(profile: Profile, found: Found) -> None:
    assert found in findings(profile)
    assert found[1] not in {code for _level, code, _where in findings(SHIPPED)}


@pytest.mark.parametrize("name", shipped_profile_names())
def test_in_the_shipped_profiles_everything_can_fire_and_every_known_word_is_mapped(name: str) -> None:
    assert {one.code for one in validate_profile(shipped_profile(name))} <= {"source_text_declared_trusted"}


def test_an_order_turned_round_would_let_an_improvement_leave_as_a_listed_worsening() -> None:
    """What the finding is there for: without it the profile's own approval would cover what R3 asks two people for."""
    turned = msgspec.structs.replace(
        POLICY,
        orders={"severity": (("severity_1", "severity_2"),)},
        listed_worsenings={"severity": (("severity_1", "severity_2"),)},
    )
    assert turned.is_listed_worsening("severity", "severity_1", "severity_2")
    assert "order_contradicts_standard" in {code for _, code, _ in findings(with_parts(review_policy=turned))}


def test_the_shipped_orders_keep_to_the_standard_ones() -> None:
    for field_class, standard in STANDARD_ORDERS.items():
        for better, worse in combinations(standard, 2):
            assert POLICY.is_better(field_class, better, worse), (field_class, better, worse)


# ---- a sentence for every code ----------------------------------------------------------------------------------


def words_in(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if (
            isinstance(one, ast.Constant)
            and isinstance(one.value, str)
            and re.fullmatch(r"[a-z]+(_[a-z]+)+", one.value)
        ):
            yield one.value


def codes_in(tree: ast.Module) -> Iterator[str]:
    """Yield the codes that a module names: as `code=` of a finding, as the first of a pair yielded or walked."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            yield from words_in(node.value)
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            yield from words_in(node.value.elts[0])
        if isinstance(node, ast.For) and ast.unparse(node.target).startswith("(code, "):
            pairs = [one for one in ast.walk(node.iter) if isinstance(one, ast.Tuple) and len(one.elts) == 2]
            yield from (word for one in pairs for word in words_in(one.elts[0]))


def test_every_code_has_a_sentence_and_every_sentence_a_code() -> None:
    named = {code for module in JUDGING for code in codes_in(ast.parse((PACKAGING / f"{module}.py").read_text()))}
    assert {"component_mapped_twice", "template_needs_one_parameter", "order_contradicts_standard"} <= named
    assert named == finding_meanings().keys()
    for sentence in finding_meanings().values():
        assert sentence.endswith(".")
        assert sentence.count(". ") >= 1, "what it means, and what to do"


def test_the_codes_that_are_found_here_are_among_those_that_have_a_sentence() -> None:
    every = [*POINTLESS, *TOO_WIDE]
    assert {code for profile, _ in every for _, code, _ in findings(profile)} <= finding_meanings().keys()


# ---- what the tables claim --------------------------------------------------------------------------------------


def test_pages_read_exactly_the_source_fields_that_count_as_read() -> None:
    tables = ProfileTables(SHIPPED)
    cited = {
        one.source_field
        for history in story()
        for context in history.contexts(tables).values()
        for group in lineage_of(context, render(context)).groups
        for one in group.draft.inputs
        if not one.masking and not one.source_field.endswith("#/")
    }
    read = frozenset().union(*READS.values())
    assert cited - CONDITIONS == read
    assert read | CONDITIONS <= {str(one) for one in all_source_fields()}


def test_a_part_is_not_there_without_the_field_that_it_depends_on() -> None:
    history = story()[-10]
    for source_field, reads in READS.items():
        rules = [one for one in SHIPPED.rules if source_field in one.covers]
        annex = Rule("kept", (source_field,), Action.ANNEX, audience="security")
        rest = [one for one in SHIPPED.rules if one not in rules]
        narrowed = [msgspec.structs.replace(one, covers=tuple({*one.covers} - {source_field})) for one in rules]
        tables = ProfileTables(with_parts(rules=(*rest, *narrowed, annex)))
        for context in history.contexts(tables).values():
            direct = {
                one.source_field
                for field in render(context).fields
                for one in field.draft.inputs
                if one.relation == "DIRECT" and field.hold is None
            }
            assert source_field not in direct
            assert not (reads - frozenset().union(*(READS[one] for one in READS if one != source_field))) & direct


def test_known_words_are_of_known_sources_and_of_fields_that_profiles_map() -> None:
    for vocabulary in known_vocabularies():
        assert vocabulary.words.keys() <= TABLES.keys()
        for source in vocabulary.sources:
            for source_field in vocabulary.words:
                types = {one.partition("#")[0] for one in vocabulary.words}
                assert any(shipped_registry().allows(source, kind) for kind in types), (source, source_field)


def test_a_severity_may_be_any_term_that_is_tied_to_severity_one() -> None:
    assert is_known_word("incident#/severity", "P0")
    assert is_known_word("incident#/severity", "Sev-1")
    assert not is_known_word("incident#/severity", "gruesome")
    assert not is_known_word("incident#/state", "P0")
