"""What operators see of a delta: every changed field with its cause, and values only of what passed its check."""

from pathlib import Path

import pytest

from dagster_project.application.delta_report import NOT_SHOWN, shown_changes
from dagster_project.application.workspace import Workspace
from tests.dagster.scenario_runs import INCIDENT, SAFE_BRIDGE, UNSAFE_BRIDGE, UNSAFE_STEP
from tests.support.workspaces import make_workspace, play_scenario


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def test_values_of_what_passed_are_shown_with_their_cause(workspace: Workspace) -> None:
    play_scenario(workspace, until_step=2)
    changes = shown_changes(workspace, INCIDENT)
    status = next(one for one in changes if one.field.endswith("/capability_status") and one.bridge == SAFE_BRIDGE)
    assert (status.operation, status.cause) == ("replace", "source_update")
    assert NOT_SHOWN not in (status.old, status.new)


def test_no_value_of_an_unsafe_candidate_is_shown_neither_as_new_nor_later_as_old(workspace: Workspace) -> None:
    play_scenario(workspace, until_step=UNSAFE_STEP)
    unsafe = [one for one in shown_changes(workspace, INCIDENT) if one.bridge == UNSAFE_BRIDGE]
    assert unsafe
    assert all((one.old, one.new) == (NOT_SHOWN, NOT_SHOWN) for one in unsafe)
    for step in range(UNSAFE_STEP + 1, UNSAFE_STEP + 4):
        play_scenario(workspace, from_step=step, until_step=step)
        after = [one for one in shown_changes(workspace, INCIDENT) if one.bridge == UNSAFE_BRIDGE]
        if any(one.new != NOT_SHOWN for one in after):  # the first that passed again
            assert all(one.old == NOT_SHOWN for one in after)
            return
    pytest.fail("no later candidate passed")
