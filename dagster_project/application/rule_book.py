"""The rule book: every rule by which texts are judged, for people to read.

Belongs here: which rules there are, with one example each that can be shown, and what the writing rules hit on public
incidents. How it is printed is the command line's business.
"""

import re
from functools import cache
from typing import Final

import msgspec

from dagster_project.errors import UsageError
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.shipped import shipped_document, shipped_rules, shipped_writing_rules
from dagster_project.scanning.writing_rules import WritingRule

_SEEN: Final = "wording_seen"
_DRAWN: Final = re.compile(r"\{[A-Za-z]+:\d+\}")
ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"
_SHOWN_AT_MOST: Final = 8


class ScannerRule(msgspec.Struct, frozen=True):
    """A rule of the scanner in a line; `example` is made safe: whatever the rule would find in it is cut short."""

    id: str
    type: str
    what: str
    source: str
    example: str


class Hits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many posts and incidents a rule hit."""

    posts: int
    incidents: int


class SeenInPublic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the writing rules hit on real posts: measured by a test, kept here, printed on the page."""

    data: str
    posts: int
    incidents: int
    hits: dict[str, Hits]
    denied_estimates: int
    other_estimates: int
    public_name: str
    inside_name: str
    posts_with_public_name: int
    posts_with_name_alone: int
    unseen_sentences: int
    unseen_blocked: int
    read_by_hand: tuple[str, ...]


class RuleBook(msgspec.Struct, frozen=True):
    """All rules. `sources` says what the abbreviated sources of writing rules stand for."""

    sources: dict[str, str]
    writing_rules: tuple[WritingRule, ...]
    scanner_rules: tuple[ScannerRule, ...]
    seen: SeenInPublic


@cache
def seen_in_public() -> SeenInPublic:
    """Return the figures that were measured on public incidents.

    Raises:
        UsageError: the document is not of the right form.
    """
    try:
        return msgspec.convert(shipped_document(_SEEN), SeenInPublic)
    except msgspec.ValidationError as error:
        raise UsageError(
            "figures_refused",
            what=f"The figures are not of the right form: {error}.",
            where=_SEEN,
            what_to_do="Write them as the test of real posts prints them.",
        ) from error


def rule_book() -> RuleBook:
    """Return every shipped rule."""
    writing = shipped_writing_rules()
    written = {one.id for one in writing.rules}
    lines = tuple(
        ScannerRule(one.id, one.type, one.what, one.source, shown_example(one))
        for one in shipped_rules()
        if one.id not in written
    )
    return RuleBook(writing.sources, writing.rules, lines, seen_in_public())


def shown_example(rule: Rule) -> str:
    """Return the first example of a rule with everything cut short that the rule would find, drawn parts too."""
    if not rule.positives:
        return ""
    example = _DRAWN.sub(ELLIPSIS, rule.positives[0])
    return rule.compiled().sub(_cut, example) if example == rule.positives[0] else example


def shown_text(text: str) -> str:
    """Return an example text with its drawn parts left out."""
    return _DRAWN.sub(ELLIPSIS, text)


def _cut(match: re.Match[str]) -> str:
    whole = match[0]
    return whole[: min(_SHOWN_AT_MOST, len(whole) // 2)] + ELLIPSIS
