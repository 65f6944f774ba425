"""Packs: files that each hold the bodies of one transaction, one after the other.

Belongs here: writing a pack whole and durable, and reading parts of packs back. Which body lies in which part is known
by a table alone, and what a body is and how it is sealed is `blobs`. A pack is named by the digest of its bytes. One
that no row names belongs to a transaction that never committed: it is unused and does no harm.
"""

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Final

from upath import UPath

from dagster_project.errors import Unavailable
from dagster_project.integrity.digests import digest_bytes

_LOCAL: Final = ("", "file", "local")
_TEMPORARY: Final = ".writing-"
_NAME: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Packs:
    """Packs under one root: a local folder, or an object store by URL.

    Args:
        root: The folder; it is made when the first pack is written.
    """

    root: UPath

    def write(self, content: bytes) -> str:
        """Write a pack and return its name. On return it is durable.

        Raises:
            Unavailable: the store of bodies cannot be written.
        """
        name = digest_bytes(content).removeprefix("sha256:")
        place = self.place_of(name)
        try:
            if self._is_local:
                _write_local(Path(self._root, place), content)
            else:
                # An object store makes an object visible whole or not at all, and durable before it answers.
                path = self.root / place
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        except OSError as error:
            raise self._unavailable(error) from error
        return name

    def read(self, name: str, parts: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Return parts of a pack, each by start and length; shorter where the pack ends before. None: no such pack.

        Raises:
            Unavailable: the store of bodies cannot be read.
        """
        try:
            with self._open(name) as file:
                return [_part(file, start, length) for start, length in parts]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def read_whole(self, name: str) -> bytes | None:
        """Return all bytes of a pack, or None where there is no such pack.

        Raises:
            Unavailable: the store of bodies cannot be read.
        """
        whole = self.read(name, [(0, -1)])
        return None if whole is None else whole[0]

    def remove(self, name: str) -> None:
        """Remove a pack; one that is gone already is none to remove.

        Raises:
            Unavailable: the store of bodies cannot be written.
        """
        try:
            (self.root / self.place_of(name)).unlink(missing_ok=True)
        except OSError as error:
            raise self._unavailable(error) from error

    def files(self) -> list[str]:
        """Return every file under the root, by its path from there, sorted; foreign files included.

        What a stopped writer left unfinished is no file.

        Raises:
            Unavailable: the store of bodies cannot be read.
        """
        try:
            found = self.root.fs.find(self._root)
        except OSError as error:
            raise self._unavailable(error) from error
        paths = sorted(path.removeprefix(self._root).lstrip("/") for path in found)
        return [path for path in paths if not path.rpartition("/")[2].startswith(_TEMPORARY)]

    @staticmethod
    def place_of(name: str) -> str:
        """Return the path of a pack from the root."""
        return f"{name[:2]}/{name}"

    @staticmethod
    def name_at(place: str) -> str | None:
        """Return the name of the pack that lies at a path from the root; None where a foreign file lies there."""
        name = place.rpartition("/")[2]
        return name if _NAME.fullmatch(name) and Packs.place_of(name) == place else None

    @cached_property
    def _root(self) -> str:
        return self.root.path.rstrip("/")

    @cached_property
    def _is_local(self) -> bool:
        return self.root.protocol in _LOCAL

    def _open(self, name: str) -> IO[bytes]:
        if self._is_local:
            return Path(self._root, self.place_of(name)).open("rb", buffering=0)
        return (self.root / self.place_of(name)).open("rb")

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(
            "blobs_unavailable",
            what=f"the store of bodies cannot be read or written ({type(error).__name__})",
            where=str(self.root),
            what_to_do="Check that it is there, that it has space, and who may write to it; then run again.",
        )


def _part(file: IO[bytes], start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _write_local(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, even when the machine stops in between."""
    created = [folder for folder in (path.parent, path.parent.parent) if not folder.exists()]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    for folder in (path.parent, *(folder.parent for folder in created)):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
