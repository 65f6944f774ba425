"""What the status feed says, as records, on a hand-written feed in the provider's schema."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.clock import format_instant
from dagster_project.connections.google_cloud import parse_feed, read_feed
from dagster_project.connections.google_cloud_records import feed_end, feed_records
from dagster_project.sources.admission import admit_bytes
from dagster_project.sources.conflicts import find_conflicts, heads_of
from dagster_project.sources.record import Record
from dagster_project.sources.registry import shipped_registry
from dagster_project.sources.source_fields import field_classification

SAMPLE = Path(__file__).parents[1] / "fixtures_data" / "google_cloud_sample.json"
LATER = datetime(2025, 4, 1, tzinfo=UTC)
STORAGE, COMPUTE = "UwaYoXQ5bHYHG6EdiPB8", "L3ggmi3Jy4xJmgodFA9K"
FRANKFURT, BELGIUM = "europe-west3", "europe-west1"


def sample() -> list[dict[str, Any]]:
    return parse_feed(read_feed(str(SAMPLE)))


def records_of(feed: list[dict[str, Any]]) -> list[Record]:
    found = []
    for line in feed_records(feed):
        outcome = admit_bytes(line, received_at=LATER, registry=shipped_registry())
        assert isinstance(outcome, Record), outcome
        found.append(outcome)
    return found


def of(subject: str, record_type: str, feed: list[dict[str, Any]] | None = None) -> list[Record]:
    records = records_of(sample() if feed is None else feed)
    return [one for one in records if (one.subject, one.type) == (subject.upper(), record_type)]


def history(subject: str, product: str, location: str) -> list[tuple[str, str]]:
    recordid = f"{subject}/{product}/{location}"
    pairs = [one for one in of(subject, "service-health") if one.recordid == recordid]
    return [(one.data["state"], one.data["since"][11:16]) for one in pairs]


def test_an_incident_is_active_until_an_update_says_available() -> None:
    states = [one.data for one in of("HbSampleStorage00001", "incident")]
    assert [one["state"] for one in states] == ["active", "active", "active", "ended"]
    assert {one["severity"] for one in states} == {"high"}
    assert all(set(one) == {"severity", "state"} for one in states)


def test_an_incident_that_comes_back_is_active_again() -> None:
    states = [one.data["state"] for one in of("HbSampleConsole00004", "incident")]
    assert states == ["active", "ended", "active", "ended"]


def test_a_pair_is_in_the_state_of_the_last_update_that_spoke_of_it_since_that_state_began() -> None:
    incident = "HbSampleStorage00001"
    assert history(incident, STORAGE, FRANKFURT) == [
        ("SERVICE_DISRUPTION", "09:05"),
        ("SERVICE_OUTAGE", "09:36"),
        ("SERVICE_DISRUPTION", "10:30"),
        ("AVAILABLE", "11:30"),
    ]
    # Belgium is not listed at 10:30: nothing was said of it. AVAILABLE lists nothing and ends it for all pairs seen.
    assert history(incident, COMPUTE, BELGIUM) == [("SERVICE_OUTAGE", "09:36"), ("AVAILABLE", "11:30")]


def test_a_state_that_is_repeated_keeps_its_beginning() -> None:
    feed = sample()
    repeated = {**feed[1]["updates"][1], "created": "2025-03-05T15:00:00Z", "when": "2025-03-05T15:00:00Z"}
    feed[1]["updates"].insert(1, repeated)
    beginnings = [one.data["since"][11:16] for one in of("HbSampleDatabase0002", "service-health", feed)]
    assert sorted(beginnings) == ["14:20"] * 4 + ["16:10"] * 2


def test_an_update_without_a_location_speaks_of_an_unspecified_one() -> None:
    regions = {one.data["region"] for one in of("HbSampleMessaging003", "service-health")}
    assert regions == {"unspecified"}
    assert [one.data["state"] for one in of("HbSampleMessaging003", "service-health")] == [
        "SERVICE_INFORMATION",
        "AVAILABLE",
    ]


def test_an_incident_without_a_product_is_still_shown_to_affect_something() -> None:
    feed = sample()
    feed[2]["affected_products"] = []
    assert {one.data["component"] for one in of("HbSampleMessaging003", "service-health", feed)} == {"unspecified"}


def test_the_order_of_updates_in_the_file_says_nothing() -> None:
    turned = sample()
    for incident in turned:
        incident["updates"].reverse()
    assert feed_records(turned) == feed_records(sample())


def test_two_updates_of_one_second_are_two_versions_and_two_checkpoints() -> None:
    states = of("HbSampleNames0000005", "incident")
    assert [one.recordversion for one in states] == [1741551000, 1741551001]
    checkpoints = {one.recordid for one in of("HbSampleNames0000005", "bridge-timeline")}
    instant = "HbSampleNames0000005/2025-03-09T20:10:00Z"
    assert checkpoints == {"HbSampleNames0000005/detected", instant, f"{instant}/2"}


def test_checkpoints_are_detected_first_update_status_updates_and_available() -> None:
    facts = [one for one in of("HbSampleStorage00001", "bridge-timeline") if "note" not in one.data]
    assert sorted((one.data["at"][11:16], one.data["checkpoint"]) for one in facts) == [
        ("08:51", "detected"),
        ("09:05", "first_update"),
        ("09:36", "status_update"),
        ("10:30", "status_update"),
        ("11:30", "available"),
    ]


def test_a_text_edited_later_does_not_hide_the_checkpoint_before_the_edit() -> None:
    edited = [one for one in of("HbSampleStorage00001", "bridge-timeline") if "T11:30:00Z" in one.recordid]
    assert [(format_instant(one.recordedtime), "note" in one.data) for one in edited] == [
        ("2025-03-04T11:30:00Z", False),
        ("2025-03-06T16:20:00Z", True),
    ]
    assert edited[1].recordversion > edited[0].recordversion
    assert {key: edited[1].data[key] for key in ("checkpoint", "at")} == edited[0].data


def test_texts_are_internal_and_stand_nowhere_else() -> None:
    texts = {update["text"] for incident in sample() for update in incident["updates"]}
    found = set()
    for record in records_of(sample()):
        for name, value in record.data.items():
            if value in texts:
                assert (record.type, name) == ("bridge-timeline", "note")
                assert field_classification(record, "/note").value == "internal"
                found.add(value)
    assert found == texts
    titles = {incident["external_desc"] for incident in sample()}
    assert not titles & {value for record in records_of(sample()) for value in record.data.values()}


def test_a_feed_read_again_or_read_later_makes_duplicates_and_no_conflicts() -> None:
    later = sample()
    later[4]["updates"].insert(
        0,
        {
            **copy.deepcopy(later[4]["updates"][0]),
            "created": "2025-03-09T22:00:00+00:00",
            "modified": "2025-03-09T22:00:00+00:00",
            "when": "2025-03-09T22:00:00+00:00",
            "status": "AVAILABLE",
        },
    )
    later[0]["updates"][0].update(text="Edited.", modified="2025-03-09T12:00:00+00:00")
    later[4]["modified"] = "2025-03-09T22:00:00+00:00"
    earlier_versions = {(one.version_identity, one.datadigest) for one in records_of(sample())}
    later_versions = {(one.version_identity, one.datadigest) for one in records_of(later)}
    edited = {version for version, _digest in earlier_versions - later_versions}
    assert {recordid for _source, recordid, _version in edited} == {"HbSampleStorage00001/2025-03-04T11:30:00Z"}
    assert find_conflicts([*records_of(sample()), *records_of(later)]) == ()


def test_a_severity_changed_without_an_update_is_a_conflict_and_not_silently_taken_over() -> None:
    changed = sample()
    changed[0]["severity"] = "low"
    conflicts = find_conflicts([*records_of(sample()), *records_of(changed)])
    assert "conflicting_copies" in {one.kind for one in conflicts}
    assert {side.recordid for one in conflicts for side in one.references} == {"HbSampleStorage00001"}


def test_records_come_in_the_order_in_which_they_were_recorded() -> None:
    instants = [json.loads(line)["recordedtime"] for line in feed_records(sample())]
    assert instants == sorted(instants)
    assert max(instants) == format_instant(feed_end(sample()))


def test_event_ids_differ_and_every_incident_ends_as_its_last_update_says() -> None:
    records = records_of(sample())
    assert len({one.id for one in records}) == len(records)
    ends = {one.recordid[:-2]: one.data["state"] for one in heads_of(records) if one.type == "incident"}
    assert sorted(ends.values()) == ["active", "ended", "ended", "ended", "ended"]
