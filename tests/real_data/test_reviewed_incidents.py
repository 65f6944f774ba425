"""The real status feed, reviewed by scripted people under a simulated clock: does it keep up, and what does it cost.

The data is named by CHANNELSAFE_REAL_DATA or lies beside the clone; without it these tests are left out. Every twelfth
incident is reviewed; `make prove-review` reviews all of them.
"""

import os
import sys
from pathlib import Path

import msgspec
import pytest

from dagster_project.application.reminders import Answer
from tests.support.histories import FULL
from tests.support.review_figures import ReviewFigures, review_figures
from tests.support.review_people import PEOPLE
from tests.support.scripted_reviewers import ReviewedFeed, review_feed

pytestmark = pytest.mark.real_data

DATA = Path(os.environ.get("CHANNELSAFE_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
FEED = DATA / "incidents" / "google_cloud_incidents.json"


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> ReviewedFeed:
    if not FEED.exists():
        pytest.skip("the real status feed is not there; name its folder with CHANNELSAFE_REAL_DATA")
    folder = tmp_path_factory.mktemp("real-reviewed")
    return review_feed(FEED if FULL else _some_of(FEED, folder / "some.json"), folder)


def _some_of(feed: Path, place: Path) -> Path:
    """Write every twelfth incident of a feed to another place: all of them take ten minutes."""
    place.write_bytes(msgspec.json.encode(msgspec.json.decode(feed.read_bytes())[::12]))
    return place


@pytest.fixture(scope="module")
def figures(reviewed: ReviewedFeed) -> ReviewFigures:
    return review_figures(reviewed.bench.workspace, reviewed.last_post, PEOPLE)


def say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


def test_no_bridge_is_left_with_a_page_that_is_too_old_while_reminders_are_answered(
    reviewed: ReviewedFeed, figures: ReviewFigures
) -> None:
    say("\n".join(figures.lines()))
    answered = reviewed.answered
    say(
        f"reminders answered: {answered[Answer.PERSON]} by a person's observation, {answered[Answer.POLICY]} by policy,"
        f" {answered[Answer.NEW_RECORD]} by asking the source again in {len(reviewed.asked)} incidents"
    )
    assert figures.told == reviewed.last_post.keys()
    assert figures.stale == ()
    assert reviewed.refused == {}


def test_people_are_asked_only_where_a_change_needs_them_and_then_two_decide(figures: ReviewFigures) -> None:
    assert len(figures.changes) == figures.versions["release"]
    for changes, decisions in zip(figures.changes, figures.together, strict=True):
        # The feed does not say who recorded what it says, so nothing leaves on one person's word (R2).
        assert decisions == 0 if changes == 0 else decisions >= 2
