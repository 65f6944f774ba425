"""Scanner rules: what one rule is, and how rule documents become rules.

Belongs here: the typed rule and its strict reading from a parsed document. Does not belong here: reading files
(the application does) and searching (`engine`). A pattern uses only what both engines understand: no lookaround and
no back-references. What may not stand beside a match is said apart, as character classes.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from dagster_project.errors import UsageError
from dagster_project.scanning.validators import VALIDATORS

_FORBIDDEN: Final = re.compile(r"\(\?(?:[=!]|<[=!]|P?=)|\\[1-9]")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    r"""One rule of the scanner.

    `pattern` is matched as ASCII. Unless `across_lines`, it can match no line break, so that a text may be searched
    line by line. The finding is the whole match, or group `found` where the pattern names one; the validator may
    narrow or refuse it. `literals` are lower-case strings one of which stands in every match: texts without any are
    passed over. `probe` is a cheaper pattern for the fast engine: where `preselection` asks for starts every match
    begins with it, elsewhere it stands in every match. `left` and `right` are character classes (without brackets)
    that may not stand beside the match.
    `negatable` rules pass where the phrase is denied ("we have no ETA"), rules with `unless` (any pattern of Python's)
    where a phrase of that form overlaps the match ("we investigate the root cause"). Tokens of examples such as
    ``{alnum:36}`` stand for drawn characters, so that no file of ours holds a string that looks like a secret.
    """

    id: str
    type: str
    what: str
    why: str
    source: str
    pattern: str = ""
    probe: str = ""
    met_by: str = ""
    literals: tuple[str, ...] = ()
    left: str = ""
    right: str = ""
    validator: str = ""
    tier: Literal["literal", "ipv4", "numeric", "card", "ipv6", "blob", "wording"] = "literal"
    ignore_case: bool = False
    across_lines: bool = False
    negatable: bool = False
    unless: str = ""
    severity: Literal["block", "warn"] = "block"
    positives: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()

    def compiled(self) -> re.Pattern[str]:
        """Return the pattern with its neighbours refused, for Python's `re`."""
        left = f"(?<![{self.left}])" if self.left else ""
        right = f"(?![{self.right}])" if self.right else ""
        return re.compile(f"{left}(?:{self.pattern}){right}", self.flags())

    def flags(self) -> int:
        """Return the flags of `re` with which the pattern is meant."""
        return re.ASCII | (re.IGNORECASE if self.ignore_case else 0)


def _refused(rule: str, what: str) -> UsageError:
    return UsageError(
        "scanner_rule_refused", what=what, where=f"scanner rule {rule}", what_to_do="Correct the rule's document."
    )


def _checked(rule: Rule) -> Rule:
    if bool(rule.pattern) == bool(rule.met_by):
        raise _refused(rule.id, "A rule either has a pattern or says by what it is met.")
    if _FORBIDDEN.search(rule.pattern + rule.probe):
        raise _refused(rule.id, "A pattern may not look around or refer back: one engine could not follow.")
    if rule.validator and rule.validator not in VALIDATORS:
        raise _refused(rule.id, "The validator does not exist.")
    if rule.pattern and not (rule.positives and rule.negatives):
        raise _refused(rule.id, "A rule with a pattern needs positive and negative examples.")
    try:
        rule.compiled()
        re.compile(rule.unless)
    except re.error as error:
        raise _refused(rule.id, "The pattern is not a regular expression.") from error
    return rule


def rules_of(documents: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Return the rules of parsed documents, each ``{"defaults": {...}, "rules": [...]}``.

    Raises:
        UsageError: a rule is not understood, or an id stands twice.
    """
    rules: list[Rule] = []
    for document in documents:
        for one in document["rules"]:
            merged = {**document.get("defaults", {}), **one}
            try:
                rules.append(_checked(msgspec.convert(merged, Rule)))
            except msgspec.ValidationError as error:
                raise _refused(str(one.get("id", "?")), f"The rule is not of the right form: {error}.") from error
    ids = [rule.id for rule in rules]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise _refused(", ".join(twice), "The id stands twice.")
    return tuple(rules)
