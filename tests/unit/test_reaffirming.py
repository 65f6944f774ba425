"""Reaffirming (rule R6): who moves the header of a page that is still so, how often, and never over something newer."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.application.drafting_decisions import staged_page
from dagster_project.application.reaffirming import reaffirm_by_policy
from dagster_project.application.releasing import release
from dagster_project.application.reminders import Answer, Reminder, reminders_of
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario
from dagster_project.errors import UnsafeOrRejected
from dagster_project.review.decisions import Act
from dagster_project.store.versions import VersionRow, versions_of
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT, BRIDGE = load_scenario().incident, "harbourline"


def set_clock(workspace: Workspace, at: datetime) -> None:
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(at)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The first two steps of the story, with a page that everybody approved."""
    bench = make_bench(make_workspace(tmp_path))
    play_scenario(bench.workspace, until_step=2)
    for person in PEOPLE:
        bench.approve(person, INCIDENT, BRIDGE)
    release(bench.workspace, INCIDENT, BRIDGE)
    return bench


def current(bench: Bench) -> VersionRow:
    with bench.workspace.store.read() as transaction:
        return versions_of(transaction, INCIDENT, BRIDGE)[-1]


def remind(bench: Bench) -> Reminder:
    """Set the clock to shortly before the page is too old, and return the reminder."""
    set_clock(bench.workspace, current(bench).valid_until - timedelta(minutes=1))
    (reminder,) = reminders_of(bench.workspace, INCIDENT, BRIDGE)
    return reminder


def look(bench: Bench, reminder: Reminder, person: str = "sam") -> VersionRow | None:
    seen = {"version": reminder.version, "fields": reminder.fields}
    return bench.act(person, Act.REAFFIRM, INCIDENT, BRIDGE, **seen).version


def test_a_look_at_every_field_moves_the_header_and_neither_content_nor_as_of(bench: Bench) -> None:
    before = current(bench)
    reminder = remind(bench)
    assert reminder.answer is Answer.PERSON
    assert reminder.stale_after == before.valid_until
    after = look(bench, reminder)
    assert after is not None
    assert (after.content_digest, after.as_of) == (before.content_digest, before.as_of)
    assert after.reaffirmed_at == bench.workspace.clock.now()
    assert after.valid_until > before.valid_until
    assert reminders_of(bench.workspace, INCIDENT, BRIDGE) == ()


def test_there_is_no_reminder_before_its_time_and_one_that_stays_until_it_is_answered(bench: Bench) -> None:
    stale_after = current(bench).valid_until
    with bench.workspace.store.read() as transaction:
        tables = bench.workspace.shelf.tables(transaction, current(bench).profile_digest)
    before = timedelta(minutes=tables.profile.review_policy.reaffirm_before_minutes)
    set_clock(bench.workspace, stale_after - before - timedelta(seconds=1))
    assert reminders_of(bench.workspace, INCIDENT, BRIDGE) == ()
    for at in (stale_after - before, stale_after, stale_after + timedelta(days=1)):
        set_clock(bench.workspace, at)
        assert [one.version for one in reminders_of(bench.workspace, INCIDENT, BRIDGE)] == [current(bench).version]


def test_a_look_that_leaves_out_a_field_that_ages_is_refused(bench: Bench) -> None:
    reminder = remind(bench)
    with pytest.raises(UnsafeOrRejected) as refused:
        look(bench, replace(reminder, fields=("/incident_status",)))
    assert refused.value.code == "not_all_was_looked_at"
    assert current(bench).version == reminder.version


def test_people_may_look_only_as_often_as_the_profile_allows_without_a_new_record(bench: Bench) -> None:
    with bench.workspace.store.read() as transaction:
        tables = bench.workspace.shelf.tables(transaction, current(bench).profile_digest)
    for _ in range(tables.profile.review_policy.reaffirmations):
        assert look(bench, remind(bench)) is not None
    reminder = remind(bench)
    assert reminder.answer is Answer.NEW_RECORD
    with pytest.raises(UnsafeOrRejected) as refused:
        look(bench, reminder)
    assert refused.value.code == "too_many_reaffirmations"


def test_nobody_reaffirms_a_page_that_is_better_than_its_sources_by_now(bench: Bench) -> None:
    told = current(bench)
    reminder = Reminder(INCIDENT, BRIDGE, told.version, told.valid_until, Answer.PERSON, remind(bench).fields)
    # The fifth step adds a region that is down; policy would let its hold leave at once, and nobody asked it to.
    play_scenario(bench.workspace, from_step=3, until_step=5)
    set_clock(bench.workspace, told.valid_until - timedelta(seconds=30))
    page = staged_page(bench.workspace, INCIDENT, BRIDGE)
    assert page.is_news
    assert [one.answer for one in reminders_of(bench.workspace, INCIDENT, BRIDGE)] == [Answer.DECISION]
    with pytest.raises(UnsafeOrRejected) as refused:
        look(bench, reminder)
    assert refused.value.code == "sources_say_otherwise"
    assert current(bench) == told
    assert reaffirm_by_policy(bench.workspace, INCIDENT, BRIDGE) is None


def test_policy_reaffirms_nothing_that_its_sources_did_not_say_again(bench: Bench) -> None:
    remind(bench)
    assert reaffirm_by_policy(bench.workspace, INCIDENT, BRIDGE) is None
