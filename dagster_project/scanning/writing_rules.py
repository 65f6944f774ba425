"""Writing rules: what a text for customers may not say (N) and what a package must do (M), as data.

Belongs here: the typed rule, its strict reading from a parsed document, and the scanner's rules that follow from it.
Judging a text is `wording`; reading the file is the application's.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from dagster_project.errors import UsageError
from dagster_project.scanning.rules import Rule, rules_of

TYPE: Final = "WORDING"
_WORD: Final = "A-Za-z0-9_"
_FEWEST_EXAMPLES: Final = 2


class WritingRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One writing rule.

    `says` is what it blocks or demands. Rules enforced by `pattern` or `deny_list` judge texts: a text breaks them
    where one of `patterns` matches as whole words, where the scanner finds something of `finding_types`, or where a
    name denied under this rule stands; `denial_passes` and `unless` say what excuses a match. `passes` and `fails`
    are texts; in them ``{an:36}`` stands for drawn characters. `example_names` are denied and `example_public_names`
    approved where the examples are judged. Rules enforced by `type` or `structure` name, dotted, the functions that
    see to it (`enforced_by`) and the tests that show it (`shown_by`).
    """

    id: str
    title: str
    says: str
    why: str
    source: str
    enforcement: Literal["pattern", "deny_list", "type", "structure"]
    severity: Literal["block", "warn"] = "block"
    type: str = TYPE
    patterns: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    case_sensitive: bool = False
    denial_passes: bool = False
    finding_types: tuple[str, ...] = ()
    example_names: tuple[str, ...] = ()
    example_public_names: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    enforced_by: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()

    @property
    def judges_texts(self) -> bool:
        """Whether texts are judged by it, as against a property of the program."""
        return self.enforcement in {"pattern", "deny_list"}


class WritingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All writing rules, and what the abbreviated sources stand for."""

    sources: dict[str, str]
    rules: tuple[WritingRule, ...]


def _refused(rule: str, what: str) -> UsageError:
    return UsageError(
        "writing_rule_refused", what=what, where=f"writing rule {rule}", what_to_do="Correct the rule's document."
    )


def _check(rule: WritingRule) -> None:
    if rule.judges_texts:
        if min(len(rule.passes), len(rule.fails)) < _FEWEST_EXAMPLES:
            raise _refused(rule.id, "A rule that judges texts needs two examples that pass and two that do not.")
        if not (rule.patterns or rule.finding_types or rule.enforcement == "deny_list"):
            raise _refused(rule.id, "A rule by pattern needs patterns, or types of findings.")
    elif not (rule.enforced_by and rule.shown_by):
        raise _refused(rule.id, "A rule that holds by construction names what enforces it and the tests that show it.")
    if not rule.source.strip():
        raise _refused(rule.id, "A rule names its source.")


def writing_rules_of(document: Mapping[str, Any]) -> WritingRules:
    """Return the writing rules of a parsed document, ``{"sources": {...}, "rules": [...]}``.

    Raises:
        UsageError: a rule is not understood, lacks examples or its enforcement, or an id stands twice.
    """
    try:
        rules = msgspec.convert(document, WritingRules)
    except msgspec.ValidationError as error:
        raise _refused("?", f"The document is not of the right form: {error}.") from error
    for rule in rules.rules:
        _check(rule)
    scanner_rules_of(rules)
    return rules


def scanner_rules_of(rules: WritingRules) -> tuple[Rule, ...]:
    """Return what the scanner looks for on behalf of the writing rules; the others say by what they are met.

    Raises:
        UsageError: a pattern is not one that the scanner can follow, or an id stands twice.
    """
    return rules_of([{"rules": [_scanner_rule(one) for one in rules.rules]}])


def _scanner_rule(rule: WritingRule) -> dict[str, Any]:
    told = {"id": rule.id, "type": rule.type, "what": rule.title, "why": rule.why, "source": rule.source}
    if not rule.patterns:
        met_by = rule.enforced_by or rule.finding_types or ("names of the incident",)
        return {**told, "met_by": ", ".join(met_by)}
    pattern = "|".join(f"(?:{one})" for one in rule.patterns)
    return {
        **told,
        "pattern": pattern,
        "left": _WORD,
        "right": _WORD,
        "tier": "wording",
        "ignore_case": not rule.case_sensitive,
        "negatable": rule.denial_passes,
        "unless": "|".join(f"(?:{one})" for one in rule.unless),
        "severity": rule.severity,
        # Examples of names and of other findings are not the pattern's.
        "positives": [one for one in rule.fails if _met(rule, pattern).search(one)],
        "negatives": list(rule.passes),
    }


def _met(rule: WritingRule, pattern: str) -> re.Pattern[str]:
    flags = re.ASCII | (re.NOFLAG if rule.case_sensitive else re.IGNORECASE)
    try:
        return re.compile(f"(?<![{_WORD}])(?:{pattern})(?![{_WORD}])", flags)
    except re.error as error:
        raise _refused(rule.id, "A pattern is not a regular expression.") from error
