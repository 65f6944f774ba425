"""The writing rules: every example of every rule, every part of a rule needed, and what is denied is no claim."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.application.rule_book import seen_in_public
from dagster_project.application.writing import shipped_judge, text_judge
from dagster_project.errors import UsageError
from dagster_project.packaging import view_wording
from dagster_project.packaging.rendering import render
from dagster_project.packaging.views import views_of
from dagster_project.scanning.shipped import shipped_document, shipped_rules, shipped_writing_rules
from dagster_project.scanning.wording import NO_NAMES, DeniedNames, judge_wording
from dagster_project.scanning.writing_rules import WritingRule, WritingRules, writing_rules_of
from tests.support.drawn_examples import drawn
from tests.support.histories import FULL, head, shipped_tables, story
from tests.support.shown_words import shown_words

SHIPPED = shipped_writing_rules()
BY_ID = {one.id: one for one in SHIPPED.rules}
JUDGING = [one for one in SHIPPED.rules if one.judges_texts]
BY_CONSTRUCTION = [one for one in SHIPPED.rules if not one.judges_texts]
JUDGE = shipped_judge()
FIXTURES = Path(__file__).parents[1] / "fixtures_data"


def broken(text: str, names: DeniedNames = NO_NAMES) -> set[str]:
    return {one.rule for one in judge_wording(text, names, judge=JUDGE)}


def test_every_writing_rule_is_there_once_and_in_order() -> None:
    assert [one.id for one in SHIPPED.rules] == [*(f"N{n}" for n in range(1, 14)), *(f"M{n}" for n in range(1, 18))]


def test_every_abbreviated_source_is_explained_and_every_explanation_is_of_use() -> None:
    told = {one.id: set(re.findall(r"\b[A-Z]{2,5}(?:-[A-Z]{2,3})?\b|\bG1\b", one.source)) for one in SHIPPED.rules}
    no_abbreviations = {"SLA", "CAP", "SP"}
    assert set().union(*told.values()) - no_abbreviations == set(SHIPPED.sources)


# ---- examples ----------------------------------------------------------------------------------------------------


def names_of(rule: WritingRule) -> DeniedNames:
    return DeniedNames({rule.id: rule.example_names}, rule.example_public_names)


@pytest.mark.parametrize("rule", JUDGING, ids=lambda one: one.id)
def test_the_examples_of_a_rule_that_fail_break_it_and_those_that_pass_break_none(rule: WritingRule) -> None:
    for seed in range(3):
        for text in rule.fails:
            found = judge_wording(drawn(text, seed=seed), names_of(rule), judge=JUDGE)
            assert (rule.id, rule.severity) in {(one.rule, one.severity) for one in found}, text
            assert all(0 <= one.start < one.end <= len(drawn(text, seed=seed)) for one in found)
        for text in rule.passes:
            assert judge_wording(drawn(text, seed=seed), names_of(rule), judge=JUDGE) == (), text


# ---- every part of a rule is needed ------------------------------------------------------------------------------


def parts_of(rule: WritingRule) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what could be taken away from a rule, each with the rule's attributes after that."""
    for name in ("patterns", "unless", "finding_types"):
        parts = getattr(rule, name)
        for place, part in enumerate(parts):
            # The same finding under two types is one part: an address may be both.
            if part != "IP_PUBLIC":
                yield f"{name}[{place}]", {name: (*parts[:place], *parts[place + 1 :])}
    if rule.denial_passes:
        yield "denial_passes", {"denial_passes": False}


PARTS = [(rule.id, name, change) for rule in JUDGING for name, change in parts_of(rule)]


def misjudged(rule: WritingRule, examples: WritingRule) -> list[str]:
    """Return the examples that a rule, alone, does not judge as they are given."""
    if "IP_PUBLIC" in rule.finding_types and "IP_ADDRESS" not in rule.finding_types:
        rule = msgspec.structs.replace(rule, finding_types=tuple({*rule.finding_types} - {"IP_PUBLIC"}))
    judge = text_judge(WritingRules({}, (rule,)), shipped_rules())
    names = names_of(examples)
    failing = [one for one in examples.fails if not judge_wording(drawn(one), names, judge=judge)]
    return [*failing, *(one for one in examples.passes if judge_wording(drawn(one), names, judge=judge))]


@pytest.mark.parametrize("rule", JUDGING, ids=lambda one: one.id)
def test_a_rule_judges_its_examples_alone_and_without_it_they_are_misjudged(rule: WritingRule) -> None:
    assert misjudged(rule, rule) == []
    rest = text_judge(WritingRules({}, tuple(one for one in SHIPPED.rules if one is not rule)), shipped_rules())
    for text in rule.fails:
        assert rule.id not in {one.rule for one in judge_wording(drawn(text), names_of(rule), judge=rest)}


@pytest.mark.parametrize(("rule", "part", "change"), PARTS, ids=[f"{rule} {part}" for rule, part, _ in PARTS])
def test_without_any_part_of_a_rule_an_example_is_misjudged(rule: str, part: str, change: dict[str, Any]) -> None:
    assert misjudged(msgspec.structs.replace(BY_ID[rule], **change), BY_ID[rule]) != [], part


def test_without_its_names_a_rule_by_names_judges_no_example() -> None:
    for rule in JUDGING:
        named = [one for one in rule.fails if rule.example_names and rule.id not in broken(drawn(one))]
        assert bool(named) == bool(rule.example_names), rule.id


# ---- denials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "We have no ETA.",
        "We don\N{RIGHT SINGLE QUOTATION MARK}t have an ETA yet.",
        "We cannot give an ETA.",
        "We are unable to provide an estimated time of recovery.",
        "There is currently no estimated time of resolution.",
        "ETA: none.",
        "The ETA for the last two regions is still unknown.",
        "The ETA isn't known.",
        "The root cause has not been identified.",
        "The root cause is under investigation.",
        "Root cause: to be determined.",
        "The delay is not due to your account.",
    ],
)
def test_what_is_denied_passes(text: str) -> None:
    assert broken(text) == set()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("There is no doubt: the ETA is noon.", "N4"),
        ("No change: ETA noon.", "N4"),
        ("The ETA is noon and not later.", "N4"),
        ("We do not have an ETA, the ETA of yesterday was noon.", "N4"),
        ("Not only was it caused by load.", "N6"),
        ("The root cause is load and not known elsewhere.", "N6"),
        ("We no longer investigate. The root cause is load.", "N6"),
        ("We investigate. It was caused by load.", "N6"),
        ("There is no sign of an exploit.", "N7"),
        ("There will be no refund.", "N8"),
    ],
)
def test_what_stands_beside_a_denial_is_no_denial(text: str, rule: str) -> None:
    assert rule in broken(text)


@pytest.mark.parametrize("rule", JUDGING, ids=lambda one: one.id)
def test_no_sentence_before_or_after_it_excuses_one_that_breaks_a_rule(rule: WritingRule) -> None:
    around = " ".join(drawn(one) for other in JUDGING for one in other.passes if other.id != "N10")
    alone = [
        (drawn(one), {it.rule for it in judge_wording(drawn(one), names_of(rule), judge=JUDGE)}) for one in rule.fails
    ]
    for text, rules in alone:
        for whole in (f"{around} {text}", f"{text} {around}"):
            assert rules <= {one.rule for one in judge_wording(whole, names_of(rule), judge=JUDGE)}, text


@given(st.text(max_size=200), st.sampled_from([one for rule in JUDGING for one in rule.fails]))
@settings(max_examples=500 if FULL else 25, deadline=None)
def test_any_text_is_judged_alike_each_time_and_places_lie_in_it(text: str, example: str) -> None:
    whole = text + drawn(example)
    found = judge_wording(whole, NO_NAMES, judge=JUDGE)
    assert found == judge_wording(whole, NO_NAMES, judge=JUDGE) == tuple(sorted(set(found)))
    assert all(0 <= one.start < one.end <= len(whole) for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "It will be f\u200bixed by 14:00.",
        "It will be f\u0456xed by 14:00.",
        "It will be fixed by 14\uff1a00.",
        "IT WILL BE FIXED BY NOON.",
    ],
)
def test_a_promise_is_found_in_other_readings_of_the_text(text: str) -> None:
    assert "N4" in broken(text)


def test_a_name_is_denied_as_a_word_in_any_spelling_and_not_inside_a_public_name() -> None:
    names = DeniedNames({"N2": ("mx-relay",), "N3": ("Fern",)}, ("Fern Valley",))
    assert [one.rule for one in judge_wording("MX_Relay and mx relay", names, judge=JUDGE)] == ["N2", "N2"]
    assert judge_wording("Fern Valley, mxrelays", names, judge=JUDGE) == ()
    assert [one.rule for one in judge_wording("Fern Valley and Fern", names, judge=JUDGE)] == ["N3"]


# ---- what is missed ----------------------------------------------------------------------------------------------


def test_the_share_of_unseen_sentences_that_is_blocked_is_what_the_page_says(announce: Callable[[str], None]) -> None:
    sentences = yaml.safe_load((FIXTURES / "unseen_wording.yaml").read_text())
    texts = [text for some in sentences.values() for text in some]
    found = [judge_wording(text, NO_NAMES, judge=JUDGE) for text in texts]
    blocked = sum(any(one.severity == "block" for one in some) for some in found)
    announce(f"{blocked} of {len(texts)} unseen sentences are blocked")
    seen = seen_in_public()
    assert (len(texts), blocked) == (seen.unseen_sentences, seen.unseen_blocked)


# ---- rules by construction ---------------------------------------------------------------------------------------


def named(path: str) -> Any:  # noqa: ANN401 - whatever stands there
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("rule", BY_CONSTRUCTION, ids=lambda one: one.id)
def test_a_rule_by_construction_names_what_enforces_it_and_tests_that_cite_it(rule: WritingRule) -> None:
    for path in rule.enforced_by:
        assert path.startswith("dagster_project.")
        assert callable(named(path)), path
    for path in rule.shown_by:
        test = named(path)
        assert path.startswith("tests.")
        assert test.__name__.startswith("test_")
        assert re.search(rf"\b{rule.id}\b", inspect.getsource(test)), f"{path} does not cite {rule.id}"


def test_no_rule_is_met_by_a_promised_time() -> None:
    assert "stale_after" in BY_ID["M4"].says
    assert "next_update" not in str(BY_ID["M4"].enforced_by)


# ---- views -------------------------------------------------------------------------------------------------------


def _own_words() -> Iterator[str]:
    for name, value in vars(view_wording).items():
        if name.isupper() and isinstance(value, str):
            yield value
        elif name.endswith(("_LABELS", "_SENTENCES")):
            yield from (one for one in value.values() if isinstance(one, str))


def test_no_word_of_the_views_breaks_a_rule() -> None:
    assert {text: broken(text) for text in _own_words() if broken(text)} == {}


def test_no_view_of_any_step_of_the_story_breaks_a_rule() -> None:
    vendors = tuple(head(story()[-1], "dependency", "DEP-204").data["vendors"])
    people = (head(story()[-1], "incident", "INC-4711").data["commander"]["name"],)
    profile = shipped_tables().profile
    components = tuple(one for capability in profile.capabilities.values() for one in capability.components)
    public = (
        *(one.name for one in profile.capabilities.values()),
        *profile.lexicons.approved_public_names.values(),
    )
    names = DeniedNames({"N2": components, "N3": vendors, "N9": people}, public)
    shown = {
        text
        for history in story()
        for context in history.contexts(shipped_tables()).values()
        for text in shown_words(views_of(render(context).content)).values()
    }
    assert len(shown) > 60
    assert {text: broken(text, names) for text in shown if broken(text, names)} == {}
    assert vendors[0] not in public
    assert broken(f"{next(iter(shown))} {vendors[0]} {people[0]} mx-relay", names) == {"N2", "N3", "N9"}


# ---- documents that are refused ----------------------------------------------------------------------------------


def _edited(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document: dict[str, Any] = shipped_document("wording")
    change(document["rules"][3])
    return document


@pytest.mark.parametrize(
    "change",
    [
        lambda rule: rule.update(passes=rule["passes"][:1]),
        lambda rule: rule.update(fails=rule["fails"][:1]),
        lambda rule: rule.update(patterns=[]),
        lambda rule: rule.update(patterns=["(?<=a)b", *rule["patterns"]]),
        lambda rule: rule.update(patterns=["("]),
        lambda rule: rule.update(unless=["("]),
        lambda rule: rule.update(enforcement="structure"),
        lambda rule: rule.update(enforcement="hope"),
        lambda rule: rule.update(severity="shrug"),
        lambda rule: rule.update(source=""),
        lambda rule: rule.update(id="N5"),
        lambda rule: rule.update(because="x"),
        lambda rule: rule.pop("why"),
    ],
)
def test_a_document_of_rules_that_is_not_sound_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    writing_rules_of(_edited(lambda _rule: None))
    with pytest.raises(UsageError):
        writing_rules_of(_edited(change))
