"""Acts in processes of their own, each of which dies by SIGKILL at a step that a test names.

A step is a call by which something becomes visible or durable: making a folder, a mode, a synchronization, a rename, a
removal, a commit. Every call counts twice, because a process may die before it and right after it.
"""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

from dagster_project.application import projecting as projector
from dagster_project.application.deciding import take_decision
from dagster_project.application.issuing import stored_index
from dagster_project.application.policy_releases import keep_published
from dagster_project.application.projecting import indexes_due, project, renew_index
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.connections import published_writing
from dagster_project.errors import UnsafeOrRejected
from dagster_project.settings import Settings
from dagster_project.store.versions import indexes_of
from tests.support.told_bridges import BRIDGE, INCIDENT

_CALLS: Final = ("mkdir", "fchmod", "fsync", "replace", "rename", "unlink")
# One clean process that has imported everything forks all others: a process for every step would take minutes.
PROCESSES: Final = multiprocessing.get_context("forkserver")
_PRELOADED: Final = ("deciding", "policy_releases", "closing_work", "closing")
PROCESSES.set_forkserver_preload([f"dagster_project.application.{name}" for name in _PRELOADED])


@dataclass(frozen=True)
class Place:
    """A deployment as a process opens it, and the instant at which its clock stands."""

    settings: Settings
    at: datetime

    def open(self) -> Workspace:
        return open_workspace(self.settings, clock=FixedClock(self.at))

    def copied_to(self, folder: Path, database_url: str | None) -> "Place":
        """Return a copy; `database_url` names a copy of the database where that is no file in the home."""
        settings = Settings(home=folder / "home", keys=folder / "keys", database_url=database_url)
        shutil.copytree(self.settings.home, settings.home)
        shutil.copytree(self.settings.keys, settings.keys)
        return replace(self, settings=settings)

    def packages(self) -> Mapping[str, Mapping[str, bytes]]:
        """Return every file of every package folder, hidden ones too."""
        folders = [one for one in self.settings.published.iterdir() if one.is_dir()]
        return {
            folder.name: {
                str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()
            }
            for folder in folders
        }


def releasing(workspace: Workspace, _decision: bytes) -> None:
    """Release what was approved, and publish it."""
    release(workspace, INCIDENT, BRIDGE)
    project(workspace)


def deciding(workspace: Workspace, decision: bytes) -> None:
    """Take a signed decision, and publish nothing of it."""
    take_decision(workspace, decision)


def pulling(workspace: Workspace, decision: bytes) -> None:
    """Take a signed decision to pull, and publish what follows."""
    take_decision(workspace, decision)
    project(workspace)


def projecting(workspace: Workspace, _decision: bytes) -> None:
    """Publish what is pending."""
    project(workspace)


def renew(workspace: Workspace) -> None:
    """Sign the indexes again that are due."""
    for package_id in indexes_due(workspace):
        renew_index(workspace, package_id)


def renewing(workspace: Workspace, _decision: bytes) -> None:
    """Sign the indexes again that are due, and publish them."""
    renew(workspace)
    project(workspace)


def going_round(workspace: Workspace, _decision: bytes) -> None:
    """Do what the deployment does by itself every minute."""
    kept = keep_published(workspace, at_most=timedelta(minutes=1))
    if kept.failed:
        raise AssertionError(kept.failed)


def newest_index_first(workspace: Workspace, _decision: bytes) -> None:
    """Publish as nobody may: an index before what it demands."""
    files = projector._files
    projector._files = lambda *given: reversed(list(files(*given)))
    renew(workspace)
    project(workspace)


def removing_first(workspace: Workspace, _decision: bytes) -> None:
    """Publish as nobody may: take away what the index demands that everybody sees."""
    for package_id in projector.packages_waiting(workspace):
        with workspace.store.read() as transaction:
            newest = stored_index(transaction, indexes_of(transaction, package_id)[-1])
        for name in projector._to_remove(newest):
            published_writing.remove_published(workspace.settings.published / package_id, name)
    project(workspace)


def writing_in_place(workspace: Workspace, _decision: bytes) -> None:
    """Publish as nobody may: half a file under its own name."""

    def write(path: Path, body: bytes) -> None:
        with path.open("wb") as file:
            file.write(body[:100])
            file.flush()
            os.fsync(file.fileno())
            file.write(body[100:])

    published_writing._replace = write
    renew(workspace)
    project(workspace)


@dataclass(frozen=True)
class _Repeated:
    act: Callable[[Workspace, bytes], None]

    def __call__(self, workspace: Workspace, decision: bytes) -> None:
        try:
            self.act(workspace, decision)
        except UnsafeOrRejected as refused:
            if refused.code not in {"not_releasable", "nothing_to_release", "decision_replayed"}:
                raise


def repeating(act: Callable[[Workspace, bytes], None]) -> Callable[[Workspace, bytes], None]:
    """An act, done again by whoever did not hear of its end: that it was done already is no failure."""
    return _Repeated(act)


def run(
    act: Callable[[Workspace, bytes], None], place: Place, decision: bytes = b"", *, die_at: int | None = None
) -> bool:
    """Run an act in a process of its own; tell whether it came to its end, or was killed at its step `die_at`."""
    process = start(act, place, decision, die_at=die_at)
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}, f"the process failed with {process.exitcode}"
    assert process.exitcode == 0 or die_at is not None
    return bool(process.exitcode == 0)


def start(
    act: Callable[[Workspace, bytes], None], place: Place, decision: bytes = b"", *, die_at: int | None = None
) -> Any:  # noqa: ANN401 - the kind of process has no public name
    """Start an act in a process of its own."""
    process = PROCESSES.Process(target=_perform, args=(act, place, decision, die_at))
    process.start()
    return process


def _perform(act: Callable[[Workspace, bytes], None], place: Place, decision: bytes, die_at: int | None) -> None:
    workspace = place.open()
    if die_at is not None:
        steps = count(1)
        for name in _CALLS:
            setattr(os, name, _mortal(getattr(os, name), steps, die_at))
        dialect: Any = workspace.store.engine.dialect
        dialect.do_commit = _mortal(dialect.do_commit, steps, die_at)
    act(workspace, decision)


def _mortal(call: Callable[..., Any], steps: Iterator[int], die_at: int) -> Callable[..., Any]:
    def called(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the call takes
        _die_if(next(steps) == die_at)
        result = call(*arguments, **named)
        _die_if(next(steps) == die_at)
        return result

    return called


def _die_if(now: bool) -> None:  # noqa: FBT001 - a condition
    if now:
        os.kill(os.getpid(), signal.SIGKILL)
