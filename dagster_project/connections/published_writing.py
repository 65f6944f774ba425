"""Writing a published folder so that whoever reads it never sees half of anything.

Belongs here: files under temporary names, synchronized, renamed into place; what is in place already with the same
bytes stays. Which files, and in which order, is `application.projecting`; reading one is `published_folder`.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from dagster_project.errors import Unavailable

_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755


def write_published(root: Path, name: str, body: bytes) -> bool:
    """Put a file in place whole; return False where it lies there already with these bytes.

    Raises:
        Unavailable: the folder cannot be written.
    """
    path = root / name
    try:
        if path.is_file() and not path.is_symlink() and path.read_bytes() == body:
            return False
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with part.open("xb") as file:
            os.fchmod(file.fileno(), _FILE_MODE)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _synchronize(path.parent)
    except OSError as error:
        raise _unavailable(path, error) from error
    return True


def remove_published(root: Path, name: str) -> bool:
    """Take a file away; return False where it is not there."""
    path = root / name
    try:
        path.unlink()
        _synchronize(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unavailable(path, error) from error
    return True


def clear_unfinished(root: Path) -> None:
    """Take away what writers that died left behind: names that begin with a dot."""
    if root.is_dir():
        for path in root.rglob(".*"):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _synchronize(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "published_folder_unavailable",
        what=f"the published folder cannot be written ({type(error).__name__})",
        where=str(path.parent),
        what_to_do="Make room or correct who may write there; the publication goes on by itself then.",
    )
