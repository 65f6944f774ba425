"""Every way in which something is held, dropped, refused or found fault with is registered, and each is needed.

The registries are the tuples that packaging walks. A static test sees to it that nothing outside them holds, refuses
or finds fault; for every guard a witness shows what it does, and that without this one guard it is not done.
"""

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import dagster_project
from dagster_project.application.writing import shipped_judge
from dagster_project.packaging import (
    absences,
    holds,
    profile_validation,
    release_check,
    release_rules,
    rendering,
    reviewed_fields,
)
from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.lineage import Lineage, lineage_of
from dagster_project.packaging.profile import Action, Profile, RegionBucket, Rule, Template
from dagster_project.packaging.profile_validation import validate_profile, validate_wording
from dagster_project.packaging.rendering import render
from dagster_project.packaging.review_inputs import ReviewInputs
from tests.support.guard_syntax import constructs, functions, serves_only
from tests.support.histories import (
    History,
    after,
    changed,
    head,
    relabelled,
    shipped_profile,
    shipped_tables,
    with_rule,
)

SOURCE = Path(dagster_project.__file__).parent
# What may be constructed only by the guards of one registry, in which module that registry is, and who else may.
CONSTRUCTED: dict[str, tuple[str, tuple[Any, ...], frozenset[str]]] = {
    "Hold": ("packaging/holds.py", (*holds.HOLD_GUARDS, *holds.REVIEW_GUARDS), frozenset()),
    "Absence": ("packaging/absences.py", absences.ABSENCE_GUARDS, frozenset()),
    "Reason": ("packaging/release_rules.py", release_rules.RELEASE_RULES, frozenset({"_judge", "_apply"})),
    "Finding": (
        "packaging/profile_validation.py",
        (*profile_validation.JUDGES, *profile_validation.WORDING_GUARDS),
        frozenset(),
    ),
}
# Only `cannot_be_judged` is said outside the rules themselves.
MAY_SAY_IT_CANNOT_JUDGE = "packaging/release_check.py"


# ---- nothing outside the registries ----------------------------------------------------------------------------


def offenders(tree: ast.Module, name: str, guards: set[str], allowed: frozenset[str]) -> list[str]:
    known = functions(tree)
    found = [one for one, body in known.items() if constructs(body, name) and one not in allowed]
    wrong = [one for one in found if not serves_only(one, guards, known)]
    outside = [one for one in tree.body if not isinstance(one, ast.FunctionDef) and constructs(one, name)]
    return [*wrong, *("not in a function" for _ in outside)]


def modules_that_know(name: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster_project.packaging")
            for alias in node.names
        }
        where = path.relative_to(SOURCE).as_posix()
        if name in imported or (where.startswith("packaging/") and constructs(tree, name)):
            yield where, tree


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_only_registered_guards_hold_refuse_or_find_fault(name: str) -> None:
    home, registry, also = CONSTRUCTED[name]
    guards = {one.__name__ for one in registry}
    found = {
        where: offenders(
            tree,
            name,
            guards if where == home else set(),
            also if where == MAY_SAY_IT_CANNOT_JUDGE else frozenset(),
        )
        for where, tree in modules_that_know(name)
    }
    assert home in found
    assert {where: who for where, who in found.items() if who} == {}


def test_the_static_test_finds_an_unregistered_guard() -> None:
    code = "def known(j):\n    return _made()\ndef _made():\n    return Hold()\ndef secret(j):\n    return Hold()\n"
    assert offenders(ast.parse(code), "Hold", {"known"}, frozenset()) == ["secret"]
    assert offenders(ast.parse(code), "Hold", set(), frozenset()) == ["_made", "secret"]


def test_outside_the_rules_only_what_cannot_be_judged_is_a_reason() -> None:
    tree = ast.parse((SOURCE / MAY_SAY_IT_CANNOT_JUDGE).read_text())
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    reasons = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "Reason"]
    codes = {ast.literal_eval(word.value) for one in reasons for word in one.keywords if word.arg == "code"}
    assert codes == {"cannot_be_judged"}


# ---- a witness for every guard ---------------------------------------------------------------------------------


def context(history: History, bridge: str = "harbourline", profile: Profile | None = None) -> RenderingContext:
    return history.contexts(ProfileTables(profile) if profile else shipped_tables())[bridge]


def altered(step: int, record_type: str, recordid: str, pointer: str, value: object) -> History:
    record = head(after(step), record_type, recordid)
    return after(step).replacing((record, changed(record, pointer, value)))


def waiting(history: History, pointer: str) -> RenderingContext:
    return replace(context(history), review=ReviewInputs(on_hold={pointer: "undecided"}))


def weaker_policy() -> set[str]:
    policy = shipped_profile().review_policy
    weaker = {**policy.requirements, "identified": ("incident_command",)}
    return findings(review_policy=msgspec.structs.replace(policy, requirements=weaker))


def hold_reasons(one: RenderingContext) -> set[str]:
    return {field.hold.reason for field in render(one).held if field.hold}


def absences_of(one: RenderingContext) -> set[tuple[str, str]]:
    return {(absence.reason, absence.pointer) for absence in render(one).absences}


def rules_hit(content: dict[str, Any], lineage: Lineage, one: RenderingContext) -> set[str]:
    check = release_check.release_check(content, lineage, one, predecessor_digest=None)
    return {reason.rule for reason in check.reasons}


def rules_hit_by(one: RenderingContext, judged_in: RenderingContext | None = None) -> set[str]:
    rendered = render(one)
    return rules_hit(rendered.content, lineage_of(one, rendered), judged_in or one)


def tampered(change: Callable[[dict[str, Any]], object]) -> set[str]:
    one = context(after(16))
    rendered = render(one)
    content = deepcopy(rendered.content)
    change(content)
    return rules_hit(content, lineage_of(one, rendered), one)


def with_groups(one: RenderingContext, keep: Callable[[Any], Any]) -> set[str]:
    rendered = render(one)
    lineage = lineage_of(one, rendered)
    groups = tuple(kept for group in lineage.groups if (kept := keep(group)) is not None)
    return rules_hit(rendered.content, msgspec.structs.replace(lineage, groups=groups), one)


def held_severity() -> Profile:
    rule = Rule(id="kept", covers=("incident#/severity",), action=Action.HOLD, audience="security")
    return with_rule(shipped_profile(), rule)


def claimed_twice() -> History:
    record = next(one for one in after(2).records if one.type == "contract" and one.data["account"] == "TIDEWATER")
    bridges = record.data["bridges"] | {"harbourline": {"incidents": ["*"]}}
    return after(2).replacing((record, changed(record, "/bridges", bridges)))


def inside_timeline() -> History:
    record = head(after(2), "bridge-timeline", "TL-4711-01")
    return after(2).replacing((record, relabelled(record, "internal")))


def inside_health() -> History:
    record = head(after(3), "service-health", "mx-relay/eu-west-1")
    return after(3).replacing((record, relabelled(record, "internal")))


def disputed_dependency() -> History:
    record = head(after(3), "dependency", "DEP-204")
    return after(3).adding(changed(record, "/note", "another copy"))


def flattering() -> Profile:
    shipped = shipped_profile()
    return msgspec.structs.replace(shipped, status_codes=shipped.status_codes | {"down": "operational"})


def findings(**exchanged: Any) -> set[str]:  # noqa: ANN401 - any part of a profile
    profile = msgspec.structs.replace(shipped_profile(), **exchanged)
    return {one.code for one in validate_profile(profile)}


def order_turned_round() -> set[str]:
    policy = shipped_profile().review_policy
    turned = {**policy.orders, "severity": (("severity_1", "severity_2", "severity_3", "severity_4"),)}
    return findings(review_policy=msgspec.structs.replace(policy, orders=turned))


def wording_findings(text: str) -> set[str]:
    templates = shipped_profile().templates | {"added": Template(text, {})}
    profile = msgspec.structs.replace(shipped_profile(), templates=templates)
    return {one.code for one in validate_wording(profile, shipped_judge())}


def two_parameters() -> set[str]:
    template = shipped_profile().templates["data_integrity"]
    doubled = msgspec.structs.replace(template, parameters=template.parameters | {"second": "minutes"})
    return findings(templates=shipped_profile().templates | {"doubled": doubled})


def component_twice() -> set[str]:
    capabilities = shipped_profile().capabilities
    return findings(capabilities=capabilities | {"again": capabilities["inbox-api"]})


def one_region_in_a_bucket() -> dict[str, RegionBucket]:
    return shipped_profile().region_buckets | {"south": RegionBucket("South", ("sa-east-1",))}


HARBOURLINE = "CTR-2031"
Witness = Callable[[], bool]
HOLDS: dict[str, Witness] = {
    "contract_lapsed": lambda: (
        "contract_lapsed"
        in hold_reasons(context(altered(2, "contract", HARBOURLINE, "/valid_until", "2026-02-01T00:00:00Z")))
    ),
    "claimed_by_two_contracts": lambda: "bridge_claimed_twice" in hold_reasons(context(claimed_twice())),
    "not_classified_customer": lambda: "classification" in hold_reasons(context(inside_health())),
    "profile_holds_it": lambda: "profile_rule" in hold_reasons(context(after(2), profile=held_severity())),
    "in_conflict": lambda: "conflicting_copies" in hold_reasons(context(after(16))),
    "fed_by_rejected_input": lambda: "rejected_input" in hold_reasons(context(after(19))),
    "no_value": lambda: "unknown_value" in hold_reasons(context(altered(2, "incident", "INC-4711", "/state", "odd"))),
    "leaks": lambda: "leak" in hold_reasons(context(after(17))),
    "told_otherwise": lambda: (
        "status_timing_disagreement"
        in hold_reasons(context(altered(11, "customer-status", "CS-88", "/incident_status", "resolved")))
    ),
}
ABSENCES: dict[str, Witness] = {
    "copies_in_conflict": lambda: ("conflicting_copies", "/affected_capabilities") in absences_of(context(after(16))),
    "rejected_inputs": lambda: ("rejected_input", "/affected_capabilities") in absences_of(context(after(19))),
    "unmapped_components": lambda: (
        ("unmapped_name", "/affected_capabilities")
        in absences_of(context(altered(3, "service-health", "console-web/us-east-1", "/component", "nobody")))
    ),
    "unmapped_regions": lambda: (
        ("unmapped_name", "/affected_capabilities/message-delivery/regions")
        in absences_of(context(altered(3, "service-health", "mx-relay/eu-west-1", "/region", "moon-1")))
    ),
    "entries_of_the_inside": lambda: ("classification", "/timeline") in absences_of(context(inside_timeline())),
    "no_entitlement": lambda: (
        ("entitlement_lapsed", "/affected_capabilities")
        in absences_of(context(altered(3, "entitlement", "ENT-5520", "/valid_until", "2026-02-01T00:00:00Z")))
    ),
    "required_but_missing": lambda: ("required_but_missing", "/workarounds") in absences_of(context(after(1))),
    "held_conflicts_without_fields": lambda: (
        ("conflicting_copies", "/statements") in absences_of(context(disputed_dependency()))
    ),
}
DROPS: dict[str, Witness] = {
    "not_permitted_by_contract": lambda: not render(context(after(6), "tidewater")).content["workarounds"],
    "entry_of_the_inside": lambda: (
        len(render(context(inside_timeline())).content["timeline"]) < len(render(context(after(2))).content["timeline"])
    ),
}
REASONS: dict[str, Witness] = {
    "schema": lambda: "schema" in tampered(lambda content: content.update(estimate="soon")),
    "lineage": lambda: "lineage" in tampered(lambda content: content.update(severity_code="severity_4")),
    "nothing_left_out": lambda: (
        "nothing_left_out"
        in with_groups(context(after(2)), lambda group: None if group.draft.pointer == "/severity_code" else group)
    ),
    "leak": lambda: "leak" in rules_hit_by(context(after(18), "tidewater", shipped_profile("customer-bridge-faulty"))),
    "honest_about_conflicts": lambda: (
        "honest_about_conflicts"
        in with_groups(context(after(16)), lambda group: msgspec.structs.replace(group, hold=None))
    ),
    "not_better_than_source": lambda: "not_better_than_source" in rules_hit_by(context(after(2), profile=flattering())),
    "holds_are_visible": lambda: (
        "holds_are_visible" in tampered(lambda content: content["held"]["other"].update(fields=[]))
    ),
    "permitted": lambda: (
        "permitted"
        in rules_hit_by(
            context(after(2)), context(altered(2, "contract", HARBOURLINE, "/permitted_fields", ["checkpoint"]))
        )
    ),
    "fresh": lambda: (
        "fresh" in rules_hit_by(replace(context(after(2)), evaluation_instant=after(2).at + timedelta(hours=2)))
    ),
}
FINDINGS: dict[str, Witness] = {
    "_coverage": lambda: "source_field_not_covered" in findings(rules=shipped_profile().rules[1:]),
    "_rules": lambda: "rule_id_not_unique" in findings(rules=(*shipped_profile().rules, shipped_profile().rules[0])),
    "_words": lambda: "no_such_code" in findings(severities={"SEV1": "very bad"}),
    "_slots": lambda: "slot_missing" in findings(slots={}),
    "_maps": lambda: "component_mapped_twice" in component_twice(),
    "_single_regions": lambda: "bucket_names_one_region" in findings(region_buckets=one_region_in_a_bucket()),
    "_templates": lambda: "template_needs_one_parameter" in two_parameters(),
    "_review_policy": lambda: "review_policy_too_weak" in weaker_policy(),
    "_channel": lambda: "no_such_channel" in findings(channel="billboard"),
    "_vocabularies": lambda: "source_word_not_mapped" in findings(severities={"SEV1": "severity_1"}),
    "_freshness": lambda: "no_such_record_type" in findings(freshness_minutes={"incidents": 60}),
    "_standing": lambda: "order_contradicts_standard" in order_turned_round(),
    "_reach": lambda: "mapping_never_reached" in findings(status_codes={"purple": "degraded"}),
}
WORDINGS: dict[str, Witness] = {
    "_texts": lambda: "writing_rule_n4" in wording_findings("It will be fixed within the hour."),
}
UNDECIDED: dict[str, Witness] = {
    "no_decision_yet": lambda: "undecided" in hold_reasons(waiting(after(2), "/severity_code")),
}
REGISTRIES: dict[str, tuple[Any, tuple[Any, ...], dict[str, Witness]]] = {
    # registry: (the module that walks it, its guards, their witnesses)
    "HOLD_GUARDS": (holds, holds.HOLD_GUARDS, HOLDS),
    "ABSENCE_GUARDS": (absences, absences.ABSENCE_GUARDS, ABSENCES),
    "REVIEW_GUARDS": (reviewed_fields, holds.REVIEW_GUARDS, UNDECIDED),
    "DROP_GUARDS": (rendering, rendering.DROP_GUARDS, DROPS),
    "RELEASE_RULES": (release_check, release_rules.RELEASE_RULES, REASONS),
    "JUDGES": (profile_validation, profile_validation.JUDGES, FINDINGS),
    "WORDING_GUARDS": (profile_validation, profile_validation.WORDING_GUARDS, WORDINGS),
}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_every_guard_has_a_witness_and_every_witness_a_guard(registry: str) -> None:
    _module, guards, witnesses = REGISTRIES[registry]
    assert [one.__name__ for one in guards] == [*dict.fromkeys(one.__name__ for one in guards)]
    assert {one.__name__ for one in guards} == set(witnesses)


@pytest.mark.parametrize(
    ("registry", "name"), [(registry, name) for registry, (_, _, known) in REGISTRIES.items() for name in known]
)
def test_what_a_guard_does_is_not_done_without_it(registry: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, guards, witnesses = REGISTRIES[registry]
    assert witnesses[name]()
    monkeypatch.setattr(module, registry, tuple(one for one in guards if one.__name__ != name))
    assert not witnesses[name]()


def test_a_bridge_that_two_contracts_open_names_no_capability_of_either() -> None:
    content = render(context(claimed_twice())).content
    assert content["affected_capabilities"] == {}
    assert content["not_affected"] == {}
    assert content["held"]["contract"]["slot_state"] == "on_hold"
