"""No restricted value of the sample scenario is in any Dagster event, tag, run key or metadata (invariant I9)."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import serialize_value

from assets.reports import events_of_refresh
from dagster_project.application import delta_report, reporting
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.unreported import next_to_report, set_reported
from dagster_project.application.workspace import Workspace
from dagster_project.cli.demo import _play
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario, restricted_values
from dagster_project.packaging.delta import Delta
from dagster_project.store.candidates import CandidateRow
from tests.dagster.scenario_runs import INCIDENT, run_whole_job
from tests.support.workspaces import make_workspace, play_scenario


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def _play_through_dagster(workspace: Workspace, instance: dg.DagsterInstance) -> str:
    """Play every step through Dagster and return everything that the instance kept, as text."""
    scenario = load_scenario()
    assert isinstance(workspace.clock, FixedClock)
    digests = {
        name: load_profile(workspace, shipped_profile(file.removesuffix(".yaml")))
        for name, file in scenario.profiles.items()
    }
    kept: list[str] = []
    said: list[str] = []
    for step in scenario.steps:
        workspace.clock.set(step.at)
        for bridge, name in step.profiles.items():
            assign_profile(workspace, digests[name], bridge=bridge)
        _play(workspace, step, digests, said.append)
        run = run_whole_job(workspace, instance)
        kept += [serialize_value(entry) for entry in instance.all_logs(run.result.run_id)]
        record = instance.get_run_by_id(run.result.run_id)
        assert record is not None
        kept.append(json.dumps([record.tags, record.run_config, record.job_name]))
    return "\n".join(kept)


def _told_without_runs(workspace: Workspace) -> str:
    """Refresh at every step without Dagster and return what the catching up tells of it, as text."""
    told: list[str] = []
    for number in range(1, len(load_scenario().steps) + 1):
        play_scenario(workspace, from_step=number, until_step=number)
        finished = next_to_report(workspace, limit=1)
        told += [serialize_value(event) for one in finished for event in events_of_refresh(workspace, one)]
        set_reported(workspace, finished, [])
    return "\n".join(told)


def _found(kept: str) -> list[str]:
    return sorted({one.where for one in restricted_values() if json.dumps(one.value)[1:-1] in kept})


def test_dagster_keeps_no_restricted_value(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    kept = _play_through_dagster(make_workspace(tmp_path), instance)
    assert INCIDENT in kept
    assert "denied_term" in kept
    assert _found(kept) == []


def test_a_summary_that_carried_a_value_would_be_found(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaked = restricted_values()[0].value
    monkeypatch.setattr(reporting, "keyed_digest", lambda _key, _data: leaked)
    assert _found(_play_through_dagster(make_workspace(tmp_path), instance)) != []


def test_the_catching_up_tells_no_restricted_value(tmp_path: Path) -> None:
    told = _told_without_runs(make_workspace(tmp_path))
    assert "denied_term" in told
    assert "review_decision" in told
    assert _found(told) == []


def test_a_value_of_a_candidate_that_did_not_pass_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proper = delta_report._changes

    def careless(row: CandidateRow, delta: Delta, passed: frozenset[int]) -> Iterator[delta_report.ChangedField]:
        return proper(row, delta, passed | {row.candidate_id})

    monkeypatch.setattr(delta_report, "_changes", careless)
    assert _found(_told_without_runs(make_workspace(tmp_path))) != []
