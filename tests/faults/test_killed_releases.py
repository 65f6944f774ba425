"""SIGKILL at every step of a release, a pull and of publishing: an onlooker is never shown half of anything.

After every death the folder is looked at with public trust and what was seen before; then a fresh process does what the
deployment does by itself, and the folder must be what it would be had nobody died. By default some of the steps are
taken, other ones on each database; with CHANNELSAFE_EXAMPLES=full it is every one.
"""

import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

import pytest
import sqlalchemy as sa

from dagster_project.application.deciding import take_decision
from dagster_project.application.drafting_decisions import current_version
from dagster_project.application.issuing import INDEX_CADENCE
from dagster_project.application.projecting import project
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.publication import PULLED
from dagster_project.integrity.signatures import read_envelope
from dagster_project.review.decisions import Act, read_decision
from dagster_project.store.release_tables import package_indexes
from tests.fixtures.postgresql import PostgresqlServer
from tests.support import killing
from tests.support.histories import FULL
from tests.support.killing import Place, run, start
from tests.support.onlookers import Onlooker, onlooker
from tests.support.review_people import Bench
from tests.support.told_bridges import BRIDGE, INCIDENT, approved, signed_pull, told_both
from tests.support.workspaces import make_workspace, play_scenario

STRIDE: Final = 1 if FULL else 11
SECONDS_TO_WAIT: Final = 60.0
DATABASES: Final = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


@dataclass(frozen=True)
class Scene:
    """A deployment just before an act, and whoever saw its folders last. `database` names its PostgreSQL database."""

    place: Place
    package_id: str
    decision: bytes
    seen: Onlooker
    server: PostgresqlServer | None
    database: str

    @contextmanager
    def copy(self, folder: Path) -> Iterator["Scene"]:
        """A copy of everything under `folder`, gone at the end."""
        name = f"killed_{secrets.token_hex(6)}"
        url = self.server.create_database(name, template=self.database) if self.server else None
        shutil.copytree(self.seen.place, folder / "onlooker")
        place = self.place.copied_to(folder / "deployment", url)
        try:
            yield Scene(place, self.package_id, self.decision, Onlooker(folder / "onlooker"), self.server, name)
        finally:
            shutil.rmtree(folder)
            if self.server:
                self.server.drop_database(name)

    @property
    def folder(self) -> Path:
        return self.place.settings.published / self.package_id

    def committed(self) -> Mapping[str, int]:
        """How many indexes the store has of every package."""
        workspace = self.place.open()
        columns = package_indexes.c.package_id, sa.func.count().label("number")
        counted = sa.select(*columns).group_by(package_indexes.c.package_id)
        try:
            with workspace.store.engine.connect() as connection:
                return {one.package_id: one.number for one in connection.execute(counted)}
        finally:
            workspace.store.engine.dispose()


def before_a_release(bench: Bench) -> bytes:
    play_scenario(bench.workspace, from_step=3, until_step=6)
    approved(bench, BRIDGE)
    return b""


def before_a_pull(bench: Bench) -> bytes:
    return signed_pull(bench)


def before_a_restoration(bench: Bench) -> bytes:
    """A field was pulled and may be told again: with its release, the version that was suspended comes back."""
    pull = signed_pull(bench)
    pulled = read_decision(read_envelope(pull)).fields
    version = take_decision(bench.workspace, pull).version
    assert version is not None
    project(bench.workspace)
    bench.act("ines", Act.RESTORE, INCIDENT, BRIDGE, version=version.version, fields=pulled)
    approved(bench, BRIDGE)
    return b""


def before_renewal(bench: Bench) -> bytes:
    clock = bench.workspace.clock
    assert isinstance(clock, FixedClock)
    clock.set(clock.now() + INDEX_CADENCE)
    return b""


def before_three_are_published(bench: Bench) -> bytes:
    """Nobody published for a while: a version, an index that was due, and the withdrawal of another version wait."""
    before_a_release(bench)
    release(bench.workspace, INCIDENT, BRIDGE)
    before_renewal(bench)
    killing.renew(bench.workspace)
    bench.act("ines", Act.WITHDRAW, INCIDENT, BRIDGE, version=1, reason="never so")
    return b""


def before_what_was_taken_back_is_published(bench: Bench) -> bytes:
    """Nobody published a version before something of it was pulled."""
    before_a_release(bench)
    release(bench.workspace, INCIDENT, BRIDGE)
    take_decision(bench.workspace, signed_pull(bench))
    return b""


Prepare: TypeAlias = Callable[[Bench], bytes]
Perform: TypeAlias = Callable[[Workspace, bytes], None]
ACTS: Final[Mapping[str, tuple[Prepare, Perform]]] = {
    "a release": (before_a_release, killing.releasing),
    "a pull": (before_a_pull, killing.pulling),
    "a restoration": (before_a_restoration, killing.releasing),
    "a renewal": (before_renewal, killing.renewing),
    "publishing what waits": (before_three_are_published, killing.projecting),
}


@contextmanager
def scene(folder: Path, prepare: Prepare, server: PostgresqlServer | None) -> Iterator[Scene]:
    """Play up to just before an act, and let somebody see what is published then."""
    database = f"scene_{secrets.token_hex(6)}"
    url = server.create_database(database) if server else None
    workspace = make_workspace(folder / "deployment", database_url=url)
    bench = told_both(workspace)
    decision = prepare(bench)
    seen = onlooker(workspace, folder / "onlooker")
    package_id = current_version(workspace, INCIDENT, BRIDGE).package_id
    now = workspace.clock.now()
    seen.verifies(workspace.settings.published / package_id, now)
    # Nobody may be connected to a database that is copied.
    workspace.store.engine.dispose()
    yield Scene(Place(workspace.settings, now), package_id, decision, seen, server, database)
    if server:
        server.drop_database(database)


@pytest.fixture(params=DATABASES)
def server(request: pytest.FixtureRequest) -> PostgresqlServer | None:
    """The server of the databases; None for SQLite."""
    found: PostgresqlServer | None = None
    if request.param == "postgresql":
        found = request.getfixturevalue("postgresql_server")
    return found


def steps(server: PostgresqlServer | None, stride: int = STRIDE) -> Iterator[int]:
    """Yield the steps at which to die: every one, or other ones on each database."""
    return count(1 if server is None else (stride + 1) // 2, stride)


@dataclass(frozen=True)
class Outcome:
    """What an act comes to when nobody dies: all files, all indexes, and what is current before and after."""

    files: Mapping[str, Mapping[str, bytes]]
    indexes: Mapping[str, int]
    current: frozenset[int | None]


def outcome(before: Scene, act: Perform, folder: Path) -> Outcome:
    with before.copy(folder) as undisturbed:
        assert run(act, undisturbed.place, before.decision)
        current = frozenset(one.seen.sees(one.folder).index.current for one in (before, undisturbed))
        return Outcome(undisturbed.place.packages(), undisturbed.committed(), current)


def judge_every_death(before: Scene, act: Perform, folder: Path, at_steps: Iterator[int]) -> Counter[str]:
    """Let an act die at one step after the other; return what an onlooker saw right after each death."""
    seen: Counter[str] = Counter()
    undisturbed = outcome(before, act, folder / "undisturbed")
    files_before = before.place.packages()
    for step in at_steps:
        with before.copy(folder / "killed") as killed:
            if run(act, killed.place, before.decision, die_at=step):
                return seen
            seen[killed.seen.looks_at(killed.folder, killed.place.at)] += 1
            assert killed.seen.sees(killed.folder).index.current in undisturbed.current
            assert run(killing.projecting, killed.place)
            committed = killed.committed()
            assert killed.place.packages() == {
                one: undisturbed.files[one] if committed[one] == undisturbed.indexes[one] else files_before[one]
                for one in committed
            }
            assert killed.seen.looks_at(killed.folder, killed.place.at) == "finished"
            assert run(killing.repeating(act), killed.place, before.decision)
            assert killed.place.packages() == undisturbed.files
    raise AssertionError("there is a step for every number")


@pytest.mark.parametrize("name", ACTS)
def test_whenever_it_dies_the_folder_is_whole_and_gets_there_without_a_person(
    name: str, server: PostgresqlServer | None, tmp_path: Path, announce: Callable[[str], None]
) -> None:
    prepare, act = ACTS[name]
    with scene(tmp_path / "scene", prepare, server) as before:
        seen = judge_every_death(
            before, act, tmp_path, steps(server, min(STRIDE, 5) if name == "a renewal" else STRIDE)
        )
    announce(f"killed during {name} on {'SQLite' if server is None else 'PostgreSQL'}: {dict(seen)}")
    assert len(seen) > 1, "it never died while it wrote: the test proves nothing"


@pytest.mark.parametrize(
    ("prepare", "act"),
    [
        (before_renewal, killing.newest_index_first),
        (before_three_are_published, killing.removing_first),
        (before_renewal, killing.writing_in_place),
    ],
)
def test_a_publisher_that_goes_about_it_in_another_way_is_found_out(
    prepare: Prepare, act: Perform, tmp_path: Path
) -> None:
    with (
        scene(tmp_path / "scene", prepare, None) as before,
        pytest.raises((AssertionError, IntegrityViolation)),
    ):
        judge_every_death(before, act, tmp_path, count(1, 2))


def test_what_was_pulled_before_it_was_published_is_never_published(
    server: PostgresqlServer | None, tmp_path: Path
) -> None:
    """Two indexes come at once then; an onlooker may refuse what is under way, and is shown nothing of the first."""
    with scene(tmp_path / "scene", before_what_was_taken_back_is_published, server) as before:
        undisturbed = outcome(before, killing.projecting, tmp_path / "undisturbed")
        assert "tombstones/v000003.json" in undisturbed.files[before.package_id]
        for step in steps(server):
            with before.copy(tmp_path / "killed") as killed:
                if run(killing.projecting, killed.place, die_at=step):
                    break
                assert not any(
                    path.startswith("v000003/package") for path in killed.place.packages()[before.package_id]
                )
                assert run(killing.projecting, killed.place)
                assert killed.place.packages() == undisturbed.files
                assert killed.seen.looks_at(killed.folder, killed.place.at) == "finished"


def test_a_pull_is_in_the_folder_as_soon_as_its_process_is_done(
    server: PostgresqlServer | None, tmp_path: Path, announce: Callable[[str], None]
) -> None:
    with scene(tmp_path / "scene", before_a_pull, server) as before:
        pulled = before.seen.sees(before.folder).index.current
        assert pulled is not None
        payload = before.folder / f"v{pulled:06d}" / "package.json"
        assert payload.exists()
        began = time.monotonic()
        assert run(killing.pulling, before.place, before.decision)
        took = time.monotonic() - began
        index = before.seen.sees(before.folder).index
        assert index.versions[pulled].state in PULLED
        assert not payload.exists()
        assert before.seen.looks_at(before.folder, before.place.at) == "finished"
    announce(f"a pull was in the folder {took:.2f} s after its process was started")


def test_a_pull_whose_process_died_is_published_by_the_next_round_of_the_deployment(
    server: PostgresqlServer | None, tmp_path: Path
) -> None:
    with scene(tmp_path / "scene", before_a_pull, server) as before:
        undisturbed = outcome(before, killing.pulling, tmp_path / "undisturbed")
        assert run(killing.deciding, before.place, before.decision)
        assert before.place.packages() != undisturbed.files
        assert run(killing.going_round, before.place)
        assert before.place.packages() == undisturbed.files
        assert before.seen.looks_at(before.folder, before.place.at) == "finished"


def test_publishers_that_run_at_once_leave_what_one_alone_would(
    server: PostgresqlServer | None, tmp_path: Path
) -> None:
    with scene(tmp_path / "scene", before_three_are_published, server) as before:
        undisturbed = outcome(before, killing.projecting, tmp_path / "undisturbed")
        running = [start(killing.projecting, before.place) for _ in range(4)]
        for one in running:
            one.join()
        assert [one.exitcode for one in running] == [0] * 4
        assert before.place.packages() == undisturbed.files
        assert before.seen.looks_at(before.folder, before.place.at) == "finished"
