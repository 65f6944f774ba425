"""A duplicate that says otherwise is no duplicate: it is kept aside, and what it feeds goes on hold."""

from pathlib import Path

import orjson
import pytest

from dagster_project.application.admit import AdmissionReport, DeliveredUnit, admit
from dagster_project.application.overview import one_candidate
from dagster_project.application.refresh import refresh
from dagster_project.application.workspace import Workspace
from dagster_project.demo.scenario import load_scenario
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT, BRIDGE = "INC-4711", "harbourline"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = make_workspace(tmp_path)
    play_scenario(made, until_step=2)
    return made


def _health_line() -> dict[str, object]:
    lines = [orjson.loads(line) for line in load_scenario().steps[1].body.splitlines() if line.strip()]
    line: dict[str, object] = next(one for one in lines if one["type"] == "service-health")
    return line


def _deliver(workspace: Workspace, line: dict[str, object]) -> AdmissionReport:
    return admit(workspace, [DeliveredUnit("again.ndjson", "line 1", orjson.dumps(line))])


def test_the_same_record_under_a_new_event_id_is_a_duplicate(workspace: Workspace) -> None:
    report = _deliver(workspace, _health_line() | {"id": "resent-1"})
    assert report.counts == {"duplicate": 1}
    assert report.incidents == ()


def test_the_same_record_for_fewer_eyes_is_kept_aside_and_its_fields_go_on_hold(workspace: Workspace) -> None:
    report = _deliver(workspace, _health_line() | {"dataclassification": "restricted"})
    assert [one.reason_code for one in report.rejected] == ["duplicate_is_restricted"]
    assert report.incidents == (INCIDENT,)
    refresh(workspace, INCIDENT)
    content = one_candidate(workspace, INCIDENT, BRIDGE).content
    assert content["affected_capabilities"]["message-delivery"]["capability_status"] == "under_assessment"
    assert content["held"]["other"]["slot_state"] == "on_hold"


def test_redelivering_the_old_label_does_not_lift_that_hold_but_a_newer_version_does(workspace: Workspace) -> None:
    line = _health_line()
    _deliver(workspace, line | {"dataclassification": "restricted"})
    _deliver(workspace, line)
    refresh(workspace, INCIDENT)
    assert one_candidate(workspace, INCIDENT, BRIDGE).content["held"]["other"]["slot_state"] == "on_hold"
    newer = line | {"recordversion": str(int(str(line["recordversion"])) + 1), "id": "newer-1"}
    assert _deliver(workspace, newer).counts == {"admitted": 1}
    refresh(workspace, INCIDENT)
    assert one_candidate(workspace, INCIDENT, BRIDGE).content["held"]["other"]["slot_state"] == "none_declared"


def test_the_same_record_about_another_incident_is_not_lost_as_a_duplicate(workspace: Workspace) -> None:
    report = _deliver(workspace, _health_line() | {"subject": "INC-9999", "id": "elsewhere-1"})
    assert [one.reason_code for one in report.rejected] == ["duplicate_about_another_subject"]
