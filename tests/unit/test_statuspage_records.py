"""What the feed of a Statuspage says, as records, on a hand-written page."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.clock import format_instant
from dagster_project.connections.statuspage import parse_feed
from dagster_project.connections.statuspage_records import feed_records
from dagster_project.sources.admission import admit_bytes
from dagster_project.sources.conflicts import find_conflicts, heads_of
from dagster_project.sources.record import Record
from dagster_project.sources.registry import shipped_registry
from dagster_project.sources.source_fields import field_classification

SAMPLE = Path(__file__).parents[1] / "fixtures_data" / "statuspage_sample.json"
LATER = datetime(2025, 7, 1, tzinfo=UTC)
SEARCH, SIGN_IN, WEBHOOKS, MAINTENANCE, UNKNOWN = (
    "hbsearchout1", "hbsigninslow", "hbwebhooks03", "hbmaintain04", "hbunknown005",
)  # fmt: skip
SEARCHING, SIGNING_IN, DELIVERY, CONSOLE = "c7f2j9yb4g6l", "m6r0d4ws8z2p", "h1t8q5xk3v0n", "b3g7l1cy9f5j"

Feed = list[dict[str, Any]]


def sample() -> Feed:
    return parse_feed(SAMPLE.read_bytes())


def incident(feed: Feed, name: str) -> dict[str, Any]:
    (found,) = [one for one in feed if one["id"] == name]
    return found


def records_of(feed: Feed) -> list[Record]:
    found = []
    for line in feed_records(parse_feed(json.dumps({"incidents": feed}).encode())):
        outcome = admit_bytes(line, received_at=LATER, registry=shipped_registry())
        assert isinstance(outcome, Record), outcome
        found.append(outcome)
    return found


def of(name: str, record_type: str, feed: Feed | None = None) -> list[Record]:
    records = records_of(sample() if feed is None else feed)
    return [one for one in records if (one.subject, one.type) == (name.upper(), record_type)]


def history(name: str, component: str, feed: Feed | None = None) -> list[tuple[str, str]]:
    found = [one for one in of(name, "service-health", feed) if one.data["component"] == component]
    return [(one.data["state"], one.data["since"][11:16]) for one in sorted(found, key=lambda one: one.recordversion)]


def kinds(records: list[Record]) -> set[str]:
    return {one.kind for one in find_conflicts(records)}


def without_last(feed: Feed, name: str, count: int = 1) -> Feed:
    """Return the feed as it was before the last updates of an incident; the page lists the newest first."""
    found = incident(feed, name)
    found["incident_updates"] = found["incident_updates"][count:]
    found["status"] = found["incident_updates"][0]["status"]
    listed = {one["id"]: one for one in found["components"]}
    for one in listed.values():
        one.update(status="operational", updated_at="2025-01-01T00:00:00Z")
    for update in reversed(found["incident_updates"]):
        for moved in update["affected_components"] or ():
            listed[moved["code"]].update(status=moved["new_status"], updated_at=update["created_at"])
    return feed


def test_an_incident_has_the_status_of_its_updates_in_order_and_the_impact_of_the_page() -> None:
    states = [one.data for one in of(SEARCH, "incident")]
    assert [one["state"] for one in states] == [
        "investigating", "identified", "identified", "monitoring", "resolved", "postmortem",
    ]  # fmt: skip
    assert {one["severity"] for one in states} == {"critical"}
    assert all(set(one) == {"severity", "state"} for one in states)


def test_a_component_moves_as_the_transitions_say_and_keeps_the_beginning_of_a_repeated_state() -> None:
    assert history(SEARCH, SEARCHING) == [
        ("partial_outage", "07:52"),
        ("major_outage", "08:20"),
        ("major_outage", "08:20"),
        ("degraded_performance", "09:31"),
        ("operational", "10:15"),
    ]


def test_a_state_holds_since_the_update_was_dated_and_is_known_since_it_was_made() -> None:
    first, *_rest = of(SIGN_IN, "service-health")
    assert (first.data["since"], format_instant(first.recordedtime)) == ("2025-06-05T13:05:00Z", "2025-06-05T13:10:00Z")


def test_ids_and_states_are_for_customers_and_no_region_is_guessed() -> None:
    for record in (one for one in records_of(sample()) if one.type == "service-health"):
        assert {field_classification(record, f"/{name}").value for name in record.data} == {"customer"}
        assert record.data["region"] == "unspecified"


def test_a_listed_component_that_no_update_speaks_of_is_affected_in_a_state_that_nobody_stated() -> None:
    assert history(WEBHOOKS, DELIVERY) == [("unspecified", "20:15")]


@pytest.mark.parametrize("listed", [{}, {"components": []}])
def test_an_incident_without_any_component_is_still_shown_to_affect_something(listed: dict[str, list[str]]) -> None:
    feed = sample()
    found = incident(feed, WEBHOOKS)
    found.pop("components")
    found.update(listed)
    assert history(WEBHOOKS, "unspecified", feed) == [("unspecified", "20:15")]


def set_by_hand(name: str, state: str, at: str, feed: Feed | None = None) -> Feed:
    feed = sample() if feed is None else feed
    incident(feed, name)["components"][0].update(status=state, updated_at=at)
    return feed


def test_a_state_that_was_set_by_hand_counts_while_the_incident_is_open() -> None:
    feed = set_by_hand(WEBHOOKS, "partial_outage", "2025-06-09T20:40:00.000Z")
    assert history(WEBHOOKS, DELIVERY, feed) == [("unspecified", "20:15"), ("partial_outage", "20:40")]


def test_a_state_from_before_the_incident_says_nothing_of_it() -> None:
    feed = set_by_hand(WEBHOOKS, "operational", "2025-06-09T20:10:00.000Z")
    assert history(WEBHOOKS, DELIVERY, feed) == [("unspecified", "20:15")]


def closed(feed: Feed, at: str) -> Feed:
    found = incident(feed, WEBHOOKS)
    dates = dict.fromkeys(("created_at", "updated_at", "display_at"), at)
    found["incident_updates"].insert(0, {**found["incident_updates"][0], "id": "hbend", "status": "resolved", **dates})
    found["status"] = "resolved"
    return feed


def test_what_stood_at_the_end_of_an_incident_counts_and_what_a_later_one_did_does_not() -> None:
    before = set_by_hand(WEBHOOKS, "operational", "2025-06-09T20:40:00.000Z")
    end = closed(before, "2025-06-09T21:00:00.000Z")
    assert history(WEBHOOKS, DELIVERY, end) == [("unspecified", "20:15"), ("operational", "20:40")]
    after = set_by_hand(WEBHOOKS, "major_outage", "2025-06-20T03:00:00.000Z")
    assert history(WEBHOOKS, DELIVERY, closed(after, "2025-06-09T21:00:00.000Z")) == [("unspecified", "20:15")]


def test_a_component_that_is_set_back_in_the_second_of_the_end_is_well_at_the_end() -> None:
    feed = closed(set_by_hand(WEBHOOKS, "operational", "2025-06-09T21:00:00.310Z"), "2025-06-09T21:00:00.000Z")
    assert history(WEBHOOKS, DELIVERY, feed)[-1] == ("operational", "21:00")


def test_a_postmortem_does_not_move_the_end() -> None:
    feed = sample()
    listed = incident(feed, SEARCH)["components"]
    listed[1].update(status="partial_outage", updated_at="2025-06-03T15:00:00.000Z")
    assert history(SEARCH, SEARCHING, feed)[-1] == ("operational", "10:15")


def test_checkpoints_are_the_statuses_of_updates_and_a_repeated_one_is_an_update() -> None:
    facts = [one for one in of(SEARCH, "bridge-timeline") if "note" not in one.data]
    assert sorted((one.data["at"][11:16], one.data["checkpoint"]) for one in facts) == [
        ("07:41", "detected"),
        ("07:52", "investigating"),
        ("08:20", "identified"),
        ("08:55", "status_update"),
        ("09:31", "monitoring"),
        ("10:15", "resolved"),
        ("15:40", "postmortem"),
    ]


def test_a_text_edited_later_does_not_hide_the_checkpoint_before_the_edit() -> None:
    steps = [one for one in of(SIGN_IN, "bridge-timeline") if one.data["checkpoint"] == "resolved"]
    assert [(format_instant(one.recordedtime), "note" in one.data) for one in steps] == [
        ("2025-06-05T16:00:00Z", False),
        ("2025-06-07T09:30:00Z", True),
    ]
    assert steps[1].recordversion > steps[0].recordversion


def test_bodies_are_internal_notes_and_every_other_text_stays_behind() -> None:
    bodies = {update["body"] for one in sample() for update in one["incident_updates"]}
    found = set()
    for record in records_of(sample()):
        for name, value in record.data.items():
            if value in bodies:
                assert (record.type, name) == ("bridge-timeline", "note")
                assert field_classification(record, "/note").value == "internal"
                found.add(value)
    assert found == bodies
    everything = json.dumps([one.data for one in records_of(sample())])
    assert "Search is down for everyone" not in everything  # custom_tweet
    assert not any(one["name"] in everything for one in sample())


def test_an_update_without_a_body_is_a_checkpoint_without_a_text() -> None:
    feed = sample()
    for body in (None, ""):
        incident(feed, WEBHOOKS)["incident_updates"][0]["body"] = body
        assert [one.data["checkpoint"] for one in of(WEBHOOKS, "bridge-timeline", feed)] == [
            "detected",
            "investigating",
        ]


def test_the_order_of_updates_in_the_file_says_nothing() -> None:
    turned = sample()
    for one in turned:
        one["incident_updates"].reverse()
    assert feed_records(turned) == feed_records(sample())


def test_two_updates_of_one_second_are_two_versions() -> None:
    feed = sample()
    first, *_rest = reversed(incident(feed, SIGN_IN)["incident_updates"])
    twin = {**first, "id": "hbtwin", "status": "monitoring", "created_at": "2025-06-05T13:10:00.700Z"}
    incident(feed, SIGN_IN)["incident_updates"].append(twin)
    versions = [one.recordversion for one in of(SIGN_IN, "incident", feed)][:2]
    assert versions[1] == versions[0] + 1
    assert kinds(records_of(feed)) == set()


def test_a_feed_read_again_or_read_later_makes_duplicates_and_no_conflicts() -> None:
    later = records_of(sample())
    known = {(one.version_identity, one.datadigest) for one in later}
    for name, count in ((SEARCH, 1), (SEARCH, 3), (SIGN_IN, 2), (MAINTENANCE, 1)):
        earlier = records_of(without_last(sample(), name, count))
        assert kinds([*earlier, *later]) == set()
        assert {(one.version_identity, one.datadigest) for one in earlier} < known


def test_an_impact_that_changes_with_an_update_disturbs_only_what_lies_below_the_head() -> None:
    earlier = without_last(sample(), SEARCH)
    incident(earlier, SEARCH)["impact"] = "minor"
    both = [*records_of(earlier), *records_of(sample())]
    (head,) = [one for one in heads_of(both) if one.recordid == SEARCH]
    assert head.data["severity"] == "critical"
    assert all(head.reference not in one.references for one in find_conflicts(both))


def test_an_impact_changed_without_an_update_is_a_conflict_and_not_silently_taken_over() -> None:
    changed = sample()
    incident(changed, SEARCH)["impact"] = "none"
    conflicts = find_conflicts([*records_of(sample()), *records_of(changed)])
    assert "conflicting_copies" in {one.kind for one in conflicts}
    assert {side.recordid for one in conflicts for side in one.references} == {SEARCH}


def test_a_heading_that_contradicts_the_last_update_is_a_conflict() -> None:
    feed = sample()
    incident(feed, SEARCH)["status"] = "resolved"  # both say that it is over
    assert kinds(records_of(feed)) == set()
    incident(feed, SEARCH)["status"] = "monitoring"
    assert "conflicting_copies" in kinds(records_of(feed))


def test_one_update_that_puts_a_component_into_two_states_is_a_conflict() -> None:
    feed = sample()
    moved = incident(feed, UNKNOWN)["incident_updates"][0]["affected_components"]
    moved.append({**copy.deepcopy(moved[1]), "new_status": "operational"})
    conflicts = find_conflicts(records_of(feed))
    assert {side.recordid for one in conflicts for side in one.references} == {f"{UNKNOWN}/{CONSOLE}"}


def test_records_come_in_the_order_in_which_they_were_recorded_and_their_ids_differ() -> None:
    lines = [json.loads(line) for line in feed_records(sample())]
    instants = [datetime.fromisoformat(one["recordedtime"]) for one in lines]
    assert instants == sorted(instants)
    assert len({one["id"] for one in lines}) == len(lines)
