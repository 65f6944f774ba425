"""No text of a Statuspage reaches a package: canaries in every text that the feed has, sought in all that leaves.

A feed is drawn with a canary of its own in each text: names, bodies, tweets, descriptions, addresses, headings that we
do not know, and words that nobody mapped. It is played through the command line, and each canary is sought, plain
and in the forms a canary could be hidden in by JSON, HTML, URL and base64, in every package, view, answer and log line.
"""

import base64
import json
import random
import tempfile
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dagster_project.application.overview import candidate_history, candidate_views
from dagster_project.application.profiles import shipped_profile
from dagster_project.application.statuspage import STATUSPAGE
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.packaging import transformations
from dagster_project.settings import Settings
from tests.support.command_line import CommandLine, fresh_command_line
from tests.support.feed_acceptance import everything_logged
from tests.support.histories import FULL

COMPONENTS = ("k4v9x2mq7d1s", "p8n3w6zt0r5h", "c7f2j9yb4g6l", "m6r0d4ws8z2p")
COMPONENT_STATUSES = ("operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance")
STATUSES = ("investigating", "identified", "monitoring", "resolved", "postmortem", "in_progress", "completed")
IMPACTS = ("none", "minor", "major", "critical")
# Customer data, which operators are shown as it came: `explain` names the word that nobody mapped. Packages never do.
STATES = {"impact", "update status", "new status", "component status"}
SAMPLE = Path(__file__).parents[1] / "fixtures_data" / "statuspage_sample.json"
INCIDENTS = ("hbcanary0001", "hbcanary0002")
# Written so that a scanner has no pattern for it, and with what JSON, HTML and URLs write in another way.
WORDS = ('"quoted"', "<b>bold</b>", "caf\u00e9", "a & b", "plain", "line\nbreak", "50 %")


class Canaries:
    """Makes texts that occur nowhere else, and remembers each with the place that it was put in."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a seed makes a failure repeatable
        self.places: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        token = "".join(self._random.choices("abcdefghijkmnopqrstuvwxyz0123456789", k=14))
        self.places[token] = place
        return f"{token} {self._random.choice(WORDS)}"

    def word(self, place: str) -> str:
        """Return a canary that could stand for a status: one word."""
        return self(place).split()[0]

    def found_in(self, shown: str) -> set[str]:
        """Return the places whose canary stands in a text, in any form that a token can take there."""
        low = shown.casefold()
        return {place for token, place in self.places.items() if any(form in low for form in _forms(token))}


def _forms(token: str) -> set[str]:
    body = token.encode()
    # Base64 of a text depends on where in a group of three it begins: what lies inside is the same for each.
    inside = [base64.b64encode(b"\0" * shift + body).decode()[4:-4].casefold() for shift in range(3)]
    return {token, token[::-1], token.encode().hex(), quote(token), escape(token), *inside}


def component(draw: st.DataObject, canary: Canaries, name: str, at: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": canary("component name"),
        "description": canary("component description"),
        "group_id": canary("component group"),
        "status": draw.draw(st.sampled_from((*COMPONENT_STATUSES, canary.word("component status")))),
        "updated_at": at,
        "unknown_heading": {canary.word("component heading, key"): [canary("component heading, value")]},
    }


def update(draw: st.DataObject, canary: Canaries, incident: str, number: int) -> dict[str, Any]:
    at = f"2025-06-20T{9 + number:02}:00:00.000Z"
    moved = draw.draw(st.lists(st.sampled_from(COMPONENTS), max_size=3, unique=True))
    states = [draw.draw(st.sampled_from((*COMPONENT_STATUSES, canary.word("new status")))) for _one in moved]
    return {
        "id": f"{incident}u{number}",
        "incident_id": incident,
        "status": draw.draw(st.sampled_from((*STATUSES, canary.word("update status")))),
        "body": canary("body"),
        "created_at": at,
        "updated_at": draw.draw(st.sampled_from((at, f"2025-06-20T{9 + number:02}:30:00.000Z"))),
        "display_at": at,
        "affected_components": [
            {"code": one, "name": canary("name"), "old_status": canary.word("old status"), "new_status": state}
            for one, state in zip(moved, states, strict=True)
        ],
        "deliver_notifications": True,
        "custom_tweet": canary("tweet"),
        "tweet_id": canary("tweet id"),
        "twitter_updated_at": canary("tweet instant"),
    }


def incident(draw: st.DataObject, canary: Canaries, name: str) -> dict[str, Any]:
    updates = [update(draw, canary, name, number) for number in range(draw.draw(st.integers(1, 3)))]
    listed = draw.draw(st.lists(st.sampled_from(COMPONENTS), max_size=3, unique=True))
    impact = draw.draw(st.sampled_from((*IMPACTS, canary.word("impact"))))
    return {
        "id": name,
        "name": canary("incident name"),
        "status": updates[-1]["status"],
        "impact": impact,
        "created_at": updates[0]["created_at"],
        "started_at": "2025-06-20T08:45:00.000Z",
        "shortlink": f"https://stspg.example/{canary.word('shortlink')}",
        "page_id": canary("page id"),
        "postmortem_body": canary("postmortem"),
        "unknown_heading": {canary.word("incident heading, key"): canary("incident heading, value")},
        "components": [component(draw, canary, one, updates[-1]["created_at"]) for one in listed],
        "incident_updates": updates[::-1],
    }


def feed(draw: st.DataObject, canary: Canaries) -> dict[str, Any]:
    page = {name: canary(f"page {name}") for name in ("id", "name", "url", "time_zone", "updated_at")}
    return {"page": page, "incidents": [incident(draw, canary, one) for one in INCIDENTS]}


def packages(workspace: Workspace, *incidents: str) -> str:
    """Return everything that would leave: content and all views of every candidate."""
    shown = []
    for name in incidents or INCIDENTS:
        for one in candidate_history(workspace, name.upper()):
            shown.append(json.dumps(one.content, ensure_ascii=False))
            if one.publication_state == "candidate":
                views = candidate_views(workspace, name.upper(), STATUSPAGE.bridge, one.ordinal)
                shown += [body.decode() for body in views.values()]
    return "\n".join(shown)


def answers(run: CommandLine) -> str:
    said = [run("status"), run("status", "--json"), run("verify")]
    for name in INCIDENTS:
        said += [run("history", name), run("show", name, STATUSPAGE.bridge), run("explain", name, STATUSPAGE.bridge)]
    return "\n".join(one.everything for one in said)


def played(draw: st.DataObject, canary: Canaries, folder: Path) -> tuple[CommandLine, Workspace, str]:
    location = folder / "incidents.json"
    location.write_text(json.dumps(feed(draw, canary), ensure_ascii=draw.draw(st.booleans())), encoding="utf-8")
    run = fresh_command_line(folder)
    with everything_logged() as heard:
        answer = run("replay", "statuspage", str(location))
        assert answer.code in {0, 1}, answer.err
        assert "moments" in answer.out
    return run, open_workspace(Settings(home=run.home, keys=run.keys)), heard.getvalue() + answer.everything


@settings(max_examples=60 if FULL else 6, deadline=None, database=None, phases=[Phase.generate])
@given(draw=st.data(), seed=st.integers(0, 2**32))
def test_no_text_of_a_page_and_no_word_that_nobody_mapped_is_in_anything_that_leaves(
    draw: st.DataObject, seed: int
) -> None:
    canary = Canaries(seed)
    with tempfile.TemporaryDirectory() as folder:
        run, workspace, heard = played(draw, canary, Path(folder))
        shown = packages(workspace)
        assert shown.count("2025-06-20T08:45:00Z") >= len(INCIDENTS)  # packages were made: they say when it began
        assert canary.found_in(shown) == set()
        assert canary.found_in(heard) == set()
        assert canary.found_in(answers(run)) <= STATES
        workspace.store.engine.dispose()


@pytest.mark.parametrize("form", ["plain", "base64", "URL", "reversed"])
def test_a_canary_is_found_in_any_form(form: str) -> None:
    canary = Canaries(7)
    text = canary("body")
    forms = {
        "plain": text.upper(),
        "base64": base64.b64encode(f"a note: {text} and more".encode()).decode(),
        "URL": quote(text),
        "reversed": text[::-1],
    }
    assert canary.found_in(f"shown: {forms[form]}") == {"body"}


def test_a_word_that_slips_through_the_map_is_refused_by_the_views(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(transformations, "_mapped", lambda _table, words: transformations.Derived(words[0]))
    canary = Canaries(11)
    dates = dict.fromkeys(("created_at", "updated_at", "display_at"), "2025-06-20T09:00:00Z")
    said = {"id": "hbu", "status": canary.word("update status"), "body": canary("body"), **dates}
    about = {"id": INCIDENTS[0], "status": said["status"], "impact": "minor", "created_at": dates["created_at"]}
    (tmp_path / "incidents.json").write_text(json.dumps({"incidents": [{**about, "incident_updates": [said]}]}))
    run = fresh_command_line(tmp_path)
    assert run("ingest", "statuspage", str(tmp_path / "incidents.json")).code == 0
    shown = run("refresh", "--all", "--at", "feed-end", "--json").everything + run("history", INCIDENTS[0]).everything
    assert "word_without_label" in shown
    assert canary.found_in(shown) == set()


def test_a_text_that_a_package_shows_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    canary = Canaries(13)
    talkative = canary("incident name")
    profile = shipped_profile(STATUSPAGE.profile)
    named = {**profile.capabilities, "search": replace(profile.capabilities["search"], name=talkative)}
    slip = replace(profile, capabilities=named)
    monkeypatch.setattr("dagster_project.application.feeds.shipped_profile", lambda _name: slip)
    run = fresh_command_line(tmp_path)
    run("replay", "statuspage", str(SAMPLE))
    workspace = open_workspace(Settings(home=run.home, keys=run.keys))
    assert canary.found_in(packages(workspace, "HBSEARCHOUT1")) == {"incident name"}
