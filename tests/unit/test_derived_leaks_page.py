"""The table of derived leaks names rules that are there and tests that are there."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# What the issue asks a rule for.
ASKED = (
    "aggregates", "counts", "single-member region buckets", "ordering", "checkpoint times", "file sizes", "ids",
    "differences between versions", "version numbers and publication times", "reaffirmation instants", "error texts",
)  # fmt: skip
_CODE = re.compile(r"`([^`]+)`")


@cache
def rows() -> dict[str, tuple[str, str, str]]:
    """Return rule, places and tests of every leak."""
    lines = (ROOT / "docs" / "derived_leaks.md").read_text().splitlines()
    cells = [[one.strip() for one in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0] == ["leak", "rule", "enforced in", "tests"]
    return {leak: (rule, places, tests) for leak, rule, places, tests in cells[2:]}


@cache
def cited_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"))


def found(place: str) -> Any:  # noqa: ANN401 - a function, a class, a table
    """Return what stands at a dotted place of the product, or None."""
    parts = place.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(("dagster_project", *parts[:length])))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            thing = getattr(thing, name, None)
        return thing
    return None


def test_every_leak_that_is_asked_for_has_a_row() -> None:
    assert set(ASKED) <= rows().keys()


@pytest.mark.parametrize("leak", rows())
def test_every_row_has_a_rule_a_place_that_is_there_and_tests_that_are_there(leak: str) -> None:
    rule, places, tests = rows()[leak]
    assert rule.endswith(".")
    named = _CODE.findall(places)
    assert named
    assert [one for one in named if found(one) is None] == []
    cited = [one.partition("::") for one in _CODE.findall(tests)]
    assert cited
    assert [f"{file}::{name}" for file, _, name in cited if name not in cited_in(file)] == []


def test_a_place_or_test_that_is_gone_is_noticed() -> None:
    assert found("packaging.rendering.no_such_guard") is None
    assert found("no_such_room.rendering") is None
    assert "test_no_such_test" not in cited_in("tests/unit/test_derived_leaks_page.py")
