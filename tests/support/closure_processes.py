"""Workers of closures in processes of their own, which die by SIGKILL, or freeze by SIGSTOP, at a point of their round.

The points are those of `closure_points`.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from dagster_project.application.closing import admit_event
from dagster_project.application.closing_systems import Systems
from dagster_project.application.closing_work import work
from dagster_project.application.workspace import Workspace
from tests.support.closure_points import Points, watched
from tests.support.closure_sites import Reach
from tests.support.killing import PROCESSES

Act = Callable[[Workspace, Systems, bytes], None]
SECONDS_TO_WAIT: Final = 60.0


def working(workspace: Workspace, systems: Systems, _body: bytes) -> None:
    """Work one round."""
    work(workspace, systems, at_most=300, chance=Random(3))  # noqa: S311 - pauses


def admitting(workspace: Workspace, systems: Systems, body: bytes) -> None:
    """Admit an event."""
    admit_event(workspace, systems, body, chance=Random(4))  # noqa: S311 - pauses


def doing_both(workspace: Workspace, systems: Systems, body: bytes) -> None:
    """Admit an event, then work."""
    admitting(workspace, systems, body)
    working(workspace, systems, body)


def run(act: Act, reach: Reach, body: bytes = b"", *, die_at: int | None = None) -> bool:
    """Act in a process of its own; tell whether it came to its end, or was killed at a point."""
    process = start(act, reach, body, die_at=die_at)
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}, f"the process failed with {process.exitcode}"
    assert process.exitcode == 0 or die_at is not None
    return bool(process.exitcode == 0)


def start(act: Act, reach: Reach, body: bytes = b"", *, die_at: int | None = None, freeze_at: int | None = None) -> Any:  # noqa: ANN401 - the kind of process has no public name
    """Start to act in a process of its own."""
    process = PROCESSES.Process(target=_perform, args=(act, reach, body, die_at, freeze_at))
    process.start()
    return process


def _perform(act: Act, reach: Reach, body: bytes, die_at: int | None, freeze_at: int | None) -> None:
    workspace = reach.workspace()
    systems, engine = reach.systems()
    sent = signal.SIGKILL if freeze_at is None else signal.SIGSTOP
    at = [one for one in (die_at, freeze_at) if one is not None]
    points = Points(at, lambda: os.kill(os.getpid(), sent))
    with watched(points, workspace.store.engine, engine, systems) as seen:
        act(workspace, seen, body)


def wait_until_frozen(pid: int) -> None:
    """Wait until a process has stopped.

    Raises:
        TimeoutError: it has not in a minute.
    """
    for _ in range(int(SECONDS_TO_WAIT * 100)):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        time.sleep(0.01)
    raise TimeoutError


def thaw(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)
