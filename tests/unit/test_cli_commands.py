"""The commands do what their help says, as text and as JSON, and exit with the documented codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dagster_project.application.demo_store import MARK
from dagster_project.application.overview import candidate_history
from dagster_project.cli.main import channelsafe
from tests.support.command_line import CommandLine, command_line_of, fresh_command_line
from tests.support.played_stories import BRIDGES, FEED_SAMPLE, INCIDENT, copy_of, played_scenario

EDITED_LATER = "HBSAMPLESTORAGE00001"
FACT = {"checkpoint": "mitigation_started", "at": "2026-03-04T09:50:00Z"}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


EVERY = dict(commands(channelsafe))
QUESTIONS = {
    "status": ["status"],
    "history": ["history", INCIDENT],
    "history of a bridge": ["history", INCIDENT, "--bridge", "tidewater"],
    "show": ["show", INCIDENT, "harbourline"],
    "show an old one": ["show", INCIDENT, "tidewater", "--ordinal", "18"],
    "explain everything": ["explain", INCIDENT, "harbourline"],
    "explain a field": ["explain", INCIDENT, "harbourline", "/incident_status"],
    "verify": ["verify"],
    "replay": ["replay", "candidate", INCIDENT, "harbourline"],
    "profiles": ["profile", "list"],
    "profile findings": ["profile", "validate", "customer_bridge_faulty"],
}


@pytest.fixture
def run() -> CommandLine:
    """The command line over the played scenario; only for questions."""
    return command_line_of(played_scenario().settings)


@pytest.fixture
def fresh(tmp_path: Path) -> CommandLine:
    return fresh_command_line(tmp_path)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_explains_itself_and_each_of_its_options(fresh: CommandLine, path: tuple[str, ...]) -> None:
    answer = fresh(*path, "--help")
    assert answer.code == 0
    command = EVERY[path]
    assert len((command.help or "").split()) >= 5
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert option.opts[-1] in answer.out
    assert not fresh.home.exists()


def test_the_help_lists_the_commands_and_the_exit_codes(fresh: CommandLine) -> None:
    shown = fresh("--help").out
    assert all(path[0] in shown for path in EVERY)
    for code, meaning in enumerate(("done", "unsafe or was rejected", "call", "missing", "stored", "fault")):
        assert any(str(code) in line and meaning in line for line in shown.splitlines()), code


@pytest.mark.parametrize("path", [("ingest",), ("refresh",), ("verify",), ("profile", "validate")], ids=" ".join)
def test_commands_whose_exit_code_is_a_result_say_so(fresh: CommandLine, path: tuple[str, ...]) -> None:
    assert "Exit code" in fresh(*path, "--help").out


@pytest.mark.parametrize("what", QUESTIONS)
def test_json_is_one_valid_value_sorted_and_the_same_each_time(run: CommandLine, what: str) -> None:
    answer = run(*QUESTIONS[what], "--json")
    assert (answer.code, answer.err) == (0, "")
    value = json.loads(answer.out)
    assert answer.out == json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert run(*QUESTIONS[what], "--json").out == answer.out


def test_every_command_that_answers_has_json() -> None:
    without = {path for path, one in EVERY.items() if not any(option.name == "as_json" for option in one.params)}
    groups = {path for path, one in EVERY.items() if isinstance(one, click.Group)}
    assert without - groups <= {("demo",), ("dev",), ("keys", "create"), ("audit", "export")}


@pytest.mark.parametrize("what", QUESTIONS)
def test_questions_answer_people_as_well(run: CommandLine, what: str) -> None:
    answer = run(*QUESTIONS[what])
    assert (answer.code, answer.err) == (0, "")
    assert not answer.out.startswith(("{", "["))


def test_explain_answers_for_every_field_of_every_candidate(run: CommandLine) -> None:
    explained = 0
    for one in candidate_history(played_scenario(), INCIDENT):
        answer = run("explain", INCIDENT, one.bridge, "--ordinal", str(one.ordinal), "--json")
        assert answer.code == 0
        told = {field["pointer"]: field for field in answer.json}
        shown = run("show", INCIDENT, one.bridge, "--ordinal", str(one.ordinal), "--json").json["candidate"]
        failed = one.publication_state == "failed_check"
        assert {pointer for pointer in told if not failed or not pointer.startswith("/statements")} == {
            pointer for pointer in leaves_of(shown["content"]) if pointer != "/statements"
        } - ({"/statements"} if failed else set())
        assert all(field["rule_id"] and field["rule_digest"] for field in told.values())
        explained += len(told)
    assert explained > 2500


def leaves_of(content: object, prefix: str = "") -> set[str]:
    if not isinstance(content, dict):
        return {prefix}
    return {
        pointer
        for name, inner in content.items()
        for pointer in leaves_of(inner, f"{prefix}/{name.replace('~', '~0').replace('/', '~1')}")
    }


def test_explain_names_record_version_source_field_and_rule(run: CommandLine) -> None:
    answer = run("explain", INCIDENT, "harbourline", "/incident_status")
    assert "rule " in answer.out
    assert f"{INCIDENT} v" in answer.out
    assert "incident#/state" in answer.out


def test_an_unknown_field_is_a_wrong_call_and_near_ones_are_named(run: CommandLine) -> None:
    answer = run("explain", INCIDENT, "harbourline", "/severity")
    assert answer.code == 2
    assert "field_unknown" in answer.err
    assert "for example /" in answer.err


def test_an_incident_may_be_named_in_small_letters(run: CommandLine) -> None:
    assert run("history", INCIDENT.lower()).out == run("history", INCIDENT).out


@pytest.mark.parametrize("view", ["html", "markdown", "text"])
@pytest.mark.parametrize("bridge", BRIDGES)
def test_show_prints_and_writes_the_page(run: CommandLine, tmp_path: Path, bridge: str, view: str) -> None:
    printed = run("show", INCIDENT, bridge, "--view", view)
    assert printed.code == 0
    file = tmp_path / "page"
    assert run("show", INCIDENT, bridge, "--view", view, "--output", str(file)).code == 0
    assert file.read_text(encoding="utf-8") == printed.out


def test_a_candidate_that_failed_has_no_page_but_its_reason(run: CommandLine) -> None:
    refused = run("show", INCIDENT, "tidewater", "--ordinal", "18", "--view", "text")
    assert (refused.code, refused.out) == (2, "")
    assert "candidate_not_checked" in refused.err
    shown = run("show", INCIDENT, "tidewater", "--ordinal", "18").out
    assert "NOT PASSED: leak: denied_term" in shown


def test_a_fact_is_refused_outside_a_demo_store(tmp_path: Path) -> None:
    workspace = copy_of(played_scenario(), tmp_path)
    answer = command_line_of(workspace.settings)(*stating())
    assert answer.code == 2
    assert "not_a_demo_store" in answer.err


def stating(**changes: str) -> list[str]:
    stated = {"type": "bridge-timeline", "version": "7", "data": json.dumps(FACT), **changes}
    options = ["--version", stated["version"], "--data", stated["data"], "--classification", "customer"]
    return ["record", stated["type"], INCIDENT, "TL-77", *options, "--at", "2026-03-04T09:50:00Z"]


def test_a_fact_is_admitted_in_a_demo_store_once_and_its_speaker_is_unverified(tmp_path: Path) -> None:
    workspace = copy_of(played_scenario(), tmp_path)
    (workspace.settings.home / MARK).touch()
    run = command_line_of(workspace.settings)
    # The machine's clock may stand before the story.
    if (first := run(*stating(), "--json")).json["rejected"]:
        assert first.json["rejected"][0]["reason_code"] == "recorded_in_the_future"
        pytest.skip("the clock of this machine stands before the story")
    assert (first.code, first.json["counts"]) == (0, {"admitted": 1})
    assert run(*stating(), "--json").json["counts"] == {"duplicate": 1}
    with workspace.store.engine.connect() as connection:
        by = connection.exec_driver_sql("SELECT recorded_by FROM source_records WHERE recordid = 'TL-77'").scalar_one()
    assert by == "unverified"


def test_a_fact_of_the_wrong_form_is_kept_aside(tmp_path: Path) -> None:
    workspace = copy_of(played_scenario(), tmp_path)
    (workspace.settings.home / MARK).touch()
    run = command_line_of(workspace.settings)
    answer = run(*stating(data='{"weather": "fine"}'), "--json")
    assert answer.code == 1
    assert answer.json["counts"] == {"rejected": 1}
    for bad in ("not json", "[]", '{"at": NaN}', '{"a": 1, "a": 2}'):
        assert run(*stating(data=bad)).code == 2


def test_a_feed_is_ingested_and_refreshed_at_its_end(fresh: CommandLine) -> None:
    ingested = fresh("ingest", "google-cloud", str(FEED_SAMPLE), "--json")
    assert (ingested.code, ingested.json["rejected"]) == (0, [])
    assert len(ingested.json["incidents"]) == 5
    refreshed = fresh("refresh", "--all", "--at", "feed-end", "--json")
    assert {one["incident"] for one in refreshed.json} == set(ingested.json["incidents"])
    passed = {one["incident"]: [it["passed"] for it in one["candidates"]] for one in refreshed.json}
    # A text of the storage incident was edited two days after its end: by then its page is stale.
    assert passed.pop(EDITED_LATER) == [False]
    assert list(passed.values()) == [[True]] * 4
    assert refreshed.code == 1
    ends = {one["incident"]: one["evaluated_at"] for one in refreshed.json}
    assert ends[EDITED_LATER] == "2025-03-06T16:20:00Z"
    assert fresh("verify").code == 0


def test_a_refresh_at_an_instant_knows_nothing_that_was_recorded_later(fresh: CommandLine) -> None:
    fresh("ingest", "google-cloud", str(FEED_SAMPLE))
    early = fresh("refresh", "HBSAMPLESTORAGE00001", "--at", "2025-03-04T09:41:00Z", "--json")
    assert early.json[0]["evaluated_at"] == "2025-03-04T09:41:00Z"
    assert show_status(fresh) == "investigating"
    late = fresh("refresh", "HBSAMPLESTORAGE00001", "--at", "2025-03-04T13:00:00+01:00", "--json")
    assert late.json[0]["evaluated_at"] == "2025-03-04T12:00:00Z"
    assert late.json[0]["records"] > early.json[0]["records"]
    assert show_status(fresh) == "monitoring"


def show_status(run: CommandLine) -> str:
    shown = run("show", "HBSAMPLESTORAGE00001", "harbourline", "--json").json["candidate"]["content"]
    return str(shown["incident_status"])


def test_a_page_that_nobody_confirmed_for_a_day_fails_its_gate_and_exits_with_1(fresh: CommandLine) -> None:
    fresh("ingest", "google-cloud", str(FEED_SAMPLE))
    assert fresh("refresh", "HBSAMPLESTORAGE00001", "--at", "2025-03-05T11:29:00Z").code == 0
    stale = fresh("refresh", "HBSAMPLESTORAGE00001", "--at", "2025-03-05T11:31:00Z")
    assert stale.code == 1
    assert "FAILED (fresh: stale" in stale.out


def test_a_second_ingest_of_the_same_feed_changes_nothing(fresh: CommandLine) -> None:
    first = fresh("ingest", "google-cloud", str(FEED_SAMPLE), "--json").json
    fresh("refresh", "--all", "--at", "feed-end")
    second = fresh("ingest", "google-cloud", str(FEED_SAMPLE), "--json")
    assert set(second.json["counts"]) == {"duplicate"}
    assert sum(second.json["counts"].values()) == sum(first["counts"].values())
    assert second.json["incidents"] == []


def test_playing_a_feed_leaves_a_history_of_contents(fresh: CommandLine) -> None:
    played = fresh("replay", "google-cloud", str(FEED_SAMPLE), "--json")
    assert (played.code, played.json["refreshes_with_failed_check"]) == (1, 1)  # the late edit, see above
    history = fresh("history", "HBSAMPLESTORAGE00001", "--json").json["candidates"]
    contents = {one["content_number"]: one["content"] for one in history}
    assert sorted(contents) == list(range(1, len(contents) + 1))
    assert len(contents) >= 4
    assert [contents[number]["incident_status"] for number in sorted(contents)][-1] == "monitoring"
    instants = [one["evaluated_at"] for one in history]
    assert instants == sorted(instants)
    assert instants[0].startswith("2025-03-04T0")


@pytest.mark.parametrize(
    "name", ["customer_bridge", "customer_bridge_faulty", "google_cloud_bridge", "statuspage_bridge"]
)
def test_the_shipped_profiles_are_listed_valid_and_can_be_loaded(fresh: CommandLine, name: str) -> None:
    assert name in fresh("profile", "list", "--json").json
    assert fresh("profile", "validate", name).code == 0
    loaded = fresh("profile", "load", name, "--bridge", "harbourline", "--json")
    assert loaded.code == 0
    assert loaded.json["profile_digest"].startswith("sha256:")


def test_a_profile_with_errors_is_named_and_not_loaded(fresh: CommandLine, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "dagster_project" / "packaging" / "profiles" / "customer_bridge.yaml"
    text = shipped.read_text(encoding="utf-8")
    holed = tmp_path / "holed.yaml"
    holed.write_text(text.replace("down: major_outage", "down: no_such_status"), encoding="utf-8")
    judged = fresh("profile", "validate", str(holed), "--json")
    assert judged.code == 1
    assert any(one["level"] == "error" for one in judged.json)
    refused = fresh("profile", "load", str(holed))
    assert refused.code == 1
    assert "profile_invalid" in refused.err


def test_incidents_and_all_exclude_each_other(fresh: CommandLine) -> None:
    fresh("ingest", "landing")
    answer = fresh("refresh", "INC-1", "--all")
    assert answer.code == 2
    assert "incidents_and_all" in answer.err


def test_a_refresh_without_anything_pending_is_done(fresh: CommandLine) -> None:
    fresh("ingest", "landing")
    answer = fresh("refresh", "--json")
    assert (answer.code, answer.json) == (0, [])
