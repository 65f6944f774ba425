"""Reviewing a hand-written feed with long silences, and what becomes of it where reminders are not answered.

One incident lasts nine days with three posts; pages stand for a day. The other one is over in three hours.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from dagster_project.application.google_cloud import SAMPLE_BRIDGE
from dagster_project.application.reminders import Answer, next_reminder, reminders
from dagster_project.clock import FixedClock, parse_instant
from dagster_project.store.versions import versions_of
from tests.support.review_figures import ReviewFigures, longest, review_figures
from tests.support.review_people import PEOPLE
from tests.support.scripted_reviewers import Answers, ReviewedFeed, review_feed

FEED = Path(__file__).parents[1] / "fixtures_data" / "google_cloud_reviewed.json"
SLOW, SWIFT = "HBREVIEWEDSLOW000001", "HBREVIEWEDSWIFT00002"


def counted(reviewed: ReviewedFeed) -> ReviewFigures:
    return review_figures(reviewed.bench.workspace, reviewed.last_post, PEOPLE)


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> ReviewedFeed:
    return review_feed(FEED, tmp_path_factory.mktemp("reviewed"))


def test_no_page_is_ever_too_old_where_every_reminder_is_answered(reviewed: ReviewedFeed) -> None:
    figures = counted(reviewed)
    assert figures.stale == ()
    assert figures.told == {SLOW, SWIFT}
    assert reviewed.refused == {}


def test_reminders_are_answered_by_people_until_the_profile_wants_a_source(reviewed: ReviewedFeed) -> None:
    # From the first post to the second are 54 hours, which two looks bridge. To the third are 150 hours: three looks,
    # which is all that the profile allows, then the source is asked and says the same again, and two more looks.
    assert reviewed.answered == {Answer.PERSON: 2 + 3 + 2, Answer.NEW_RECORD: 1}
    assert reviewed.asked == {SLOW}
    assert counted(reviewed).versions["reaffirmation"] == 8


def test_what_people_decided_is_counted_by_role_and_nobody_decides_unasked(reviewed: ReviewedFeed) -> None:
    figures = counted(reviewed)
    assert figures.versions["release"] == len(figures.changes)
    assert set(figures.decisions) == {role for (role,) in PEOPLE.values()}
    # A first release of each incident asks security; nothing asks legal.
    assert sum(figures.decisions["security"]) >= 2
    assert sum(figures.decisions["legal"]) == 0
    assert sum(map(sum, figures.decisions.values())) > 0
    assert all("median" in line for line in figures.lines() if "per release" in line)


@pytest.mark.parametrize(
    ("answers", "intervals", "most"),
    [
        # Nobody looks: each page is too old a day after its post. 54 - 24 and 150 - 24 hours, less what people need.
        (Answers(people_look=False, sources_are_asked=False), 2, timedelta(hours=126)),
        # The source is not asked: after three looks nothing more may be done. 150 hours less four times a day.
        (Answers(sources_are_asked=False), 1, timedelta(hours=54, minutes=30)),
    ],
    ids=["nobody looks", "the source is not asked"],
)
def test_a_reminder_that_nobody_answers_shows_as_a_page_that_is_too_old(
    tmp_path: Path, answers: Answers, intervals: int, most: timedelta
) -> None:
    stale = counted(review_feed(FEED, tmp_path, answers)).stale
    assert {one.incident for one in stale} == {SLOW}
    assert len(stale) == intervals
    assert most - timedelta(minutes=30) <= longest(stale) <= most + timedelta(minutes=30)


def test_news_that_old_records_keep_back_is_told_as_soon_as_the_source_was_asked(tmp_path: Path) -> None:
    # The second post, 54 hours after the first, names another place and says nothing of the first one: its record is
    # too old, so the page as a whole does not pass, although people saw the first place to be still so.
    feed = orjson.loads(FEED.read_bytes())[:1]
    (second,) = (one for one in feed[0]["updates"] if one["status"] == "SERVICE_OUTAGE")
    second["affected_locations"] = [{"title": "Frankfurt (europe-west3)", "id": "europe-west3"}]
    location = tmp_path / "feed.json"
    location.write_bytes(orjson.dumps(feed))
    reviewed = review_feed(location, tmp_path)
    assert reviewed.failed_checks == {SLOW: 1}
    assert reviewed.answered[Answer.FAILED_CHECK] == 1
    posted = parse_instant(second["created"])
    with reviewed.bench.workspace.store.read() as transaction:
        versions = versions_of(transaction, SLOW, SAMPLE_BRIDGE)
    told = [
        one for one in versions if one.kind == "release" and posted < one.issued_at < posted + timedelta(minutes=10)
    ]
    assert told
    assert counted(reviewed).stale == ()


def test_reminders_name_what_is_about_to_be_too_old_the_most_pressing_first(reviewed: ReviewedFeed) -> None:
    # writing rule M5
    workspace = reviewed.bench.workspace
    assert isinstance(workspace.clock, FixedClock)
    last = workspace.clock.now()
    due = {name: next_reminder(workspace, name, SAMPLE_BRIDGE) for name in (SWIFT, SLOW)}
    swift, slow = (one for one in due.values() if one is not None)
    assert swift < slow
    workspace.clock.set(swift - timedelta(seconds=1))
    assert [one.incident for one in reminders(workspace)] == []
    workspace.clock.set(swift)
    assert [one.incident for one in reminders(workspace)] == [SWIFT]
    workspace.clock.set(datetime(2025, 6, 1, tzinfo=UTC))
    found = reminders(workspace)
    assert [one.incident for one in found] == [SWIFT, SLOW]
    assert Counter(one.answer for one in found) == {Answer.PERSON: 2}
    assert all("/incident_status" in one.fields for one in found)
    workspace.clock.set(last)
