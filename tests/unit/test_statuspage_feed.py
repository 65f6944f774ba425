"""Judging the feed of a Statuspage as a whole, on a hand-written page and on damaged copies of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from dagster_project.connections.statuspage import parse_feed
from dagster_project.errors import UnsafeOrRejected

SAMPLE = Path(__file__).parents[1] / "fixtures_data" / "statuspage_sample.json"


def sample() -> dict[str, Any]:
    feed: dict[str, Any] = json.loads(SAMPLE.read_bytes())
    return feed


def parsed(feed: object) -> list[dict[str, Any]]:
    return parse_feed(json.dumps(feed).encode())


def broken(**changes: object) -> dict[str, Any]:
    """Return the sample with an update of its first incident changed; `...` removes a member."""
    feed = sample()
    update = {**feed["incidents"][0]["incident_updates"][0], **changes}
    kept = {name: value for name, value in update.items() if value is not ...}
    feed["incidents"][0]["incident_updates"][0] = kept
    return feed


def incident(**changes: object) -> dict[str, Any]:
    feed = sample()
    changed = {**feed["incidents"][0], **changes}
    feed["incidents"][0] = {name: value for name, value in changed.items() if value is not ...}
    return feed


UPDATE = "/incidents/0/incident_updates/0"


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>busy</html>", b"", b"\xff\xfe{}", b'{"incidents": ['])
def test_what_is_not_json_is_rejected(content: bytes) -> None:
    with pytest.raises(UnsafeOrRejected, match="feed_not_json"):
        parse_feed(content)


def test_a_page_without_incidents_is_rejected() -> None:
    with pytest.raises(UnsafeOrRejected, match="feed_empty"):
        parsed({**sample(), "incidents": []})


@pytest.mark.parametrize(
    ("feed", "place"),
    [
        (broken(display_at="2025-06-16 11:04"), f"{UPDATE}/display_at"),
        (broken(created_at="2025-06-16T11:04:00"), f"{UPDATE}/created_at"),
        (broken(updated_at=None), f"{UPDATE}/updated_at"),
        (broken(status=...), f"{UPDATE}/status"),
        (broken(status=3), f"{UPDATE}/status"),
        (broken(body=...), f"{UPDATE}/body"),
        (broken(retracted=True), f"{UPDATE}/retracted"),
        (broken(incident_id="hbsomethingelse"), f"{UPDATE}/incident_id"),
        (broken(affected_components=["b3g7l1cy9f5j"]), f"{UPDATE}/affected_components/0"),
        (broken(affected_components=[{"code": "../x", "new_status": "up"}]), f"{UPDATE}/affected_components/0/code"),
        (broken(affected_components=[{"code": "x", "name": "X"}]), f"{UPDATE}/affected_components/0/new_status"),
        (incident(incident_updates=[]), "/incidents/0/incident_updates"),
        (incident(id="no id"), "/incidents/0/id"),
        (incident(impact=None), "/incidents/0/impact"),
        (incident(status=...), "/incidents/0/status"),
        (incident(components=[{"id": "b3g7l1cy9f5j", "status": "up"}]), "/incidents/0/components/0/updated_at"),
        (incident(id="hbanother"), f"{UPDATE}/incident_id"),
        (sample()["incidents"], "the whole feed"),
        ({**sample(), "scheduled_maintenances": []}, "/scheduled_maintenances"),
        ({"page": {}}, "/incidents"),
    ],
)  # fmt: skip
def test_one_malformed_incident_rejects_the_whole_feed_and_is_named(feed: object, place: str) -> None:
    with pytest.raises(UnsafeOrRejected, match="feed_malformed") as caught:
        parsed(feed)
    assert caught.value.where == place
    assert "Monthly reports" not in str(caught.value)


def test_two_incidents_that_would_be_one_subject_are_refused() -> None:
    feed = sample()
    twin = json.loads(json.dumps(feed["incidents"][0]).replace("hbunknown005", "HBUNKNOWN005"))
    with pytest.raises(UnsafeOrRejected, match="same id but for case") as caught:
        parsed({**feed, "incidents": [*feed["incidents"], twin]})
    assert caught.value.where == "/incidents/5/id"


def test_an_update_that_comes_twice_is_refused() -> None:
    feed = sample()
    updates = feed["incidents"][1]["incident_updates"]
    updates.append({**updates[0], "status": "completed"})
    with pytest.raises(UnsafeOrRejected, match="two updates have the same id") as caught:
        parsed(feed)
    assert caught.value.where == "/incidents/1/incident_updates/4/id"


def test_a_heading_that_we_do_not_know_is_tolerated_on_incident_page_and_listed_component() -> None:
    feed = sample()
    feed["page"]["kind"] = "x"
    feed["incidents"][0]["kind"] = "x"
    feed["incidents"][0]["components"][0]["kind"] = "x"
    assert len(parsed(feed)) == 5


def test_words_that_nobody_knows_are_no_fault_of_form() -> None:
    assert parsed(incident(impact="apocalyptic", status="shrugging"))[0]["impact"] == "apocalyptic"


@pytest.mark.parametrize("name", ["started_at", "components", "page_id"])
def test_what_older_pages_leave_out_may_be_absent(name: str) -> None:
    assert len(parsed(incident(**{name: ...}))) == 5


def test_an_accent_in_two_characters_does_not_reject_the_feed() -> None:
    (first, *_rest) = parsed(broken(body="the cafe\u0301"))
    assert first["incident_updates"][0]["body"] == "the caf\u00e9"
