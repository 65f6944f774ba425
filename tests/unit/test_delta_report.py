"""What the operators' UI is told of a delta: values only of candidates that passed their release check."""

from collections.abc import Collection, Iterator
from dataclasses import replace

import pytest

from dagster_project.application import delta_report as module
from dagster_project.application.delta_report import (
    FIELDS_SHOWN,
    NOT_SHOWN,
    CheckState,
    DeltaReport,
    RefreshOutcome,
    delta_report,
    outcome_of,
)
from dagster_project.application.refresh import RefreshReport
from dagster_project.application.workspace import Workspace
from dagster_project.demo.scenario import restricted_values
from dagster_project.packaging.delta import Delta
from dagster_project.store.candidates import CandidateOutcome, CandidateRow
from tests.support.workspaces import make_workspace, play_scenario

# From this step on a faulty profile renders an internal host name on one bridge, until it is corrected.
UNSAFE_STEP, CORRECTED_STEP, UNSAFE_BRIDGE, SAFE_BRIDGE = 18, 20, "tidewater", "harbourline"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, list[RefreshReport]]:
    workspace = make_workspace(tmp_path_factory.mktemp("played"))
    return workspace, play_scenario(workspace, until_step=CORRECTED_STEP)


def _report(played: tuple[Workspace, list[RefreshReport]], step: int) -> DeltaReport:
    workspace, refreshes = played
    return delta_report(workspace, [one.row for one in refreshes[step - 1].checked])


def _restricted_shown(report: DeltaReport) -> list[str]:
    shown = "\n".join(text for one in report.changes for text in (one.before, one.after))
    return [one.where for one in restricted_values() if one.value in shown]


def test_every_changed_field_is_named_with_operation_and_cause(
    played: tuple[Workspace, list[RefreshReport]],
) -> None:
    changes = _report(played, 4).changes
    assert ("harbourline", "/held/dependency/slot_state", "replace", "review_decision", "on_hold", "in_review") in [
        (one.bridge, one.field, one.operation, one.cause, one.before, one.after) for one in changes
    ]


def test_of_a_first_package_only_the_first_changes_are_listed_and_all_are_counted(
    played: tuple[Workspace, list[RefreshReport]],
) -> None:
    report = _report(played, 1)
    assert len(report.changes) == FIELDS_SHOWN < report.fields_changed
    assert {(one.operation, one.before) for one in report.changes if one.bridge == SAFE_BRIDGE} == {("add", "")}


def test_of_a_candidate_that_did_not_pass_fields_are_named_and_no_value_is_shown(
    played: tuple[Workspace, list[RefreshReport]],
) -> None:
    report = _report(played, UNSAFE_STEP)
    unsafe = [one for one in report.changes if one.bridge == UNSAFE_BRIDGE]
    assert unsafe
    assert {(one.before, one.after) for one in unsafe} == {(NOT_SHOWN, NOT_SHOWN)}
    states = {one.bridge: one.release_check for one in report.bridges}
    assert states == {UNSAFE_BRIDGE: CheckState.FAILED, SAFE_BRIDGE: CheckState.PASSED}
    assert _restricted_shown(report) == []


def test_what_a_predecessor_said_that_did_not_pass_stays_hidden_when_its_successor_passes(
    played: tuple[Workspace, list[RefreshReport]],
) -> None:
    report = _report(played, CORRECTED_STEP)
    corrected = [one for one in report.changes if one.bridge == UNSAFE_BRIDGE]
    assert {one.before for one in corrected} == {NOT_SHOWN}
    assert NOT_SHOWN not in {one.after for one in corrected}
    assert _restricted_shown(report) == []


def test_were_every_candidate_taken_for_passed_a_restricted_value_would_be_shown(
    played: tuple[Workspace, list[RefreshReport]], monkeypatch: pytest.MonkeyPatch
) -> None:
    proper = module._changes

    def careless(row: CandidateRow, delta: Delta, passed: Collection[int]) -> Iterator[module.ChangedField]:
        return proper(row, delta, frozenset(passed) | {row.candidate_id, row.predecessor_id or 0})

    monkeypatch.setattr(module, "_changes", careless)
    assert _restricted_shown(_report(played, UNSAFE_STEP)) != []
    assert _restricted_shown(_report(played, CORRECTED_STEP)) != []


def test_long_values_are_cut(played: tuple[Workspace, list[RefreshReport]]) -> None:
    assert all(len(one.after) <= 120 for step in range(1, UNSAFE_STEP) for one in _report(played, step).changes)


def test_a_refresh_is_held_or_failed_by_its_worst_bridge(played: tuple[Workspace, list[RefreshReport]]) -> None:
    _workspace, refreshes = played
    assert outcome_of(refreshes[0].checked) is RefreshOutcome.HELD
    assert outcome_of(refreshes[UNSAFE_STEP - 1].checked) is RefreshOutcome.FAILED_CHECK


def test_a_refresh_that_judged_nothing_did_not_pass() -> None:
    assert outcome_of(()) is RefreshOutcome.FAILED_CHECK


def test_a_refresh_without_holds_has_passed(played: tuple[Workspace, list[RefreshReport]]) -> None:
    _workspace, refreshes = played
    rendered = [replace(one, row=replace(one.row, outcome=CandidateOutcome.RENDERED)) for one in refreshes[0].checked]
    assert outcome_of(rendered) is RefreshOutcome.PASSED
