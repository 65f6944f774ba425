"""A bridge that a contract opens and nobody gave a profile: it shows red, and no other bridge is kept waiting."""

from pathlib import Path

import dagster as dg
import pytest

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.checks import write_manifests
from dagster_project.application.overview import candidate_history
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.workspace import Workspace
from dagster_project.demo.scenario import load_scenario
from dagster_project.errors import Unavailable
from tests.dagster.scenario_runs import INCIDENT, run_whole_job
from tests.support.workspaces import make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The sample incident, whose two contracts open a bridge each; only one of them has a profile."""
    made = make_workspace(tmp_path)
    lines = [line for step in load_scenario().steps[:1] for line in step.body.splitlines()]
    admit(made, [DeliveredUnit("scenario", f"line {number}", line) for number, line in enumerate(lines, 1)])
    assign_profile(made, load_profile(made, shipped_profile("customer_bridge")), bridge="harbourline")
    return made


def test_the_run_is_red_and_the_manifest_of_the_bridge_with_a_profile_is_there(workspace: Workspace) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = run_whole_job(workspace, instance)
    assert not run.result.success
    made = candidate_history(workspace, INCIDENT)
    assert {(one.bridge, one.publication_state) for one in made} == {("harbourline", "candidate")}


def test_the_error_names_the_bridge_and_what_to_do(workspace: Workspace) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run_whole_job(workspace, instance)
    with pytest.raises(Unavailable) as told:
        write_manifests(workspace, INCIDENT)
    assert told.value.code == "profile_missing"
    assert "tidewater" in told.value.where
    assert "harbourline" not in told.value.where
    assert "profile load" in told.value.what_to_do
