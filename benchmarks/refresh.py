"""How long a candidate takes: in memory, and through the store with every commit.

Baseline: writing and digesting the canonical bytes of the same content, the least that any packaging has to do.
Run with ``python -m benchmarks.refresh``. Plays the sample scenario to its end; the incident then has two bridges.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.contexts import context_of, predecessor_of, predecessor_row
from dagster_project.application.demo_store import make_demo_store
from dagster_project.application.overview import find_row
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.refresh import refresh
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario
from dagster_project.integrity.digests import digest_of
from dagster_project.packaging.candidate import make_candidate
from dagster_project.packaging.release_check import release_check
from dagster_project.settings import Settings

ROUNDS = 40


def _played(folder: Path) -> Workspace:
    settings = Settings(home=folder / "home", keys=folder / "keys")
    make_demo_store(settings)
    scenario = load_scenario()
    clock = FixedClock(scenario.steps[0].at)
    workspace = open_workspace(settings, clock=clock)
    assign_profile(workspace, load_profile(workspace, shipped_profile("customer_bridge")))
    for step in scenario.steps:
        clock.set(step.at)
        lines = enumerate(step.body.splitlines(), start=1)
        admit(workspace, [DeliveredUnit(step.file, f"line {number}", line) for number, line in lines])
        refresh(workspace, scenario.incident)
    return workspace


def _median_milliseconds(action: Callable[[], object]) -> float:
    times = []
    for _round in range(ROUNDS):
        started = time.perf_counter()
        action()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = _played(Path(folder))
        incident = load_scenario().incident
        with workspace.store.read() as transaction:
            row = find_row(transaction, incident, "harbourline")
            context = context_of(workspace, transaction, row)
            before = predecessor_of(workspace, transaction, predecessor_row(transaction, row))
        made = make_candidate(context, before)

        def check() -> object:
            return release_check(made.content, made.lineage, context, predecessor_digest=None)

        baseline = _median_milliseconds(lambda: digest_of(made.content))
        figures = {
            "canonical bytes and digest of the content (baseline)": baseline,
            "make a candidate: content, lineage, delta, annexes, views": _median_milliseconds(
                lambda: make_candidate(context, before)
            ),
            "release check": _median_milliseconds(check),
            "refresh of the incident, two bridges, all commits": _median_milliseconds(
                lambda: refresh(workspace, incident)
            ),
        }
    for name, milliseconds in figures.items():
        sys.stdout.write(f"{name:60} {milliseconds:9.2f} ms {milliseconds / baseline:10.0f} x\n")


if __name__ == "__main__":
    main()
