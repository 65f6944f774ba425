"""Support systems that are down, silent, busy, wrong or lie: the rest goes on, and finally every effect is there once.

By default some of the cases are taken on each database and way; with CHANNELSAFE_EXAMPLES=full it is every one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import combinations
from typing import Final

import pytest

from dagster_project.application.closing_commands import ClosureAct
from dagster_project.application.closing_systems import Systems
from dagster_project.closure.targets import SubjectState, Target, TargetReceipt, TargetRequest, TargetUnavailable
from tests.support.closure_sites import LATER, STEPS, Site
from tests.support.closure_targets import LEDGER, NOTICES
from tests.support.histories import FULL
from tests.support.target_server import ARCHIVE_DOCUMENTS, CASE_REVIEW, Fault

SUBSETS: Final = tuple(
    frozenset(chosen) for size in range(1, len(STEPS) + 1) for chosen in combinations(sorted(STEPS), size)
)
# Which of the 31 subsets are taken by default: over the four ways together it is all of them but a few.
TAKEN: Final = {"sqlite tables": 0, "sqlite http": 1, "postgresql tables": 2, "postgresql http": 3}
FAULTS: Final = (
    Fault.LOST_RESPONSE,
    Fault.FAILS,
    Fault.FAILS_AFTERWARDS,
    Fault.BUSY,
    Fault.STALLS,
    Fault.WRONG_READ_BACK,
)
ONE_MINUTE: Final = 60.0


class _Down:
    """A target that cannot be reached."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, _subject: str) -> SubjectState | None:
        raise TargetUnavailable("unreachable")

    def raise_fence(self, _subject: str, _fence: int) -> None:
        raise TargetUnavailable("unreachable")

    def probe(self, _key: str) -> TargetReceipt | None:
        raise TargetUnavailable("unreachable")

    def apply(self, _request: TargetRequest) -> TargetReceipt:
        raise TargetUnavailable("unreachable")


@contextmanager
def down(site: Site, names: frozenset[str]) -> Iterator[None]:
    """Have these targets refuse connections until the end."""
    if site.server is None:
        systems = site.systems
        targets: dict[str, Target] = {**systems.targets, **{name: _Down(name) for name in names}}
        site.replaced = Systems(systems.case_review, systems.archive, targets)
        yield
        site.replaced = None
        return
    servers = [site.server.systems[name] for name in sorted(names)]
    for server in servers:
        server.down()
    yield
    for server in servers:
        server.up()


@contextmanager
def at_rest(site: Site) -> Iterator[None]:
    """Let what earlier cases of this site left behind be forgotten: nobody is left alone for that long."""
    site.pass_time(LATER)
    try:
        yield
    finally:
        for server in site.server.systems.values() if site.server else ():
            server.switch_off()
            server.up()
        site.seconds = 10.0
        site.pass_time(LATER)


def test_there_are_31_ways_in_which_targets_can_be_down() -> None:
    assert len(SUBSETS) == len(set(SUBSETS)) == 31


def test_whichever_targets_are_down_the_others_go_on_and_the_notice_waits(
    site: Site, request: pytest.FixtureRequest
) -> None:
    way = request.node.callspec.params["site"]
    for names in SUBSETS if FULL else SUBSETS[TAKEN[way] :: 6]:
        with at_rest(site):
            case = site.announced(site.new_case())
            with down(site, names):
                for _ in range(3):
                    site.work()
                    site.pass_time(timedelta(seconds=20))
                reached = set(STEPS) - names - {NOTICES}
                expected = {target: int(target in reached) for target in STEPS}
                if names == {NOTICES}:
                    expected = {**dict.fromkeys(STEPS, 1), NOTICES: 0}
                assert site.effects_of(case) == expected, sorted(names)
                assert site.plan(case).audit_row is None
            assert site.finish(case) == "complete", sorted(names)
            site.assert_closed_once(case)
            assert not [one for one in site.overview(case).follow_ups if one.resolved_at is None]


def test_whichever_targets_are_down_a_revert_waits_for_them_too(site: Site, request: pytest.FixtureRequest) -> None:
    way = request.node.callspec.params["site"]
    for names in SUBSETS if FULL else SUBSETS[7 + TAKEN[way] :: 12]:
        with at_rest(site):
            case = site.to_be_taken_back(site.new_case())
            with down(site, names):
                site.work()
                assert site.plan(case).state == "reverting"
            assert site.finish(case) == "reverted", sorted(names)
            site.assert_taken_back_once(case)


@pytest.mark.parametrize("system", [CASE_REVIEW, ARCHIVE_DOCUMENTS])
def test_while_the_authority_cannot_be_read_nothing_is_written(http_site: Site, system: str) -> None:
    site = http_site
    assert site.server is not None
    with at_rest(site):
        case = site.announced(site.new_case())
        site.server.systems[system].down()
        site.work()
        site.server.systems[system].up()
        assert site.effects_of(case) == dict.fromkeys(STEPS, 0)
        assert site.finish(case) == "complete"
        site.assert_closed_once(case)


@pytest.mark.parametrize("direction", ["apply", "undo"])
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_a_target_answers_every_effect_is_there_once_in_the_end(
    http_site: Site, request: pytest.FixtureRequest, fault: Fault, direction: str
) -> None:
    """One write, or all in a row, are befallen; a stall outlasts the worker's patience, and ends with the effect."""
    site = http_site
    assert site.server is not None
    offset = FAULTS.index(fault) + (direction == "undo") + TAKEN[request.node.callspec.params["http_site"]]
    for place, target in enumerate(STEPS):
        if not FULL and place != offset % len(STEPS):
            continue
        with at_rest(site):
            case = site.new_case()
            case = site.announced(case) if direction == "apply" else site.to_be_taken_back(case)
            befall(site, fault, target, case)
            assert site.finish(case) in {"complete", "reverted"}, (fault, target)
            judged = site.assert_closed_once if direction == "apply" else site.assert_taken_back_once
            judged(case)


def befall(site: Site, fault: Fault, target: str, case: str) -> None:
    """Work while a fault befalls a target, until a person would be told."""
    assert site.server is not None
    server = site.server.systems[target]
    site.seconds = 0.25 if fault is Fault.STALLS else 10.0
    before = site.effects_of(case)[target]
    server.switch_on(fault, seconds=ONE_MINUTE)
    site.work()
    site.pass_time(timedelta(seconds=70))
    if fault is not Fault.STALLS:
        site.work()
    assert site.repeated() == 0
    had_effect = fault in {Fault.LOST_RESPONSE, Fault.FAILS_AFTERWARDS, Fault.WRONG_READ_BACK}
    assert site.effects_of(case)[target] == before + had_effect
    server.switch_off()
    server.wait_until_idle()
    site.seconds = 10.0


def test_an_effect_that_comes_after_the_worker_asked_for_it_in_vain_is_not_sent_a_second_time(http_site: Site) -> None:
    """The request stalls, the probe finds nothing, it is sent again: both arrive in the end."""
    site = http_site
    assert site.server is not None
    with at_rest(site):
        case, server = site.announced(site.new_case()), site.server.systems[LEDGER]
        site.seconds = 0.25
        server.switch_on(Fault.STALLS, times=1, seconds=ONE_MINUTE)
        site.work()
        site.seconds = 10.0
        assert site.states_of(case)["ledger_marked"] == "unknown"
        assert site.finish(case) == "complete"
        server.switch_off()
        server.wait_until_idle()
        site.assert_closed_once(case)


def test_a_refusal_for_good_waits_for_a_person_and_is_told_as_skipped(http_site: Site) -> None:
    site = http_site
    assert site.server is not None
    with at_rest(site):
        case, server = site.announced(site.new_case()), site.server.systems[LEDGER]
        server.switch_on(Fault.REFUSES)
        assert site.finish(case, rounds=3) == "open"
        assert [one.kind for one in site.overview(case).follow_ups] == ["target_refused"]
        assert site.plan(case).audit_row is None
        site.command(ClosureAct.SKIP, case=case, plan=site.plan(case).plan, step="ledger_marked", reason="by hand")
        assert site.finish(case) == "complete"
        server.switch_off()
        assert site.effects_of(case) == {**dict.fromkeys(STEPS, 1), LEDGER: 0}
        row = site.plan(case).audit_row
        assert row is not None
        assert row["steps_skipped"] == [{"step": "ledger_marked", "reason": "by hand"}]
        assert row["tracker_records_updated"] == [f"TRK-{case}"]
        assert site.shown(case)[NOTICES]["notice"] == "incomplete, skipped: ledger_marked"
