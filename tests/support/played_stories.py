"""Stories that were played to their end once per process; tests read them, or work on a copy of their own."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from dagster_project.application.google_cloud import play_google_cloud
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario
from dagster_project.settings import Settings
from tests.support.workspaces import make_workspace, play_scenario

FEED_SAMPLE = Path(__file__).parents[1] / "fixtures_data" / "google_cloud_sample.json"
INCIDENT = "INC-4711"
BRIDGES = ("harbourline", "tidewater")


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="channelsafe-story-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def played_scenario() -> Workspace:
    """Return a workspace in which the whole scenario was played. Only for reading."""
    workspace = make_workspace(_folder())
    play_scenario(workspace)
    return workspace


@cache
def played_feed() -> Workspace:
    """Return a workspace in which the hand-written status feed was played. Only for reading."""
    workspace = make_workspace(_folder())
    for _moment in play_google_cloud(workspace, str(FEED_SAMPLE)):
        pass
    return workspace


def copy_of(workspace: Workspace, folder: Path) -> Workspace:
    """Return a copy of a workspace under `folder`, for a test that changes or damages it."""
    # Closed connections leave nothing in the write-ahead log; the next use opens new ones.
    workspace.store.engine.dispose()
    settings = Settings(home=folder / "home", keys=folder / "keys")
    shutil.copytree(workspace.settings.home, settings.home)
    shutil.copytree(workspace.settings.keys, settings.keys)
    return open_workspace(settings, clock=FixedClock(load_scenario().steps[-1].at))
