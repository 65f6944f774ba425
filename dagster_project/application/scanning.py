"""Scanning: the shipped rules made ready, and files of lines put through them.

Belongs here: choosing the engine. Does not belong here: the rule data (`scanning.shipped`) and how anything is found.
"""

import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from dagster_project.errors import Unavailable
from dagster_project.scanning.engine import Finding, Scanner
from dagster_project.scanning.preselection import HyperscanPreselector, LiteralPreselector, Preselector
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.shipped import shipped_rules
from dagster_project.scanning.terms import NO_TERMS, Terms

_NAMED: Final = 20


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line to scan."""

    id: str
    text: str


def fastest_preselector(rules: tuple[Rule, ...]) -> Preselector:
    """Return the hyperscan engine where its wheel is installed, else the pure one."""
    installed = importlib.util.find_spec("hyperscan") is not None
    return HyperscanPreselector(rules) if installed else LiteralPreselector(rules)


ENGINES: Final[Mapping[str, Callable[[tuple[Rule, ...]], Preselector]]] = {
    "fastest": fastest_preselector,
    "hyperscan": HyperscanPreselector,
    "pure": LiteralPreselector,
}


def scanner_of(rules: tuple[Rule, ...], *, key: bytes, engine: str = "fastest", terms: Terms = NO_TERMS) -> Scanner:
    """Return a scanner of `rules` and `terms` with one of the `ENGINES`.

    Raises:
        Unavailable: the engine is not installed on this machine.
    """
    return Scanner(ENGINES[engine](rules), key=key, terms=terms)


def shipped_scanner(*, key: bytes, engine: str, terms: Terms) -> Scanner:
    """Return a scanner of the shipped rules.

    Raises:
        Unavailable: the engine is not installed on this machine.
    """
    return scanner_of(shipped_rules(), key=key, engine=engine, terms=terms)


def terms_in(lines: Iterable[str]) -> Terms:
    """Return denied terms, one for each line; empty lines are none."""
    return Terms.of({}, always=[one.strip() for one in lines if one.strip()])


class ScannedLine(msgspec.Struct, frozen=True):
    """What a line holds; findings carry rule, place and keyed digest, never the text."""

    id: str
    findings: tuple[Finding, ...]


class UnreadableLine(msgspec.Struct, frozen=True):
    """A line that could not be scanned, by its number from 1."""

    number: int


def scanned_lines(lines: Iterable[bytes], scanner: Scanner) -> Iterator[ScannedLine | UnreadableLine]:
    """Yield what every line of JSON holds, in their order. Empty lines hold nothing and are left out.

    A line is scanned only if it is ``{"id": string, "text": string}`` and nothing besides: what is in another field,
    or in the first of two with one name, would pass unseen.
    """
    for number, one in enumerate(lines, start=1):
        if not one.strip():
            continue
        line = _line(one)
        yield UnreadableLine(number) if line is None else ScannedLine(line.id, tuple(scanner.scan(line.text)))


def _line(data: bytes) -> Line | None:
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        members = json.loads(data, object_pairs_hook=list)
        line = msgspec.convert(dict(members), Line)
    except (ValueError, TypeError, RecursionError):
        return None
    return line if len(members) == len(line.__struct_fields__) else None


def unreadable_lines(numbers: Sequence[int]) -> Unavailable:
    """Return the error that says which lines could not be scanned."""
    named = ", ".join(map(str, numbers[:_NAMED])) + (", ..." if len(numbers) > _NAMED else "")
    return Unavailable(
        "scan_lines_unreadable",
        what=f"{len(numbers)} lines were not scanned. Each must be an object with the strings `id` and `text` alone.",
        where=f"lines {named}",
        what_to_do="Correct these lines and scan them again; every other line was scanned.",
    )
