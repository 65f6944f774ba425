"""Many workers, frozen workers, workers with a fault of their own, and a database that is restarted under them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Final

import pytest

from dagster_project.application.closing_systems import Systems
from dagster_project.errors import Unavailable
from tests.support.closure_points import Points, watched
from tests.support.closure_processes import doing_both, start, thaw, wait_until_frozen, working
from tests.support.closure_rounds import PREPARED, around_effects, judge, points_of
from tests.support.closure_sites import LATER, STEPS, Site
from tests.support.closure_targets import ARCHIVE, LEDGER
from tests.support.closure_targets import event as event_of
from tests.support.histories import FULL
from tests.support.target_server import Fault

WORKERS: Final = 8
MANY: Final = 200 if FULL else 16
STOPPED: Final = {"stopped"}


@contextmanager
def frozen(site: Site, number: int) -> Iterator[None]:
    """Freeze a worker at a point of its round, and thaw it at the end; it must then end well by itself."""
    process = start(working, site.reach, freeze_at=number)
    try:
        wait_until_frozen(process.pid)
        yield
    finally:
        thaw(process.pid)
        process.join()
    assert process.exitcode == 0


def test_a_worker_that_thaws_after_its_lease_ran_out_has_no_effect_any_more(
    site: Site, request: pytest.FixtureRequest
) -> None:
    for direction, prepare in PREPARED.items():
        numbers = [one for one in around_effects(points_of(site, direction)) if not holds_a_lock(site, direction, one)]
        for number in numbers if FULL else Random(f"{request.node.name}{direction}").sample(numbers, 2):  # noqa: S311 - a sample
            case = prepare(site, site.new_case())
            with frozen(site, number):
                site.finish(case)
                judge(site, case, direction)
            judge(site, case, direction)


def holds_a_lock(site: Site, direction: str, number: int) -> bool:
    """Whether a worker frozen at a point would keep the database of the targets locked for everybody."""
    within = {around_effects(points_of(site, direction))[place] for place in range(1, 15, 3)}
    return site.own_engine is not None and number in within


def before_apply(site: Site, target: str) -> int:
    return points_of(site, "apply").index(f"before apply {target}") + 1


@pytest.mark.parametrize("target", STEPS if FULL else (ARCHIVE, LEDGER))
def test_what_a_frozen_worker_was_about_to_write_is_refused_once_the_plan_was_stopped(site: Site, target: str) -> None:
    """It looked at the authority before it froze; while it was frozen the case was reopened."""
    number, case = before_apply(site, target), site.announced(site.new_case())
    with frozen(site, number):
        site.change(case, state="reopened")
        assert site.finish(case, rounds=3) == "stopped"
        site.pass_time(LATER)
        site.work()
        before = site.effects_of(case)
    assert site.effects_of(case) == before
    assert before[target] == 0


@pytest.mark.parametrize("target", STEPS if FULL else (ARCHIVE, LEDGER))
def test_what_a_frozen_worker_was_about_to_write_is_refused_once_it_was_taken_back(site: Site, target: str) -> None:
    number, case = before_apply(site, target), site.announced(site.new_case())
    with frozen(site, number):
        site.pass_time(LATER)
        site.revert(case)
        assert site.finish(case) == "reverted"
        before = site.effects_of(case)
    assert site.effects_of(case) == before
    assert before[target] == 0


def test_a_frozen_worker_does_not_overwrite_what_a_newer_disposition_wrote(site: Site) -> None:
    number, case = before_apply(site, ARCHIVE), site.announced(site.new_case())
    with frozen(site, number):
        site.change(case, disposition_version=4)
        site.admit(event_of(f"evt-{case}-4", case, disposition_version=4))
        assert site.finish(case) == "complete"
        before = site.shown(case)[ARCHIVE]
        assert before["disposition_version"] == 4
    assert site.shown(case)[ARCHIVE] == before
    assert site.effects_of(case)[ARCHIVE] == 1


def test_a_request_that_stalls_until_its_plan_was_stopped_is_refused_by_its_fence(http_site: Site) -> None:
    site = http_site
    assert site.server is not None
    case, server = site.announced(site.new_case()), site.server.systems[LEDGER]
    site.seconds = 0.25
    server.switch_on(Fault.STALLS, times=1, seconds=60.0)
    site.work()
    site.seconds = 10.0
    assert site.states_of(case)["ledger_marked"] == "unknown"
    site.change(case, state="reopened")
    assert site.finish(case, rounds=3) == "stopped"
    server.switch_off()
    server.wait_until_idle()
    assert site.effects_of(case)[LEDGER] == 0


def test_eight_workers_on_one_event_have_each_effect_once(site: Site) -> None:
    site.pass_time(LATER)
    case = site.new_case()
    running = [start(doing_both, site.reach, site.body(case)) for _ in range(WORKERS)]
    for one in running:
        one.join()
    assert [one.exitcode for one in running] == [0] * WORKERS
    site.finish(case)
    site.assert_closed_once(case)
    assert site.overview(case).events[0].state == "planned"
    assert len(site.overview(case).plans) == 1


def test_eight_workers_on_many_events_have_each_effect_once(site: Site, announce: Callable[[str], None]) -> None:
    site.pass_time(LATER)
    cases = [site.announced(site.new_case()) for _ in range(MANY)]
    running = [start(working, site.reach) for _ in range(WORKERS)]
    for one in running:
        one.join()
    assert [one.exitcode for one in running] == [0] * WORKERS
    for case in cases:
        if site.plan(case).state != "complete":
            site.finish(case)
        site.assert_closed_once(case)
    announce(f"closures: {WORKERS} workers closed {MANY} cases, each effect once")


@pytest.mark.parametrize("error", [TypeError, ImportError, MemoryError])
def test_a_fault_of_the_worker_itself_compensates_nothing(site: Site, error: type[Exception]) -> None:
    for direction, prepare in PREPARED.items():
        passed = points_of(site, direction)
        every = range(1, len(passed) + 1)
        for number in every if FULL else Random(f"{error.__name__}{direction}").sample(every, 2):  # noqa: S311 - a sample
            case = prepare(site, site.new_case())
            with pytest.raises(error):
                work_through(site, number, raising(error))
            assert direction == "undo" or not site.states_of(case, "undo"), "something was compensated"
            assert site.finish(case) in {"complete", "reverted"}
            judge(site, case, direction)


def raising(error: type[Exception]) -> Callable[[], None]:
    def happens() -> None:
        raise error

    return happens


def work_through(site: Site, number: int, happens: Callable[[], None]) -> None:
    """Work a round in this process, in which something happens at one point."""
    systems = site.systems
    with watched(Points({number}, happens), site.workspace.store.engine, site.own_engine, systems) as seen:
        work_in(site, seen)


def work_in(site: Site, systems: Systems) -> None:
    site.replaced = systems
    try:
        site.work()
    finally:
        site.replaced = None


def test_a_server_that_is_restarted_in_any_phase_strands_nothing(
    postgresql_site: Site, request: pytest.FixtureRequest, announce: Callable[[str], None]
) -> None:
    site = postgresql_site
    server = request.getfixturevalue("postgresql_server")
    restarts = 0
    for direction, prepare in PREPARED.items():
        passed = points_of(site, direction)
        every = range(1, len(passed) + 1)
        committing = [number for number in every if passed[number - 1] == "before commit"]
        chance = Random(f"restart {direction}")  # noqa: S311 - a sample
        for number in every if FULL else (*chance.sample(committing, 2), chance.choice(every)):
            case = prepare(site, site.new_case())
            try:
                work_through(site, number, server.restart)
            except Unavailable:
                restarts += 1  # the round ended there, as the command says; the next one goes on
            site.pass_time(timedelta(minutes=5))
            assert site.finish(case) in {"complete", "reverted"}
            judge(site, case, direction)
    assert restarts > 0, "no round met a restart: the test proves nothing"
    announce(f"closures: PostgreSQL was restarted in mid-round, and ended {restarts} rounds")
