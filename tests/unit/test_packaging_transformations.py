"""What a package claims and what it does not: statuses, instants and readiness, made from source values."""

from datetime import timedelta
from typing import Any

import pytest

from dagster_project.packaging.rendering import render
from dagster_project.sources.record import Record
from tests.support.histories import History, after, changed, head, heads, make_record, shipped_tables, with_data

CONFIRMED = {"resolution_confirmed_by": "Ines Albrecht", "data_integrity": "no_loss"}


def content(history: History, bridge: str = "harbourline") -> dict[str, Any]:
    return render(history.contexts(shipped_tables())[bridge]).content


def with_incident(step: int, **data: object) -> History:
    """Return the scenario with other values in its incident record; None takes one away."""
    incident = head(after(step), "incident", "INC-4711")
    values = {name: value for name, value in (incident.data | data).items() if value is not None}
    return after(step).replacing((incident, with_data(incident, values)))


def health(component: str, region: str, state: str, since: str) -> Record:
    data = {"component": component, "region": region, "state": state, "since": since}
    at = after(2).at - timedelta(minutes=1)
    return make_record("service-health", f"{component}/{region}", data, recordedtime=at)


def with_health(*records: Record) -> History:
    """Return the second step of the scenario with these health records alone."""
    return after(2).without(*(one for one in after(2).records if one.type == "service-health")).adding(*records)


@pytest.mark.parametrize(
    ("confirmed", "shown"), [(True, "identified"), (False, "investigating"), (None, "investigating")]
)
def test_identified_is_claimed_only_with_a_confirmed_cause(confirmed: bool | None, shown: str) -> None:  # noqa: FBT001
    assert content(with_incident(8, state="identified", cause_confirmed=confirmed))["incident_status"] == shown


def test_one_authority_that_denies_the_cause_outweighs_one_that_confirms_it() -> None:
    history = with_incident(8, state="identified", cause_confirmed=True)
    own = head(history, "incident", "INC-4711")
    other = make_record("incident", "INC-4711", own.data | {"cause_confirmed": False}, recordedtime=own.recordedtime)
    assert content(history.adding(other))["incident_status"] == "investigating"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, "resolved"),
        ({"resolution_confirmed_by": None}, "monitoring"),
        ({"data_integrity": None}, "monitoring"),
        ({"data_integrity": "probably fine"}, "monitoring"),
        ({"monitoring_until": None}, "monitoring"),
        ({"monitoring_until": "2026-03-04T11:11:01Z"}, "monitoring"),
        ({"monitoring_until": "2026-03-04T11:11:00Z"}, "resolved"),
    ],
)
def test_resolved_is_claimed_only_when_every_condition_is_met(values: dict[str, Any], shown: str) -> None:
    package = content(with_incident(26, **values))
    assert package["incident_status"] == shown
    assert package["document_status"] == ("final" if shown == "resolved" else "interim")
    assert ("data-integrity" in package["statements"]) == (shown == "resolved")


def test_two_authorities_that_differ_on_data_integrity_put_the_statement_on_hold() -> None:
    history = after(26)
    own = head(history, "incident", "INC-4711")
    other = make_record("incident", "INC-4711", own.data | {"data_integrity": "loss"}, recordedtime=own.recordedtime)
    statement = content(history.adding(other))["statements"]["data-integrity"]
    assert statement["parameters"] == {"data_integrity": "on_hold"}


def test_a_capability_is_shown_as_bad_as_its_worst_part_and_a_bucket_as_its_own_worst() -> None:
    shown = content(
        with_health(
            health("mx-relay", "eu-west-1", "degraded", "2026-03-04T08:00:00Z"),
            health("outbound-gateway", "eu-central-1", "partial", "2026-03-04T08:30:00Z"),
            health("mx-relay", "us-east-1", "up", "2026-03-01T00:00:00Z"),
        )
    )["affected_capabilities"]["message-delivery"]
    assert shown["capability_status"] == "partial_outage"
    assert shown["regions"] == {"europe": "partial_outage", "north-america": "operational"}
    assert shown["since"] == "2026-03-04T08:30:00Z"


def test_a_bad_status_holds_since_the_first_part_that_has_it() -> None:
    shown = content(
        with_health(
            health("mx-relay", "eu-west-1", "down", "2026-03-04T08:40:00Z"),
            health("mx-relay", "us-east-1", "down", "2026-03-04T09:50:00+01:00"),
            health("delivery-queue", "us-east-1", "degraded", "2026-03-04T01:00:00Z"),
        )
    )["affected_capabilities"]["message-delivery"]
    assert shown["since"] == "2026-03-04T08:40:00Z"


def test_a_recovery_holds_since_the_last_part_was_well_again() -> None:
    shown = content(after(26))["affected_capabilities"]["message-delivery"]
    since = [one.data["since"] for one in heads(after(26), "service-health") if "relay" in one.data["component"]]
    assert shown["capability_status"] == "operational"
    assert shown["since"] == "2026-03-04T10:53:00Z"
    assert shown["since"] > max(since)


def test_an_unknown_part_hides_a_mild_state_but_never_a_major_outage() -> None:
    for known, shown in (("degraded", "under_assessment"), ("down", "major_outage")):
        package = content(
            with_health(
                health("mx-relay", "eu-west-1", known, "2026-03-04T08:40:00Z"),
                health("outbound-gateway", "eu-west-1", "brownout", "2026-03-04T08:50:00Z"),
            )
        )
        assert package["affected_capabilities"]["message-delivery"]["regions"]["europe"] == shown


@pytest.mark.parametrize(
    ("readiness", "verified", "shown"),
    [
        ("ready", True, "available_verified"),
        ("ready", False, "in_test_do_not_apply"),
        ("in_test", True, "in_test_do_not_apply"),
        ("withdrawn", True, "withdrawn"),
        ("banana", True, "on_hold"),
    ],
)
def test_a_workaround_is_available_only_once_verified(
    readiness: str,
    verified: bool,  # noqa: FBT001 - a value of the record
    shown: str,
) -> None:
    workaround = head(after(21), "workaround", "WA-31")
    ready = with_data(workaround, workaround.data | {"readiness": readiness, "verified": verified})
    history = after(21).without(*(one for one in after(21).records if one.recordid == "WA-32"))
    package = content(history.replacing((workaround, ready)))
    ((code, entry),) = package["workarounds"].items()
    assert entry["readiness"] == shown
    assert (code in package["statements"]) == (shown == "available_verified")


@pytest.mark.parametrize("reference", ["two words", "-KB-1", "KB/1842", "ÄB-1842", "x" * 64])
def test_what_is_not_an_article_number_is_on_hold(reference: str) -> None:
    workaround = head(after(21), "workaround", "WA-31")
    package = content(after(21).replacing((workaround, changed(workaround, "/reference", reference))))
    assert {"reference": "on_hold"} in [one["parameters"] for one in package["statements"].values()]
