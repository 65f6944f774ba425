"""Every guard of review is switched off once: then what it keeps back leaves, so what holds with it holds by it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest

from dagster_project.application import decision_checks, releasing, review_state
from dagster_project.application.deciding import decide
from dagster_project.application.drafting_decisions import (
    Reviewer,
    current_version,
    draft_approval,
    shown_fields,
    staged_page,
)
from dagster_project.application.releasing import release
from dagster_project.errors import UnsafeOrRejected
from dagster_project.review import changes, coverage
from dagster_project.review.changes import Change
from dagster_project.review.coverage import Approval
from dagster_project.review.decisions import Act
from tests.support.moving_sources import BRIDGE, INCIDENT, pass_time, say, speak_of
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.workspaces import make_workspace, play_scenario

EUROPE: Final = "/affected_capabilities/message-delivery/regions/europe"
SEVERITY: Final = "/severity_code"
Patch = pytest.MonkeyPatch
EVERYBODY: Final = tuple(PEOPLE)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The first two steps of the story, approved by everybody and released."""
    bench = make_bench(make_workspace(tmp_path))
    play_scenario(bench.workspace, until_step=2)
    approve(bench, *EVERYBODY)
    release(bench.workspace, INCIDENT, BRIDGE)
    return bench


def approve(bench: Bench, *people: str) -> None:
    for person in people:
        pass_time(bench.workspace, 0.1)
        bench.approve(person, INCIDENT, BRIDGE)


def health(bench: Bench, state: str) -> None:
    for recordid in ("mx-relay/eu-west-1", "outbound-gateway/eu-west-1"):
        say(bench.workspace, "service-health", recordid, {"/state": state})


def change_at(bench: Bench, pointer: str) -> Change:
    page = staged_page(bench.workspace, INCIDENT, BRIDGE)
    return next(one for one in page.state.changes if one.pointer == pointer)


def is_covered(bench: Bench, pointer: str) -> bool:
    page = staged_page(bench.workspace, INCIDENT, BRIDGE)
    return page.state.coverage.covers(change_at(bench, pointer))


def is_released(bench: Bench) -> bool:
    try:
        release(bench.workspace, INCIDENT, BRIDGE)
    except UnsafeOrRejected as refused:
        if refused.code not in {"not_releasable", "nothing_to_release"}:
            raise
        return False
    return True


# ---- what each guard keeps back: each tells whether it got through ---------------------------------------------


def a_later_return_is_covered(bench: Bench) -> bool:
    """R1: approved at one value, gone from it, and back."""
    health(bench, "degraded")
    approve(bench, "ines", "sam")
    assert is_covered(bench, EUROPE)
    # By way of the state that it came from before: else its support is another one already.
    health(bench, "down")
    health(bench, "degraded")
    return is_covered(bench, EUROPE)


def one_person_fills_two_roles(bench: Bench) -> bool:
    """R2: one person counts once, whatever roles they hold."""
    health(bench, "degraded")
    change = change_at(bench, EUROPE)
    alone = Approval("ines", frozenset(change.roles), frozenset({change.digest}))
    assert len(change.roles) > 1
    return not {*coverage.missing_roles(change, [alone])} & {*change.roles}


def the_recorder_approves(bench: Bench) -> bool:
    """R2: nobody approves what they recorded."""
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"}, recordedby="ines")
    pass_time(bench.workspace, 0.1)
    try:
        bench.approve("ines", INCIDENT, BRIDGE, [SEVERITY])
    except UnsafeOrRejected as refused:
        if refused.code != "own_record":
            raise
        return False
    return True


def an_improvement_leaves_by_security_alone(bench: Bench) -> bool:
    """R3: two people, neither of whom the class asks for, open nothing."""
    health(bench, "degraded")
    for person in ("selma", "leo"):
        pass_time(bench.workspace, 0.1)
        bench.approve(person, INCIDENT, BRIDGE, [one.pointer for one in _waiting(bench)])
    return is_covered(bench, EUROPE)


def changes_leave_without_anybody_signing_the_page(bench: Bench) -> bool:
    """R5: every change is approved, and nobody looked at the whole."""
    health(bench, "degraded")
    for person in ("ines", "sam"):
        pass_time(bench.workspace, 0.1)
        reviewer = Reviewer(person, bench.keys[person])
        draft = draft_approval(bench.workspace, INCIDENT, BRIDGE, reviewer)
        decide(bench.workspace, msgspec.structs.replace(draft, page=""), reviewer.key)
    assert is_covered(bench, EUROPE)
    return is_released(bench)


def a_page_leaves_while_the_line_is_stopped(bench: Bench) -> bool:
    """Table of acts: a hold by any reviewer, and no release."""
    health(bench, "degraded")
    approve(bench, "ines", "sam")
    bench.act("leo", Act.HOLD, INCIDENT, BRIDGE, role="legal", reason="wait")
    return is_released(bench)


def a_pulled_field_comes_back_unrestored(bench: Bench) -> bool:
    """Table of acts: what was pulled stays away, whoever approves it, until it is restored."""
    pass_time(bench.workspace, 0.1)
    version = current_version(bench.workspace, INCIDENT, BRIDGE).version
    bench.act("leo", Act.PULL, INCIDENT, BRIDGE, version=version, fields=[EUROPE], reason="wrong")
    health(bench, "degraded")
    approve(bench, *EVERYBODY)
    is_released(bench)
    return EUROPE in shown_fields(bench.workspace, current_version(bench.workspace, INCIDENT, BRIDGE))


def _waiting(bench: Bench) -> tuple[Change, ...]:
    return staged_page(bench.workspace, INCIDENT, BRIDGE).state.changes


# ---- the guards, switched off ----------------------------------------------------------------------------------


def steadiness_off(patch: Patch) -> None:
    patch.setattr(review_state, "has_stayed", lambda _change, _since: True)


def distinct_people_off(patch: Patch) -> None:
    patch.setattr(
        coverage, "filled_roles", lambda roles, people: frozenset(roles) & frozenset().union(*people.values())
    )


def own_record_off(patch: Patch) -> None:
    for module in (coverage, decision_checks):
        patch.setattr(module, "may_approve", lambda _change, _person: True)


def roles_off(patch: Patch) -> None:
    patch.setattr(changes, "_roles", lambda _compared, _pointer, _classes: iter(()))


def page_approval_off(patch: Patch) -> None:
    patch.setattr(releasing, "_needs_page_approval", lambda _page: False)


def holds_off(patch: Patch) -> None:
    patch.setattr(review_state, "active_holds", lambda _taken: frozenset())


def pulls_off(patch: Patch) -> None:
    patch.setattr(review_state, "active_pulls", lambda _taken: frozenset())


GUARDS: Final[tuple[tuple[Callable[[Bench], bool], Callable[[Patch], None]], ...]] = (
    (a_later_return_is_covered, steadiness_off),
    (one_person_fills_two_roles, distinct_people_off),
    (the_recorder_approves, own_record_off),
    (an_improvement_leaves_by_security_alone, roles_off),
    (changes_leave_without_anybody_signing_the_page, page_approval_off),
    (a_page_leaves_while_the_line_is_stopped, holds_off),
    (a_pulled_field_comes_back_unrestored, pulls_off),
)
NAMES: Final = [one.__name__ for one, _ in GUARDS]


@pytest.mark.parametrize("gets_through", [one for one, _ in GUARDS], ids=NAMES)
def test_what_a_guard_keeps_back_does_not_get_through(gets_through: Callable[[Bench], bool], bench: Bench) -> None:
    """R1, R2, R3, R5 and the table of acts."""
    assert not gets_through(bench)


@pytest.mark.parametrize(("gets_through", "switch_off"), GUARDS, ids=NAMES)
def test_a_guard_that_is_off_is_noticed(
    gets_through: Callable[[Bench], bool],
    switch_off: Callable[[Patch], None],
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch_off(monkeypatch)
    assert gets_through(bench)


@pytest.mark.parametrize("silent", EVERYBODY)
def test_one_silent_reviewer_never_keeps_back_what_others_approved(silent: str, bench: Bench) -> None:
    """R4: whatever does not need them leaves; what needs them shows nothing better than before."""
    health(bench, "degraded")
    say(bench.workspace, "incident", INCIDENT, {"/state": "identified", "/cause_confirmed": True})
    checkpoint = {"checkpoint": "mitigation_started", "at": "2026-03-04T09:09:00Z"}
    speak_of(bench.workspace, "bridge-timeline", "TL-4711-09", checkpoint, source="//incidents.example/bridge")
    approve(bench, *(one for one in EVERYBODY if one != silent))
    page = staged_page(bench.workspace, INCIDENT, BRIDGE)
    there = [roles for person, roles in PEOPLE.items() if person != silent]
    able = {role for roles in there for role in roles}
    asked: dict[str, set[str]] = {}
    for one in page.state.changes:
        asked.setdefault(one.unit, set()).update(one.roles)
    expected = {one.pointer for one in page.state.changes if asked[one.unit] <= able}
    due = {pointer: page.state.fields[pointer].value for pointer in expected}
    # Incident command has a second person; of the others each keeps back something, or is asked for nothing here.
    assert expected
    assert (len(expected) < len(page.state.changes)) == (silent in {"sam", "selma"})
    assert is_released(bench)
    told = staged_page(bench.workspace, INCIDENT, BRIDGE).state.told
    assert told is not None
    assert {pointer: told.fields[pointer].value for pointer in expected} == due
