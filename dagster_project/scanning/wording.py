"""Judging a text for customers by the writing rules. Pure; one engine, the scanner's, searches and knows denials.

Belongs here: which findings of the scanner break which writing rule, and that a name may be said inside a public one.
What the rules look for is data (`writing_rules`); which texts are judged, and which names may not stand in them, is the
profile's and the views' business.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Final, Literal

import msgspec

from dagster_project.scanning.engine import Finding, Scanner
from dagster_project.scanning.terms import Terms
from dagster_project.scanning.writing_rules import WritingRule, WritingRules

# The scanner calls a denied name after its kind. The kinds here are ids of writing rules, and this one.
_DENIED: Final = "denied_"
_PUBLIC: Final = "public"


class WordingFinding(msgspec.Struct, frozen=True, order=True):
    """Where a text breaks a writing rule: code points, half open. The text is never kept."""

    start: int
    end: int
    rule: str
    severity: Literal["block", "warn"]


class DeniedNames(msgspec.Struct, frozen=True, dict=True):
    """Names that may not be said, by the id of the rule that denies them, and public names, which may hold some."""

    by_rule: Mapping[str, tuple[str, ...]] = {}
    public: tuple[str, ...] = ()

    @cached_property
    def denied_terms(self) -> Terms:
        """The denied names less those that are public, for the scanner."""
        return Terms.of(self.by_rule, approved=self.public)

    @cached_property
    def public_terms(self) -> Terms:
        """The public names, to be found."""
        return Terms.of({_PUBLIC: self.public})


NO_NAMES: Final = DeniedNames()


class TextJudge:
    """The writing rules made ready. `scanner` searches by `scanner_rules_of(rules)` and by whatever they rest on."""

    def __init__(self, rules: WritingRules, scanner: Scanner) -> None:
        judging = [one for one in rules.rules if one.judges_texts]
        by_id = {one.id: one for one in judging}
        self._by_rule = by_id | {f"{_DENIED}{name}": one for name, one in by_id.items()}
        self._by_type: Mapping[str, WritingRule] = {kind: one for one in judging for kind in one.finding_types}
        self._scanner = scanner

    def findings(self, text: str, names: DeniedNames) -> set[WordingFinding]:
        """Return what `text` breaks."""
        told = self._scanner.with_terms(names.denied_terms).scan(text)
        said = [one for one in told if one.rule.startswith(_DENIED)]
        public = self._public_names(text, names) if said else []
        excused = {one for one in said if any(name.start <= one.start and one.end <= name.end for name in public)}
        broken = ((one, self._broken(one)) for one in told if one not in excused)
        return {WordingFinding(one.start, one.end, rule.id, rule.severity) for one, rule in broken if rule is not None}

    def _public_names(self, text: str, names: DeniedNames) -> list[Finding]:
        found = self._scanner.with_terms(names.public_terms).scan(text)
        return [one for one in found if one.rule == f"{_DENIED}{_PUBLIC}"]

    def _broken(self, finding: Finding) -> WritingRule | None:
        return self._by_rule.get(finding.rule) or self._by_type.get(finding.type)


def judge_wording(text: str, deny_list: DeniedNames, *, judge: TextJudge) -> tuple[WordingFinding, ...]:
    """Return every place at which `text` breaks a writing rule, in order; a place breaks each rule once.

    Args:
        text: A text that customers could read.
        deny_list: Names that may not stand in it, and approved public names.
        judge: The writing rules.
    """
    return tuple(sorted(judge.findings(text, deny_list)))
