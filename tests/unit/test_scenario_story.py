"""The sample scenario tells the whole story: every beat that the demo and the golden tests rely on happens."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import yaml

from dagster_project.demo.scenario import Scenario, ScenarioStep, load_scenario
from dagster_project.packaging.profile import Profile, profile_document, read_profile
from dagster_project.packaging.profile_validation import validate_profile
from dagster_project.sources.admission import Rejection, admit_bytes
from dagster_project.sources.conflicts import (
    CONFLICTING_COPIES,
    CONTRADICTING_AUTHORITIES,
    find_conflicts,
    heads_of,
)
from dagster_project.sources.record import Record
from dagster_project.sources.registry import shipped_registry

HEALTH_EU = "//status.example/health-eu"
BAD_LINE = (HEALTH_EU, "service-health", "INC-4711", "hook-dispatch/eu-central-1", 2)


@cache
def scenario() -> Scenario:
    return load_scenario()


@cache
def admitted() -> tuple[tuple[ScenarioStep, Record | Rejection], ...]:
    """Return every line in the order of delivery, judged by the real admission at the instant of its step."""
    registry = shipped_registry()
    return tuple(
        (step, admit_bytes(line, received_at=step.at, registry=registry))
        for step in scenario().steps
        for line in step.body.splitlines()
    )


def records(record_type: str, recordid: str | None = None) -> list[Record]:
    return [
        one
        for _, one in admitted()
        if isinstance(one, Record) and one.type == record_type and recordid in {None, one.recordid}
    ]


def known_by(step: ScenarioStep) -> list[Record]:
    return [one for at, one in admitted() if at.number <= step.number and isinstance(one, Record)]


def data_of(record_type: str, recordid: str) -> list[dict[str, Any]]:
    return [one.data for one in records(record_type, recordid)]


def states(recordid: str, source: str | None = None) -> list[str]:
    return [
        one.data["state"]
        for one in records("service-health", recordid)
        if source is None or one.source.endswith(source)
    ]


def conflicts_by_step(kind: str) -> dict[int, int]:
    """Return how many conflicts of a kind stand after each step that has any."""
    counts = {step.number: sum(c.kind == kind for c in find_conflicts(known_by(step))) for step in scenario().steps}
    return {number: count for number, count in counts.items() if count}


def step_of(file: str) -> ScenarioStep:
    (step,) = [step for step in scenario().steps if step.file == file]
    return step


def profile_named(name: str) -> Profile:
    file = files("dagster_project.packaging").joinpath("profiles", scenario().profiles[name])
    return read_profile(yaml.safe_load(file.read_bytes()), where=file.name)


def test_the_story_is_about_eighty_records_over_two_hours_in_order() -> None:
    instants = [step.at for step in scenario().steps]
    gaps = [later - earlier for earlier, later in pairwise(instants)]
    assert instants[0] >= datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert timedelta(minutes=4) <= min(gaps)
    assert max(gaps) <= timedelta(minutes=8)
    assert timedelta(hours=2) <= instants[-1] - instants[0] <= timedelta(hours=2, minutes=15)
    assert 22 <= len(instants) <= 26
    assert 75 <= len(admitted()) <= 90


def test_every_delivery_is_told_by_exactly_one_step() -> None:
    shipped = files("dagster_project.demo").joinpath("scenario", "deliveries").iterdir()
    assert sorted(one.name for one in shipped) == [step.file for step in scenario().steps]
    assert all(step.body.endswith(b"\n") for step in scenario().steps)


def test_every_line_but_the_planted_one_is_admitted() -> None:
    rejections = [(step.file, one) for step, one in admitted() if isinstance(one, Rejection)]
    ((file, rejection),) = rejections
    assert file == "19-rejected-outage.ndjson"
    assert rejection.where.startswith("/data")
    spoken_for = (rejection.source, rejection.type, rejection.subject, rejection.recordid, rejection.recordversion)
    assert spoken_for == BAD_LINE


def test_no_event_id_is_used_twice() -> None:
    ids = Counter(json.loads(line)["id"] for step in scenario().steps for line in step.body.splitlines())
    assert set(ids.values()) == {1}


def test_every_incident_record_is_about_the_incident_and_every_account_record_about_its_account() -> None:
    accounts = {bridge.account for bridge in scenario().bridges.values()}
    for one in (one for _, one in admitted() if isinstance(one, Record)):
        of_account = one.type in {"contract", "entitlement"}
        assert one.subject == (one.data["account"] if of_account else scenario().incident)
    assert {one.subject for one in records("contract")} == {one.subject for one in records("entitlement")} == accounts


def test_the_two_customers_bought_and_agreed_different_things() -> None:
    bought = {one.subject: set(one.data["capabilities"]) for one in records("entitlement")}
    contracts = {one.subject: one.data for one in records("contract")}
    assert bought["HARBOURLINE"] == {"message-delivery", "inbox-api", "admin-console", "event-webhooks"}
    assert bought["TIDEWATER"] == {"message-delivery", "reporting"}
    assert contracts["HARBOURLINE"]["committed_cadence_minutes"] == 30
    assert "committed_cadence_minutes" not in contracts["TIDEWATER"]
    assert "workaround_readiness" in contracts["HARBOURLINE"]["required_fields"]
    assert "workaround_readiness" not in contracts["TIDEWATER"]["permitted_fields"]
    assert "template_parameter" in contracts["TIDEWATER"]["permitted_fields"]
    assert {name for contract in contracts.values() for name in contract["bridges"]} == set(scenario().bridges)


def test_no_source_goes_silent_for_longer_than_its_record_stays_fresh() -> None:
    limits = profile_named("customer-bridge").freshness_minutes
    for step in scenario().steps[:-1]:
        following = scenario().steps[step.number].at
        for head in heads_of(known_by(step)):
            minutes = limits.get(head.type)
            assert minutes is None or head.recordedtime + timedelta(minutes=minutes) >= following, (step.file, head.id)


def test_the_incident_is_declared_and_europe_goes_from_degraded_to_down() -> None:
    (first, *_) = data_of("incident", "INC-4711")
    assert (first["severity"], first["state"]) == ("SEV1", "declared")
    assert states("mx-relay/eu-west-1")[:2] == ["degraded", "down"]
    assert states("outbound-gateway/eu-west-1")[0] == "down"
    assert [one.data["checkpoint"] for one in records("bridge-timeline")][:2] == ["detected", "bridge_opened"]


def test_the_dependency_names_the_vendor_and_the_suspected_cause_names_vendor_and_host() -> None:
    ((dependency),) = data_of("dependency", "DEP-204")
    assert dependency["vendors"] == ["Northgate Carrier Services"]
    cause = next(one["suspected_cause"] for one in data_of("incident", "INC-4711") if "suspected_cause" in one)
    assert "Northgate Carrier Services" in cause
    assert "relay-07.eu.internal" in cause


def test_security_reviews_the_dependency_in_four_steps_and_ends_narrowed_to_nothing() -> None:
    (dependency,) = records("dependency")
    reviews = data_of("security-review", "SR-77")
    assert [one["outcome"] for one in reviews] == ["in_review", "not_cleared", "cleared", "narrowed"]
    assert {one["subject_version"] for one in reviews} == {dependency.recordversion}
    assert [one["scope"] for one in reviews] == [[], [], ["/vendors"], []]
    assert reviews[2]["channels"] == ["customer_bridge"]
    assert datetime.fromisoformat(reviews[2]["expires"]) > scenario().steps[-1].at
    assert all("exploitability_note" in one for one in reviews)


def test_three_regions_and_five_capabilities_are_spoken_of() -> None:
    profile = profile_named("customer-bridge")
    buckets = {region: name for name, bucket in profile.region_buckets.items() for region in bucket.regions}
    capabilities = {part: name for name, one in profile.capabilities.items() for part in one.components}
    health = [one.data for one in records("service-health")]
    assert {buckets[one["region"]] for one in health} == {"europe", "north-america", "asia-pacific"}
    assert {capabilities[one["component"]] for one in health} == set(profile.capabilities)
    assert states("console-web/us-east-1") == ["up"] * 5
    assert states("hook-dispatch/us-east-1")[:2] == ["degraded", "up"]
    assert states("report-builder/us-east-1") == ["degraded", "degraded", "up"]


def test_two_sources_contradict_each_other_on_the_inbox_until_they_agree() -> None:
    contradicting = conflicts_by_step(CONTRADICTING_AUTHORITIES)
    assert contradicting == {8: 1, 9: 1, 10: 1}
    assert states("inbox-api/eu-central-1", "health-eu")[0] == "degraded"
    assert states("inbox-api/eu-central-1", "health-global")[:2] == ["up", "degraded"]


def test_one_step_only_reconfirms_what_was_already_said() -> None:
    step = step_of("12-reconfirmation.ndjson")
    before = {one.identity: one for one in heads_of(known_by(scenario().steps[step.number - 2]))}
    fresh = [one for at, one in admitted() if at == step and isinstance(one, Record)]
    assert len(fresh) == 3
    for one in fresh:
        said = before[one.identity]
        assert one.recordversion > said.recordversion
        assert {name: one.data[name] for name in ("component", "region", "state", "since")} == {
            name: said.data[name] for name in ("component", "region", "state", "since")
        }


def test_one_workaround_becomes_verified_and_another_is_ready_without_verification() -> None:
    first = data_of("workaround", "WA-31")
    assert [one["readiness"] for one in first] == ["drafting", "in_test", "ready", "ready"]
    assert [one["verified"] for one in first] == [False, False, True, True]
    assert {tuple(one["applies_to"]) for one in first} == {("mx-relay",)}
    assert all(one["internal_steps"] for one in first)
    (second,) = data_of("workaround", "WA-32")
    assert (second["readiness"], second["verified"]) == ("ready", False)


def test_the_profile_fault_meets_the_host_name_on_one_bridge_for_two_steps() -> None:
    faulty = [step.number for step in scenario().steps if step.profiles["tidewater"] == "customer-bridge-faulty"]
    fault = step_of("18-profile-fault.ndjson").number
    assert faulty == [fault, fault + 1]
    assert {step.profiles["harbourline"] for step in scenario().steps} == {"customer-bridge"}
    references = [
        (step.number, one.data["reference"])
        for step, one in admitted()
        if isinstance(one, Record) and one.recordid == "WA-31" and "reference" in one.data
    ]
    (wrong_from, wrong), (right_from, right) = references
    assert (wrong, right) == ("relay-07.eu.internal", "KB-1842")
    assert wrong_from < faulty[0] < faulty[-1] < right_from


def test_the_faulty_profile_differs_by_one_trusted_rule_and_nothing_else() -> None:
    sound = profile_document(profile_named("customer-bridge"))
    faulty = profile_document(profile_named("customer-bridge-faulty"))
    changed = [(old, new) for old, new in zip(sound.pop("rules"), faulty.pop("rules"), strict=True) if old != new]
    ((old, new),) = changed
    assert old["id"] == "workaround-article"
    assert {**old, "trusted": True} == new
    assert (sound.pop("name"), faulty.pop("name")) == ("customer-bridge", "customer-bridge-faulty")
    assert sound == faulty


def test_validation_only_warns_of_the_faulty_profile_so_it_can_reach_a_bridge() -> None:
    sound, faulty = (set(validate_profile(profile_named(name))) for name in scenario().profiles)
    assert {(one.level, one.where) for one in faulty - sound} == {("warning", "workaround-article")}


def test_a_record_version_arrives_in_two_copies_and_a_higher_version_resolves_it() -> None:
    assert conflicts_by_step(CONFLICTING_COPIES) == {16: 1, 17: 1}
    copies = [one for one in records("service-health", "mx-relay/us-east-1") if one.recordversion == 3]
    assert [one.data["state"] for one in copies] == ["degraded", "down"]


def test_an_unknown_state_is_admitted_and_a_known_one_follows() -> None:
    said = states("delivery-queue/ap-southeast-1")
    assert said == ["degraded", "degraded", "brownout", "partial", "up"]
    assert "brownout" not in profile_named("customer-bridge").status_codes


def test_the_refused_outage_would_have_made_the_page_worse_and_comes_back_corrected() -> None:
    refused = [
        json.loads(line)
        for line in step_of("19-rejected-outage.ndjson").body.splitlines()
        if json.loads(line)["recordid"] == "hook-dispatch/eu-central-1"
    ]
    (event,) = refused
    standing, corrected, *_ = records("service-health", "hook-dispatch/eu-central-1")
    assert standing.data["state"] == "up"
    assert event["data"]["state"] == corrected.data["state"] == "down"
    assert corrected.source == event["source"]
    assert set(event["data"]) - set(corrected.data) == {"oncall"}


def test_a_late_record_arrives_below_the_head_and_leaves_every_head_as_it_was() -> None:
    late = step_of("13-late-record.ndjson")
    before = heads_of(known_by(scenario().steps[late.number - 2]))
    (gateway,) = [one for one in before if one.recordid == "outbound-gateway/eu-west-1"]
    (arrived,) = [
        one for at, one in admitted() if at == late and isinstance(one, Record) and one.identity == gateway.identity
    ]
    assert arrived.recordversion < gateway.recordversion
    assert arrived.recordversion not in {
        one.recordversion for one in known_by(scenario().steps[late.number - 2]) if one.identity == gateway.identity
    }
    assert gateway in heads_of(known_by(late))


def test_it_is_recorded_what_each_customer_was_told() -> None:
    told = {(one.data["bridge"], one.data["incident_status"]) for one in records("customer-status")}
    assert told == {(bridge, said) for bridge in scenario().bridges for said in ("mitigating", "monitoring")}


def test_a_cause_is_claimed_before_anybody_confirmed_it() -> None:
    claimed = next(one for one in data_of("incident", "INC-4711") if one["state"] == "identified")
    assert claimed["cause_confirmed"] is False
    assert data_of("incident", "INC-4711")[-1]["cause_confirmed"] is True


def test_the_severity_falls_then_monitoring_runs_out_then_the_incident_is_resolved() -> None:
    told = [(one["severity"], one["state"]) for one in data_of("incident", "INC-4711")]
    assert told[-4:] == [
        ("SEV1", "mitigating"), ("SEV2", "mitigating"), ("SEV2", "monitoring"), ("SEV2", "resolved"),
    ]  # fmt: skip
    last = data_of("incident", "INC-4711")[-1]
    assert last["data_integrity"] == "no_loss"
    assert last["resolution_confirmed_by"]
    resolved_at = next(
        step.at
        for step, one in admitted()
        if isinstance(one, Record) and one.type == "incident" and one.data["state"] == "resolved"
    )
    assert resolved_at < datetime.fromisoformat(last["monitoring_until"]) < scenario().steps[-1].at
    heads = heads_of(known_by(scenario().steps[-1]))
    assert {one.data["state"] for one in heads if one.type == "service-health"} == {"up"}
