"""How long from a dropped record to a checked candidate, in real processes, beside an empty job on the same daemon.

Every sample is a change of two records of an incident of 64 records on two bridges that was refreshed before. It is
timed from the rename into the landing folder to the instant at which the store has every candidate judged; the empty
job, whose sensor watches a folder too, to the end of its run. All go by the clock of one machine.

- at idle one sample is taken after the other, each at a random moment, once no run is under way
- under the storm 10,000 other incidents of 3 records each are pending, admitted before the programs start; the bulk
  lane works through them while samples are dropped every few seconds, whether those before are finished or not

"through the sensor" is the daemon alone; "through the receiver" has `channelsafe receive` beside it.

Run with ``python -m benchmarks.refresh_latency``; nothing is asserted. Progress goes to standard error.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

import dagster as dg
import sqlalchemy as sa

from benchmarks.empty_job import EMPTY_JOB, FOLDER
from benchmarks.incidents import changed_records, name_of, records_of, shared_records
from benchmarks.latency_table import Row, table
from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.lanes import work_bulk_lane
from dagster_project.application.unreported import anything_to_report, refreshes_of_severity_one
from dagster_project.jobs import refresh_incident
from dagster_project.sensors import PARTITION_TAG
from dagster_project.store.tables import incidents, internal_manifests, refresh_candidates, refreshes
from tests.fixtures.postgresql import find_binaries, run_server
from tests.support.deployment import CODE_SERVER, DAEMON, RECEIVER, Deployment, NotReached, team_databases

LONGEST_WAIT: Final = 900.0
RECORDS_OF_STORM: Final = 3
FIRST_OF_STORM: Final = 10_000
PER_DELIVERY: Final = 500
AGO: Final = timedelta(seconds=5)
# The daemon looks every five seconds: a sample may meet any moment in between.
SECONDS_OF_A_PASS: Final = 5.0
SECONDS_BETWEEN_SAMPLES_OF_THE_STORM: Final = 3.0
_UNDER_WAY: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class Bench:
    """One running deployment: what is dropped into it, and when each of it was done.

    Attributes:
        running: The deployment.
        samples: How many samples of each kind; incidents 0 up to it are of severity two, and twice as many after them
            of severity one: those for the sensor, then those for the receiver.
    """

    def __init__(self, running: Deployment, samples: int) -> None:
        self.running = running
        self.severity_two = range(samples)
        self.for_the_sensor = range(samples, 2 * samples)
        self.for_the_receiver = range(2 * samples, 3 * samples)
        self._dropped: dict[str, float] = {}
        self._triggers = count(1)
        self._first_refresh = 0
        (running.settings.home / FOLDER).mkdir(parents=True)

    def prepare(self) -> None:
        """Admit the incidents that are measured, and refresh each once, so that a sample has a predecessor."""
        now = datetime.now(UTC) - AGO
        self._deliver(list(shared_records()))
        for numbers, severity in (
            (self.severity_two, "SEV2"), (self.for_the_sensor, "SEV1"), (self.for_the_receiver, "SEV1"),
        ):  # fmt: skip
            self._deliver([line for number in numbers for line in records_of(number, severity=severity, at=now)])
        work_bulk_lane(self.running.workspace, at_most=timedelta(hours=1))
        with self.running.workspace.store.read() as transaction:
            newest = transaction.connection.execute(sa.select(sa.func.max(refreshes.c.refresh_id)))
            self._first_refresh = newest.scalar_one() + 1

    def make_pending(self, size: int) -> None:
        """Admit the incidents of the storm."""
        for first in range(0, size, PER_DELIVERY):
            numbers = range(FIRST_OF_STORM + first, FIRST_OF_STORM + min(first + PER_DELIVERY, size))
            now = datetime.now(UTC) - AGO
            self._deliver([line for number in numbers for line in records_of(number, at=now)[:RECORDS_OF_STORM]])
            _say(f"  {numbers.stop - FIRST_OF_STORM} of {size} are admitted")

    def start(self) -> None:
        """Start code server and daemon."""
        for program in (CODE_SERVER, DAEMON):
            self.running.start(program)

    def drop_change(self, number: int) -> str:
        """Drop the change of one incident; return the incident's name, by which `finished` knows it."""
        lines = changed_records(number, 1, at=datetime.now(UTC) - AGO)
        name = name_of(number)
        self._dropped[name] = time.time()
        self.running.drop(f"{time.time_ns()}.ndjson", b"".join(line + b"\n" for line in lines))
        return name

    def trigger_empty_job(self) -> str:
        """Ask for a run of the empty job; return the name by which `finished` knows it."""
        name = f"{next(self._triggers):06}"
        self._dropped[name] = time.time()
        (self.running.settings.home / FOLDER / name).touch()
        return name

    def finished(self, names: Sequence[str]) -> list[float]:
        """Return the seconds that each of these took; what is not finished is left out."""
        ends = self._ends_of_refreshes() | self._ends_of_empty_runs()
        return [ends[name] - self._dropped[name] for name in names if name in ends]

    def wait_for(self, names: Sequence[str]) -> None:
        """Wait until all of these are finished.

        Raises:
            NotReached: they were not within 15 minutes.
        """
        self.running.wait_until(
            lambda: len(self.finished(names)) == len(names), LONGEST_WAIT, f"{len(names)} samples are finished"
        )

    def wait_until_quiet(self) -> None:
        """Wait until no run is under way or about to be asked for, and then for a random moment of the next pass."""
        self.running.wait_until(self._is_quiet, LONGEST_WAIT, "no run is under way")
        time.sleep(random.uniform(0, SECONDS_OF_A_PASS))  # noqa: S311 - spreads samples, keeps no secret

    def pending(self) -> int:
        """Return how many incidents have a pending change."""
        statement = sa.select(sa.func.count()).where(incidents.c.pending_since.is_not(None))
        with self.running.workspace.store.read() as transaction:
            waiting: int = transaction.connection.execute(statement).scalar_one()
        return waiting

    def runs_of_samples(self) -> list[dg.RunRecord]:
        """Return the ended runs that refreshed the samples of severity two."""
        return [
            record
            for number in self.severity_two
            for record in self._ended(
                dg.RunsFilter(job_name=refresh_incident.name, tags={PARTITION_TAG: name_of(number)})
            )
        ]

    def empty_runs(self) -> list[dg.RunRecord]:
        """Return the ended runs of the empty job."""
        return self._ended(dg.RunsFilter(job_name=EMPTY_JOB))

    def judged(self) -> tuple[int, int]:
        """Return how many candidates of samples were rendered, and how many of them got their internal manifest."""
        link = refresh_candidates.c
        candidates = (
            sa.select(sa.func.count(), sa.func.count(internal_manifests.c.candidate_id))
            .select_from(refresh_candidates)
            .join(refreshes, refreshes.c.refresh_id == link.refresh_id)
            .outerjoin(internal_manifests, internal_manifests.c.candidate_id == link.candidate_id)
            .where(self._of_a_sample())
        )
        with self.running.workspace.store.read() as transaction:
            rendered, passed = transaction.connection.execute(candidates).one()
        return rendered, passed

    def _deliver(self, lines: list[bytes]) -> None:
        units = [DeliveredUnit("prepared", f"line {place}", line) for place, line in enumerate(lines)]
        if admit(self.running.workspace, units).rejected:
            raise RuntimeError("generated records were rejected")

    def _of_a_sample(self) -> sa.ColumnElement[bool]:
        columns = refreshes.c
        return sa.and_(columns.incident < name_of(FIRST_OF_STORM), columns.refresh_id >= self._first_refresh)

    def _ends_of_refreshes(self) -> dict[str, float]:
        columns = refreshes.c
        statement = sa.select(columns.incident, sa.func.min(columns.finished_at)).where(
            self._of_a_sample(), columns.finished_at.is_not(None)
        )
        with self.running.workspace.store.read() as transaction:
            found = transaction.connection.execute(statement.group_by(columns.incident)).all()
        return {incident: finished.timestamp() for incident, finished in found}

    def _ends_of_empty_runs(self) -> dict[str, float]:
        return {one.dagster_run.tags["dagster/run_key"]: one.end_time or 0.0 for one in self.empty_runs()}

    def _ended(self, wanted: dg.RunsFilter) -> list[dg.RunRecord]:
        return [one for one in self.running.instance.get_run_records(wanted) if one.end_time and one.start_time]

    def _is_quiet(self) -> bool:
        workspace = self.running.workspace
        return not (
            self.running.instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY))
            or refreshes_of_severity_one(workspace, limit=1)
            or anything_to_report(workspace)
        )


def _at_idle(bench: Bench) -> Iterator[Row]:
    bench.start()
    empty: list[str] = []
    two: list[str] = []
    one: list[str] = []
    for numbers in zip(bench.severity_two, bench.for_the_sensor, strict=True):
        for names, drop in (
            (empty, bench.trigger_empty_job),
            (two, lambda number=numbers[0]: bench.drop_change(number)),
            (one, lambda number=numbers[1]: bench.drop_change(number)),
        ):
            bench.wait_until_quiet()
            names.append(drop())
            bench.wait_for(names)
        _say(f"  sample {len(empty)}: {_latest(bench, empty, two, one)}")
    baseline = "idle: empty job"
    yield _row(bench, baseline, empty, baseline)
    yield _row(bench, "idle: severity two, through the sensor", two, baseline)
    yield _row(bench, "idle: severity one, through the sensor", one, baseline)
    bench.running.start(RECEIVER)
    received: list[str] = []
    for number in bench.for_the_receiver:
        bench.wait_until_quiet()
        received.append(bench.drop_change(number))
        bench.wait_for(received)
        _say(f"  receiver, sample {len(received)}: {_latest(bench, received)}")
    yield _row(bench, "idle: severity one, through the receiver", received, baseline)
    yield from _rows_of_runs(bench)


def _rows_of_runs(bench: Bench) -> Iterator[Row]:
    ours, empty = bench.runs_of_samples(), bench.empty_runs()
    for what, seconds in (("start to end", _start_to_end), ("asked for to end", _asked_to_end)):
        baseline = f"idle: empty job, {what}"
        yield Row(baseline, seconds(empty), len(bench.severity_two), baseline)
        yield Row(f"idle: refresh_incident, {what}", seconds(ours), len(bench.severity_two), baseline)


def _start_to_end(records: Sequence[dg.RunRecord]) -> list[float]:
    return [one.end_time - one.start_time for one in records if one.end_time and one.start_time]


def _asked_to_end(records: Sequence[dg.RunRecord]) -> list[float]:
    return [one.end_time - one.create_timestamp.timestamp() for one in records if one.end_time]


def _under_the_storm(bench: Bench, size: int) -> Iterator[Row]:
    _say(f"  {size} incidents become pending")
    bench.make_pending(size)
    bench.start()
    bench.running.wait_until(lambda: bench.pending() < size, LONGEST_WAIT, "the bulk lane is at work")
    empty: list[str] = []
    two: list[str] = []
    one: list[str] = []
    received: list[str] = []
    pending = [bench.pending()]
    for numbers in zip(bench.severity_two, bench.for_the_sensor, strict=True):
        empty.append(bench.trigger_empty_job())
        two.append(bench.drop_change(numbers[0]))
        one.append(bench.drop_change(numbers[1]))
        _pause()
    pending.append(bench.pending())
    # What the sensor was given must not be taken by the receiver.
    bench.wait_for(one)
    bench.running.start(RECEIVER)
    for number in bench.for_the_receiver:
        received.append(bench.drop_change(number))
        _pause()
    pending.append(bench.pending())
    _say(f"  pending: {pending}; waiting for the rest")
    try:
        bench.wait_for([*empty, *two, *received])
    except NotReached as late:
        _say(f"  {str(late).splitlines()[0]}")
    baseline = "storm: empty job"
    yield _row(bench, baseline, empty, baseline)
    yield _row(bench, "storm: severity two, through the bulk lane", two, baseline)
    yield _row(bench, f"storm: severity one, sensor, {pending[0]} to {pending[1]} pending", one, baseline)
    yield _row(bench, f"storm: severity one, receiver, {pending[1]} to {pending[2]} pending", received, baseline)


def _pause() -> None:
    time.sleep(random.uniform(0.5, 1.5) * SECONDS_BETWEEN_SAMPLES_OF_THE_STORM)  # noqa: S311 - keeps no secret


def _row(bench: Bench, name: str, names: Sequence[str], baseline: str) -> Row:
    return Row(name, bench.finished(names), len(names), baseline)


def _latest(bench: Bench, *kinds: Sequence[str]) -> str:
    return ", ".join(f"{bench.finished(names)[-1]:.2f} s" for names in kinds)


@contextmanager
def _deployment(kind: str) -> Iterator[Deployment]:
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        urls: dict[str, str] = {}
        if kind == "postgresql":
            binaries = find_binaries()
            if binaries is None:
                raise SystemExit("no PostgreSQL server is installed on this machine")
            urls = opened.enter_context(team_databases(opened.enter_context(run_server(binaries))))
        running = opened.enter_context(Deployment(folder, programs=(), definitions="benchmarks.empty_job", **urls))
        running.assign_shipped_profile("harbourline", "tidewater")
        yield running


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.refresh_latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--samples", type=int, default=12, help="samples of each kind")
    parser.add_argument("--storm", type=int, default=10_000, help="incidents pending in the storm")
    parser.add_argument("--skip-storm", action="store_true", help="measure at idle only")
    parser.add_argument("--skip-idle", action="store_true", help="measure under the storm only")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="of store and Dagster")
    chosen = parser.parse_args()
    rows: list[Row] = []
    judged = []
    for part, skipped in (("idle", chosen.skip_idle), ("storm", chosen.skip_storm)):
        if skipped:
            continue
        _say(f"{part}: preparing")
        with _deployment(chosen.database) as running:
            bench = Bench(running, chosen.samples)
            bench.prepare()
            rows.extend(_at_idle(bench) if part == "idle" else _under_the_storm(bench, chosen.storm))
            judged.append("{1} of {0} candidates passed ({part})".format(*bench.judged(), part=part))
    out = sys.stdout.write
    out(f"seconds on {chosen.database}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {'; '.join(judged)}\n")
    if not chosen.skip_storm:
        out(
            f"the storm: {chosen.storm} incidents of {RECORDS_OF_STORM} records, admitted before the programs started\n"
        )
    out(table(rows))
    out("aims: severity one p95 under 1 s at idle and under 2 s under the storm;\n")
    out("      refresh_incident from start to end at most the empty job plus 1 s\n")


if __name__ == "__main__":
    main()
