"""Profile printing: how two profiles compare, as text.

Belongs here: how the difference of profiles reads on a terminal. Package values only.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from dagster_project.application.profile_effect import BridgeEffect, Difference, ProfileDifference, Verdict
from dagster_project.cli.printing import counted

_VERDICTS: Final[Mapping[Verdict, str]] = MappingProxyType(
    {
        Verdict.SAME: "the same",
        Verdict.STRICTER: "only stricter: in force with --replaces once any one of the four roles has approved it",
        Verdict.LOOSER: "only looser: in force once incident command, support leadership, security and legal have "
        "approved it",
        Verdict.OTHER: "not only stricter: in force once incident command, support leadership, security and legal have "
        "approved it",
    }
)
_LONGEST: Final = 100


def difference_lines(found: ProfileDifference) -> Iterator[str]:
    """Yield how two profiles compare: the verdict, every difference, and the fields that would read otherwise."""
    yield f"{found.old} {found.old_digest}"
    yield f"{found.new} {found.new_digest}: {_VERDICTS[found.verdict]}"
    yield f"{counted(len(found.differences), 'difference')}"
    yield from (f"  {_difference(one)}" for one in found.differences)
    if found.bridges is None:
        return
    if not found.bridges:
        yield "no page is rendered yet"
    elif not any(one.rendered_with_old for one in found.bridges):
        yield f"{found.old} renders no bridge now; every bridge is compared"
    for bridge in found.bridges:
        yield from _bridge_lines(bridge)


def _difference(one: Difference) -> str:
    what = f"{one.part} {one.where}"
    if one.kind == "added":
        return f"{what} is added: {_short(one.new)}"
    if one.kind == "removed":
        return f"{what} is removed: {_short(one.old)}"
    direction = f", {one.direction}" if one.direction else ""
    return f"{what} changes: {_short(one.old)} -> {_short(one.new)}{direction}"


def _bridge_lines(bridge: BridgeEffect) -> Iterator[str]:
    yield f"{bridge.incident} {bridge.bridge}: {counted(len(bridge.changes), 'field')} would read otherwise"
    yield from _failing("the page as it is", bridge.old_reasons)
    yield from _failing("the page as it would be", bridge.new_reasons)
    yield from (f"  {one.pointer}: {_short(one.old)} -> {_short(one.new)}" for one in bridge.changes)


def _failing(page: str, reasons: Iterable[str]) -> Iterator[str]:
    if reasons:
        yield f"  {page} does NOT PASS its release check: {', '.join(reasons)}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
