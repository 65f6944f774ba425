"""The writing rules on real posts: how many each hits, hard negatives included. The posts are read and never kept."""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dagster_project.application.rule_book import Hits, seen_in_public
from dagster_project.application.writing import shipped_judge
from dagster_project.scanning.shipped import shipped_writing_rules
from dagster_project.scanning.wording import NO_NAMES, DeniedNames, judge_wording
from tests.conftest import leave_out

pytestmark = pytest.mark.real_data

DATA = Path(os.environ.get("CHANNELSAFE_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
FEED = DATA / "incidents" / "google_cloud_incidents.json"
SEEN = seen_in_public()
ESTIMATE = re.compile(r"\bETA\b")
DENIED_ESTIMATE = re.compile(r"do not have an ETA|ETA [a-z ]*(?:is|still) unknown|waiting for an ETA")


@pytest.fixture(scope="module")
def posts() -> list[tuple[str, str]]:
    """Incident and text of every post."""
    if not FEED.exists():
        leave_out("the real status feed is not there; name its folder with CHANNELSAFE_REAL_DATA")
    return list(_read())


def _read() -> Iterator[tuple[str, str]]:
    for incident in json.loads(FEED.read_bytes()):
        yield from ((incident["id"], update["text"]) for update in incident["updates"])


def broken(text: str, names: DeniedNames = NO_NAMES) -> set[str]:
    return {one.rule for one in judge_wording(text, names, judge=shipped_judge())}


def test_the_figures_on_the_page_are_what_the_rules_hit(
    posts: list[tuple[str, str]], announce: Callable[[str], None]
) -> None:
    hit: Counter[str] = Counter()
    incidents: dict[str, set[str]] = defaultdict(set)
    for incident, text in posts:
        for rule in broken(text):
            hit[rule] += 1
            incidents[rule].add(incident)
    found = {
        one.id: Hits(hit[one.id], len(incidents[one.id]))
        for one in shipped_writing_rules().rules
        if one.judges_texts and one.enforcement == "pattern"
    }
    for rule, hits in found.items():
        announce(f"{rule}: {hits.posts} of {len(posts)} real posts, {hits.incidents} incidents")
    assert (len(posts), len({incident for incident, _text in posts})) == (SEEN.posts, SEEN.incidents)
    assert found == SEEN.hits


def test_no_real_sentence_that_denies_an_estimate_breaks_the_rule_of_estimates_and_every_other_one_does(
    posts: list[tuple[str, str]], announce: Callable[[str], None]
) -> None:
    sentences = [one for _incident, text in posts for one in re.split(r"(?<=[.!?])\s+|\n", text)]
    denied = [one for one in sentences if DENIED_ESTIMATE.search(one)]
    others = [one for one in sentences if ESTIMATE.search(one) and not DENIED_ESTIMATE.search(one)]
    announce(f"{len(denied)} real sentences deny an ETA, {len(others)} speak of one otherwise")
    assert [one for one in denied if "N4" in broken(one)] == []
    assert [one for one in others if "N4" not in broken(one)] == []
    assert (len(denied), len(others)) == (SEEN.denied_estimates, SEEN.other_estimates)


def test_a_public_product_name_that_holds_an_inside_name_is_no_hit_in_real_posts(
    posts: list[tuple[str, str]], announce: Callable[[str], None]
) -> None:
    names = DeniedNames({"N2": (SEEN.inside_name,)}, (SEEN.public_name,))
    public = re.compile(re.escape(SEEN.public_name), re.IGNORECASE)
    alone = re.compile(rf"(?<![A-Za-z]){SEEN.inside_name}(?![A-Za-z])", re.IGNORECASE)
    with_public = [text for _incident, text in posts if public.search(text) and not alone.search(public.sub("", text))]
    with_name_alone = [text for _incident, text in posts if alone.search(public.sub("", text))]
    announce(f"{len(with_public)} real posts say {SEEN.public_name}, {len(with_name_alone)} the inside name alone")
    assert [text for text in with_public if "N2" in broken(text, names)] == []
    assert [text for text in with_name_alone if "N2" not in broken(text, names)] == []
    assert (len(with_public), len(with_name_alone)) == (SEEN.posts_with_public_name, SEEN.posts_with_name_alone)
