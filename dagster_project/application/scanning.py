"""Scanning: the shipped rules made ready, and files of lines put through them.

Belongs here: reading the rule data and choosing the engine. Does not belong here: how anything is found (`scanning`).
"""

import importlib.util
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any, Final

import msgspec
import yaml

from dagster_project.errors import UnsafeOrRejected
from dagster_project.scanning.engine import HyperscanPreselector, LiteralPreselector, Preselector, Scanner
from dagster_project.scanning.rules import Rule, rules_of

_RULE_FILES: Final = ("personal_data", "secrets", "wording")


class Line(msgspec.Struct, frozen=True):
    """One line to scan."""

    id: str
    text: str


def shipped_rules() -> tuple[Rule, ...]:
    """Return the rules that are shipped, in the order of their files."""
    folder = resources.files("dagster_project.scanning") / "rules"
    return rules_of(yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8")) for name in _RULE_FILES)


def fastest_preselector(rules: tuple[Rule, ...]) -> Preselector:
    """Return the hyperscan engine where its wheel is installed, else the pure one."""
    installed = importlib.util.find_spec("hyperscan") is not None
    return HyperscanPreselector(rules) if installed else LiteralPreselector(rules)


def scanner_of(rules: tuple[Rule, ...], *, key: bytes) -> Scanner:
    """Return a scanner of `rules` with the fastest engine of this machine."""
    return Scanner(rules, fastest_preselector(rules), key=key)


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
