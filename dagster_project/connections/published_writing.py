"""Writing a published folder so that whoever reads it never sees half of anything.

Belongs here: files under temporary names, synchronized, renamed into place; what is in place already with the same
bytes stays; and that one process writes at a time. Which files, and in which order, is `application.projecting`;
reading one as an outsider is `published_folder`.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dagster_project.errors import IntegrityViolation, Unavailable

_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755
_LOCK: Final = ".writing"


@contextmanager
def alone_in(published: Path) -> Iterator[None]:
    """Wait until no other process writes under the published folder; a process that dies lets go of it.

    Raises:
        Unavailable: the folder cannot be written.
    """
    try:
        _make_folder(published)
        descriptor = os.open(published / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unavailable(published / _LOCK, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_if_published(root: Path, name: str) -> bytes | None:
    """Return the bytes of a file; None where there is none that can be read."""
    try:
        return (root / name).read_bytes()
    except OSError:
        return None


def write_published(root: Path, name: str, body: bytes) -> bool:
    """Put a file in place whole; return False where it lies there already with these bytes.

    Raises:
        Unavailable: the folder cannot be written.
        IntegrityViolation: a folder on the way is a link, and leads out of the published folder.
    """
    path = root / name
    _refuse_links(root, path)
    try:
        if path.is_file() and not path.is_symlink() and path.read_bytes() == body:
            return False
        _make_folder(path.parent)
        _replace(path, body)
        _synchronize(path.parent)
    except OSError as error:
        raise _unavailable(path, error) from error
    return True


def remove_published(root: Path, name: str) -> bool:
    """Take a file away; return False where it is not there.

    Raises:
        Unavailable: the folder cannot be written.
        IntegrityViolation: a folder on the way is a link, and leads out of the published folder.
    """
    path = root / name
    _refuse_links(root, path)
    try:
        path.unlink()
        _synchronize(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unavailable(path, error) from error
    return True


def clear_unfinished(root: Path) -> None:
    """Take away what writers that died left behind: names that begin with a dot.

    Raises:
        Unavailable: the folder cannot be written.
    """
    if root.is_dir():
        for path in [one for one in root.rglob(".*") if one.is_symlink() or not one.is_dir()]:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _unavailable(path, error) from error


def _replace(path: Path, body: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with part.open("xb") as file:
            os.fchmod(file.fileno(), _FILE_MODE)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        # Half a file takes room that is needed to go on; where it cannot go either, the next writer clears it away.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, durable: a file that is synchronized in a lost folder is lost."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        _synchronize(folder.parent)


def _synchronize(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_links(root: Path, path: Path) -> None:
    for folder in (root, path.parent):
        if folder.is_symlink():
            raise IntegrityViolation(
                "published_link",
                what="this is a symbolic link, and what is written through it would land elsewhere",
                where=f"{root.name}/{folder.relative_to(root)}",
                what_to_do="Take the link away; the publication goes on by itself then.",
            )


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "published_folder_unavailable",
        what=f"the published folder cannot be written ({type(error).__name__})",
        where=str(path.parent),
        what_to_do="Make room or correct who may write there; the publication goes on by itself then.",
    )
