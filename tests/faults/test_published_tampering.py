"""What the publisher itself does about a published folder that is not as it left it, or cannot be written.

Whatever the store knows is put back; what the store does not know is refused by its name, after everything else was
done: a pull never waits for somebody to tidy up. A full or read-only disk is said clearly, and nothing is half there.
"""

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from dagster_project.application.deciding import take_decision
from dagster_project.application.drafting_decisions import current_version
from dagster_project.application.projecting import packages_waiting, project, project_package
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.publication import payload_paths, tombstone_path
from dagster_project.review.decisions import Act
from dagster_project.store.release_tables import package_indexes
from tests.support.onlookers import Onlooker, onlooker
from tests.support.review_people import Bench
from tests.support.told_bridges import BRIDGE, INCIDENT, approved, signed_pull, told_both
from tests.support.workspaces import make_workspace, play_scenario


@dataclass(frozen=True)
class Published:
    """A deployment whose packages are published, the folder of one, and an onlooker who saw it."""

    bench: Bench
    package_id: str
    seen: Onlooker

    @property
    def workspace(self) -> Workspace:
        return self.bench.workspace

    @property
    def folder(self) -> Path:
        return self.workspace.settings.published / self.package_id

    def files(self) -> Mapping[str, bytes]:
        """Return every file of the folder, hidden ones too."""
        return {str(one.relative_to(self.folder)): one.read_bytes() for one in self.folder.rglob("*") if one.is_file()}

    def other_waits(self) -> str:
        """Let the other package have something to publish, and return its id."""
        row = current_version(self.workspace, INCIDENT, "tidewater")
        self.bench.act("leo", Act.WITHDRAW, INCIDENT, "tidewater", version=1, reason="never so")
        return row.package_id

    def looks(self) -> str:
        return self.seen.looks_at(self.folder, self.workspace.clock.now())


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Published]:
    """On SQLite: the database has no part in what lies in the folder."""
    workspace = make_workspace(tmp_path / "deployment")
    bench = told_both(workspace)
    package_id = current_version(workspace, INCIDENT, BRIDGE).package_id
    made = Published(bench, package_id, onlooker(workspace, tmp_path / "onlooker"))
    assert made.looks() == "finished"
    yield made
    workspace.store.engine.dispose()


# ---- what is not as it was left ----------------------------------------------------------------------------------


def test_a_file_that_is_missing_or_changed_is_put_back(published: Published) -> None:
    before = published.files()
    for path, body in before.items():
        for damage in (None, b"", body[:-1], bytes([body[0] ^ 1]) + body[1:], body + b" "):
            if damage is None:
                (published.folder / path).unlink()
            else:
                (published.folder / path).write_bytes(damage)
            project_package(published.workspace, published.package_id)
            assert published.files() == before, path
    assert published.looks() == "finished"


def test_a_whole_folder_that_is_gone_is_put_back(published: Published) -> None:
    before = published.files()
    shutil.rmtree(published.folder)
    project_package(published.workspace, published.package_id)
    assert published.files() == before
    assert published.looks() == "finished"


def test_a_file_that_is_a_link_now_is_a_file_again_and_where_it_led_to_is_untouched(
    published: Published, tmp_path: Path
) -> None:
    before = published.files()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"ours alone")
    path = published.folder / payload_paths(2)[0]
    path.unlink()
    path.symlink_to(elsewhere)
    project_package(published.workspace, published.package_id)
    assert not path.is_symlink()
    assert elsewhere.read_bytes() == b"ours alone"
    assert published.files() == before


def test_nothing_is_written_or_removed_through_a_folder_that_is_a_link_now(
    published: Published, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    folder = published.folder / "v000002"
    folder.rename(elsewhere)
    (elsewhere / "package.txt").unlink()
    folder.symlink_to(elsewhere)
    left = sorted(one.name for one in elsewhere.iterdir())
    with pytest.raises(IntegrityViolation, match="published_link"):
        project_package(published.workspace, published.package_id)
    take_decision(published.workspace, signed_pull(published.bench))
    with pytest.raises(IntegrityViolation, match="published_link"):
        project(published.workspace)
    assert sorted(one.name for one in elsewhere.iterdir()) == left


FOREIGN: Final[Mapping[str, Callable[[Path], object]]] = {
    "notes.txt": lambda path: path.write_text("x"),
    "v000002/annex.json": lambda path: path.write_text("x"),
    "v000009/package.json": lambda path: path.write_text("x"),
    "index/00000009.dsse.json": lambda path: path.write_text("x"),
    "tombstones/v000002.txt": lambda path: path.write_text("x"),
    "v000001/package.JSON": lambda path: path.write_text("x"),
    "v000001/deep/package.json": lambda path: path.write_text("x"),
    "linked": lambda path: path.symlink_to("/etc"),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("path", FOREIGN)
def test_what_nobody_published_is_refused_by_its_name_once_a_pull_took_effect(published: Published, path: str) -> None:
    place = published.folder / path
    place.parent.mkdir(exist_ok=True)
    FOREIGN[path](place)
    take_decision(published.workspace, signed_pull(published.bench))
    with pytest.raises(IntegrityViolation) as refusal:
        project(published.workspace)
    assert path.partition("/")[0] in refusal.value.where
    assert not (published.folder / payload_paths(2)[0]).exists()
    assert (published.folder / tombstone_path(2)).exists()
    assert packages_waiting(published.workspace) == [published.package_id], "it is not taken for published"
    place.unlink()
    if place.parent.name == "deep":
        place.parent.rmdir()  # a folder is no file that Channelsafe could have left
    project(published.workspace)
    assert published.looks() == "finished"


def test_what_is_wrong_with_one_package_keeps_no_other_from_being_published(published: Published) -> None:
    take_decision(published.workspace, signed_pull(published.bench))
    other = published.other_waits()
    first = min(other, published.package_id)
    (published.workspace.settings.published / first / "notes.txt").write_text("x")
    with pytest.raises(IntegrityViolation, match=r"notes\.txt"):
        project(published.workspace)
    assert packages_waiting(published.workspace) == [first]


# ---- where nothing can be written --------------------------------------------------------------------------------


@contextmanager
def disk_fails_from(call: int, name: str, error: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let a call of the operating system fail from its n-th time on, as on a disk that is full or read-only now."""
    real, numbers, failed = getattr(os, name), count(1), list[str]()

    def failing(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the call takes
        if next(numbers) >= call:
            failed.append(name)
            raise OSError(error, os.strerror(error))
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, name, failing)
        yield failed


def waits_for_three(published: Published) -> None:
    """Let a release and a pull of another version wait for their publication."""
    play_scenario(published.workspace, from_step=3, until_step=6)
    approved(published.bench, BRIDGE)
    release(published.workspace, INCIDENT, BRIDGE)
    published.bench.act("ines", Act.WITHDRAW, INCIDENT, BRIDGE, version=1, reason="never so")


@pytest.mark.parametrize(
    ("name", "error"),
    [("fsync", errno.ENOSPC), ("fsync", errno.EIO), ("replace", errno.EDQUOT), ("mkdir", errno.ENOSPC),
     ("fchmod", errno.EROFS), ("unlink", errno.EROFS)],
)  # fmt: skip
def test_wherever_the_disk_fails_it_is_said_nothing_is_half_there_and_it_goes_on_by_itself(
    name: str, error: int, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_for_three(published)
    kept = published.workspace.settings.published.with_name("kept")
    shutil.copytree(published.folder, kept)
    for call in count(1, 1 if name in {"mkdir", "unlink"} else 3):
        shutil.rmtree(published.folder)
        shutil.copytree(kept, published.folder)
        seen = published.seen.state.read_bytes()
        with disk_fails_from(call, name, error, monkeypatch) as failed:
            if not (refusal := _refusal(published)):
                assert call > 1
                return
        assert failed
        assert refusal.code == "published_folder_unavailable"
        assert published.looks() in {"finished", "pull_not_finished", "release_not_finished"}
        published.seen.sees(published.folder)
        assert packages_waiting(published.workspace) == [published.package_id]
        project_package(published.workspace, published.package_id)
        assert published.looks() == "finished"
        published.workspace.store.engine.dispose()
        published.seen.state.write_bytes(seen)
        _wait_again(published)


def _refusal(published: Published) -> Unavailable | None:
    try:
        project_package(published.workspace, published.package_id)
    except Unavailable as error:
        return error
    return None


def _wait_again(published: Published) -> None:
    """Let the newest index wait for its publication again."""
    with published.workspace.store.begin() as transaction:
        ours = package_indexes.c.package_id == published.package_id
        transaction.connection.execute(sa.update(package_indexes).where(ours).values(published_at=None))


def test_a_full_disk_leaves_no_half_file_behind(published: Published) -> None:
    waits_for_three(published)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Statements and indexes fit, pages do not: a file is cut off in its middle by the kernel itself.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(Unavailable, match="published_folder_unavailable"):
            project_package(published.workspace, published.package_id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(published.folder.rglob(".*"))
    assert published.looks() in {"finished", "release_not_finished"}
    project(published.workspace)
    assert published.looks() == "finished"
