"""How many (incident, bridge) refreshes a second: the pure pipeline, single runs, and the bulk lane, at two sizes.

Every incident that is measured has 64 records and over 40 fields on each of two bridges; every refresh follows a change
of two records, so that it has a predecessor and a delta. The others that fill the store have 8 records, unless
``--others`` says more. Lineage, release check and commit are included everywhere.

- pure pipeline: the bulk lane's own function in this process, on one core
- single runs, bulk lane: through code server, daemon, queue and run workers as real processes on SQLite, from the
  instant at which the records are pending to the last refresh; five incidents by runs of their own, the others by one
  run of the bulk lane

Run with ``python -m benchmarks.refresh``. Nothing is asserted.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks.incidents import RECORDS_PER_INCIDENT, changed_records, name_of, records_of, shared_records
from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.lanes import MOST_SINGLE_RUNS, work_bulk_lane
from dagster_project.application.overview import one_candidate
from dagster_project.application.workspace import Workspace
from dagster_project.packaging.fields import leaves
from dagster_project.partitions import INCIDENTS
from dagster_project.store.chunks import chunks
from dagster_project.store.refreshes import mark_reported
from dagster_project.store.tables import incidents, refreshes
from tests.support.deployment import CODE_SERVER, DAEMON, Deployment

BRIDGES: Final = 2
LONG: Final = timedelta(days=1)
LONGEST_WAIT: Final = 900.0
INCIDENTS_PER_DELIVERY: Final = 50


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _deliver(workspace: Workspace, lines: list[bytes]) -> None:
    report = admit(workspace, [DeliveredUnit("benchmark", f"line {place}", line) for place, line in enumerate(lines)])
    if report.rejected:
        raise RuntimeError(f"{len(report.rejected)} generated records were rejected")


def _admit_and_refresh(workspace: Workspace, measured: range, records: int) -> None:
    started = time.perf_counter()
    for first in range(measured.start, measured.stop, INCIDENTS_PER_DELIVERY):
        numbers = range(first, min(first + INCIDENTS_PER_DELIVERY, measured.stop))
        at = workspace.clock.now()
        _deliver(workspace, [line for number in numbers for line in records_of(number, at=at)[:records]])
        if (first - measured.start) % 1000 == 0:
            _say(f"  {first} of {measured.stop} incidents admitted, {time.perf_counter() - started:.0f} s")
    _say(f"  first refresh of {len(measured)} incidents")
    work_bulk_lane(workspace, at_most=LONG)


def _changes(measured: range, round_number: int, at: datetime) -> list[bytes]:
    return [line for number in measured for line in changed_records(number, round_number, at=at)]


def _pure(workspace: Workspace, measured: range, round_number: int) -> float:
    _deliver(workspace, _changes(measured, round_number, workspace.clock.now()))
    started = time.perf_counter()
    tally = work_bulk_lane(workspace, at_most=LONG)
    elapsed = time.perf_counter() - started
    if tally.refreshed != len(measured):
        raise RuntimeError(f"{tally.refreshed} incidents were refreshed instead of {len(measured)}")
    return BRIDGES * len(measured) / elapsed


def _finished_after(workspace: Workspace, refresh_id: int) -> int:
    columns = refreshes.c
    with workspace.store.read() as transaction:
        statement = sa.select(sa.func.count()).where(columns.refresh_id > refresh_id, columns.finished_at.is_not(None))
        count: int = transaction.connection.execute(statement).scalar_one()
    return count


def _forget_the_past(running: Deployment) -> None:
    """Let the operators' UI know of every incident and refresh so far, as if all had been long ago."""
    with running.workspace.store.begin() as transaction:
        names = transaction.connection.execute(sa.select(incidents.c.incident)).scalars().all()
        numbers = transaction.connection.execute(sa.select(refreshes.c.refresh_id)).scalars().all()
        for chunk in chunks(numbers):
            mark_reported(transaction, chunk, running.workspace.clock.now())
    running.instance.add_dynamic_partitions(INCIDENTS, list(names))


def _newest_refresh(workspace: Workspace) -> int:
    with workspace.store.read() as transaction:
        newest: int = transaction.connection.execute(sa.select(sa.func.max(refreshes.c.refresh_id))).scalar_one()
    return newest


def _through_the_daemon(running: Deployment, measured: range, round_number: int) -> float:
    """Drop changes of some incidents, and wait until the last of them is refreshed."""
    workspace, newest = running.workspace, _newest_refresh(running.workspace)
    lines = _changes(measured, round_number, workspace.clock.now())
    started = time.perf_counter()
    running.drop(f"changes-{round_number}.ndjson", b"".join(line + b"\n" for line in lines))
    running.wait_until(
        lambda: _finished_after(workspace, newest) >= len(measured), LONGEST_WAIT, "every incident is refreshed"
    )
    return BRIDGES * len(measured) / (time.perf_counter() - started)


def _measure(size: int, changed: int, others: int) -> dict[str, float]:
    measured = range(min(changed, size))
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder), programs=()) as running:
        running.assign_shipped_profile("harbourline", "tidewater")
        workspace = running.workspace
        _deliver(workspace, list(shared_records()))
        _admit_and_refresh(workspace, range(len(measured), size), others)
        # Last, so that none of the data that is measured has grown too old to pass its release check.
        _admit_and_refresh(workspace, measured, RECORDS_PER_INCIDENT)
        row = one_candidate(workspace, name_of(0), "harbourline")
        _say(f"  {len(leaves(row.content))} fields on a bridge, {row.publication_state}")
        found = {"pure pipeline": max(_pure(workspace, measured, number) for number in (1, 2))}
        _forget_the_past(running)
        _say("  pure pipeline measured; starting code server and daemon")
        for program in (CODE_SERVER, DAEMON):
            running.start(program)
        found["single runs"] = _through_the_daemon(running, range(MOST_SINGLE_RUNS), 3)
        _say("  single runs measured")
        found["bulk lane"] = _through_the_daemon(running, measured, 4)
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.refresh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 10_000], help="incidents in the store")
    parser.add_argument("--changed", type=int, default=100, help="at most so many incidents change at once")
    parser.add_argument("--others", type=int, default=8, help="records of each incident that only fills the store")
    chosen = parser.parse_args()
    found: dict[int, dict[str, float]] = {}
    for size in chosen.sizes:
        _say(f"{size} incidents in the store")
        found[size] = _measure(size, chosen.changed, chosen.others)
    _print(found)


def _print(found: dict[int, dict[str, float]]) -> None:
    out = sys.stdout.write
    out(f"(incident, bridge) refreshes per second, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    out(f"{'':16}" + "".join(f"{f'{size} in store':>18}" for size in found) + "   smallest to largest\n")
    for name in next(iter(found.values())):
        row = [rates[name] for rates in found.values()]
        out(f"{name:16}" + "".join(f"{rate:>18.1f}" for rate in row) + f"{row[0] / row[-1]:>20.2f} x\n")
    for size, rates in found.items():
        out(f"{size} in store: the bulk lane is {rates['bulk lane'] / rates['single runs']:.0f} x single runs\n")
    out("aims: pure pipeline 150; bulk lane 60 x single runs; smallest to largest at most 1.2 x\n")


if __name__ == "__main__":
    main()
