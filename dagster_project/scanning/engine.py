"""The engine: what a text shows under all its readings, judged, merged and told as findings.

Belongs here: judging matches, one finding for one place, what loses to what, what an approved name takes away. Does
not belong here: where rules match (`preselection`), what a reading is (`variants`), what a term is (`terms`).
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import msgspec

from dagster_project.integrity.digests import keyed_digest
from dagster_project.scanning.candidates import Span, Validator
from dagster_project.scanning.denials import is_denied, is_excused
from dagster_project.scanning.preselection import Preselector
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.terms import NO_TERMS, Terms, key_of, term_hits
from dagster_project.scanning.validators import VALIDATORS
from dagster_project.scanning.variants import Base64Starts, Reading, Unread, readings_of

DENIED: Final = "DENIED_TERM"
UNREADABLE: Final = "UNREADABLE"
# What loses to what where they overlap: a number inside something with check digits is part of it.
_YIELDS: Final = {"CREDIT_CARD": 1, "US_SSN": 2, "PHONE_NUMBER": 3}
_OUTRANKS_NOTHING: Final = frozenset({"WORDING", "INTERNAL_HOST", UNREADABLE})

Readings: TypeAlias = Callable[[str, Base64Starts], Iterable[Reading | Unread]]


class Finding(msgspec.Struct, frozen=True, order=True):
    """What was found where: code points of the text, half open; `digest` is keyed, the text is never kept."""

    start: int
    end: int
    type: str
    rule: str
    digest: str


class _Match(NamedTuple):
    """What one reading shows, at its place in the text."""

    start: int
    reach: int  # the end, negative: of two that begin together the longer one comes first
    type: str
    rule: str
    value: str

    @property
    def end(self) -> int:
        return -self.reach


class Examined(msgspec.Struct, frozen=True):
    """The findings of a text by place, and how many an approved name took away, by rule."""

    findings: tuple[Finding, ...]
    suppressed: Mapping[str, int]


class Scanner:
    """Rules and terms made ready for one preselector. Findings carry digests keyed with `key`."""

    def __init__(
        self,
        preselector: Preselector,
        *,
        key: bytes,
        terms: Terms = NO_TERMS,
        readings: Readings = readings_of,
    ) -> None:
        self._preselector = preselector
        self._key = key
        self._terms = terms
        self._term_search = preselector.term_search(tuple(terms.denied))
        self._readings = readings

    def with_terms(self, terms: Terms) -> "Scanner":
        """Return a scanner with the same rules and another list of terms."""
        return Scanner(self._preselector, key=self._key, terms=terms, readings=self._readings)

    def scan(self, text: str) -> list[Finding]:
        """Return the findings in all readings of `text`, by place. One place has one finding of a type."""
        return list(self.examine(text).findings)

    def examine(self, text: str) -> Examined:
        """Return the findings in all readings of `text`, and how many were suppressed.

        What is told in several readings, or by several rules of a type, is one finding that spans them all.
        """
        matches: list[_Match] = []
        denied: list[_Match] = []
        for reading in self._readings(text, self._preselector.base64_starts):
            if isinstance(reading, Unread):
                matches.append(_Match(reading.start, -reading.end, UNREADABLE, reading.rule, ""))
            else:
                matches.extend(self._matches(reading))
                denied.extend(self._denied(reading))
        suppressed = self._approved(matches, denied) if self._terms.approved else set()
        kept = _outranking(_merged([*denied, *(one for one in matches if one not in suppressed)]))
        counts = Counter(rule for rule, _, _ in {(one.rule, one.start, one.end) for one in suppressed})
        return Examined(tuple(self._findings(kept)), dict(sorted(counts.items())))

    def _approved(self, matches: Iterable[_Match], denied: Iterable[_Match]) -> set[_Match]:
        """Return what is an approved name and holds nothing denied: a block always wins over an allow."""
        blocks = _Spans(_merged(denied))
        return {one for one in matches if key_of(one.value) in self._terms.approved and not blocks.overlap(one)}

    def _findings(self, matches: Iterable[_Match]) -> Iterator[Finding]:
        digests: dict[str, str] = {}
        for one in matches:
            digest = digests.get(one.value)
            if digest is None:
                digest = digests[one.value] = keyed_digest(self._key, one.value.encode(errors="replace"))
            yield Finding(one.start, one.end, one.type, one.rule, digest)

    def _matches(self, reading: Reading) -> Iterator[_Match]:
        text, span, made = reading.text, reading.span, tuple.__new__  # a third of the time: there may be very many
        for rules, found in self._preselector.matches(text, reading.raw):
            group = _group(rules[0])
            judges = [(rule.type, rule.id, _judge_of(rule)) for rule in rules]
            for match in found:
                first, last = match.span(group)
                for kind, rule, judge in judges:
                    judged = judge(text, first, last)
                    if judged is not None:
                        start, end = span(*judged)
                        yield made(_Match, (start, -end, kind, rule, text[judged[0] : judged[1]]))

    def _denied(self, reading: Reading) -> Iterator[_Match]:
        if self._terms.denied:
            for hit in term_hits(self._terms, self._term_search, reading.text, reading.raw):
                start, end = reading.span(hit.start, hit.end)
                yield _Match(start, -end, DENIED, f"denied_{hit.kind}", key_of(reading.text[hit.start : hit.end]))


def _group(rule: Rule) -> str | int:
    """Return the group of a match that is the finding."""
    return "found" if "(?P<found>" in rule.pattern else 0


def _judge_of(rule: Rule) -> Validator:
    """Return what tells the span of a finding, if it is one, from the span that a rule found."""
    validate = VALIDATORS.get(rule.validator, _as_it_is)

    def judge_words(text: str, start: int, end: int) -> Span | None:
        excused = rule.unless and is_excused(rule.unless, text, start, end)
        return None if excused or (rule.negatable and is_denied(text, start, end)) else validate(text, start, end)

    return judge_words if rule.negatable or rule.unless else validate


def _as_it_is(_text: str, start: int, end: int) -> Span:
    return start, end


def _merged(matches: Iterable[_Match]) -> list[_Match]:
    """Return one match for every place and type, by place; of several it is the first and longest, and spans all."""
    last: dict[str, _Match] = {}
    done: list[_Match] = []
    for one in sorted(matches):
        before = last.get(one.type)
        if before is None or one.start >= -before.reach:
            if before is not None:
                done.append(before)
            last[one.type] = one
        elif one.reach < before.reach:
            last[one.type] = before._replace(reach=one.reach)
    return sorted([*done, *last.values()])


class _Spans:
    """Places that do not overlap each other, to be asked what overlaps them."""

    def __init__(self, matches: Iterable[_Match]) -> None:
        self._spans = [(one.start, one.end) for one in matches]

    def overlap(self, one: _Match) -> bool:
        """Tell whether one of the places overlaps a match."""
        number = bisect_left(self._spans, (one.end, 0)) - 1
        return number >= 0 and self._spans[number][1] > one.start


def _outranking(matches: list[_Match]) -> list[_Match]:
    """Leave out numbers that are part of what outranks them."""
    if not any(one.type in _YIELDS for one in matches):
        return matches
    by_type: dict[str, list[_Match]] = defaultdict(list)
    for one in matches:
        if one.type not in _OUTRANKS_NOTHING:
            by_type[one.type].append(one)
    spans = {kind: _Spans(some) for kind, some in by_type.items()}

    def stays(one: _Match) -> bool:
        rank = _YIELDS.get(one.type)
        if rank is None:
            return True
        return not any(_YIELDS.get(kind, 0) < rank and places.overlap(one) for kind, places in spans.items())

    return [one for one in matches if stays(one)]
