"""Every change to the files of a published folder is found: bytes, lengths, places, names, and what nobody signed."""

import os
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from dagster_project.connections.published_folder import LARGEST_FILE
from dagster_project.integrity.publication import tombstone_path
from tests.support.outsiders import VIOLATION, Outsider, restated, small
from tests.support.published_folders import Ceremonies, Publisher


@pytest.fixture
def outsider(tmp_path: Path) -> Outsider:
    return Outsider(tmp_path)


def flip_every_byte(outsider: Outsider, file: Path) -> None:
    body = file.read_bytes()
    for at in range(len(body)):
        file.write_bytes(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        assert outsider.refuses_what_lies_there().exit_code == VIOLATION, (file.name, at)
    file.write_bytes(body)
    outsider.verifies()


def test_every_byte_of_every_file_is_guarded(outsider: Outsider) -> None:
    publisher = Publisher().release()
    outsider.accepts(publisher)
    for path in publisher.files:
        flip_every_byte(outsider, outsider.folder / path)


def test_every_byte_of_a_tombstone_is_guarded(outsider: Outsider) -> None:
    outsider.accepts(small())
    flip_every_byte(outsider, outsider.folder / tombstone_path(1))


def test_every_byte_of_the_public_trust_file_is_guarded_even_at_first_sight(outsider: Outsider) -> None:
    outsider.is_given(small(), Ceremonies().add().add(index=("index", "other")))
    flip_every_byte(outsider, outsider.trust_file)


def test_a_truncated_or_lengthened_file_is_refused(outsider: Outsider) -> None:
    publisher = small()
    outsider.accepts(publisher)
    for path, body in publisher.files.items():
        for altered in (*(body[:end] for end in {*range(0, len(body), 512), len(body) - 1}), body + b"\n"):
            (outsider.folder / path).write_bytes(altered)
            assert outsider.refuses_what_lies_there().exit_code == VIOLATION, (path, len(altered))
        (outsider.folder / path).write_bytes(body)


def test_a_deleted_file_is_refused_by_its_name(outsider: Outsider) -> None:
    publisher = small()
    outsider.accepts(publisher)
    for path, body in publisher.files.items():
        (outsider.folder / path).unlink()
        refusal = outsider.refuses_what_lies_there()
        assert (refusal.code, refusal.where) == ("published_file_missing", path)
        (outsider.folder / path).write_bytes(body)


def test_files_that_changed_places_are_refused(outsider: Outsider) -> None:
    publisher = Publisher().release().release()
    paths = list(publisher.files)
    for number, left in enumerate(paths):
        for right in paths[number + 1 :]:
            if publisher.files[left] != publisher.files[right]:
                swapped = {left: publisher.files[right], right: publisher.files[left]}
                outsider.is_given(Publisher(files={**publisher.files, **swapped}))
                assert outsider.refuses_what_lies_there().exit_code == VIOLATION, (left, right)


@pytest.mark.parametrize(
    "path",
    ["notes.txt", "v000001/annex.json", "v000004/package.json", "index/00000009.dsse.json", "index/4.dsse.json",
     "tombstones/v000007.json", "v1/package.json", "other/package.json"],
)  # fmt: skip
def test_a_file_that_nobody_signed_is_refused(outsider: Outsider, path: str) -> None:
    publisher = small()
    outsider.accepts(publisher)
    publisher.files[path] = b"{}"
    assert outsider.refuses(publisher, code="published_file_unlisted").where == path


def link_to_a_file(folder: Path) -> None:
    page = folder / "v000002/package.txt"
    page.rename(folder.parent / "outside.txt")
    page.symlink_to(folder.parent / "outside.txt")


def link_to_a_folder(folder: Path) -> None:
    (folder / "v000002").rename(folder.parent / "outside")
    (folder / "v000002").symlink_to(folder.parent / "outside")


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "v000002/pipe")


def names_that_are_one_elsewhere(folder: Path) -> None:
    (folder / "v000002/PACKAGE.txt").write_bytes(b"")


def a_name_that_climbs(folder: Path) -> None:
    (folder / "v000002/up\\..\\package.txt").write_bytes(b"")


def a_name_in_another_alphabet(folder: Path) -> None:
    (folder / "v000002/p\N{CYRILLIC SMALL LETTER A}ckage.txt").write_bytes(b"")


def a_name_that_is_no_text(folder: Path) -> None:
    (folder / os.fsdecode(b"v000002/\xff")).write_bytes(b"")


def a_folder_in_a_folder(folder: Path) -> None:
    (folder / "v000002/v000002").mkdir()


def a_file_without_end(folder: Path) -> None:
    with (folder / "v000002/package.txt").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (link_to_a_file, "published_link"),
        (link_to_a_folder, "published_link"),
        (a_pipe, "published_not_a_file"),
        (names_that_are_one_elsewhere, "published_case_collision"),
        (a_name_that_climbs, "published_name_refused"),
        (a_name_in_another_alphabet, "published_name_refused"),
        (a_name_that_is_no_text, "published_name_refused"),
        (a_folder_in_a_folder, "published_folder_too_deep"),
        (a_file_without_end, "published_file_too_large"),
    ],
)
def test_what_no_published_folder_holds_is_refused(
    outsider: Outsider, change: Callable[[Path], None], code: str
) -> None:
    outsider.accepts(small())
    change(outsider.folder)
    refusal = outsider.refuses_what_lies_there()
    assert (refusal.code, refusal.exit_code) == (code, VIOLATION)
    assert str(refusal).isascii()


def test_a_signed_path_that_climbs_out_of_the_folder_is_refused(outsider: Outsider) -> None:
    def climb(document: dict[str, Any]) -> None:
        document["subject"][0]["name"] = "../package.html"
        document["subject"].sort(key=lambda one: one["name"])

    outsider.refuses(restated(climb), code="payload_files_not_complete")


def test_another_package_of_the_same_publisher_is_not_taken_for_this_one(outsider: Outsider) -> None:
    other = Publisher(package_id="other00000").release()
    outsider.accepts(small())
    rmtree(outsider.folder)
    other.write(outsider.place).rename(outsider.folder)
    assert outsider.refuses_what_lies_there().code == "package_id_differs"
    outsider.state.unlink()
    assert outsider.refuses_what_lies_there().code == "package_id_differs"
