"""A landing file is admitted in steps: each goes on behind the one before, also after a crash."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection

from dagster_project.application.admit import BATCH
from dagster_project.application.landing import admit_landing
from dagster_project.application.workspace import Workspace
from dagster_project.connections.landing import DONE, PICKED_UP
from dagster_project.store.tables import deliveries
from tests.support.many_incidents import lines_of
from tests.support.workspaces import make_workspace


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def workspace(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = make_workspace(tmp_path, database_url=url)
    made.settings.landing.mkdir(parents=True)
    yield made
    made.store.engine.dispose()


def drop(workspace: Workspace, name: str, lines: list[bytes]) -> None:
    (workspace.settings.landing / name).write_bytes(b"".join(line + b"\n" for line in lines))


def many_lines(at_least: int) -> list[bytes]:
    lines: list[bytes] = []
    number = 0
    while len(lines) < at_least:
        lines += lines_of(number).splitlines()
        number += 1
    return lines


def delivered(workspace: Workspace) -> Counter[str]:
    """Return how often each line was delivered."""
    with workspace.store.read() as transaction:
        return Counter(transaction.connection.execute(sa.select(deliveries.c.locator)).scalars())


def lies_in(workspace: Workspace, place: str) -> list[str]:
    return [path.name.partition(".ndjson")[0] for path in sorted((workspace.settings.landing / place).iterdir())]


@contextmanager
def crash_at_commit(workspace: Workspace, number: int) -> Iterator[None]:
    """Let the process end just before the `number`-th transaction commits."""
    left = [number]

    def count(_connection: Connection) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    event.listen(workspace.store.engine, "commit", count)
    with pytest.raises(Crash):
        yield
    event.remove(workspace.store.engine, "commit", count)
    workspace.store.engine.dispose()


def test_a_large_file_is_admitted_in_steps_and_no_line_twice(workspace: Workspace) -> None:
    lines = many_lines(40)
    drop(workspace, "large.ndjson", [*lines[:3], b"", *lines[3:]])
    reports = [admit_landing(workspace, limit=1, lines=15)]
    assert lies_in(workspace, PICKED_UP) == ["large"]
    while lies_in(workspace, PICKED_UP):
        reports.append(admit_landing(workspace, limit=1, lines=15))
    assert [report.delivered for report in reports] == [15] * (len(lines) // 15) + [len(lines) % 15]
    assert {outcome for report in reports for outcome in report.counts} == {"admitted"}
    assert set(delivered(workspace).values()) == {1}
    assert lies_in(workspace, DONE) == ["large"]


def test_the_last_step_finishes_the_file_even_where_it_fills_it(workspace: Workspace) -> None:
    lines = many_lines(20)
    drop(workspace, "even.ndjson", lines)
    assert admit_landing(workspace, limit=1, lines=len(lines)).delivered == len(lines)
    assert lies_in(workspace, DONE) == ["even"]


@pytest.mark.parametrize("commit", [1, 2, 3])
def test_after_a_crash_the_next_step_goes_on_behind_the_last_commit(workspace: Workspace, commit: int) -> None:
    lines = many_lines(2 * BATCH + 1)
    drop(workspace, "large.ndjson", lines)
    with crash_at_commit(workspace, commit):
        admit_landing(workspace, limit=1)
    assert len(delivered(workspace)) == (commit - 1) * BATCH
    rest = admit_landing(workspace, limit=1)
    assert rest.counts == {"admitted": len(lines) - (commit - 1) * BATCH}
    assert set(delivered(workspace).values()) == {1}
    assert len(delivered(workspace)) == len(lines)
    assert lies_in(workspace, DONE) == ["large"]


def test_a_crash_between_the_last_commit_and_the_move_reads_nothing_again(workspace: Workspace) -> None:
    lines = many_lines(20)
    drop(workspace, "a.ndjson", lines)
    admit_landing(workspace, limit=1)
    (done,) = (workspace.settings.landing / DONE).iterdir()
    drop(workspace, "a.ndjson", lines)
    shutil.move(workspace.settings.landing / "a.ndjson", workspace.settings.landing / PICKED_UP / done.name)
    done.unlink()
    assert admit_landing(workspace, limit=1).delivered == 0
    assert lies_in(workspace, DONE) == ["a"]
    assert set(delivered(workspace).values()) == {1}


def test_a_step_takes_several_small_files_and_each_costs_one_commit(workspace: Workspace) -> None:
    for number in range(5):
        drop(workspace, f"{number}.ndjson", lines_of(number).splitlines())
    commits: list[Connection] = []
    event.listen(workspace.store.engine, "commit", commits.append)
    lines = len(lines_of(0).splitlines())
    assert admit_landing(workspace, limit=4, lines=3 * lines).delivered == 3 * lines
    assert lies_in(workspace, DONE) == ["0", "1", "2"]
    assert len(commits) == 3
    assert admit_landing(workspace, limit=4).delivered == 2 * lines
    assert lies_in(workspace, DONE) == ["0", "1", "2", "3", "4"]


def test_a_file_without_any_line_is_finished_too(workspace: Workspace) -> None:
    drop(workspace, "empty.ndjson", [b"", b"  "])
    assert admit_landing(workspace, limit=1).delivered == 0
    assert lies_in(workspace, DONE) == ["empty"]


def test_a_file_whose_bytes_change_while_it_is_read_is_read_again_as_another(workspace: Workspace) -> None:
    lines = many_lines(20)
    drop(workspace, "held.ndjson", lines[:10])
    assert admit_landing(workspace, limit=1, lines=5).delivered == 5
    (path,) = (workspace.settings.landing / PICKED_UP).iterdir()
    with path.open("ab") as file:
        file.write(b"\n".join(lines[10:]) + b"\n")
    assert admit_landing(workspace, limit=1).counts == {"admitted": len(lines) - 5}
    assert admit_landing(workspace, limit=1).counts == {"duplicate": len(lines)}
    assert lies_in(workspace, PICKED_UP) == []
    drop(workspace, "held.ndjson", lines[:10])
    assert admit_landing(workspace, limit=1).counts == {"duplicate": 10}
