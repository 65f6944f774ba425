"""The landing folder, with real files: nothing is read twice, nothing is lost, nothing is passed over in silence."""

import os
import socket
from pathlib import Path

import pytest

from dagster_project.connections.landing import (
    DONE,
    PICKED_UP,
    UNREADABLE,
    KeptAside,
    PickedUpFile,
    Unit,
    finish,
    kept_aside,
    pick_up,
    units,
)
from dagster_project.errors import Unavailable
from dagster_project.integrity.digests import digest_bytes


def drop(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(files: list[PickedUpFile]) -> list[bytes]:
    return [unit.content for file in files for unit in units(file)]


def test_a_dropped_file_is_picked_up_under_the_digest_of_its_bytes(tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson", b"{}\n")
    (file,) = pick_up(tmp_path)
    assert (file.name, file.digest) == ("a.ndjson", digest_bytes(b"{}\n"))
    assert file.path == tmp_path / PICKED_UP / f"a.ndjson.{digest_bytes(b'{}' + bytes([10]))[7:]}"
    assert not (tmp_path / "a.ndjson").exists()


def test_every_line_is_a_unit_with_its_number_and_without_its_end(tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson", b'{"a":1}\r\n\n  \t\n\xff\xfe\n{"b":2}')
    (file,) = pick_up(tmp_path)
    assert list(units(file)) == [
        Unit("a.ndjson", 1, b'{"a":1}'),
        Unit("a.ndjson", 4, b"\xff\xfe"),
        Unit("a.ndjson", 5, b'{"b":2}'),
    ]


def test_a_file_that_is_done_is_not_read_again_and_leaves_its_name_alone(tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson", b"1\n")
    (file,) = pick_up(tmp_path)
    assert finish(file)
    assert pick_up(tmp_path) == []
    assert [(path.name, path.read_bytes()) for path in (tmp_path / DONE).iterdir()] == [(file.path.name, b"")]
    assert list((tmp_path / PICKED_UP).iterdir()) == []


def test_a_process_killed_before_it_removed_a_finished_file_removes_it_the_next_time(tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson", b"1\n")
    (file,) = pick_up(tmp_path)
    (tmp_path / DONE / file.path.name).touch()
    (again,) = pick_up(tmp_path)
    assert again == file
    assert finish(again)
    assert not file.path.exists()


def test_a_file_that_was_not_finished_is_handed_out_again(tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson", b"1\n")
    first = pick_up(tmp_path)
    drop(tmp_path, "b.ndjson", b"2\n")
    assert read(pick_up(tmp_path)) == [b"1", b"2"]
    assert pick_up(tmp_path)[0] == first[0]


def test_no_more_is_taken_than_there_is_room_for_and_what_was_begun_comes_first(tmp_path: Path) -> None:
    for name in ("c", "b", "d"):
        drop(tmp_path, f"{name}.ndjson", name.encode())
    assert read(pick_up(tmp_path, limit=2)) == [b"b", b"c"]
    drop(tmp_path, "a.ndjson", b"a")
    assert read(pick_up(tmp_path, limit=2)) == [b"b", b"c"]
    assert read(pick_up(tmp_path, limit=3)) == [b"b", b"c", b"a"]
    assert (tmp_path / "d.ndjson").exists()
    assert read(pick_up(tmp_path)) == [b"a", b"b", b"c", b"d"]


def test_what_cannot_be_read_takes_nobodys_room(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").mkdir()
    drop(tmp_path, "b.ndjson", b"1\n")
    assert read(pick_up(tmp_path, limit=1)) == [b"1"]
    assert [one.reason_code for one in kept_aside(tmp_path)] == ["folder"]


def test_a_process_killed_between_taking_and_naming_a_file_loses_nothing(tmp_path: Path) -> None:
    pick_up(tmp_path)
    drop(tmp_path / PICKED_UP, "a.ndjson.0123456789abcdef.taken", b"1\n")
    drop(tmp_path, "a.ndjson", b"2\n")
    files = pick_up(tmp_path)
    assert {file.name for file in files} == {"a.ndjson"}
    assert sorted(read(files)) == [b"1", b"2"]


def test_a_link_put_in_the_place_of_a_picked_up_file_is_not_followed(tmp_path: Path) -> None:
    pick_up(tmp_path)
    (tmp_path / PICKED_UP / "a.ndjson.0123456789abcdef.taken").symlink_to("/etc/hostname")
    assert pick_up(tmp_path) == []
    assert [one.reason_code for one in kept_aside(tmp_path)] == ["symbolic_link"]


def test_the_same_name_with_other_bytes_is_another_file(tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson", b"1\n")
    pick_up(tmp_path)
    drop(tmp_path, "a.ndjson", b"2\n")
    files = pick_up(tmp_path)
    assert sorted(read(files)) == [b"1", b"2"]
    assert {file.name for file in files} == {"a.ndjson"}


def test_the_same_bytes_dropped_again_can_be_finished_again(tmp_path: Path) -> None:
    for _ in range(2):
        drop(tmp_path, "a.ndjson", b"1\n")
        (file,) = pick_up(tmp_path)
        assert finish(file)
    assert len(list((tmp_path / DONE).iterdir())) == 1


def test_finishing_a_file_that_another_process_finished_is_no_fault(tmp_path: Path) -> None:
    drop(tmp_path, "a.ndjson", b"1\n")
    (file,) = pick_up(tmp_path)
    assert finish(file)
    assert finish(file)


def test_lines_written_after_the_pick_up_are_not_lost(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.ndjson", b"1\n")
    with path.open("ab") as writer:
        (file,) = pick_up(tmp_path)
        assert read([file]) == [b"1"]
        writer.write(b"2\n")
    assert not finish(file)
    (again,) = pick_up(tmp_path)
    assert read([again]) == [b"1", b"2"]
    assert finish(again)


@pytest.mark.parametrize("name", [".a.ndjson", "a.ndjson.part", "a.ndjson.tmp"])
def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path, name: str) -> None:
    drop(tmp_path, name, b"1\n")
    assert pick_up(tmp_path) == []
    assert (tmp_path / name).exists()
    assert kept_aside(tmp_path) == []


def test_what_cannot_be_read_is_kept_aside_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "landing"
    folder.mkdir()
    drop(tmp_path, "elsewhere", b"1\n")
    (folder / "link.ndjson").symlink_to(tmp_path / "elsewhere")
    (folder / "dir.ndjson").mkdir()
    os.mkfifo(folder / "pipe.ndjson")
    drop(folder, "notes.txt", b"1\n")
    drop(folder, "line\nbreak.ndjson", b"1\n")
    drop(folder, "x" * 200 + ".ndjson", b"1\n")
    assert pick_up(folder) == []
    assert kept_aside(folder) == [
        KeptAside("dir.ndjson", "folder"),
        KeptAside("line\\nbreak.ndjson", "name_not_usable"),
        KeptAside("link.ndjson", "symbolic_link"),
        KeptAside("notes.txt", "not_ndjson"),
        KeptAside("pipe.ndjson", "not_a_regular_file"),
        KeptAside("x" * 180, "name_not_usable"),
    ]
    assert (tmp_path / "elsewhere").read_bytes() == b"1\n"


def test_two_unreadable_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    for content in (b"1", b"2"):
        drop(tmp_path, "notes.txt", content)
        pick_up(tmp_path)
    kept = kept_aside(tmp_path)
    assert [one.name for one in kept] == ["notes.txt", "notes.txt.1"]
    assert [(tmp_path / UNREADABLE / one.name).read_bytes() for one in kept] == [b"1", b"2"]


def test_a_socket_in_the_landing_folder_does_not_stop_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.ndjson")
        drop(tmp_path, "t.ndjson", b"1\n")
        assert read(pick_up(tmp_path)) == [b"1"]


@pytest.mark.parametrize("place", ["missing", "file"])
def test_a_missing_landing_folder_stops_with_what_to_do(tmp_path: Path, place: str) -> None:
    drop(tmp_path, "file", b"")
    with pytest.raises(Unavailable, match="landing_folder_unavailable"):
        pick_up(tmp_path / place)
