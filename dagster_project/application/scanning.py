"""Scanning: the shipped rules made ready, and files of lines put through them.

Belongs here: reading the rule data and choosing the engine. Does not belong here: how anything is found (`scanning`).
"""

import importlib.util
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
import yaml

from dagster_project.errors import UnsafeOrRejected
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.preselection import HyperscanPreselector, LiteralPreselector, Preselector
from dagster_project.scanning.rules import Rule, rules_of
from dagster_project.scanning.writing_rules import WritingRules, scanner_rules_of, writing_rules_of

_RULE_FILES: Final = ("personal_data", "secrets")
_WRITING_RULES: Final = "wording"


class Line(msgspec.Struct, frozen=True):
    """One line to scan."""

    id: str
    text: str


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


def fastest_preselector(rules: tuple[Rule, ...]) -> Preselector:
    """Return the hyperscan engine where its wheel is installed, else the pure one."""
    installed = importlib.util.find_spec("hyperscan") is not None
    return HyperscanPreselector(rules) if installed else LiteralPreselector(rules)


def scanner_of(rules: tuple[Rule, ...], *, key: bytes) -> Scanner:
    """Return a scanner of `rules` with the fastest engine of this machine."""
    return Scanner(fastest_preselector(rules), key=key)


def scanned_lines(lines: Iterable[bytes], scanner: Scanner) -> Iterator[dict[str, Any]]:
    """Yield ``{"id", "findings": [{"rule", "type", "start", "end"}]}`` for every line of JSON.

    Raises:
        UnsafeOrRejected: a line is not ``{"id": string, "text": string}``; it names the line's number, not its content.
    """
    for number, one in enumerate(lines, start=1):
        if not one.strip():
            continue
        try:
            line = msgspec.json.decode(one, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnsafeOrRejected(
                "scan_line_unreadable",
                what="A line is not a JSON object with the strings `id` and `text`.",
                where=f"line {number}",
                what_to_do="Correct the line; lines before it were scanned, none after it was.",
            ) from error
        findings = [{"rule": f.rule, "type": f.type, "start": f.start, "end": f.end} for f in scanner.scan(line.text)]
        yield {"id": line.id, "findings": findings}
