"""Key files: where the key ring lies, and who may read it.

Belongs here: reading and creating the file and judging its mode. Its content is `integrity.keys`. Keys lie
outside the data folder (`CHANNELSAFE_KEYS`), so that a copy of the data is no copy of the keys.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dagster_project.errors import Unavailable
from dagster_project.integrity.keys import KEY_LENGTH, KeyRing, format_keys, parse_keys

KEY_FILE_NAME: Final = "channelsafe-keys.json"
_LOCK_NAME: Final = ".channelsafe-keys.lock"
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def load_keys(folder: Path) -> KeyRing:
    """Read the key ring of a deployment.

    Raises:
        Unavailable: no key file, not readable, not a key file, or its mode is not 0600.
    """
    advice = (
        "Set CHANNELSAFE_KEYS to the folder that holds it, or run `channelsafe keys create`. "
        "Data written under other keys cannot be read with new ones."
    )
    return parse_keys(read_secret(folder / KEY_FILE_NAME, what_to_do=advice))


def read_secret(path: Path, *, what_to_do: str) -> bytes:
    """Read a file that only its owner may read.

    Raises:
        Unavailable: it is not readable (`what_to_do` says what then), or its mode is not 0600.
    """
    try:
        with path.open("rb") as file:
            # Judged on the open file: the path could name another one a moment later.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except OSError as error:
        raise _refused(
            "keys_missing",
            what=f"the key file cannot be read ({type(error).__name__})",
            path=path,
            what_to_do=what_to_do,
        ) from error
    if mode != _FILE_MODE:
        raise _refused(
            "keys_exposed",
            what=f"the key file has mode {mode:04o}, not 0600: others may have read it",
            path=path,
            what_to_do=f"Run `chmod 600 {path}`.",
        )
    return content


def create_keys(folder: Path) -> KeyRing:
    """Make a new random key ring and write it: folder 0700, file 0600. An existing file is never replaced.

    Raises:
        Unavailable: the file exists already, or the folder cannot be written.
    """
    keys = KeyRing(
        body_encryption=secrets.token_bytes(KEY_LENGTH),
        digest=secrets.token_bytes(KEY_LENGTH),
        opaque_codes=secrets.token_bytes(KEY_LENGTH),
    )
    path = folder / KEY_FILE_NAME
    with _speaking(path):
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        folder.chmod(_FOLDER_MODE)
        _write_new(path, format_keys(keys))
    return keys


def replace_keys(folder: Path, keys: KeyRing) -> None:
    """Write the key ring in place of the one that is there; a crash leaves the old one or the new one.

    Raises:
        Unavailable: the folder cannot be written.
    """
    replace_secret(folder / KEY_FILE_NAME, format_keys(keys))


@contextmanager
def only_key_changer(folder: Path) -> Iterator[None]:
    """Be the only process that changes the key ring in `folder`: of two, one would lose the other's new key.

    A killed process' lock is gone with it.

    Raises:
        Unavailable: another process is changing it, or the folder cannot be written.
    """
    path = folder / _LOCK_NAME
    with _speaking(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refused(
                "keys_being_changed",
                what="another process is changing the key ring",
                path=path,
                what_to_do="Wait until it has ended, then run this again.",
            ) from None
        yield
    finally:
        os.close(descriptor)


def write_new_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, durably; its folder is made (0700) where there is none.

    Raises:
        Unavailable: the file exists already and is kept as it is, or the folder cannot be written.
    """
    with _speaking(path):
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        _write_new(path, content)


def replace_secret(path: Path, content: bytes) -> None:
    """Write such a file in place of the one that is there; a crash leaves the old one or the new one.

    Raises:
        Unavailable: the folder cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with _speaking(path):
        _write_new(fresh, content)
        fresh.replace(path)
        _flush_folder(path.parent)


@contextmanager
def _speaking(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise _refused(
            "keys_exist",
            what="there is a key file already, and it is never replaced",
            path=path,
            what_to_do="Use it, or name another place: CHANNELSAFE_KEYS names the folder of a deployment's keys.",
        ) from error
    except OSError as error:
        raise _refused(
            "keys_not_written",
            what=f"the key file cannot be written ({type(error).__name__})",
            path=path,
            what_to_do="Check the folder and who may write to it.",
        ) from error


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), _FILE_MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make the names in a folder durable: a key that rows already name must not be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(code: str, *, what: str, path: Path, what_to_do: str) -> Unavailable:
    return Unavailable(code, what=what, where=str(path), what_to_do=what_to_do)
