"""The engine: which rules are worth running on which lines, and what they find.

Two preselectors answer the same question, "on which lines might this rule match?": `HyperscanPreselector` with one
database per tier, and `LiteralPreselector` in pure Python. Every match is then made and judged by the same code, so the
engines can differ only where a preselector passes over a line; a test compares them.
"""

import importlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Protocol

import msgspec

from dagster_project.errors import Unavailable
from dagster_project.integrity.digests import keyed_digest
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.validators import VALIDATORS
from dagster_project.scanning.variants import Reading, readings_of

# What loses to what where they overlap: a number inside something with check digits is part of it.
_YIELDS: Final = {"CREDIT_CARD": 1, "US_SSN": 2, "PHONE_NUMBER": 3}
_NEGATION: Final = re.compile(
    r"\b(?:no|not|never|without|cannot|can't|don't|doesn't|haven't|isn't|unable to (?:give|provide|share))\b"
    r"(?:\s+(?:yet|currently|have|has|give|giving|provide|share|offer|any|an|a|the|firm|available)){0,4}\s*$",
    re.IGNORECASE,
)
_CLAUSE: Final = 60


class Finding(msgspec.Struct, frozen=True, order=True):
    """What was found where: code points of the text, half open; `digest` is keyed, the text is never kept."""

    start: int
    end: int
    type: str
    rule: str
    digest: str


class Preselector(Protocol):
    """Says where in a text each rule might match: spans of whole lines, or the whole text for rules across lines."""

    def places(self, text: str) -> Iterator[tuple[Rule, int, int]]:
        """Yield (rule, start, end) in code points."""


class LiteralPreselector:
    """Pure Python: a rule is run on the whole text if one of its literals stands in it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if rule.pattern]

    def places(self, text: str) -> Iterator[tuple[Rule, int, int]]:
        """Yield every rule that a literal does not rule out, with the whole text."""
        lower = text.lower()
        for rule in self._rules:
            if not rule.literals or any(one in lower for one in rule.literals):
                yield rule, 0, len(text)


def _hyperscan() -> Any:  # noqa: ANN401 - the wheel has no types
    try:
        return importlib.import_module("hyperscan")
    except ImportError as error:
        raise Unavailable(
            "hyperscan_missing",
            what="The fast engine is not installed on this machine.",
            where="scanner",
            what_to_do="Install `hyperscan`, or scan with the pure engine.",
        ) from error


class HyperscanPreselector:
    """One hyperscan database per tier: numeric rules set the pace of whatever shares their database.

    Raises:
        Unavailable: the wheel is not installed.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        library = _hyperscan()
        self._rules = [rule for rule in rules if rule.pattern]
        self._databases = []
        by_tier = sorted(range(len(self._rules)), key=lambda place: self._rules[place].tier)
        for _tier, places in groupby(by_tier, key=lambda place: self._rules[place].tier):
            ids = list(places)
            database = library.Database()
            database.compile(
                expressions=[self._rules[one].pattern.encode() for one in ids],
                ids=ids,
                elements=len(ids),
                flags=[library.HS_FLAG_CASELESS if self._rules[one].ignore_case else 0 for one in ids],
            )
            self._databases.append(database)

    def places(self, text: str) -> Iterator[tuple[Rule, int, int]]:
        """Yield the lines on which a match of a rule ends."""
        data = text.encode(errors="replace")
        ends: dict[int, list[int]] = defaultdict(list)

        def found(rule: int, _start: int, end: int, _flags: int, _context: object) -> None:
            ends[rule].append(end)

        for database in self._databases:
            database.scan(data, match_event_handler=found)
        for number in sorted(ends):
            rule = self._rules[number]
            if rule.across_lines or not text.isascii() or "\n" not in text:
                yield rule, 0, len(text)
            else:
                yield from ((rule, *line) for line in _lines(text, ends[number]))


def _lines(text: str, ends: list[int]) -> Iterator[tuple[int, int]]:
    covered = -1
    for end in sorted(ends):
        if end <= covered:
            continue
        start = text.rfind("\n", 0, end) + 1
        covered = text.find("\n", end)
        covered = len(text) if covered < 0 else covered
        yield start, covered


class Scanner:
    """Rules made ready for one preselector. Findings carry digests keyed with `key`."""

    def __init__(self, rules: Sequence[Rule], preselector: Preselector, *, key: bytes) -> None:
        self._patterns: Mapping[str, re.Pattern[str]] = {one.id: one.compiled() for one in rules if one.pattern}
        self._preselector = preselector
        self._key = key

    def scan(self, text: str) -> list[Finding]:
        """Return the findings in all readings of `text`, by place. One place has one finding of a type."""
        kept: list[tuple[int, int, str, str, str]] = []
        for reading in readings_of(text):
            fresh = [one for one in self._matches(reading) if not _told(kept, one)]
            kept.extend(one for place, one in enumerate(fresh) if not _told(fresh[:place], one))
        kept = [one for one in kept if not _part_of_another(kept, one)]
        return sorted(
            Finding(start, end, kind, rule, keyed_digest(self._key, value.encode(errors="replace")))
            for start, end, kind, rule, value in kept
        )

    def _matches(self, reading: Reading) -> list[tuple[int, int, str, str, str]]:
        return [
            (*reading.span(start, end), rule.type, rule.id, reading.text[start:end])
            for rule, first, last in self._preselector.places(reading.text)
            for match in self._patterns[rule.id].finditer(reading.text, first, last)
            for start, end in _judged(rule, reading.text, match)
        ]


def _judged(rule: Rule, text: str, match: re.Match[str]) -> Iterator[tuple[int, int]]:
    span = match.span("found") if "found" in match.re.groupindex else match.span()
    if rule.negatable and _NEGATION.search(text[max(0, span[0] - _CLAUSE) : span[0]]):
        return
    judged = VALIDATORS[rule.validator](text, *span) if rule.validator else span
    if judged is not None and judged[0] < judged[1]:
        yield judged


def _told(kept: Sequence[tuple[int, int, str, str, str]], one: tuple[int, int, str, str, str]) -> bool:
    return any(other[2] == one[2] and other[0] < one[1] and one[0] < other[1] for other in kept)


def _part_of_another(kept: Sequence[tuple[int, int, str, str, str]], one: tuple[int, int, str, str, str]) -> bool:
    rank = _YIELDS.get(one[2])
    if rank is None:
        return False
    return any(
        other[0] < one[1]
        and one[0] < other[1]
        and _YIELDS.get(other[2], 0) < rank
        and not other[3].startswith(("N", "M"))
        for other in kept
    )
