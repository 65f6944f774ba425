"""Guards switched off: with any one of them gone, the harness must find an interference or an omission.

How each is switched off is `switches`. Of a release rule found is a candidate with the fault that the rule is there for
(`faults`), that passes all the same.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from random import Random
from typing import Final

import msgspec

from dagster_project.errors import ChannelsafeError
from dagster_project.integrity.digests import digest_of
from dagster_project.packaging import (
    rendering,
)
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.guards import GUARDS, Guard
from tests.harness.bases import Base, make_base
from tests.harness.blocks import run_block
from tests.harness.faults import FAULTS
from tests.harness.switches import Patch, switch_off, without
from tests.support.histories import shipped_profile
from tests.support.mutations import seeded

MOST: Final = 1000
PER_BASE: Final = 3


# What is searched as if it were a guard, to see that nothing is found while every guard is on.
NONE_OFF: Final = Guard("none", "none off", "")


@dataclass(frozen=True)
class Found:
    """Of one guard that is off: after how many mutations it was found out, and by what; None where it was not."""

    guard: Guard
    mutations: int
    by: str | None

    @property
    def is_right(self) -> bool:
        """Whether a guard that is off was found out, and nothing was found where none is off."""
        return (self.by is None) == (self.guard == NONE_OFF)


def search(guard: Guard, seed: str) -> Found:
    """Switch one guard off and mutate until something is found, `MOST` times at most."""
    with Patch.context() as patch:
        look = _LOOKS.get(guard.kind, _in_blocks)
        return look(guard, seed, patch)


def _in_blocks(guard: Guard, seed: str, patch: Patch) -> Found:
    if guard != NONE_OFF:
        switch_off(guard, patch)
    made = 0
    for number in range(MOST):
        try:
            figures = run_block(f"{seed}/guards", number, PER_BASE)
        except ChannelsafeError as fault:
            return Found(guard, made + 1, f"no page can be made: {fault.code}")
        made += figures.restricted + figures.permitted
        found = [*figures.interferences, *figures.omissions]
        if found:
            return Found(guard, made, found[0].partition(" in ")[0])
        if made >= MOST:
            break
    return Found(guard, made, None)


def _by_faults(guard: Guard, seed: str, _patch: Patch) -> Found:
    """Let one fault into candidate after candidate until one passes that should not."""
    made = 0
    for one, random in _candidates(seed):
        made += 1
        with Patch.context() as inner:
            honest = rendering.render(one).content_bytes
            faulty = FAULTS[guard.name](one, random, inner)
            if faulty is None or (guard.name != "fresh" and digest_of(faulty.content) == _digest(honest)):
                continue
            assert not faulty.passes(), f"{guard.name} lets its fault pass while it is on"
            without(inner, "release", guard.name)
            if faulty.passes():
                return Found(guard, made, FAULTS[guard.name].__name__.strip("_").replace("_", " ") + " passes")
        if made >= MOST:
            break
    return Found(guard, made, None)


def _digest(body: bytes) -> str:
    return digest_of(msgspec.json.decode(body))


def _candidates(seed: str) -> Iterator[tuple[RenderingContext, Random]]:
    for number in range(MOST):
        random = seeded(f"{seed}/faults/{number}")
        base: Base = make_base(f"{seed}/faults/{number}", random)
        for one in base.contexts(base.history).values():
            if base.tables.profile == shipped_profile():
                yield one, random


# ---- judges of profiles ------------------------------------------------------------------------------------------


def _by_profiles(guard: Guard, _seed: str, patch: Patch) -> Found:
    """Let the judge's own faults into the shipped profile; found is one that is accepted."""
    from tests.unit.test_guard_registry import FINDINGS  # noqa: PLC0415 - its witnesses are tests of their own

    assert FINDINGS[guard.name](), f"{guard.name} finds no fault while it is on"
    switch_off(guard, patch)
    with suppress(ChannelsafeError):
        return Found(guard, 1, None if FINDINGS[guard.name]() else "a faulty profile is accepted")
    return Found(guard, 1, None)


_LOOKS: Final[Mapping[str, Callable[[Guard, str, Patch], Found]]] = {"release": _by_faults, "profile": _by_profiles}


def search_all(seed: str, *, processes: int = 2) -> list[Found]:
    """Switch every guard off, one after the other; first none, of which nothing may be found."""
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(search, (NONE_OFF, *all_guards()), repeat(seed)))


def table(found: list[Found]) -> str:
    """Return the table of all guards: kind, name, after how many mutations it was missed, and by what."""
    rows = [
        f"{one.guard.kind:9}{one.guard.name:32}{one.mutations:6}  {one.by or 'NOT FOUND'}"
        for one in sorted(found, key=lambda one: one.guard)
    ]
    return "\n".join([f"{'kind':9}{'guard switched off':32}{'after':>6}  found by", *rows])


def all_guards() -> tuple[Guard, ...]:
    """Return every registered guard, sorted."""
    return tuple(sorted(GUARDS))
