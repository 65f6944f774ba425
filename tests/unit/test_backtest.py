"""What a backtest predicts is what a real run of the same history, with the same people, does: version by version."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import orjson
import pytest

from dagster_project.application import rehearsed_bridge, rehearsed_desk
from dagster_project.application.backtest import Backtest, History, moments_of, predict, run_backtest
from dagster_project.application.backtest_figures import PredictedVersion, pointer_class, times_too_old
from dagster_project.application.backtest_inputs import profiles_in_force, read_history
from dagster_project.application.feeds import ingest_feed
from dagster_project.application.google_cloud import SAMPLE_BRIDGE, SAMPLE_PROFILE, ingest_google_cloud
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.rehearsing import Moment, Rehearsed, rehearse
from dagster_project.application.statuspage import STATUSPAGE
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario
from dagster_project.packaging.profile import Action, Profile
from tests.support.command_line import CommandLine, fresh_command_line
from tests.support.histories import FULL
from tests.support.real_predictions import code_key, versions_told
from tests.support.review_people import PEOPLE, make_bench
from tests.support.scripted_reviewers import StoreDesk
from tests.support.workspaces import make_workspace

SAMPLES = Path(__file__).parents[1] / "fixtures_data"
REVIEWED_FEED = SAMPLES / "google_cloud_reviewed.json"
# Signing every decision of 26 steps takes most of a minute; delivered seven by seven they hold the same records.
STEPS_TOGETHER = 1 if FULL else 7
START = datetime(2026, 3, 4, 9, tzinfo=UTC)


def story() -> tuple[Moment, ...]:
    """Return the sample scenario as moments, under its profile as it was meant."""
    steps = enumerate(load_scenario().steps)
    together = (list(found) for _, found in groupby(steps, key=lambda one: one[0] // STEPS_TOGETHER))
    return moments_of(
        (found[-1][1].at, line) for found in together for _, one in found for line in one.body.splitlines()
    )


@dataclass(frozen=True)
class RealRun:
    """The sample scenario, reviewed by scripted people over a real store, and the backtest of the same."""

    told: Sequence[PredictedVersion]
    rehearsed: Rehearsed
    asked: Backtest


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> RealRun:
    moments = story()
    workspace = make_workspace(tmp_path_factory.mktemp("story"), FixedClock(moments[0].at))
    bench = make_bench(workspace)
    profile = shipped_profile("customer_bridge")
    assign_profile(workspace, load_profile(workspace, profile))
    rehearsed = rehearse(StoreDesk(bench), moments, PEOPLE)
    asked = Backtest(history=History("feed", moments), profile=profile, people=PEOPLE, code_key=code_key(workspace))
    return RealRun(versions_told(workspace, PEOPLE), rehearsed, asked)


def predicted(asked: Backtest) -> list[PredictedVersion]:
    return [version for one in predict(asked, processes=1) for version in one.versions]


def asked_of(feed: Path, profile: Profile | None = None, **parts: Any) -> Backtest:  # noqa: ANN401 - passed through
    return Backtest(history=read_history(str(feed)), profile=profile or shipped_profile(SAMPLE_PROFILE), **parts)


def test_what_is_predicted_of_the_sample_scenario_is_what_happens(real_run: RealRun) -> None:
    assert {one.bridge for one in real_run.told} == {"harbourline", "tidewater"}
    assert {one.kind for one in real_run.told} == {"release", "reaffirmation", "pull"}
    assert predicted(real_run.asked) == real_run.told


def test_what_is_predicted_besides_versions_happens_too(real_run: RealRun) -> None:
    (prediction,) = predict(real_run.asked, processes=1)
    rehearsed = real_run.rehearsed
    assert prediction.answered == {answer.value: number for answer, number in rehearsed.answered.items()}
    assert prediction.refreshes_failed == rehearsed.failed_checks.total()
    assert {prediction.incident: prediction.last_post} == rehearsed.last_post
    # The outage that must be refused is refused in memory as well.
    assert prediction.rejected == {"field_unknown": 1}


@pytest.mark.parametrize(
    ("module", "name", "forgetful"),
    [
        (rehearsed_desk, "lapsed_leaves", lambda *_pages: frozenset()),
        (rehearsed_desk, "people_may_look", lambda _policy, _versions: False),
        (rehearsed_bridge, "standing_approvals", lambda *_decisions: []),
    ],
    ids=["pulls nothing", "nobody may look", "forgets approvals"],
)
def test_a_backtest_that_forgets_a_rule_predicts_something_else(
    real_run: RealRun,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    forgetful: Callable[..., object],
) -> None:
    monkeypatch.setattr(module, name, forgetful)
    assert predicted(real_run.asked) != real_run.told


def test_what_is_predicted_of_a_statuspage_is_what_happens(tmp_path: Path) -> None:
    page = orjson.loads((SAMPLES / "statuspage_sample.json").read_bytes())
    if not FULL:
        page["incidents"] = [one for one in page["incidents"] if one["id"] == "hbsigninslow"]
    feed = tmp_path / "incidents.json"
    feed.write_bytes(orjson.dumps(page))
    history = read_history(str(feed))
    workspace = make_workspace(tmp_path, FixedClock(history.moments[0].at))
    bench = make_bench(workspace, STATUSPAGE.profile)
    ingest_feed(workspace, STATUSPAGE, [])
    rehearsed = rehearse(StoreDesk(bench), history.moments, PEOPLE)
    profile = shipped_profile(STATUSPAGE.profile)
    asked = Backtest(history=history, profile=profile, people=PEOPLE, code_key=code_key(workspace))
    assert predicted(asked) == versions_told(workspace, PEOPLE)
    predictions = predict(asked, processes=1)
    assert sum(one.refreshes_failed for one in predictions) == rehearsed.failed_checks.total() == 1


def test_two_processes_predict_what_one_does(tmp_path: Path) -> None:
    incidents = orjson.loads((SAMPLES / "google_cloud_sample.json").read_bytes())
    again = [one | {"id": f"{one['id']}again"} for one in incidents]
    feed = tmp_path / "feed.json"
    feed.write_bytes(orjson.dumps([*incidents, *again]))
    asked = asked_of(feed)
    alone = predict(asked, processes=1)
    assert len(alone) == 2 * len(incidents)
    assert predict(asked, processes=2) == alone


def test_an_incident_is_predicted_alike_alone_and_among_others(tmp_path: Path) -> None:
    incidents = orjson.loads(REVIEWED_FEED.read_bytes())
    among = {one.incident: one for one in predict(asked_of(REVIEWED_FEED), processes=1)}
    for one in incidents:
        feed = tmp_path / "feed.json"
        feed.write_bytes(orjson.dumps([one]))
        (alone,) = predict(asked_of(feed), processes=1)
        assert alone == among[one["id"].upper()]


# ---- fields gained and lost -------------------------------------------------------------------------------------


def holding_severity() -> Profile:
    """Return the feed's profile with the severity on hold."""
    profile = shipped_profile(SAMPLE_PROFILE)
    rules = [
        msgspec.structs.replace(one, action=Action.HOLD, slot="other") if "incident#/severity" in one.covers else one
        for one in profile.rules
    ]
    return msgspec.structs.replace(profile, rules=tuple(rules))


def test_a_field_that_a_profile_holds_is_lost_against_one_that_shows_it_and_gained_the_other_way() -> None:
    shown, held = shipped_profile(SAMPLE_PROFILE), holding_severity()
    lost = run_backtest(asked_of(REVIEWED_FEED, held, against={"": shown}), processes=1)
    gained = run_backtest(asked_of(REVIEWED_FEED, shown, against={"": held}), processes=1)
    (severity,) = (one for one in lost.fields if one.pointer_class == "/severity_code")
    assert (severity.gained, severity.lost) == (0, 2)
    (severity,) = (one for one in gained.fields if one.pointer_class == "/severity_code")
    assert (severity.gained, severity.lost) == (2, 0)
    # The slot in which it shows is the only other thing that reads otherwise.
    assert {one.pointer_class for one in lost.fields} == {"/severity_code", "/held/*/fields", "/held/*/slot_state"}


def test_against_itself_a_profile_gains_and_loses_nothing() -> None:
    profile = shipped_profile(SAMPLE_PROFILE)
    assert run_backtest(asked_of(REVIEWED_FEED, profile, against={"": profile}), processes=1).fields == ()


def test_a_bridge_is_compared_with_its_own_profile_before_the_one_for_every_bridge() -> None:
    profile = shipped_profile(SAMPLE_PROFILE)
    against = {"": profile, SAMPLE_BRIDGE: holding_severity()}
    report = run_backtest(asked_of(REVIEWED_FEED, profile, against=against), processes=1)
    assert "/severity_code" in {one.pointer_class for one in report.fields}


def test_profiles_in_force_are_those_that_everybody_approved(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    assert profiles_in_force(replace(workspace.settings, home=tmp_path / "nowhere")) == {}
    ingest_google_cloud(workspace, [])
    assert profiles_in_force(workspace.settings) == {}
    make_bench(workspace, SAMPLE_PROFILE)
    assert profiles_in_force(workspace.settings) == {SAMPLE_BRIDGE: shipped_profile(SAMPLE_PROFILE)}


# ---- what the figures say ---------------------------------------------------------------------------------------


def test_the_review_policy_decides_who_is_asked() -> None:
    profile = shipped_profile(SAMPLE_PROFILE)
    policy = profile.review_policy
    asking_legal = {**policy.requirements, "first_release": (*policy.requirements["first_release"], "legal")}
    stricter = msgspec.structs.replace(
        profile, review_policy=msgspec.structs.replace(policy, requirements=asking_legal)
    )
    before, after = (run_backtest(asked_of(REVIEWED_FEED, one), processes=1) for one in (profile, stricter))
    assert (before.decisions["legal"].total, after.decisions["legal"].total) == (0, 2)


def test_pages_that_fail_their_check_are_counted_with_the_reason(tmp_path: Path) -> None:
    # The second post, 54 hours after the first, names another place: the record of the first place is too old.
    feed = orjson.loads(REVIEWED_FEED.read_bytes())[:1]
    (second,) = (one for one in feed[0]["updates"] if one["status"] == "SERVICE_OUTAGE")
    second["affected_locations"] = [{"title": "Frankfurt (europe-west3)", "id": "europe-west3"}]
    location = tmp_path / "feed.json"
    location.write_bytes(orjson.dumps(feed))
    report = run_backtest(asked_of(location), processes=1)
    assert report.refreshes_failed == 1
    (why,) = report.failed
    assert (why.rule, why.code, why.refreshes, why.incidents) == ("fresh", "stale", 1, 1)
    assert report.sources_asked == 1


def test_a_contract_that_came_later_opens_no_bridge_before_it(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.ndjson"
    record = contract(recordedtime="2030-01-01T00:00:00Z")
    accounts.write_bytes(orjson.dumps(record))
    history = read_history(str(REVIEWED_FEED), accounts)
    report = run_backtest(Backtest(history=history, profile=shipped_profile(SAMPLE_PROFILE)), processes=1)
    # When it comes it opens one for both, and there is nobody left to be told: the posts are over.
    assert (report.incidents, report.bridges) == (2, 2)
    assert all(one.at == datetime(2030, 1, 1, tzinfo=UTC) for one in history.accounts)


def contract(**envelope: str) -> dict[str, Any]:
    (line, *_entitlement) = read_history(str(REVIEWED_FEED)).accounts[0].events
    return {**orjson.loads(line), **envelope}


def test_a_page_is_too_old_from_its_end_to_the_next_version_or_the_last_post() -> None:
    hour = timedelta(hours=1)
    told = [(START, START + hour), (START + 2 * hour, START + 6 * hour), (START + 5 * hour, START + 7 * hour)]
    assert list(times_too_old(told, START + 9 * hour)) == [
        (0, START + hour, START + 2 * hour),
        (2, START + 7 * hour, START + 9 * hour),
    ]
    assert list(times_too_old(told, START + hour)) == []
    assert list(times_too_old([], START)) == []


@pytest.mark.parametrize(
    ("pointer", "spoken_of"),
    [
        ("/severity_code", "/severity_code"),
        ("/affected_capabilities/mail/regions/europe", "/affected_capabilities/*/regions/*"),
        ("/statements/a~1b/parameters/name", "/statements/*/parameters/*"),
        ("/held/dependency/slot_state", "/held/*/slot_state"),
        ("/not_affected/mail", "/not_affected/*"),
        ("/", "/"),
    ],
)
def test_a_pointer_class_names_nobody(pointer: str, spoken_of: str) -> None:
    assert pointer_class(pointer) == spoken_of


# ---- the command ------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path) -> CommandLine:
    return fresh_command_line(tmp_path)


def test_the_command_needs_no_deployment_and_makes_none(fresh: CommandLine) -> None:
    answer = fresh("profile", "backtest", "--profile", SAMPLE_PROFILE, "--feed", str(REVIEWED_FEED))
    assert (answer.code, answer.err) == (0, "")
    assert "2 incidents, 9 moments: 2 bridges" in answer.out
    assert not fresh.home.exists()
    assert not fresh.keys.exists()


def test_the_form_of_the_feed_tells_which_one_it_is(fresh: CommandLine) -> None:
    feed = str(SAMPLES / "statuspage_sample.json")
    report = fresh("profile", "backtest", "--profile", "statuspage_bridge", "--feed", feed, "--json").json
    assert (report["incidents"], report["bridges"], report["without_bridge"]) == (5, 5, 0)
    assert report["versions"]["release"] > 0


def test_json_is_the_same_each_time_and_says_what_the_text_says(fresh: CommandLine) -> None:
    command = ("profile", "backtest", "--profile", SAMPLE_PROFILE, "--feed", str(REVIEWED_FEED))
    compared = (*command, "--against", "customer_bridge", "--json")
    answer = fresh(*compared)
    assert answer.out == fresh(*compared).out
    report, text = answer.json, fresh(*command, "--against", "customer_bridge").out
    assert f"contents: {report['contents']}; versions: {sum(report['versions'].values())}" in text
    for role, spread in report["decisions"].items():
        assert any(line.split()[:2] == [role, str(spread["total"])] for line in text.splitlines())
    for one in report["fields"]:
        assert f"{one['pointer_class']}: {one['gained']} gained, {one['lost']} lost" in text


def test_no_text_of_the_feed_is_shown(fresh: CommandLine, tmp_path: Path) -> None:
    canary = "Quokkadrift"
    feed = orjson.loads(REVIEWED_FEED.read_bytes())
    for incident in feed:
        incident["external_desc"] = f"{canary} everywhere"
        for update in [*incident["updates"], incident["most_recent_update"]]:
            update["text"] = f"We blame {canary}."
    location = tmp_path / "feed.json"
    location.write_bytes(orjson.dumps(feed))
    command = ("profile", "backtest", "--profile", SAMPLE_PROFILE, "--against", "customer_bridge", "--feed")
    broken = tmp_path / "broken.json"
    broken.write_bytes(location.read_bytes() + b"]")
    answers = [fresh(*command, str(location)), fresh(*command, str(location), "--json"), fresh(*command, str(broken))]
    assert [one.code for one in answers] == [0, 0, 1]
    assert all(canary.lower() not in one.everything.lower() for one in answers)


def test_a_rejected_account_record_is_counted_once_and_is_a_result(fresh: CommandLine, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.ndjson"
    lines = [one for moment in read_history(str(REVIEWED_FEED)).accounts for one in moment.events]
    accounts.write_bytes(b"\n".join([*lines, b"no JSON", orjson.dumps(contract(recordversion="nine"))]))
    command = ("profile", "backtest", "--profile", SAMPLE_PROFILE, "--feed", str(REVIEWED_FEED), "--accounts")
    answer = fresh(*command, str(accounts), "--json")
    assert answer.code == 1
    assert sum(answer.json["rejected"].values()) == 2


def test_what_cannot_be_replayed_is_refused_with_the_reason(fresh: CommandLine, tmp_path: Path) -> None:
    command = ("profile", "backtest", "--feed", str(REVIEWED_FEED))
    unreadable = fresh(*command, "--profile", SAMPLE_PROFILE, "--accounts", str(tmp_path / "none.ndjson"))
    assert (unreadable.code, "accounts_unreadable" in unreadable.err) == (3, True)
    faulty = fresh(*command, "--profile", str(tmp_path / "none.yaml"))
    assert (faulty.code, "profile_unreadable" in faulty.err) == (3, True)
    assert fresh(*command).code == 2
