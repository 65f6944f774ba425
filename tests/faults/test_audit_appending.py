"""Whoever appends and whatever is killed meanwhile, the log has one order without gaps, and the anchor follows it."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dagster_project.application.audit_log import anchor_checkpoints
from dagster_project.application.workspace import Workspace
from dagster_project.connections.anchor import AnchorFile
from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.checkpoints import kept_bytes
from dagster_project.store.audit import AuditEntry, entries_after
from tests.support.audited_logs import (
    LOG,
    append,
    checkpoint,
    checkpoint_unanchored,
    command_line_of_audited,
    faults,
    make_audited,
    ranges,
    reopened,
    verify,
)

PROGRAM = Path(__file__).parents[1] / "fixtures" / "append_entries.py"
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A deployment with one audit entry, that of its trust, and no checkpoint."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    workspace = make_audited(tmp_path, database_url=url)
    yield workspace
    workspace.store.engine.dispose()


def program(workspace: Workspace, *, processes: int, each: int) -> Sequence[str]:
    settings = workspace.settings
    arguments = (settings.home, settings.database_url or "", settings.keys, settings.anchor, processes, each)
    return [sys.executable, str(PROGRAM), *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def entries(workspace: Workspace) -> list[AuditEntry]:
    with workspace.store.read() as transaction:
        return entries_after(transaction, 0, limit=100_000)


def anchor_path(workspace: Workspace) -> Path:
    path = workspace.settings.anchor
    assert path is not None
    return path


def test_fifty_processes_at_once_make_one_log(fresh: Workspace) -> None:
    done = subprocess.run(program(fresh, processes=50, each=4), env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = entries(fresh)
    assert [entry.sequence for entry in found] == list(range(1, 202))
    assert sorted(map(int, done.stdout.split())) == list(range(2, 202))
    assert set(Counter(entry.actor for entry in found[1:]).values()) == {4}
    for actor in {entry.actor for entry in found[1:]}:
        assert [entry.subject for entry in found if entry.actor == actor] == ["0", "1", "2", "3"]
    answer = verify(fresh)
    assert (answer.code, ranges(answer)[0][2]) == (0, "anchored")


def test_whatever_was_acknowledged_before_the_process_was_killed_is_there_and_proved(fresh: Workspace) -> None:
    acknowledged = 1
    for kills in range(1, 4):
        command = program(fresh, processes=1, each=0)
        running = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, start_new_session=True)
        assert running.stdout is not None
        for _ in range(5 + 2 * kills):
            acknowledged = int(running.stdout.readline())
        os.killpg(running.pid, signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, running.stdout.read().split())])
        running.wait(timeout=60)
        found = [entry.sequence for entry in entries(fresh)]
        assert found == list(range(1, len(found) + 1))
        assert len(found) - acknowledged in {0, 1}  # one may be committed and not told
        answer = verify(fresh)
        assert (answer.code, faults(answer)) == (0, set())
    assert checkpoint(fresh) == len(entries(fresh))
    assert ranges(verify(fresh)) == [(1, len(entries(fresh)), "anchored")]


def test_a_checkpoint_whose_process_died_before_it_was_anchored_is_anchored_with_the_next(audited: Workspace) -> None:
    assert verify(audited).json["found"]["anchored_until"] == LOG.anchored
    assert anchor_checkpoints(audited) == LOG.signed
    append(audited, 1)
    assert checkpoint(audited) == LOG.now + 1
    sizes = [one.size for one in AnchorFile(anchor_path(audited)).checkpoints()[0]]
    assert sizes == [LOG.first, LOG.anchored, LOG.signed, LOG.now + 1]


def test_a_checkpoint_whose_process_died_before_it_was_marked_is_anchored_once(audited: Workspace) -> None:
    anchor_checkpoints(audited)
    kept = checkpoint_unanchored(audited)
    with anchor_path(audited).open("ab") as file:
        file.write(kept_bytes(kept) + b"\n")
    before = anchor_path(audited).read_bytes()
    assert anchor_checkpoints(audited) == LOG.now
    assert anchor_path(audited).read_bytes() == before


TORN: dict[str, Callable[[bytes], bytes]] = {
    "its first byte": lambda line: line[:1],
    "half of it": lambda line: line[: len(line) // 2],
    "all but its end": lambda line: line,
    "more than the next line": lambda _line: b"x" * 5000,
}


@pytest.mark.parametrize("what", TORN)
def test_a_torn_line_in_the_anchor_is_cut_off_once_and_that_is_written_down(audited: Workspace, what: str) -> None:
    with anchor_path(audited).open("ab") as file:
        file.write(TORN[what](kept_bytes(checkpoint_unanchored(audited))))
    assert verify(audited).code == 0
    assert append(audited, 1) == LOG.now + 1
    assert checkpoint(audited) == LOG.now + 1
    assert [entry.action for entry in entries(audited)][-1] == "anchor_repaired"
    append(audited, 1)
    checkpoint(audited)
    assert [entry.action for entry in entries(audited)].count("anchor_repaired") == 1
    answer = verify(audited)
    assert (answer.code, ranges(answer)) == (0, [(1, LOG.now + 3, "anchored")])


def test_a_whole_line_in_the_anchor_that_is_no_checkpoint_is_damage_and_never_repaired(audited: Workspace) -> None:
    path = anchor_path(audited)
    path.write_bytes(path.read_bytes() + b"{}\n")
    answer = verify(audited)
    assert (answer.code, {code for code, *_ in faults(answer)}) == (4, {"anchor_unreadable"})
    for act in (append, lambda workspace, _count: checkpoint(workspace)):
        with pytest.raises(IntegrityViolation, match="checkpoint_unreadable"):
            act(audited, 1)
    assert path.read_bytes().endswith(b"{}\n")


def test_checkpoints_in_another_order_in_the_anchor_are_damage(audited: Workspace) -> None:
    path = anchor_path(audited)
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    answer = verify(audited)
    assert (answer.code, faults(answer)) == (4, {("anchor_out_of_order", LOG.first + 1, LOG.anchored)})


def test_of_two_who_anchor_at_once_the_second_does_not_write_over_the_first(audited: Workspace) -> None:
    anchor = AnchorFile(anchor_path(audited))
    seen = anchor.newest()
    assert anchor_checkpoints(audited) == LOG.signed
    before = anchor.path.read_bytes()
    with pytest.raises(Unavailable, match="anchor_moved"):
        anchor.append([checkpoint_unanchored(audited)], after=seen)
    assert anchor.path.read_bytes() == before


@pytest.mark.parametrize("lines", [0, 1])
def test_an_anchor_that_is_gone_or_an_older_copy_is_never_begun_anew(audited: Workspace, lines: int) -> None:
    path = anchor_path(audited)
    kept = b"".join(path.read_bytes().splitlines(keepends=True)[:lines])
    path.write_bytes(kept)
    answer = verify(audited)
    older = {("anchor_rolled_back", (0, LOG.first)[lines] + 1, LOG.anchored)}
    assert (answer.code, faults(answer)) == (4, older)
    for act in (append, lambda workspace, _count: checkpoint(workspace)):
        with pytest.raises(Unavailable, match="anchor_missing"):
            act(audited, 1)
    assert path.read_bytes() == kept


def test_an_anchor_out_of_reach_stops_the_log_instead_of_being_passed_over(audited: Workspace) -> None:
    path = anchor_path(audited)
    path.rename(path.with_name("away"))
    path.mkdir()
    with pytest.raises(Unavailable, match="anchor_unavailable"):
        append(audited, 1)
    assert verify(audited).code == 3
    assert len(entries(audited)) == LOG.now


def test_an_anchor_inside_the_data_folder_is_refused(fresh: Workspace) -> None:
    inside = replace(fresh.settings, anchor=fresh.settings.home / "sub" / "anchor.ndjson")
    answer = command_line_of_audited(replace(fresh, settings=inside))("audit", "verify")
    assert answer.code == 2
    assert "anchor_inside_home" in answer.err


def test_checkpoints_of_before_there_was_an_anchor_are_anchored_with_the_first(fresh: Workspace) -> None:
    alone = reopened(fresh, anchor=None)
    for _ in range(2):
        append(alone, 2)
        checkpoint_unanchored(alone)
    assert ranges(verify(alone)) == [(1, 5, "unanchored")]
    held = reopened(alone, anchor=fresh.settings.anchor)
    assert ranges(verify(held)) == [(1, 5, "unanchored")]
    assert anchor_checkpoints(held) == 5
    assert [one.size for one in AnchorFile(anchor_path(held)).checkpoints()[0]] == [3, 5]
    assert ranges(verify(held)) == [(1, 5, "anchored")]
    alone.store.engine.dispose()
    held.store.engine.dispose()
