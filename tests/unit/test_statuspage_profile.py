"""The profile and the account of the sample bridge that are shipped for the feed of a Statuspage.

Every word of the three vocabularies has its row here, written from what the provider's words mean and not from the
profile, with what a customer reads: a slip in one of the two shows.
"""

import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from dagster_project.application.feeds import feed_units, ingest_feed
from dagster_project.application.overview import incident_overviews
from dagster_project.application.profiles import shipped_profile
from dagster_project.application.refresh import refresh
from dagster_project.application.statuspage import STATUSPAGE
from dagster_project.clock import FixedClock
from dagster_project.packaging.profile_validation import validate_profile
from dagster_project.sources.admission import admit_bytes
from dagster_project.sources.record import Record
from dagster_project.sources.registry import shipped_registry
from tests.support.workspaces import make_workspace

AT = datetime(2025, 6, 20, 9, 30, tzinfo=UTC)
SEARCH = "c7f2j9yb4g6l"
Content = dict[str, Any]
PROFILE = shipped_profile("statuspage_bridge")
COMPONENT_STATUSES = {
    "operational": "operational",
    "under_maintenance": "maintenance",
    "degraded_performance": "degraded",
    "partial_outage": "partial_outage",
    "major_outage": "major_outage",
}
# The word of the page, what the profile maps it to, and what a page says that has the feed alone to go by.
INCIDENT_STATUSES = [
    ("investigating", "investigating", "investigating"),
    ("identified", "identified", "investigating"),  # a cause that nobody confirmed to us
    ("monitoring", "monitoring", "monitoring"),
    ("resolved", "resolved", "monitoring"),  # a recovery that incident command did not confirm
    ("postmortem", "resolved", "monitoring"),
    ("scheduled", "emerging", "emerging"),
    ("in_progress", "mitigating", "mitigating"),
    ("verifying", "monitoring", "monitoring"),
    ("completed", "resolved", "monitoring"),
]
CHECKPOINTS = {
    "detected": "detected",
    "investigating": "investigating",
    "identified": "status_update",
    "monitoring": "monitoring_started",
    "resolved": "recovery_observed",
    "postmortem": "status_update",
    "scheduled": "status_update",
    "in_progress": "status_update",
    "verifying": "monitoring_started",
    "completed": "recovery_observed",
    "status_update": "status_update",
}
IMPACTS = {
    "critical": "severity_1",
    "major": "severity_2",
    "minor": "severity_3",
    "none": "severity_4",
    "maintenance": "severity_4",
}


def test_the_profile_has_no_finding() -> None:
    assert validate_profile(PROFILE) == ()


def test_no_word_is_mapped_that_has_no_row_here() -> None:
    assert PROFILE.status_codes == COMPONENT_STATUSES
    assert PROFILE.incident_states == {word: mapped for word, mapped, _shown in INCIDENT_STATUSES}
    assert PROFILE.severities == IMPACTS
    assert PROFILE.checkpoint_kinds == CHECKPOINTS


def test_who_approves_what_is_as_with_the_other_feed() -> None:
    assert PROFILE.review_policy == shipped_profile("google_cloud_bridge").review_policy
    assert PROFILE.rules == shipped_profile("google_cloud_bridge").rules


def test_the_sample_account_is_entitled_to_every_capability_on_one_bridge() -> None:
    file = resources.files("dagster_project.demo") / "statuspage" / "account_records.ndjson"
    lines = file.read_bytes().splitlines()
    contract, entitlement = (admit_bytes(one, received_at=AT, registry=shipped_registry()) for one in lines)
    assert isinstance(contract, Record), contract
    assert isinstance(entitlement, Record), entitlement
    assert contract.data["bridges"] == {STATUSPAGE.bridge: {"incidents": ["*"]}}
    assert set(entitlement.data["capabilities"]) == set(PROFILE.capabilities)
    assert contract.subject == entitlement.subject == contract.data["account"] == entitlement.data["account"]


def content_of(tmp_path: Path, *, status: str = "investigating", impact: str = "major", state: str = "") -> Content:
    """Return what the sample bridge would be told of an incident with one update, through store and release check."""
    moved = {"code": SEARCH, "name": "Search", "old_status": "operational", "new_status": state or "partial_outage"}
    dates = dict.fromkeys(("created_at", "updated_at", "display_at"), "2025-06-20T09:00:00.000Z")
    update = {"id": "hbupdate", "status": status, "body": "A text.", "affected_components": [moved], **dates}
    incident = {"id": "hbone", "status": status, "impact": impact, "created_at": "2025-06-20T09:00:00.000Z"}
    feed = tmp_path / "incidents.json"
    feed.write_text(json.dumps({"page": {}, "incidents": [{**incident, "incident_updates": [update]}]}))
    workspace = make_workspace(tmp_path, FixedClock(AT))
    assert ingest_feed(workspace, STATUSPAGE, feed_units(workspace, STATUSPAGE, str(feed))).rejected == ()
    report = refresh(workspace, "HBONE")
    assert report.passed, [one.check.reasons for one in report.checked]
    ((candidate,),) = [one.candidates for one in incident_overviews(workspace)]
    workspace.store.engine.dispose()
    return candidate.content


def checkpoints(content: Content) -> list[str]:
    return sorted(one["checkpoint"] for one in content["timeline"].values())


@pytest.mark.parametrize(("word", "_mapped", "shown"), INCIDENT_STATUSES)
def test_an_incident_status_is_shown_as_no_more_than_what_was_confirmed(
    tmp_path: Path, word: str, _mapped: str, shown: str
) -> None:
    content = content_of(tmp_path, status=word)
    assert content["incident_status"] == shown
    assert content["document_status"] == "interim"
    assert checkpoints(content) == sorted(["detected", CHECKPOINTS[word]])


@pytest.mark.parametrize(("word", "shown"), COMPONENT_STATUSES.items())
def test_a_component_status_is_shown_as_its_row_says(tmp_path: Path, word: str, shown: str) -> None:
    content = content_of(tmp_path, state=word)
    if word == "operational":
        assert content["not_affected"] == {"search": "operational"}
    else:
        assert content["affected_capabilities"]["search"]["capability_status"] == shown
        assert content["affected_capabilities"]["search"]["regions"] == {"not-stated": shown}


@pytest.mark.parametrize(("word", "shown"), IMPACTS.items())
def test_an_impact_is_shown_as_its_row_says(tmp_path: Path, word: str, shown: str) -> None:
    assert content_of(tmp_path, impact=word)["severity_code"] == shown


def test_words_that_nobody_mapped_are_admitted_and_shown_as_holds(tmp_path: Path) -> None:
    content = content_of(tmp_path, status="triaging", impact="severe", state="brownout")
    assert content["incident_status"] == content["severity_code"] == "on_hold"
    assert content["affected_capabilities"]["search"]["capability_status"] == "under_assessment"
    assert checkpoints(content) == ["detected", "on_hold"]
    assert content["held"]["internal_component"]["slot_state"] == "on_hold"
    assert not any(word in json.dumps(content) for word in ("triaging", "severe", "brownout"))
