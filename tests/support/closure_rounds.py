"""Rounds: a case ready for a worker, in either direction, which points its round passes, and how it must end."""

from collections.abc import Callable
from typing import Final

from tests.support.closure_points import Points, watched
from tests.support.closure_sites import STEPS, Site

PREPARED: Final[dict[str, Callable[[Site, str], str]]] = {
    "apply": Site.announced,
    "undo": Site.to_be_taken_back,
}


def points_of(site: Site, direction: str) -> list[str]:
    """Return what a round that works a case passes with nothing in the way; tried once for a site."""
    if direction not in site.points:
        site.points[direction] = _passed(site, direction)
    return site.points[direction]


def _passed(site: Site, direction: str) -> list[str]:
    points, case = Points(), PREPARED[direction](site, site.new_case())
    systems = site.systems
    with watched(points, site.workspace.store.engine, site.own_engine, systems) as seen:
        site.replaced = seen
        site.work()
    site.replaced = None
    judge(site, case, direction)
    return points.passed


def judge(site: Site, case: str, direction: str) -> None:
    if direction == "apply":
        site.assert_closed_once(case)
    else:
        site.assert_taken_back_once(case)


def around_effects(passed: list[str]) -> list[int]:
    """Return the numbers of the points before, within and after each effect."""
    found = []
    for target in STEPS:
        before = passed.index(f"before apply {target}") + 1
        after = passed.index(f"after apply {target}") + 1
        assert after == before + 3, "one commit or one answer lies within an effect"
        found += [before, before + 1, after]
    return found


def settle(site: Site) -> None:
    """Let requests that a dead worker had sent come to their end, as they do in the minutes of its lease."""
    if site.server is not None:
        for system in site.server.systems.values():
            system.wait_until_idle()
