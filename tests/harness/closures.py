"""Closures: many completions through randomized kills and outages, judged by what the targets' own logs say.

A block is a deployment of its own with some cases, on one of four ways: SQLite or PostgreSQL, the support systems as
tables or over HTTP. Its cases are closed, and some taken back, while workers die and systems fail at places drawn from
the seed. Most deaths are an exception that nothing catches, at a point of `tests.support.closure_points`; a stated
number are SIGKILL of a process. Expected of each case is written down by hand in `closure_sites`.
"""

import secrets
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from sqlalchemy.engine import URL

from dagster_project.application.closing_systems import Systems
from dagster_project.closure.targets import (
    OutcomeUnknown,
    SubjectState,
    Target,
    TargetReceipt,
    TargetRequest,
    TargetUnavailable,
)
from tests.fixtures.postgresql import PostgresqlServer, find_binaries, run_server
from tests.support.closure_points import Killed, Points, watched
from tests.support.closure_processes import run, working
from tests.support.closure_sites import LATER, STEPS, Site, is_of, site_at
from tests.support.mutations import seeded

CASES: Final = 40
# One case in so many is taken back after it was closed.
TAKEN_BACK: Final = 5
EFFECTS: Final = len(STEPS) * (CASES + CASES // TAKEN_BACK)
SIGKILLS_PER_BLOCK: Final = 2
_MOST_ROUNDS: Final = 400
# From this round on only deaths go on, and fewer: every block comes to its end.
_LAST_FAULT: Final = 60
_DOWN: Final = 0.12
_FAILS: Final = 0.08
_SECONDS_BETWEEN_LINES: Final = 15


@dataclass
class Counted:
    """What happened to some blocks, and what the targets' logs say of them."""

    expected: int = 0
    applied: int = 0
    duplicated: int = 0
    lost: int = 0
    wrong: int = 0
    deaths: int = 0
    sigkills: int = 0
    outages: int = 0
    on_postgresql: int = 0

    def add(self, other: "Counted") -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def is_right(self) -> bool:
        return self.applied == self.expected and not (self.duplicated or self.lost or self.wrong)

    def last_line(self) -> str:
        return (
            f"effects expected: {self.expected}, applied: {self.applied}, "
            f"duplicated: {self.duplicated}, lost: {self.lost}"
        )

    def story(self) -> str:
        return (
            f"{self.deaths} deaths by an exception that nothing catches, {self.sigkills} by SIGKILL, {self.outages} "
            f"outages; {self.on_postgresql} effects on PostgreSQL; cases with a wrong value, audit row or state: "
            f"{self.wrong}"
        )


class _Flaky:
    """A target that is down at times, and at times fails as a network does: before an effect, or after it."""

    def __init__(self, target: Target, block: "_Block") -> None:
        self._target, self._block = target, block

    @property
    def name(self) -> str:
        return self._target.name

    def _reach(self) -> None:
        if self.name in self._block.down:
            raise TargetUnavailable("unreachable")

    def read(self, subject: str) -> SubjectState | None:
        self._reach()
        return self._target.read(subject)

    def raise_fence(self, subject: str, fence: int) -> None:
        self._reach()
        self._target.raise_fence(subject, fence)

    def probe(self, key: str) -> TargetReceipt | None:
        self._reach()
        return self._target.probe(key)

    def apply(self, request: TargetRequest) -> TargetReceipt:
        self._reach()
        drawn = self._block.random.random()
        if drawn < _FAILS / 2:
            self._block.counted.outages += 1
            raise TargetUnavailable("busy")
        receipt = self._target.apply(request)
        if drawn < _FAILS:
            self._block.counted.outages += 1
            raise OutcomeUnknown("no_answer")
        return receipt


@dataclass
class _Block:
    """One deployment, what is drawn for it, and what happened."""

    site: Site
    random: Random
    counted: Counted
    size: int
    down: frozenset[str] = frozenset()

    def close_all(self) -> None:
        """Announce the cases, and work them round by round until all are closed, some of them taken back again."""
        cases = [self.site.announced(self.site.new_case()) for _ in range(self.size)]
        to_take_back = set(self.random.sample(cases, self.size // TAKEN_BACK))
        waiting = set(to_take_back)
        kills = set(self.random.sample(range(2, 10), SIGKILLS_PER_BLOCK))
        for number in range(_MOST_ROUNDS):
            states = {one.case: one.state for one in self.site.overview().plans}
            if not waiting and set(states.values()) <= {"complete", "reverted"}:
                break
            for case in sorted(case for case in waiting if states[case] == "complete"):
                self.site.revert(case)
                waiting.remove(case)
            if number in kills:
                self._die_by_sigkill()
            else:
                self._round(is_quiet=number > _LAST_FAULT)
            self.site.pass_time(timedelta(seconds=self.random.choice([1, 20, 150, 600])))
        self._judge(cases, to_take_back)

    def _round(self, *, is_quiet: bool) -> None:
        """Work a round in which some systems are down and the worker may die."""
        names = sorted(STEPS)
        self.down = frozenset(() if is_quiet else (one for one in names if self.random.random() < _DOWN))
        self.counted.outages += len(self.down)
        # In a round without a death the point is beyond its end.
        points = Points({self.random.randint(1, 400 if is_quiet else 250)}, self._die)
        site, systems = self.site, self.site.systems
        flaky: dict[str, Target] = {name: _Flaky(one, self) for name, one in systems.targets.items()}
        faulty = Systems(systems.case_review, systems.archive, flaky)
        try:
            with watched(points, site.workspace.store.engine, site.own_engine, faulty) as seen:
                site.replaced = seen
                site.work(at_most=self.random.randint(1, 12))
        except Killed:
            self.counted.deaths += 1
        finally:
            site.replaced = None
        self._settle()

    @staticmethod
    def _die() -> None:
        raise Killed

    def _die_by_sigkill(self) -> None:
        self.site.pass_time(LATER)
        died = not run(working, self.site.reach, die_at=self.random.randint(1, 120))
        self.counted.sigkills += died
        self._settle()

    def _settle(self) -> None:
        for server in self.site.server.systems.values() if self.site.server else ():
            server.wait_until_idle()

    def _judge(self, cases: Sequence[str], taken_back: Collection[str]) -> None:
        logged = self.site.logged()
        for case in cases:
            each = 2 if case in taken_back else 1
            for target in STEPS:
                keys = [key for name, subject, key in logged if name == target and is_of(case, subject)]
                distinct = len(set(keys))
                self.counted.expected += each
                self.counted.applied += distinct
                self.counted.duplicated += len(keys) - distinct + max(0, distinct - each)
                self.counted.lost += max(0, each - distinct)
            self.counted.wrong += not self._is_as_it_should_be(case, is_taken_back=case in taken_back)

    def _is_as_it_should_be(self, case: str, *, is_taken_back: bool) -> bool:
        try:
            if is_taken_back:
                self.site.assert_taken_back_once(case)
            else:
                self.site.assert_closed_once(case)
        except AssertionError:
            return False
        return True


def run_block(seed: str, number: int, server: URL | None, *, size: int = CASES) -> Counted:
    """Run one block; every second one is over HTTP, and every second two on PostgreSQL where there is a server."""
    counted = Counted()
    is_on_postgresql = server is not None and number // 2 % 2 == 1
    with tempfile.TemporaryDirectory() as folder, _databases(server if is_on_postgresql else None) as (own, support):
        opened = site_at(Path(folder), database_url=own, support_url=support, over_http=number % 2 == 1)
        with opened as site:
            _Block(site, seeded(f"{seed}/closures/{number}"), counted, size).close_all()
    counted.on_postgresql = counted.applied if is_on_postgresql else 0
    return counted


@contextmanager
def _databases(url: URL | None) -> Iterator[tuple[str | None, str | None]]:
    """Make two databases on a server, for a while; none where there is no server."""
    if url is None:
        yield None, None
        return
    server = PostgresqlServer(url=url, restart=lambda: None)
    names = [f"{kind}_{secrets.token_hex(6)}" for kind in ("closures", "support")]
    own, support = (server.create_database(name) for name in names)
    yield own, support
    for name in names:
        server.drop_database(name)


def prove(effects: int, seed: str, *, processes: int = 2) -> Counted:
    """Run blocks until at least `effects` were expected; say how it goes, and return what was counted."""
    counted, begun, told = Counted(), time.monotonic(), 0.0
    binaries = find_binaries()
    blocks = max(1, -(-effects // EFFECTS))
    with ExitStack() as opened:
        server = None if binaries is None else opened.enter_context(run_server(binaries)).url
        _say("on SQLite alone: PostgreSQL is not installed" if server is None else "on SQLite and PostgreSQL")
        pool = opened.enter_context(ProcessPoolExecutor(processes))
        waiting = [pool.submit(run_block, seed, number, server) for number in range(blocks)]
        for number, one in enumerate(waiting, start=1):
            counted.add(one.result())
            seconds = time.monotonic() - begun
            if seconds - told > _SECONDS_BETWEEN_LINES or number == blocks:
                told = seconds
                _say(f"{counted.applied} effects in {number} of {blocks} blocks after {seconds:.0f} s")
    return counted


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
