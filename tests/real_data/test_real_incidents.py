"""The acceptance run: every incident of the real status feed, through the command line, by the hand-written table.

The data is named by CHANNELSAFE_REAL_DATA or lies beside the clone; without it these tests are left out.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.support.feed_acceptance import (
    Accepted,
    check_dagster,
    check_histories,
    check_no_text_came_along,
    check_pages,
    play,
    take_in,
)

pytestmark = pytest.mark.real_data

DATA = Path(os.environ.get("CHANNELSAFE_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
FEED = DATA / "incidents" / "google_cloud_incidents.json"
LEAST_SHARE = 0.9


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    if not FEED.exists():
        pytest.skip("the real status feed is not there; name its folder with CHANNELSAFE_REAL_DATA")
    return take_in(FEED, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    if not FEED.exists():
        pytest.skip("the real status feed is not there; name its folder with CHANNELSAFE_REAL_DATA")
    return play(FEED, tmp_path_factory.mktemp("real-played"))


def say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


def test_at_least_nine_in_ten_real_incidents_end_in_a_page_that_passed(accepted: Accepted) -> None:
    figures = check_pages(accepted)
    say(f"{figures['passed']} of {figures['incidents']} real incidents end in a page that passed its release check")
    say(f"incident statuses: {figures['statuses']}; causes of the rest: {figures['causes']}")
    for name, codes in figures["left out"].items():
        say(f"  left out: {name}: {', '.join(codes)}")
    assert figures["incidents"] == len(accepted.feed)
    assert figures["passed"] >= LEAST_SHARE * figures["incidents"]
    assert accepted.answers[0].code == 0
    assert accepted.answers[1].code == (1 if figures["left out"] else 0)


def test_no_five_words_of_any_real_update_text_leave(accepted: Accepted) -> None:
    searched = check_no_text_came_along(accepted)
    say(f"{searched} characters of packages, views, log lines and answers hold no five words of any update text")


def test_dagster_runs_three_real_incidents_and_keeps_no_update_text(accepted: Accepted) -> None:
    passed = [name for name, page in sorted(accepted.pages().items()) if page.publication_state == "candidate"]
    check_dagster(accepted, passed[:3])


def test_playing_the_real_feed_leaves_a_history_of_contents_for_every_incident(played: Accepted) -> None:
    counts = check_histories(played)
    told = played.answers[0].json
    say(f"played {told['moments']} moments into {sum(counts.values())} contents of {len(counts)} incidents")
    say(f"at most {max(counts.values())} contents each; {told['refreshes_with_failed_check']} refreshes were stale")
    assert told["contents"] == sum(counts.values())
    assert played.answers[0].code == (1 if told["refreshes_with_failed_check"] else 0)


def test_everything_made_of_the_real_feed_verifies(accepted: Accepted) -> None:
    answer = accepted.run("verify", "--json")
    assert (answer.code, answer.json["violations"]) == (0, [])
    say(f"verified {answer.json['candidates']} candidates and {answer.json['records']} records")
