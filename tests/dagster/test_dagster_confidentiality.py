"""No restricted value of the sample scenario is in any Dagster event, tag, run key or metadata (invariant I9)."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import serialize_value

from dagster_project.application import reporting
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.workspace import Workspace
from dagster_project.cli.demo import _play
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario, restricted_values
from tests.dagster.scenario_runs import INCIDENT, run_whole_job
from tests.support.workspaces import make_workspace


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
