"""Completions per second of the worker, beside DBOS with the same five steps on the same kind of database.

Both write to the same targets, as SQL tables in a database of their own, one completion after another in one process,
from the event to the fifth effect:

- ours: the event admitted and verified, then the worker: the authority read again before each intent, intent, effect,
  receipt with read-back, leases, the audit row and the audit log
- DBOS, reads: a workflow whose steps read the authority and the subject, have the effect and read it back
- DBOS, writes: a workflow whose steps have the effect and nothing else

Double calls are counted in the targets' own log of effects. DBOS is installed into an environment of its own
(`benchmarks/dbos/requirements.lock`); without it and without a package index the exit code is 3. PostgreSQL is a
private server, as safe as it comes, unless ``--postgresql`` names one. Each side keeps its SQLite file as it ships:
ours in WAL mode, DBOS in SQLite's own default. CPU is that of the one process, the server's not included. Best of the
rounds, in which all take turns. Run with ``python -m benchmarks.closure``.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from dagster_project.connections.targets.support_systems import count_effects
from tests.fixtures.postgresql import DURABLE, PostgresqlServer, find_binaries, run_server
from tests.support.closure_sites import Site, site_at

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "benchmarks" / "dbos" / "requirements.lock"
PROGRAM: Final = ROOT / "benchmarks" / "dbos" / "completions.py"
ENVIRONMENT: Final = ROOT / ".venv-dbos"
EFFECTS: Final = 5  # of one completion
WARMING: Final = 3  # completions before the clock starts; `dbos/completions.py` has the same
OURS: Final = "ours"
OTHERS: Final = {"DBOS, reads": "reads", "DBOS, writes": "writes"}


class EnvironmentMissing(Exception):
    """DBOS is not installed and could not be."""


@dataclass(frozen=True)
class Measured:
    """One way of completing cases on one database; `seconds` and `cpu` are of one completion."""

    name: str
    seconds: float
    cpu: float
    double_calls: int


def prepared_environment(folder: Path) -> Path:
    """Return the Python of an environment that holds DBOS, and just what the lock says; make it where it is not there.

    Raises:
        EnvironmentMissing: the packages could not be fetched.
    """
    python, installed = folder / "bin" / "python", folder / "installed.lock"
    if installed.is_file() and installed.read_bytes() == LOCK.read_bytes():
        return python
    print(f"installing DBOS into {folder}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([*pip, "install", "--require-hashes", "--no-deps", "-r", str(LOCK)], check=True)
    except subprocess.CalledProcessError:
        raise EnvironmentMissing from None
    shutil.copy(LOCK, installed)
    return python


def measure_ours(site: Site, cases: int) -> Measured:
    """Admit the events of new cases and work them; the clock of the deployment stands still."""
    _complete(site, [site.new_case() for _ in range(WARMING)])
    names = [site.new_case() for _ in range(cases)]
    started, used = time.perf_counter(), time.process_time()
    _complete(site, names)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    return Measured(OURS, seconds / cases, cpu / cases, double_calls(site, cases))


def _complete(site: Site, names: list[str]) -> None:
    for name in names:
        site.announced(name)
    site.work(at_most=len(names))


def measure_dbos(name: str, site: Site, cases: int, python: Path, system_database: str) -> Measured:
    """Have DBOS complete new cases of a site of which only the support systems are used."""
    names = [site.new_case() for _ in range(WARMING + cases)]
    arguments = ["--system-database", system_database, "--support-systems", site.url, "--looking", OTHERS[name]]
    answer = subprocess.run(
        [str(python), str(PROGRAM), *arguments],
        input=json.dumps(names),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    took = json.loads(answer.stdout)
    return Measured(name, took["seconds"] / cases, took["cpu"] / cases, double_calls(site, cases))


def double_calls(site: Site, cases: int) -> int:
    """Return how many effects the targets logged beyond the first under one key.

    Raises:
        RuntimeError: they logged fewer than all completions so far have.
    """
    counted = count_effects(site.engine)
    if len(counted) % EFFECTS or len(counted) < EFFECTS * cases:
        raise RuntimeError(f"{len(counted)} effects are not those of {cases} completions and those before")
    return sum(counted.values()) - len(counted)


def best(rounds: list[list[Measured]]) -> list[Measured]:
    """Return the fastest round of each, with the least CPU and the most double calls of any of its rounds."""
    return [
        Measured(
            ways[0].name,
            min(one.seconds for one in ways),
            min(one.cpu for one in ways),
            max(one.double_calls for one in ways),
        )
        for ways in zip(*rounds, strict=True)
    ]


def table(database: str, found: list[Measured]) -> str:
    """Return the table of one database; ratios are ours to each, above 1 where we are ahead."""
    ours = found[0]
    lines = [f"{database:16}{'per second':>12}{'ours to it':>12}{'CPU ms':>9}{'ours to it':>12}{'double calls':>14}"]
    for one in found:
        faster, less = one.seconds / ours.seconds, one.cpu / ours.cpu
        figures = f"{1 / one.seconds:12.1f}{faster:10.2f} x{one.cpu * 1000:9.1f}{less:10.2f} x{one.double_calls:14}"
        lines.append(f"{one.name:16}{figures}")
    return "\n".join(lines)


Databases = Callable[[str], str | None]


def _sqlite(folder: Path) -> Databases:
    return lambda name: f"sqlite:///{folder / name}.sqlite3"


def _postgresql(stack: ExitStack, server: PostgresqlServer) -> Databases:
    def create(name: str) -> str:
        database = f"closure_{name}_{secrets.token_hex(4)}"
        url = server.create_database(database)
        stack.callback(server.drop_database, database)
        return url

    return create


def run(folder: Path, databases: Databases, python: Path, *, cases: int, rounds: int) -> list[Measured]:
    """Measure all on databases of their own, by turns."""
    with ExitStack() as stack:
        sites = {
            name: stack.enter_context(_site(folder / f"site-{number}", databases, f"site{number}"))
            for number, name in enumerate([OURS, *OTHERS])
        }
        systems = {name: databases(f"dbos{number}") or "" for number, name in enumerate(OTHERS)}
        found = []
        for _ in range(rounds):
            ours = measure_ours(sites[OURS], cases)
            found.append(
                [ours, *(measure_dbos(one, sites[one], cases, python, _driven(systems[one])) for one in OTHERS)]
            )
        return best(found)


@contextmanager
def _site(folder: Path, databases: Databases, name: str) -> Iterator[Site]:
    folder.mkdir()
    urls = {"database_url": databases(f"{name}_store"), "support_url": databases(f"{name}_support")}
    with site_at(folder, **urls, over_http=False) as site:
        yield site


def _driven(url: str) -> str:
    """DBOS speaks psycopg 3 alone."""
    address = make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return address.render_as_string(hide_password=False)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.closure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100, help="completions of one round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where DBOS is, or is to be, installed")
    parser.add_argument("--postgresql", metavar="URL", help="a server on which databases may be made and dropped")
    chosen = parser.parse_args()
    try:
        python = prepared_environment(chosen.environment.absolute())
    except EnvironmentMissing:
        print("DBOS is not installed, and its packages could not be fetched from a package index", file=sys.stderr)
        return 3
    print(f"completions, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, databases in _each(stack, folder, chosen.postgresql):
            (folder / name).mkdir()
            print(table(name, run(folder / name, databases, python, cases=chosen.cases, rounds=chosen.rounds)))
    print("aims: level with DBOS or ahead of it on both, and no double call of ours")
    return 0


def _each(stack: ExitStack, folder: Path, url: str | None) -> Iterator[tuple[str, Databases]]:
    yield "SQLite", _sqlite(folder)
    binaries = find_binaries()
    if url is not None:
        address = make_url(url).set(drivername="postgresql+psycopg2")
        yield "PostgreSQL", _postgresql(stack, PostgresqlServer(address, _stays))
    elif binaries is not None:
        yield "PostgreSQL", _postgresql(stack, stack.enter_context(run_server(binaries, DURABLE)))
    else:
        print("PostgreSQL is not installed, and none was named")


def _stays() -> None:
    """A server that is not ours is not restarted."""


if __name__ == "__main__":
    sys.exit(main())
