"""A Statuspage through the command line: taken in, played, read again, refused; on the hand-written page."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine, fresh_command_line

SAMPLE = Path(__file__).parents[1] / "fixtures_data" / "statuspage_sample.json"
SEARCH, SIGN_IN, WEBHOOKS, MAINTENANCE, UNKNOWN = (
    "HBSEARCHOUT1", "HBSIGNINSLOW", "HBWEBHOOKS03", "HBMAINTAIN04", "HBUNKNOWN005",
)  # fmt: skip
BRIDGE = "fernbrook"


@pytest.fixture
def fresh(tmp_path: Path) -> CommandLine:
    return fresh_command_line(tmp_path)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    run = fresh_command_line(tmp_path_factory.mktemp("played"))
    answer = run("replay", "statuspage", str(SAMPLE), "--json")
    # The text of one update was edited days after the end: by then its page is stale.
    assert (answer.code, answer.json["refreshes_with_failed_check"]) == (1, 1)
    return run


def contents(run: CommandLine, incident: str) -> list[dict[str, object]]:
    history = run("history", incident, "--json").json
    return list({one["content_number"]: one["content"] for one in history}.values())


def statuses(run: CommandLine, incident: str, capability: str) -> list[str]:
    found = []
    for content in contents(run, incident):
        affected = content["affected_capabilities"]
        assert isinstance(affected, dict)
        found.append(affected[capability]["capability_status"] if capability in affected else "-")
    return found


def test_playing_shows_every_transition_of_a_component_at_its_time(played: CommandLine) -> None:
    search = ["partial_outage", "major_outage", "major_outage", "degraded", "operational", "operational"]
    assert statuses(played, SEARCH, "search") == search
    documents = ["-", "degraded", *["operational"] * 4]
    assert statuses(played, SEARCH, "document-storage") == documents
    moments = [one["evaluated_at"] for one in played("history", SEARCH, "--json").json]
    assert moments == sorted(moments)


def test_an_incident_that_comes_back_is_investigated_again(played: CommandLine) -> None:
    told = [content["incident_status"] for content in contents(played, SIGN_IN)]
    assert told == ["investigating", "monitoring", "investigating", "monitoring"]


def test_planned_work_is_maintenance_and_ends_in_monitoring(played: CommandLine) -> None:
    assert statuses(played, MAINTENANCE, "document-storage") == ["-", "maintenance", "maintenance", "operational"]
    assert contents(played, MAINTENANCE)[-1]["incident_status"] == "monitoring"


def test_what_nobody_stated_and_what_nobody_mapped_are_visible_holds(played: CommandLine) -> None:
    assert statuses(played, WEBHOOKS, "notifications") == ["under_assessment"]
    (content,) = contents(played, UNKNOWN)
    assert content["severity_code"] == content["incident_status"] == "on_hold"
    assert statuses(played, UNKNOWN, "management-console") == ["under_assessment"]
    shown = played("show", UNKNOWN, BRIDGE).out
    assert "unmapped_name in slot internal_component" in shown


def test_everything_played_verifies_and_can_be_made_again(played: CommandLine) -> None:
    assert played("verify").code == 0
    assert played("replay", "candidate", SEARCH, BRIDGE).code == 0


def test_taking_in_ends_where_playing_ends_and_a_second_time_changes_nothing(
    fresh: CommandLine, played: CommandLine
) -> None:
    first = fresh("ingest", "statuspage", str(SAMPLE), "--json")
    assert (first.code, first.json["rejected"]) == (0, [])
    assert set(first.json["incidents"]) == {SEARCH, SIGN_IN, WEBHOOKS, MAINTENANCE, UNKNOWN}
    fresh("refresh", "--all", "--at", "feed-end")
    for incident in first.json["incidents"]:
        last, known = contents(fresh, incident)[-1], contents(played, incident)[-1]
        for part in ("affected_capabilities", "not_affected", "incident_status", "severity_code"):
            assert last[part] == known[part], (incident, part)
    second = fresh("ingest", "statuspage", str(SAMPLE), "--json")
    assert set(second.json["counts"]) == {"duplicate"}
    assert second.json["incidents"] == []


def test_a_refused_feed_is_kept_aside_with_its_place_and_the_last_good_one_stays(
    fresh: CommandLine, tmp_path: Path
) -> None:
    fresh("ingest", "statuspage", str(SAMPLE))
    before = fresh("status", "--json").json
    feed = json.loads(SAMPLE.read_bytes())
    del feed["incidents"][2]["incident_updates"][0]["status"]
    (tmp_path / "bad.json").write_text(json.dumps(feed))
    for _again in range(2):
        answer = fresh("ingest", "statuspage", str(tmp_path / "bad.json"))
        assert (answer.code, "feed_malformed" in answer.err) == (1, True)
    after = fresh("status", "--json").json
    assert after["incidents"] == before["incidents"]
    place = "/incidents/2/incident_updates/0/status"
    kept = [(one["reason_code"], one["where_pointer"], one["source"]) for one in after["intake"]["rejected"]]
    assert kept == [("feed_malformed", place, "//statuspage.io/feed")]
    assert f"feed_malformed at {place}" in fresh("status").out
    assert fresh("verify").code == 0


def test_a_page_that_is_not_there_is_unavailable(fresh: CommandLine, tmp_path: Path) -> None:
    for command in ("ingest", "replay"):
        answer = fresh(command, "statuspage", str(tmp_path / "none.json"))
        assert (answer.code, "feed_unavailable" in answer.err) == (3, True)
