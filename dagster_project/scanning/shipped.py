"""The rules that are shipped with the product, and whether a short text breaks any of them.

Belongs here: reading the rule data that lies beside this module, and the judgement of single parameters on their way
into a package. Does not belong here: choosing an engine and scanning files (the application does).
"""

from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

import yaml

from dagster_project.scanning.engine import UNREADABLE, Scanner
from dagster_project.scanning.preselection import LiteralPreselector
from dagster_project.scanning.rules import Rule, rules_of
from dagster_project.scanning.writing_rules import WritingRules, scanner_rules_of, writing_rules_of

_RULE_FILES: Final = ("personal_data", "secrets")
_WRITING_RULES: Final = "wording"
# Findings carry keyed digests; of these none is kept, so nothing needs to be kept secret about the key.
_NO_DIGEST_LEAVES: Final = bytes(32)


def shipped_document(name: str) -> Any:  # noqa: ANN401 - any YAML value
    """Return a document of the rule data, by file name without ending."""
    file = resources.files("dagster_project.scanning") / "rules" / f"{name}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@cache
def shipped_writing_rules() -> WritingRules:
    """Return the writing rules that are shipped."""
    return writing_rules_of(shipped_document(_WRITING_RULES))


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Return the rules that are shipped, in the order of their files, those that follow from the writing rules last."""
    return (*rules_of(map(shipped_document, _RULE_FILES)), *scanner_rules_of(shipped_writing_rules()))


@lru_cache(maxsize=4096)
def breaks_a_rule(text: str) -> bool:
    """Tell whether a short source-derived text holds what no text may: a secret, personal data, a host, a promise.

    Unlike a deny list this knows nothing of the incident. What cannot be read breaks the rules too. The pure engine
    judges: it is there on every machine, and a page must not depend on the machine.
    """
    return any(one.type == UNREADABLE or one.rule in _blocking() for one in _scanner().scan(text))


@cache
def _scanner() -> Scanner:
    return Scanner(LiteralPreselector(shipped_rules()), key=_NO_DIGEST_LEAVES)


@cache
def _blocking() -> frozenset[str]:
    return frozenset(one.id for one in shipped_rules() if one.severity == "block")
