"""The hand-written feed with internal state planted around it: nothing of it leaves, and its slots show.

`tests/real_data/test_planted_incidents.py` does the same on the real feed. Here is also what shows that the search can
find something: each form that hides a value, and a deployment that leaks one.
"""

import base64
import html
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dagster_project.application.analytics_columns import PUBLIC_FILE
from dagster_project.packaging import holds, release_check, release_rules, rendering
from tests.support.leak_search import LeakSearch
from tests.support.planted_feed import PlantedFeed, check_planted_pages, figures_of, play_planted
from tests.support.planted_state import SLOT_OF_SUBJECT, TOKEN_LENGTH
from tests.support.played_stories import FEED_SAMPLE


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> PlantedFeed:
    return play_planted(FEED_SAMPLE, tmp_path_factory.mktemp("planted"), secrets.token_hex(4))


def test_nothing_planted_around_the_feed_leaves_and_every_planted_subject_shows_its_slot(
    played: PlantedFeed, announce: Callable[[str], None]
) -> None:
    figures = figures_of(played)
    announce(f"hand-written feed with internal state around it: {figures.line(played.seed)}")
    assert figures.leaks == (), played.seed
    assert figures.without_slot == (), played.seed
    assert figures.released == figures.incidents == 5
    assert figures.slots == dict.fromkeys(SLOT_OF_SUBJECT.values(), 5)
    assert figures.planted > 500
    assert figures.searched > 500_000


def test_every_page_says_what_the_feed_says_whatever_is_planted_around_it(played: PlantedFeed) -> None:
    check_planted_pages(played)


HIDDEN = "bafikomuzeda"
FORMS: dict[str, bytes] = {
    "as it is": f"host {HIDDEN}-07.internal".encode(),
    "another case": HIDDEN.title().encode(),
    "separators": b"ba.fi-ko_mu/ze:da",
    "JSON escapes": ("".join(f"\\u{ord(one):04x}" for one in HIDDEN)).encode(),
    "HTML entities": ("".join(f"&#{ord(one)};" for one in HIDDEN)).encode(),
    "URL encoding": quote(f"<{HIDDEN[:6]} {HIDDEN[6:]}>").encode(),
    "percent signs": ("".join(f"%{ord(one):02x}" for one in HIDDEN)).encode(),
    "wide characters": ("".join(chr(ord(one) + 0xFEE0) for one in HIDDEN)).encode(),
    "base64": base64.b64encode(f"a note: {HIDDEN} and more".encode()),
    "base64 for addresses": base64.urlsafe_b64encode(f"~~~?{HIDDEN}???".encode()),
    "base64 inside a word": b"x" + base64.b64encode(f"or so {HIDDEN} then".encode()),
    "base64 in base64": base64.b64encode(base64.b64encode(f"deep {HIDDEN} inside".encode())),
    "a statement's payload": json.dumps(
        {"payload": base64.b64encode(html.escape(f"'{HIDDEN}'").encode()).decode()}
    ).encode(),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_search_finds_a_value_in_every_form(name: str) -> None:
    assert len(HIDDEN) == TOKEN_LENGTH
    search = LeakSearch(frozenset({HIDDEN, "nowhereatall"}))
    assert search.found_in(b"half of it: bafiko, muzed") == frozenset()
    assert search.found_in(FORMS[name]) == {HIDDEN}
    assert search.found_in(FORMS[name]) == {HIDDEN}, "a second place is told of too"


def without(guards: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    assert name in {one.__name__ for one in guards}
    return tuple(one for one in guards if one.__name__ != name)


def test_a_deployment_whose_guards_against_leaks_are_off_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "HOLD_GUARDS", without(holds.HOLD_GUARDS, "leaks"))
    monkeypatch.setattr(release_check, "RELEASE_RULES", without(release_rules.RELEASE_RULES, "leak"))
    one = tmp_path / "one.json"
    one.write_text(json.dumps(json.loads(FEED_SAMPLE.read_bytes())[:1]))
    figures = figures_of(play_planted(one, tmp_path, "leaky"))
    kinds = {leak.partition(": ")[0].rpartition("/")[2] for leak in figures.leaks}
    assert kinds >= {"package.json", "package.html", "package.md", "package.txt"}
    assert any(leak.startswith(PUBLIC_FILE) for leak in figures.leaks)
    assert {leak.partition(": ")[2] for leak in figures.leaks} == {"service-health#/host"}


def test_a_page_that_counts_what_is_kept_inside_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "DROP_GUARDS", without(rendering.DROP_GUARDS, "entry_of_the_inside"))
    one = tmp_path / "one.json"
    one.write_text(json.dumps(json.loads(FEED_SAMPLE.read_bytes())[:1]))
    with pytest.raises(AssertionError):
        check_planted_pages(play_planted(one, tmp_path, "counted"))
