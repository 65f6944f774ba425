"""How long from a dropped record to a checked candidate, in real processes, beside an empty job on the same daemon.

From the rename into the landing folder to the instant at which the store has every candidate judged; for the empty job
to the end of its run. At idle one sample after the other; under the storm with 10,000 incidents pending, which the bulk
lane works through meanwhile. Incidents of the storm have 3 records, the others 64.

Run with ``python -m benchmarks.refresh_latency``; nothing is asserted. Progress goes to standard error.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

import dagster as dg
import sqlalchemy as sa

from benchmarks.empty_job import EMPTY_JOB, FOLDER
from benchmarks.incidents import changed_records, name_of, records_of, shared_records
from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.lanes import work_bulk_lane
from dagster_project.store.tables import incidents, refreshes
from tests.support.deployment import CODE_SERVER, DAEMON, RECEIVER, Deployment

LONGEST_WAIT: Final = 600.0
RECORDS_OF_STORM: Final = 3
FIRST_OF_STORM: Final = 1000
PER_DELIVERY: Final = 500
AGO: Final = timedelta(seconds=5)
PERCENTILES: Final = (50, 95, 99)
Rows = dict[str, Sequence[float]]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class Bench:
    """One running deployment, and the versions that its incidents have reached."""

    def __init__(self, running: Deployment) -> None:
        self.running = running
        self._rounds = count(1)
        self._triggers = count(1)

    def deliver(self, lines: list[bytes]) -> None:
        """Admit records in this process, for preparation."""
        units = [DeliveredUnit("prepared", f"line {place}", line) for place, line in enumerate(lines)]
        if admit(self.running.workspace, units).rejected:
            raise RuntimeError("generated records were rejected")

    def drop_change(self, number: int) -> float:
        """Drop a change of one incident, wait until it is refreshed, and return the seconds in between."""
        lines = changed_records(number, next(self._rounds), at=datetime.now(UTC) - AGO)
        newest = self._newest_refresh()
        dropped = datetime.now(UTC)
        self.running.drop(f"{time.time_ns()}.ndjson", b"".join(line + b"\n" for line in lines))
        self.running.wait_until(lambda: self._finished(number, newest), LONGEST_WAIT, f"{name_of(number)} is refreshed")
        return (self._finished(number, newest) or dropped).timestamp() - dropped.timestamp()

    def trigger_empty_job(self) -> float:
        """Ask for a run of the empty job, wait until it ended, and return the seconds in between."""
        folder = self.running.settings.home / FOLDER
        folder.mkdir(exist_ok=True)
        name = f"trigger-{next(self._triggers)}"
        asked = time.time()
        (folder / name).touch()
        tag = dg.RunsFilter(job_name=EMPTY_JOB, tags={"dagster/run_key": name})
        self.running.wait_until(
            lambda: any(one.dagster_run.is_finished for one in self.running.instance.get_run_records(tag)),
            LONGEST_WAIT,
            "the empty job ended",
        )
        (record,) = self.running.instance.get_run_records(tag)
        return (record.end_time or 0.0) - asked

    def run_times(self, job: str) -> list[float]:
        """Return the seconds from start to end of every run of a job that ended."""
        records = self.running.instance.get_run_records(dg.RunsFilter(job_name=job))
        return [one.end_time - one.start_time for one in records if one.end_time and one.start_time]

    def pending(self) -> int:
        """Return how many incidents have a pending change."""
        statement = sa.select(sa.func.count()).where(incidents.c.pending_since.is_not(None))
        with self.running.workspace.store.read() as transaction:
            waiting: int = transaction.connection.execute(statement).scalar_one()
        return waiting

    def _newest_refresh(self) -> int:
        with self.running.workspace.store.read() as transaction:
            newest: int = transaction.connection.execute(sa.select(sa.func.max(refreshes.c.refresh_id))).scalar_one()
        return newest

    def _finished(self, number: int, after: int) -> datetime | None:
        columns = refreshes.c
        statement = sa.select(sa.func.min(columns.finished_at)).where(
            columns.incident == name_of(number), columns.refresh_id > after
        )
        with self.running.workspace.store.read() as transaction:
            finished: datetime | None = transaction.connection.execute(statement).scalar_one()
        return finished


def _samples(what: str, measure: Callable[[int], float], numbers: range) -> list[float]:
    found = []
    for place, number in enumerate(numbers, start=1):
        found.append(measure(number))
        _say(f"  {what}: {place} of {len(numbers)}, {found[-1]:.2f} s")
    return found


def _prepare(bench: Bench, samples: int) -> None:
    now = datetime.now(UTC) - AGO
    bench.deliver(list(shared_records()))
    bench.deliver([line for number in range(samples) for line in records_of(number, at=now)])
    urgent = range(samples, 2 * samples)
    bench.deliver([line for number in urgent for line in records_of(number, severity="SEV1", at=now)])
    work_bulk_lane(bench.running.workspace, at_most=timedelta(hours=1))


def _at_idle(bench: Bench, samples: int) -> Iterator[tuple[str, Sequence[float]]]:
    yield "empty job, through the daemon", _samples("empty job", lambda _n: bench.trigger_empty_job(), range(samples))
    yield "severity two, through the daemon", _samples("severity two", bench.drop_change, range(samples))
    urgent = range(samples, 2 * samples)
    yield "severity one, through the sensor", _samples("severity one, sensor", bench.drop_change, urgent)
    bench.running.start(RECEIVER)
    yield "severity one, through the receiver", _samples("severity one, receiver", bench.drop_change, urgent)
    yield "empty job, run start to end", bench.run_times(EMPTY_JOB)
    yield "refresh_incident, run start to end", bench.run_times("refresh_incident")


def _under_the_storm(bench: Bench, samples: int, size: int) -> Iterator[tuple[str, Sequence[float]]]:
    _say(f"  {size} incidents become pending")
    for first in range(0, size, PER_DELIVERY):
        numbers = range(FIRST_OF_STORM + first, FIRST_OF_STORM + min(first + PER_DELIVERY, size))
        now = datetime.now(UTC) - AGO
        bench.deliver([line for number in numbers for line in records_of(number, at=now)[:RECORDS_OF_STORM]])
    bench.running.wait_until(lambda: bench.pending() < size, LONGEST_WAIT, "the bulk lane is at work")
    before = bench.pending()

    def after_a_second(number: int) -> float:
        time.sleep(1)  # samples are spread over the storm
        return bench.drop_change(number)

    found = _samples("storm, severity one", after_a_second, range(samples, 2 * samples))
    yield f"severity one, {before} to {bench.pending()} pending", found
    yield "severity two, under the storm", _samples("storm, severity two", bench.drop_change, range(min(3, samples)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.refresh_latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--samples", type=int, default=20, help="samples of each kind")
    parser.add_argument("--storm", type=int, default=10_000, help="incidents pending in the storm; 0 for none")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Deployment(Path(folder), programs=(), definitions="benchmarks.empty_job") as running,
    ):
        running.assign_shipped_profile("harbourline", "tidewater")
        bench = Bench(running)
        _say("preparing")
        _prepare(bench, chosen.samples)
        for program in (CODE_SERVER, DAEMON):
            running.start(program)
        rows: Rows = dict(_at_idle(bench, chosen.samples))
        if chosen.storm:
            rows |= dict(_under_the_storm(bench, chosen.samples, chosen.storm))
    _print(rows)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that `percent` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def _print(rows: Rows) -> None:
    out = sys.stdout.write
    out(f"seconds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    out(f"{'':44}" + "".join(f"{f'p{percent}':>9}" for percent in PERCENTILES) + f"{'samples':>9}{'to empty':>10}\n")
    baselines = {"start to end": "empty job, run start to end", "": "empty job, through the daemon"}
    for name, values in rows.items():
        baseline = next(rows[base] for mark, base in baselines.items() if mark in name)
        ratio = statistics.median(values) / statistics.median(baseline)
        figures = "".join(f"{percentile(values, percent):>9.2f}" for percent in PERCENTILES)
        out(f"{name:44}{figures}{len(values):>9}{ratio:>8.2f} x\n")
    out("aims: severity one p95 under 1 s at idle and under 2 s under the storm;\n")
    out("      refresh_incident from start to end at most the empty job plus 1 s\n")


if __name__ == "__main__":
    main()
