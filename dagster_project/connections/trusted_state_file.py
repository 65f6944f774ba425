"""The file in which an outsider keeps the trusted state of one package.

Belongs here: reading it, and replacing it by a rename so that it is the old one or the new one at every instant. What
it says is `integrity.trusted_state`'s business.
"""

import fcntl
import os
import secrets
from pathlib import Path

from dagster_project.errors import Unavailable


def read_if_there(path: Path) -> bytes | None:
    """Return the bytes of the file, or None where nothing lies under its name.

    Raises:
        Unavailable: something lies there that may not be read, or is no file.
    """
    try:
        return path.read_bytes() if os.path.lexists(path) else None
    except OSError as error:
        raise _unavailable(path, error) from error


def replace_trusted_state(path: Path, *, known: bytes | None, new: bytes) -> None:
    """Put `new` in the place of `known`; where they are equal nothing is touched.

    Raises:
        Unavailable: ``trusted_state_moved``, another verification moved it meanwhile: this one judged by what is no
            longer known; or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if read_if_there(path) != known:
                raise Unavailable(
                    "trusted_state_moved",
                    what="another verification of this package ended meanwhile",
                    where=str(path),
                    what_to_do="Verify again.",
                )
            if new != known:
                _replace(path, new, folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unavailable(path, error) from error


def _replace(path: Path, content: bytes, folder: int) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    os.fsync(folder)


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "trusted_state_unavailable",
        what=f"the trusted state cannot be read or written ({type(error).__name__})",
        where=str(path),
        what_to_do="See that you may read and write this file and its folder, or name another with --state.",
    )
