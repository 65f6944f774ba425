"""The writing rules in use: a judge of texts made of the shipped rules, and profiles judged by it.

Belongs here: joining rule data, scanner and profile. What a rule says is data, how a text is judged is
`scanning.wording`, where a profile holds texts is `packaging.profile_wording`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from dagster_project.packaging.profile import Profile
from dagster_project.packaging.profile_findings import finding_meanings
from dagster_project.packaging.profile_validation import (
    Finding,
    validate_profile,
    validate_wording,
    wording_code,
)
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.preselection import LiteralPreselector
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.shipped import shipped_rules, shipped_writing_rules
from dagster_project.scanning.wording import TextJudge
from dagster_project.scanning.writing_rules import WritingRules, scanner_rules_of

# The scanner keys the digests of its findings; a judge of texts hands out none.
_KEY: Final = b"writing rules"


def text_judge(rules: WritingRules, scanner_rules: tuple[Rule, ...]) -> TextJudge:
    """Return a judge by these writing rules, and by those of `scanner_rules` that some of them rest on.

    It runs on the pure engine: texts of profiles are short, and equal on every machine.
    """
    types = {kind for rule in rules.rules for kind in rule.finding_types}
    searched = (*scanner_rules_of(rules), *(one for one in scanner_rules if one.type in types))
    return TextJudge(rules, Scanner(LiteralPreselector(searched), key=_KEY))


@cache
def shipped_judge() -> TextJudge:
    """Return a judge by the rules that are shipped."""
    return text_judge(shipped_writing_rules(), shipped_rules())


@dataclass(frozen=True)
class ExplainedFinding:
    """A finding over a profile, with what it means and what to do."""

    level: str
    code: str
    where: str
    meaning: str


def judge_profile(profile: Profile) -> tuple[ExplainedFinding, ...]:
    """Return every finding over a profile, errors first: its rules and tables, and the texts that customers read."""
    found = sorted((*validate_profile(profile), *validate_wording(profile, shipped_judge())))
    return tuple(ExplainedFinding(one.level, one.code, one.where, _meaning(one)) for one in found)


def _meaning(finding: Finding) -> str:
    rule = next((one for one in shipped_writing_rules().rules if wording_code(one.id) == finding.code), None)
    if rule is None:
        return finding_meanings()[finding.code]
    return f"A text that customers read breaks writing rule {rule.id}; `channelsafe rules` explains it. Word it anew."
