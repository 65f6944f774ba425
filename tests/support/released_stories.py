"""The sample story released to one bridge, made once per process; every test works on a copy of its own."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.application.drafting_decisions import current_version, shown_fields, versions_of_incident
from dagster_project.application.projecting import project
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.signatures import SigningKey
from dagster_project.settings import Settings
from dagster_project.store.versions import VersionRow
from tests.support.moving_sources import BRIDGE, INCIDENT, pass_time
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.workspaces import make_workspace, play_scenario

# Whom a first release to a bridge asks for (R3).
FIRST = ("ines", "selma", "ada")


@dataclass(frozen=True)
class _Story:
    settings: Settings
    keys: Mapping[str, SigningKey]
    at: datetime


@cache
def _told(step: int) -> _Story:
    folder = Path(tempfile.mkdtemp(prefix="channelsafe-told-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bench = make_bench(make_workspace(folder))
    play_scenario(bench.workspace, until_step=step)
    release_all(bench, *FIRST)
    bench.workspace.store.engine.dispose()
    return _Story(bench.workspace.settings, bench.keys, load_scenario().steps[step - 1].at)


def told_story(folder: Path, step: int) -> Bench:
    """Return the story after a step, its page approved by everybody, released to the bridge and published."""
    story = _told(step)
    shutil.copytree(story.settings.home, folder / "home")
    shutil.copytree(story.settings.keys, folder / "keys")
    settings = Settings(home=folder / "home", keys=folder / "keys")
    return Bench(open_workspace(settings, clock=FixedClock(story.at)), story.keys)


def release_all(bench: Bench, *people: str) -> VersionRow:
    """Let people approve what they are asked for, everybody by default; release the page, and publish it."""
    approve_all(bench, *(people or PEOPLE))
    row = release(bench.workspace, INCIDENT, BRIDGE)
    project(bench.workspace)
    return row


def approve_all(bench: Bench, *people: str) -> None:
    """Let people approve what they are asked for."""
    for person in people:
        pass_time(bench.workspace, 0.1)
        bench.approve(person, INCIDENT, BRIDGE)


def current(bench: Bench, bridge: str = BRIDGE) -> VersionRow:
    """Return the current version."""
    return current_version(bench.workspace, INCIDENT, bridge)


def shown(bench: Bench, bridge: str = BRIDGE) -> tuple[str, ...]:
    """Return the leaves that the current version shows."""
    return shown_fields(bench.workspace, current(bench, bridge))


def content(bench: Bench, bridge: str = BRIDGE) -> dict[str, Any]:
    """Return what the current version says."""
    with bench.workspace.store.read() as transaction:
        found: dict[str, Any] = read_document(transaction.get_sealed(current(bench, bridge).content_digest))
    return found


def states(bench: Bench, bridge: str = BRIDGE) -> list[tuple[str, str]]:
    """Return kind and publication state of every version of a bridge, in order."""
    rows = versions_of_incident(bench.workspace, INCIDENT)
    return [(one.kind, one.state) for one in rows if one.bridge == bridge]


def published_bytes(workspace: Workspace) -> bytes:
    """Return all that lies in the published folder, one after the other."""
    files = (path for path in sorted(workspace.settings.published.rglob("*")) if path.is_file())
    return b"\n".join(path.read_bytes() for path in files)
