"""A real workspace in a folder of its own, with the constant key ring, and the sample scenario played in it.

Everything goes through application functions, as the command line does it: nothing here is a stand-in.
"""

from pathlib import Path

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.refresh import RefreshReport, refresh
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import Clock, FixedClock
from dagster_project.demo.scenario import load_scenario
from dagster_project.settings import Settings
from tests.fixtures.keys import write_test_keys


def make_workspace(folder: Path, clock: Clock | None = None, *, database_url: str | None = None) -> Workspace:
    """Open a fresh workspace under `folder`: home, keys, and a SQLite database unless a URL is named.

    Without a clock, one that stands at the first instant of the sample scenario.
    """
    settings = Settings(
        home=folder / "home", keys=write_test_keys(folder / "workspace-keys"), database_url=database_url
    )
    return open_workspace(settings, clock=clock or FixedClock(load_scenario().steps[0].at))


def play_scenario(workspace: Workspace, *, from_step: int = 1, until_step: int | None = None) -> list[RefreshReport]:
    """Play the steps `from_step` to `until_step` (inclusive, to the end by default): deliver, assign, refresh.

    Args:
        workspace: Its clock must be a `FixedClock`; it is set to the instant of each step.
        from_step: Number of the first step played; those before it must have been played.
        until_step: Number of the last step played.

    Returns:
        One refresh report per step.
    """
    scenario = load_scenario()
    clock = workspace.clock
    assert isinstance(clock, FixedClock)
    digests = {
        name: load_profile(workspace, shipped_profile(file.removesuffix(".yaml")))
        for name, file in scenario.profiles.items()
    }
    reports = []
    in_force = scenario.steps[from_step - 2].profiles if from_step > 1 else {}
    for step in scenario.steps[from_step - 1 : until_step]:
        clock.set(step.at)
        lines = enumerate(step.body.splitlines(), start=1)
        admit(workspace, [DeliveredUnit(step.file, f"line {number}", line) for number, line in lines])
        for bridge, profile in step.profiles.items():
            if in_force.get(bridge) != profile:
                assign_profile(workspace, digests[profile], bridge=bridge)
        in_force = step.profiles
        reports.append(refresh(workspace, scenario.incident))
    return reports
