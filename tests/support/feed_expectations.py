"""What must be true of pages made from a status feed, by the hand-written table and the feed alone."""

import html
import json
import re
import runpy
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "unit" / "google_cloud_expected.py"
AVAILABLE = "AVAILABLE"
# The only causes that lie in the data: nobody confirmed the page for a day, or the feed names what it does not map.
CAUSES_IN_THE_DATA = {"stale"}
RUN_OF_WORDS = 5
WORDS_THAT_ARE_SPELT = 3
# Words without what stands around them: quotes, brackets and escapes of the form that they are shown in. A date or a
# host name is one word: the instants of a page are typed values of the feed, whether a text repeats them or not.
_WORD = re.compile(r"\w+(?:[-:./'@]\w+)*")

Feed = list[dict[str, Any]]
Runs = frozenset[tuple[str, ...]]


@cache
def _table() -> dict[str, Any]:
    # Run by its path: the tests are no package, so that any of them can be started from anywhere.
    return runpy.run_path(str(TABLE))


def capability_of(product: str) -> str:
    """Return the capability that a product belongs to."""
    return str(_table()["PRODUCTS"][product][1])


def bucket_of(location: str) -> str:
    """Return the region bucket of a location."""
    return str(_table()["LOCATIONS"][location])


def is_ended(incident: dict[str, Any]) -> bool:
    """Tell whether the update that was made last says that everything is available."""
    last = max(incident["updates"], key=lambda one: (one["created"], one["when"], one["status"]))
    return bool(last["status"] == AVAILABLE)


def expected_page(incident: dict[str, Any]) -> dict[str, set[str]]:
    """Return the buckets of every capability that the page must speak of: what any update ever listed."""
    products = [one["id"] for one in incident["affected_products"]] or ["unspecified"]
    locations: set[str] = set()
    for update in sorted(incident["updates"], key=lambda one: (one["created"], one["when"], one["status"])):
        listed = [place["id"] for place in update["affected_locations"]]
        # An end without a list is the end of everything spoken of so far; any other update without one names none.
        if listed or not (update["status"] == AVAILABLE and locations):
            locations |= set(listed or ["unspecified"])
    buckets = {bucket_of(one) for one in locations}
    return {capability_of(product): buckets for product in products}


def check_page(incident: dict[str, Any], content: dict[str, Any]) -> None:
    """Require capabilities, buckets and statuses of a page to be those of the feed."""
    told = {name: set(one["regions"]) for name, one in content["affected_capabilities"].items()}
    assert told == expected_page(incident), incident["id"]
    statuses = {
        status
        for capability in content["affected_capabilities"].values()
        for status in (capability["capability_status"], *capability["regions"].values())
    }
    if is_ended(incident):
        assert content["incident_status"] == "monitoring", incident["id"]
        assert statuses == {"operational"}, incident["id"]
    else:
        assert content["incident_status"] == "investigating", incident["id"]
        assert statuses - {"operational"}, incident["id"]
    assert all(slot["slot_state"] == "none_declared" for slot in content["held"].values()), incident["id"]


def runs_of_words(texts: Iterable[str]) -> Runs:
    """Return every run of five words in any of the texts, whatever the case and the white space.

    A run that is little but numbers is an instant, which the feed states in fields of their own too: "2022-03-28 15:30"
    in a text and on a page is the same fact, not the text. Three words of the five must be words.
    """
    return frozenset(run for text in texts for run in _runs(text) if _spelt(run) >= WORDS_THAT_ARE_SPELT)


def _spelt(run: tuple[str, ...]) -> int:
    return sum(1 for word in run if not word.isdigit())


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    for at in range(len(words) - RUN_OF_WORDS + 1):
        yield tuple(words[at : at + RUN_OF_WORDS])


def update_texts(feed: Feed) -> list[str]:
    """Return the text of every update."""
    return [update["text"] for incident in feed for update in incident["updates"]]


def words_that_came_along(forbidden: Runs, shown: str) -> Runs:
    """Return the runs of five words of update texts that stand in what was shown; JSON escapes are undone."""
    unescaped = html.unescape(shown.replace("\\n", " "))
    return frozenset({*_runs(shown), *_runs(unescaped)}) & forbidden


def read(path: Path) -> Feed:
    """Return a feed as it lies there."""
    feed: Feed = json.loads(path.read_bytes())
    return feed
