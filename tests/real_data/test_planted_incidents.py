"""The replayed real feed with internal state planted around every incident: no byte of it leaves, its slots show.

The data is named by CHANNELSAFE_REAL_DATA or lies beside the clone; without it these tests are left out. A sample of
the incidents is replayed; with CHANNELSAFE_EXAMPLES=full all of them. The planted values are made anew in each run;
CHANNELSAFE_SEED repeats one.
"""

import os
import secrets
import sys
from pathlib import Path

import msgspec
import pytest

from tests.support.histories import FULL
from tests.support.planted_feed import PlantedFeed, check_planted_pages, figures_of, play_planted

pytestmark = pytest.mark.real_data

DATA = Path(os.environ.get("CHANNELSAFE_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
FEED = DATA / "incidents" / "google_cloud_incidents.json"
ONE_IN = 1 if FULL else 40


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> PlantedFeed:
    if not FEED.exists():
        pytest.skip("the real status feed is not there; name its folder with CHANNELSAFE_REAL_DATA")
    folder = tmp_path_factory.mktemp("real-planted")
    some = folder / "some.json"
    some.write_bytes(msgspec.json.encode(msgspec.json.decode(FEED.read_bytes())[::ONE_IN]))
    return play_planted(some, folder, os.environ.get("CHANNELSAFE_SEED") or secrets.token_hex(4))


def test_nothing_planted_around_real_incidents_leaves_and_every_planted_subject_shows_its_slot(
    played: PlantedFeed,
) -> None:
    figures = figures_of(played)
    sys.stdout.write(f"\nreal feed with internal state around it: {figures.line(played.seed)}\n")
    assert figures.leaks == (), played.seed
    assert figures.without_slot == (), played.seed
    assert figures.incidents == len(played.feed)
    assert figures.released >= 0.9 * figures.incidents


def test_every_real_page_says_what_the_feed_says_whatever_is_planted_around_it(played: PlantedFeed) -> None:
    check_planted_pages(played)
