"""The acceptance run of the real feed, on the hand-written feed: the same assertions, on every machine."""

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
from tests.support.feed_expectations import expected_page, is_ended, read, runs_of_words, words_that_came_along
from tests.support.played_stories import FEED_SAMPLE

STORAGE, CONSOLE = "HBSAMPLESTORAGE00001", "HBSAMPLECONSOLE00004"


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    return take_in(FEED_SAMPLE, tmp_path_factory.mktemp("taken-in"))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    return play(FEED_SAMPLE, tmp_path_factory.mktemp("played"))


def test_every_incident_ends_in_a_page_that_says_what_the_feed_says(accepted: Accepted) -> None:
    figures = check_pages(accepted)
    assert figures["incidents"] == 5
    assert figures["left out"] == {STORAGE: ["stale"]}
    assert figures["statuses"] == {"monitoring": 4, "investigating": 1}
    assert [one.code for one in accepted.answers] == [0, 1, 0]


def test_no_five_words_of_an_update_text_leave(accepted: Accepted) -> None:
    assert check_no_text_came_along(accepted) > 20_000


def test_playing_leaves_a_history_of_contents_for_every_incident(played: Accepted) -> None:
    counts = check_histories(played)
    assert counts[STORAGE] == 4  # disrupted, out, disrupted in one place, available
    assert counts[CONSOLE] == 4  # it comes back once
    assert played.answers[0].json["contents"] == sum(counts.values())
    assert check_no_text_came_along(played) > 20_000


def test_dagster_runs_the_same_incidents_and_keeps_no_update_text(accepted: Accepted) -> None:
    check_dagster(accepted, [CONSOLE])


def test_the_expected_page_is_read_from_the_feed_and_the_table_alone() -> None:
    storage, *_rest, names = read(FEED_SAMPLE)
    assert expected_page(storage) == {"object-storage": {"europe"}, "virtual-machines": {"europe"}}
    assert expected_page(names) == {"domain-names": {"global", "australia"}, "load-balancing": {"global", "australia"}}
    assert (is_ended(storage), is_ended(names)) == (True, False)


def test_five_words_in_a_row_are_found_whatever_the_case_and_the_white_space() -> None:
    forbidden = runs_of_words(["We believe the issue with disks is mitigated."])
    assert words_that_came_along(forbidden, 'note: "BELIEVE\\nthe issue\n with   disks"')
    assert not words_that_came_along(forbidden, "the issue with disks")


def test_a_table_that_says_otherwise_is_noticed(accepted: Accepted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.feed_expectations.bucket_of", lambda _location: "moon")
    with pytest.raises(AssertionError):
        check_pages(accepted)


def test_a_text_that_is_shown_is_noticed(accepted: Accepted) -> None:
    text = accepted.feed[0]["updates"][0]["text"]
    talkative = Accepted(accepted.run, accepted.location, accepted.answers, f"DEBUG admitting {text}")
    with pytest.raises(AssertionError):
        check_no_text_came_along(talkative)


def test_the_hand_written_feed_lies_beside_the_tests() -> None:
    assert FEED_SAMPLE.is_file()
    assert Path(FEED_SAMPLE).stat().st_size < 50_000
