"""Preselection: where in a text each rule matches, found fast with hyperscan or in pure Python.

Belongs here: the two engines. Does not belong here: what a match means (`engine`). Both answer with the same matches of
Python's `re`, in the order and without the overlaps of `finditer`: hyperscan only says where to look. A text is given
twice, as it is and with one byte for each code point.
"""

import importlib
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from dagster_project.errors import Unavailable, UsageError
from dagster_project.scanning.plain_bytes import letters_and_digits, one_byte_each
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.terms import PureTerms, TermSearch
from dagster_project.scanning.variants import BASE64_HEAD, BASE64_LENGTH, base64_starts

# Rules of these tiers are short and many texts are full of what they look for: hyperscan tells where a match starts.
_WITH_STARTS: Final = frozenset({"ipv4", "numeric", "card", "ipv6"})


class Preselector(Protocol):
    """Says where rules match, where text in base64 may start, and makes lists of terms searchable."""

    def matches(self, text: str, raw: bytes) -> Iterator[tuple[Sequence[Rule], Iterator[re.Match[str]]]]:
        """Yield (rules that share a pattern, its matches)."""

    def base64_starts(self, raw: bytes) -> Iterable[int]:
        """Yield where text in base64 may start."""

    def term_search(self, keys: Sequence[str]) -> TermSearch:
        """Return the search for terms by their letters and digits."""


def _by_pattern(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Group rules that look for the same and judge it differently."""
    groups: dict[tuple[object, ...], list[Rule]] = defaultdict(list)
    for rule in rules:
        if rule.pattern:
            groups[rule.tier, rule.pattern, rule.left, rule.right, rule.ignore_case, rule.literals].append(rule)
    return list(groups.values())


class LiteralPreselector:
    """Pure Python: a rule is run on the whole text if one of its literals stands in it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._groups = [(group, group[0].compiled()) for group in _by_pattern(rules)]

    def matches(self, text: str, raw: bytes) -> Iterator[tuple[Sequence[Rule], Iterator[re.Match[str]]]]:  # noqa: ARG002 - the other engine's
        """Yield (rules that share a pattern, its matches)."""
        lower = text.lower()
        for group, pattern in self._groups:
            if not group[0].literals or any(one in lower for one in group[0].literals):
                yield group, pattern.finditer(text)

    def base64_starts(self, raw: bytes) -> Iterable[int]:
        """Yield where text in base64 may start."""
        return base64_starts(raw)

    def term_search(self, keys: Sequence[str]) -> TermSearch:
        """Return the search for terms by their letters and digits."""
        return PureTerms(keys)


class _Database:
    """One hyperscan database. Its working memory serves one scan at a time."""

    def __init__(self, expressions: Sequence[bytes], flags: Sequence[int], *, literal: bool = False) -> None:
        library = _hyperscan()
        self._lock = threading.Lock()
        self._database = library.Database()
        try:
            self._database.compile(
                expressions=list(expressions),
                ids=list(range(len(expressions))),
                elements=len(expressions),
                flags=list(flags),
                literal=literal,
            )
        except library.error as error:
            raise UsageError(
                "scanner_rule_refused",
                what="The fast engine cannot follow a pattern.",
                where=f"scanner rules ({error})",
                what_to_do="Write the rule's pattern in a simpler form.",
            ) from error

    def events(self, raw: bytes) -> list[tuple[int, int, int]]:
        """Return (number of the expression, start where it is asked for, end) of everything that matches."""
        events: list[tuple[int, int, int]] = []
        add = events.append

        def found(number: int, start: int, end: int, _flags: int, _context: object) -> None:
            add((number, start, end))

        with self._lock:
            self._database.scan(raw, match_event_handler=found)
        return events


def _hyperscan() -> Any:  # noqa: ANN401 - loaded only where it is used: there is no wheel for every machine
    try:
        return importlib.import_module("hyperscan")
    except ImportError as error:
        raise Unavailable(
            "hyperscan_missing",
            what="The fast engine is not installed on this machine.",
            where="scanner",
            what_to_do="Install `hyperscan`, or scan with the pure engine.",
        ) from error


class _Tier:
    """The rules of one tier in one database: slow ones set the pace of whatever shares theirs."""

    def __init__(self, groups: Sequence[Sequence[Rule]], *, with_starts: bool) -> None:
        library = _hyperscan()
        self._groups = [(group, group[0].compiled()) for group in groups]
        self._with_starts = with_starts
        start = library.HS_FLAG_SOM_LEFTMOST if with_starts else 0
        self._database = _Database(
            [_bounded(group[0]) for group in groups],
            [start | (library.HS_FLAG_CASELESS if group[0].ignore_case else 0) for group in groups],
        )

    def matches(self, text: str, raw: bytes) -> Iterator[tuple[Sequence[Rule], Iterator[re.Match[str]]]]:
        events = self._database.events(raw)
        events.sort()
        where: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, start, end in events:
            where[number].append((start, end))
        for number, spans in where.items():
            group, pattern = self._groups[number]
            rule = group[0]
            if rule.across_lines:
                found = pattern.finditer(text)
            elif self._with_starts:
                found = _from_starts(
                    pattern, text, spans, before=bool(rule.left), after=bool(rule.right) and not rule.probe
                )
            else:
                found = _in_lines(pattern, text, spans)
            yield group, found


def _bounded(rule: Rule) -> bytes:
    """Return the pattern with the neighbours that it needs as part of it: hyperscan cannot look around."""
    left = rf"(?:\A|[^{rule.left}])" if rule.left else ""
    if rule.probe:
        return f"{left if rule.tier in _WITH_STARTS else ''}(?:{rule.probe})".encode()
    right = rf"(?:[^{rule.right}]|\z)" if rule.right else ""
    return f"{left}(?:{rule.pattern}){right}".encode()


def _from_starts(
    pattern: re.Pattern[str], text: str, spans: Iterable[tuple[int, int]], *, before: int, after: int
) -> Iterator[re.Match[str]]:
    """Yield what `finditer` would, from spans ordered by start that hold `before` and `after` characters too many."""
    done = 0
    for start, end in spans:
        if end - after <= done:
            continue
        first = start + before if start else 0
        found = pattern.match(text, first) if first >= done else None
        if found is None:  # overlapped by the match before, or nothing begins where it might: what else ends there?
            later = (pattern.match(text, place) for place in range(max(done, first), end))
            found = next((one for one in later if one is not None), None)
        if found is not None:
            done = found.end()
            yield found


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _in_lines(pattern: re.Pattern[str], text: str, spans: Iterable[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """Yield what `finditer` would, from the lines in which a match ends."""
    done = -1
    for end in sorted({end for _, end in spans}):
        last = end - 1  # of the match, or the neighbour behind it, which may be the line break
        if last > done:
            start = text.rfind("\n", 0, last) + 1
            done = _line_end(text, last)
            yield from pattern.finditer(text, start, done)


class HyperscanPreselector:
    """One hyperscan database per tier.

    Raises:
        Unavailable: the wheel is not installed.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        by_tier: dict[str, list[list[Rule]]] = defaultdict(list)
        for group in _by_pattern(rules):
            by_tier[group[0].tier].append(group)
        self._tiers = [_Tier(groups, with_starts=tier in _WITH_STARTS) for tier, groups in by_tier.items()]
        self._base64 = _Database([rf"(?:\A|[^A-Za-z0-9]){BASE64_HEAD}".encode()], [0])

    def matches(self, text: str, raw: bytes) -> Iterator[tuple[Sequence[Rule], Iterator[re.Match[str]]]]:
        """Yield (rules that share a pattern, its matches)."""
        for tier in self._tiers:
            yield from tier.matches(text, raw)

    def base64_starts(self, raw: bytes) -> Iterable[int]:
        """Yield where text in base64 may start."""
        return sorted({end - BASE64_LENGTH for _, _, end in self._base64.events(raw)})

    def term_search(self, keys: Sequence[str]) -> TermSearch:
        """Return the search for terms by their letters and digits."""
        return _HyperscanTerms(keys)


class _HyperscanTerms:
    """All terms as literals of one database."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        data = [letters_and_digits(one_byte_each(key)) for key in keys]
        self._database = _Database(data, [0] * len(data), literal=True) if data else None

    def ends(self, raw: bytes, flat: bytes) -> Iterator[tuple[str, int]]:  # noqa: ARG002 - the other engine's
        """Yield (key, end), the end counted in `flat`, the letters and digits of `raw`."""
        events = self._database.events(flat) if self._database else []
        return ((self._keys[number], end) for number, _, end in events)
