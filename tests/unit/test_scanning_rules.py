"""The scanner: what each rule finds and passes, in which readings of a text, and that both engines agree."""

import base64
import importlib.util

import msgspec
import pytest

from dagster_project.errors import UsageError
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.preselection import HyperscanPreselector, LiteralPreselector
from dagster_project.scanning.rules import Rule, rules_of
from dagster_project.scanning.shipped import shipped_rules
from tests.support.drawn_examples import drawn

RULES = shipped_rules()
PATTERNED = [one for one in RULES if one.pattern]
SCANNER = Scanner(LiteralPreselector(RULES), key=b"k" * 32)


@pytest.mark.parametrize("rule", PATTERNED, ids=lambda one: one.id)
def test_a_rule_finds_its_positive_examples_and_passes_its_negative_ones(rule: Rule) -> None:
    alone = Scanner(LiteralPreselector([rule]), key=b"k" * 32)
    for seed in range(3):
        assert all(alone.scan(drawn(one, seed=seed)) for one in rule.positives)
    assert not [one for one in rule.negatives if alone.scan(one)]


def test_every_rule_of_the_writing_rules_is_there() -> None:
    expected = {f"N{one}" for one in range(1, 14)} | {f"M{one}" for one in range(1, 18)}
    assert expected <= {one.id for one in RULES}


@pytest.mark.parametrize(
    "hidden",
    [
        "ana\u200b@example.org",
        "\u202eana@example.org",
        "\u0430na@example.org",
        "ana%40example.org",
        "ana\\u0040example.org",
        base64.b64encode(b"mail to ana@example.org now").decode(),
        base64.b64encode(b"mail%20ana%40example.org").decode(),
    ],
)
def test_an_address_is_found_in_every_reading_and_placed_in_the_text_itself(hidden: str) -> None:
    text = f"see {hidden} there"
    found = [one for one in SCANNER.scan(text) if one.type == "EMAIL_ADDRESS"]
    assert len(found) == 1
    assert 4 <= found[0].start < found[0].end <= 4 + len(hidden)


def test_a_finding_says_place_and_keyed_digest_and_never_the_text() -> None:
    (one,) = SCANNER.scan("write to ana@example.org")
    assert (one.start, one.end, one.rule) == (9, 24, "P-EMAIL")
    assert b"ana" not in msgspec.json.encode(one)
    other = Scanner(LiteralPreselector(RULES), key=b"o" * 32)
    assert other.scan("write to ana@example.org")[0].digest != one.digest


def test_a_promise_is_blocked_although_another_one_was_denied() -> None:
    assert not SCANNER.scan("We do not have an ETA.")
    assert [one.rule for one in SCANNER.scan("We do not have an ETA but it will be fixed within the hour.")] == ["N4"]


def test_a_pattern_that_one_engine_cannot_follow_is_refused() -> None:
    rule = {"id": "X", "type": "X", "what": "x", "why": "x", "source": "x", "positives": ["a"], "negatives": ["b"]}
    with pytest.raises(UsageError):
        rules_of([{"rules": [{**rule, "pattern": "(?<=a)b"}]}])


@pytest.mark.skipif(importlib.util.find_spec("hyperscan") is None, reason="the hyperscan wheel is not installed")
def test_both_engines_find_the_same() -> None:
    fast = Scanner(HyperscanPreselector(RULES), key=b"k" * 32)
    texts = [drawn(one) for rule in PATTERNED for one in (*rule.positives, *rule.negatives)]
    for text in (*texts, "\n".join(texts), "\u00e9 " + "\n".join(texts)):
        assert fast.scan(text) == SCANNER.scan(text)
