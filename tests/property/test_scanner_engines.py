"""The two engines of the scanner agree: hyperscan finds what Python's `re` finds, match by match and after judging."""

import importlib.util
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scan_texts import DENSE, log_text
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.plain_bytes import one_byte_each
from dagster_project.scanning.preselection import HyperscanPreselector, LiteralPreselector, Preselector
from dagster_project.scanning.shipped import shipped_rules
from tests.support.drawn_examples import drawn
from tests.support.histories import FULL

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hyperscan") is None, reason="the hyperscan wheel is not installed"
)

RULES = [one for one in shipped_rules() if one.pattern]
EXAMPLES = sorted(
    {drawn(one, seed=seed) for rule in RULES for one in (*rule.positives, *rule.negatives) for seed in (1, 2)}
)
PURE = LiteralPreselector(RULES)
FRAGMENTS = st.one_of(
    st.sampled_from(EXAMPLES),
    st.sampled_from(EXAMPLES).flatmap(lambda one: st.integers(0, len(one)).map(lambda cut: one[cut:])),
    st.sampled_from(EXAMPLES).flatmap(lambda one: st.integers(0, len(one)).map(lambda cut: one[:cut])),
    st.text("0123456789.:-/ +()", max_size=24),
    st.text("0123456789abcdefABCDEF:-. ", max_size=40),
    st.sampled_from(
        ["\n", "\r\n", " ", "", "\t", "\u00e9", "\U0001f600", '"', "=", ": ", "password ", "key=", "call "]
    ),
)
TEXTS = st.lists(FRAGMENTS, max_size=12).map("".join)


@cache
def fast() -> HyperscanPreselector:
    return HyperscanPreselector(RULES)


@cache
def scanners() -> tuple[Scanner, Scanner]:
    return Scanner(PURE, key=b"k" * 32), Scanner(fast(), key=b"k" * 32)


def matches(preselector: Preselector, text: str) -> list[tuple[str, int, int]]:
    return sorted(
        (rules[0].id, *match.span())
        for rules, found in preselector.matches(text, one_byte_each(text))
        for match in found
    )


@settings(max_examples=2000 if FULL else 150, deadline=None)
@given(TEXTS)
def test_both_engines_make_the_same_matches(text: str) -> None:
    assert matches(fast(), text) == matches(PURE, text)


@pytest.mark.parametrize("letters", [1, 40, 41, 200, 299])
def test_both_engines_find_a_secret_after_however_many_letters(letters: int) -> None:
    text = f"the password {'aB' * letters}"[: 13 + letters] + "7dfZ9TPt4LLK8jAy"
    assert matches(fast(), text) == matches(PURE, text) != []


@settings(max_examples=1000 if FULL else 60, deadline=None)
@given(TEXTS)
def test_both_engines_find_the_same(text: str) -> None:
    first, second = (one.examine(text) for one in scanners())
    assert first == second


def test_both_engines_find_the_same_in_logs_that_are_full_of_addresses() -> None:
    text = log_text(2_000_000 if FULL else 60_000, DENSE, seed=23)
    found = matches(fast(), text)
    assert found == matches(PURE, text)
    assert len(found) > len(text) / 1000
    assert scanners()[0].scan(text[:30_000]) == scanners()[1].scan(text[:30_000])


def test_a_pattern_that_hyperscan_passes_over_is_noticed() -> None:
    rule = next(one for one in RULES if one.id == "P-IP4")
    blind = HyperscanPreselector(
        [type(rule)(**{**{name: getattr(rule, name) for name in rule.__struct_fields__}, "probe": "z"})]
    )
    text = "from 192.0.2.7 on"
    assert matches(blind, text) != matches(LiteralPreselector([rule]), text)
