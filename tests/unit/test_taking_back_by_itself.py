"""What nobody asks for: a clearance, a contract or an entitlement that narrows or lapses takes back what was told.

Nothing is edited in silence: the version that follows shows the slot, and whatever said the value is suspended.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.application import pulling
from dagster_project.application.deciding import decide
from dagster_project.application.drafting_decisions import draft_act, staged_page, versions_of_incident
from dagster_project.application.open_questions import open_questions
from dagster_project.application.overview import one_candidate
from dagster_project.application.policy_releases import keep_published
from dagster_project.application.refresh import refresh
from dagster_project.application.releasing import release
from dagster_project.clock import FixedClock, format_instant
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.context import SnapshotIndex
from dagster_project.review import pulls
from dagster_project.review.decisions import Act
from tests.support.moving_sources import BRIDGE, INCIDENT, newest, pass_time, say, speak_of
from tests.support.released_stories import (
    approve_all,
    content,
    current,
    published_bytes,
    release_all,
    shown,
    states,
    told_story,
)
from tests.support.review_people import Bench

CONTRACT, ENTITLEMENT, REVIEW = "CTR-2031", "ENT-5520", "SR-77"
SEVERITY = "/severity_code"
NAME = b"Northgate"
CLASSES = (
    "capability_status", "region_status", "incident_status", "severity", "workaround_readiness", "checkpoint",
    "template_parameter",
)  # fmt: skip
WITHOUT_SEVERITY = {"/permitted_fields": [one for one in CLASSES if one != "severity"]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The story up to where security clears the vendor's public name, told to the bridge."""
    return told_story(tmp_path, 9)


def round_at(bench: Bench, at: datetime) -> None:
    """Let the deployment go its round at an instant, without a person and without a record."""
    assert isinstance(bench.workspace.clock, FixedClock)
    bench.workspace.clock.set(at)
    kept = keep_published(bench.workspace, at_most=timedelta(minutes=1))
    assert not kept.failed, kept.failed


def names_shown(bench: Bench) -> list[str]:
    return [one for one in shown(bench) if one.endswith("/parameters/public_names")]


def held_in(bench: Bench, slot: str) -> list[str]:
    fields: list[str] = content(bench)["held"][slot]["fields"]
    return fields


# ---- security review -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "review",
    [{"/outcome": "not_cleared"}, {"/outcome": "in_review"}, {"/outcome": "narrowed", "/scope": []}, {"/channels": []}],
    ids=["not cleared", "in review", "narrowed", "for another channel"],
)
def test_a_clearance_that_is_taken_away_pulls_the_name_at_once(bench: Bench, review: dict[str, object]) -> None:
    (name,) = names_shown(bench)
    assert NAME in published_bytes(bench.workspace)
    say(bench.workspace, "security-review", REVIEW, review)
    assert states(bench) == [("release", "suspended"), ("pull", "released")]
    assert names_shown(bench) == []
    assert held_in(bench, "dependency") == [name]
    assert NAME not in published_bytes(bench.workspace)


def test_a_clearance_pulls_at_the_instant_at_which_it_lapses_without_any_record(bench: Bench) -> None:
    lapses = bench.workspace.clock.now() + timedelta(minutes=12)
    say(bench.workspace, "security-review", REVIEW, {"/expires": format_instant(lapses)})
    round_at(bench, lapses - timedelta(seconds=1))
    assert names_shown(bench) != []
    round_at(bench, lapses)
    assert names_shown(bench) == []
    assert states(bench)[-1] == ("pull", "released")
    assert NAME not in published_bytes(bench.workspace)


def test_without_looking_at_the_clock_a_lapse_would_go_unnoticed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lapses = bench.workspace.clock.now() + timedelta(minutes=12)
    say(bench.workspace, "security-review", REVIEW, {"/expires": format_instant(lapses)})
    monkeypatch.setattr(SnapshotIndex, "turning_points", ())
    round_at(bench, lapses)
    assert names_shown(bench) != []


# ---- contract and entitlement ----------------------------------------------------------------------------------


def test_a_contract_that_narrows_pulls_the_field_into_its_slot_and_nothing_else(bench: Bench) -> None:
    before = set(shown(bench))
    say(bench.workspace, "contract", CONTRACT, WITHOUT_SEVERITY)
    assert states(bench) == [("release", "suspended"), ("pull", "released")]
    assert held_in(bench, "contract") == [SEVERITY]
    assert content(bench)["held"]["contract"]["slot_state"] == "on_hold"
    assert before - set(shown(bench)) == {SEVERITY}
    assert b"severity_1" not in published_bytes(bench.workspace)


def test_after_a_contract_narrowed_the_rest_of_the_page_goes_on_and_the_slot_stays_until_people_open_it(
    bench: Bench,
) -> None:
    say(bench.workspace, "contract", CONTRACT, WITHOUT_SEVERITY)
    say(bench.workspace, "incident", INCIDENT, {"/state": "mitigating"})
    approve_all(bench, "ines", "sam")
    release(bench.workspace, INCIDENT, BRIDGE)
    assert content(bench)["incident_status"] == "mitigating"
    assert "severity_code" not in content(bench)
    assert content(bench)["held"]["contract"]["slot_state"] == "on_hold"
    release_all(bench, "leo", "selma")
    assert content(bench)["held"]["contract"]["slot_state"] == "none_declared"


def test_what_a_contract_permits_again_comes_back_only_by_restoration_and_approval(bench: Bench) -> None:
    say(bench.workspace, "contract", CONTRACT, WITHOUT_SEVERITY)
    say(bench.workspace, "contract", CONTRACT, {"/permitted_fields": list(CLASSES)})
    assert SEVERITY not in shown(bench)
    assert "/severity_code" in staged_page(bench.workspace, INCIDENT, BRIDGE).state.pulled
    bench.act("ines", Act.RESTORE, INCIDENT, BRIDGE, version=current(bench).version, fields=[SEVERITY])
    release_all(bench, "ines", "selma", "leo", "sam")
    assert SEVERITY in shown(bench)


def test_an_entitlement_that_shrinks_pulls_the_capability_into_the_slot_of_contracts(bench: Bench) -> None:
    lost = [one for one in shown(bench) if one.startswith("/affected_capabilities/message-delivery/")]
    assert lost
    say(bench.workspace, "entitlement", ENTITLEMENT, {"/capabilities": ["inbox-api", "admin-console"]})
    assert states(bench)[-1] == ("pull", "released")
    assert set(held_in(bench, "contract")) >= set(lost)
    assert causes(bench, "/affected_capabilities/message-delivery") == {"source_update"}
    assert not [one for one in shown(bench) if "/message-delivery/" in one]
    release(bench.workspace, INCIDENT, BRIDGE)
    assert "message-delivery" not in content(bench)["affected_capabilities"]
    assert content(bench)["workarounds"] == {}
    assert content(bench)["held"]["contract"]["slot_state"] == "on_hold"


def test_a_bridge_that_the_contract_names_no_more_keeps_nothing_and_is_told_nothing_more(bench: Bench) -> None:
    say(bench.workspace, "contract", CONTRACT, {"/bridges": {BRIDGE: {"incidents": ["INC-1"]}}})
    assert states(bench)[-1] == ("pull", "released")
    assert content(bench)["held"]["contract"]["slot_state"] == "on_hold"
    assert SEVERITY in held_in(bench, "contract")
    said = {one for one in shown(bench) if not one.startswith(("/held/", "/names/", "/statements/"))}
    assert said == {"/channel", "/schema", "/tlp"}
    assert "no_bridge_in_contract" in staged_page(bench.workspace, INCIDENT, BRIDGE).missing


def test_without_the_rule_a_narrower_contract_would_take_nothing_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "is_allowed", lambda _context, _draft: True)
    say(bench.workspace, "contract", CONTRACT, WITHOUT_SEVERITY)
    assert SEVERITY in shown(bench)


def test_without_asking_for_the_contract_a_closed_bridge_would_keep_its_page(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "is_open", lambda _transaction, _row: True)
    say(bench.workspace, "contract", CONTRACT, {"/bridges": {BRIDGE: {"incidents": ["INC-1"]}}})
    assert SEVERITY in shown(bench)


def test_a_contract_that_runs_out_puts_every_field_visibly_on_hold_without_any_record(bench: Bench) -> None:
    ends = bench.workspace.clock.now() + timedelta(minutes=12)
    say(bench.workspace, "contract", CONTRACT, {"/valid_until": format_instant(ends)})
    round_at(bench, ends - timedelta(seconds=1))
    assert SEVERITY in shown(bench)
    round_at(bench, ends)
    assert SEVERITY in held_in(bench, "contract")
    assert content(bench)["severity_code"] == "on_hold"
    assert causes(bench, SEVERITY) == {"clock"}


def test_an_entitlement_that_runs_out_pulls_what_rested_on_it_without_any_record(bench: Bench) -> None:
    ends = bench.workspace.clock.now() + timedelta(minutes=12)
    say(bench.workspace, "entitlement", ENTITLEMENT, {"/valid_until": format_instant(ends)})
    round_at(bench, ends)
    assert states(bench)[0] == ("release", "suspended")
    assert ("pull", "superseded") in states(bench)
    assert content(bench)["affected_capabilities"] == {}
    assert "/affected_capabilities" in held_in(bench, "contract")


def test_time_that_decides_nothing_renders_nothing_again(bench: Bench) -> None:
    before = one_candidate(bench.workspace, INCIDENT, BRIDGE).ordinal
    round_at(bench, bench.workspace.clock.now() + timedelta(minutes=5))
    assert one_candidate(bench.workspace, INCIDENT, BRIDGE).ordinal == before


def test_history_that_is_evaluated_anew_takes_nothing_back_and_the_next_round_looks_at_the_present(
    bench: Bench,
) -> None:
    before, told = states(bench), set(shown(bench))
    refresh(bench.workspace, INCIDENT, bench.workspace.clock.now() - timedelta(minutes=20))
    assert (states(bench), set(shown(bench))) == (before, told)
    assert [one for one in open_questions(bench.workspace, INCIDENT, BRIDGE) if one.puts_under_review] == []
    round_at(bench, bench.workspace.clock.now() + timedelta(seconds=1))
    assert names_shown(bench) != []
    assert one_candidate(bench.workspace, INCIDENT, BRIDGE).evaluated_at == bench.workspace.clock.now()


# ---- what shifts while the incident runs ------------------------------------------------------------------------


def causes(bench: Bench, place: str) -> set[str]:
    """Return the causes that the newest delta gives for changes at a place."""
    return {
        one.cause
        for one in one_candidate(bench.workspace, INCIDENT, BRIDGE).operations
        if one.pointer.startswith(place)
    }


def test_an_entitlement_that_grows_shows_the_capability_with_its_cause_and_asks_for_people(bench: Bench) -> None:
    place = "/affected_capabilities/reporting"
    data = {"component": "report-builder", "region": "eu-west-1", "state": "down", "since": "2026-03-04T09:10:00Z"}
    speak_of(bench.workspace, "service-health", "report-builder/eu-west-1", data, source="//status.example/health-eu")
    assert causes(bench, place) == set()
    bought = newest(bench.workspace, "entitlement", ENTITLEMENT).data["capabilities"]
    say(bench.workspace, "entitlement", ENTITLEMENT, {"/capabilities": [*bought, "reporting"]})
    assert causes(bench, place) == {"new_evidence"}
    page = staged_page(bench.workspace, INCIDENT, BRIDGE)
    (change,) = [one for one in page.state.changes if one.pointer == f"{place}/capability_status"]
    assert "incident_command" in page.state.coverage.missing[change.digest]
    release(bench.workspace, INCIDENT, BRIDGE)
    assert content(bench)["affected_capabilities"]["reporting"]["capability_status"] == "under_assessment"


def test_a_contract_that_requires_what_no_record_feeds_shows_the_hold_with_its_cause(bench: Bench) -> None:
    say(bench.workspace, "contract", CONTRACT, {"/permitted_fields": list(CLASSES[:4]), "/required_fields": [*CLASSES]})
    candidate = one_candidate(bench.workspace, INCIDENT, BRIDGE)
    assert set(candidate.content["held"]["contract"]["fields"]) == {"/workarounds", "/timeline", "/statements"}
    assert causes(bench, "/held/contract/") == {"source_update"}


def test_a_cadence_that_the_contract_changes_is_a_change_for_account_leadership(bench: Bench) -> None:
    say(bench.workspace, "contract", CONTRACT, {"/committed_cadence_minutes": 15})
    place = "/statements/committed-cadence/parameters/minutes"
    assert causes(bench, place) == {"source_update"}
    (change,) = [one for one in staged_page(bench.workspace, INCIDENT, BRIDGE).state.changes if one.pointer == place]
    assert "account_leadership" in change.roles


def test_the_first_text_goes_to_no_bridge_that_no_contract_opens(bench: Bench) -> None:
    pass_time(bench.workspace)
    decision = draft_act(bench.workspace, Act.ACKNOWLEDGE, INCIDENT, "somebody-elses")
    with pytest.raises(UnsafeOrRejected, match="no_bridge_in_contract"):
        decide(bench.workspace, decision, bench.keys["ines"])
    assert {one.bridge for one in versions_of_incident(bench.workspace, INCIDENT)} == {BRIDGE}
