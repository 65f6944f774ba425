"""Blobs: bodies of records, snapshots, packages and annexes, addressed by the digest of their plaintext.

Belongs here: writing a body once, atomically, and handing out only what verifies. Bodies that are not for
customers are encrypted, and their names are keyed digests, so that a copy of the folder tells neither what they
say nor whether they equal something known. Which body belongs to what is known by the tables alone.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from upath import UPath

from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.digests import digest_bytes, keyed_digest
from dagster_project.integrity.encryption import decrypt, encrypt
from dagster_project.integrity.keys import KeyRing
from dagster_project.sources.record import Classification

_OPEN: Final = "customer"
_SEALED: Final = "sealed"
_LOCAL: Final = ("", "file", "local")
_TEMPORARY: Final = ".writing-"
# Keyed digests name other things too; the prefix keeps a blob's name from equalling one that is shown elsewhere.
_NAME_PURPOSE: Final = b"blob name\x00"


@dataclass(frozen=True)
class BlobLocation:
    """Where one stored blob lies: the area (``customer`` or ``sealed``) and its name there."""

    area: str
    name: str


@dataclass(frozen=True)
class Blobs:
    """Bodies under one root: a local folder, or an object store by URL.

    Args:
        root: The folder; it is made when the first body is put.
        keys: Encrypts and names what is not for customers.
    """

    root: UPath
    keys: KeyRing

    def put(self, data: bytes, classification: Classification) -> str:
        """Store `data` and return the digest of its plaintext. On return it is durable.

        A body that is there already is verified instead of written again.

        Raises:
            IntegrityViolation: it is there already and does not verify.
            Unavailable: the store of bodies cannot be read or written.
        """
        digest = digest_bytes(data)
        location = self._location(digest, classification)
        stored = self._read(location)
        if stored is None:
            self._write(location, self._sealed(data, location))
        elif self._opened(stored, location) != data:
            raise _violation("a body differs from what was stored before", digest)
        return digest

    def get(self, digest: str, classification: Classification) -> bytes:
        """Return the body named `digest`, verified.

        Raises:
            IntegrityViolation: it is missing, or any byte of it is not what was stored.
            Unavailable: the store of bodies cannot be read.
        """
        location = self._location(digest, classification)
        stored = self._read(location)
        if stored is None:
            raise _violation("a body is missing", digest)
        data = self._opened(stored, location)
        if digest_bytes(data) != digest:
            raise _violation("a body is not what was stored", digest)
        return data

    def iterate(self) -> Iterator[BlobLocation]:
        """Yield every stored blob in a fixed order, foreign files included: they fail `verify`."""
        for area in (_OPEN, _SEALED):
            folder = self.root / area
            if not folder.exists():
                continue
            for path in sorted(folder.glob("*/*"), key=str):
                if not path.name.startswith(_TEMPORARY):
                    yield BlobLocation(area=area, name=path.name)

    def verify(self, location: BlobLocation) -> str:
        """Read the blob at `location` and return the digest of its plaintext.

        Raises:
            IntegrityViolation: its bytes are not what was stored, or its name is not its own.
            Unavailable: the store of bodies cannot be read.
        """
        stored = self._read(location)
        if stored is None:
            raise _violation("a body is missing", location.name)
        digest = digest_bytes(self._opened(stored, location))
        if self._name(digest, location.area) != location.name:
            raise _violation("a body is not what its name says", location.name)
        return digest

    def _location(self, digest: str, classification: Classification) -> BlobLocation:
        area = _OPEN if classification is Classification.CUSTOMER else _SEALED
        return BlobLocation(area=area, name=self._name(digest, area))

    def _name(self, digest: str, area: str) -> str:
        if area == _OPEN:
            return digest.removeprefix("sha256:")
        return keyed_digest(self.keys.digest, _NAME_PURPOSE + digest.encode()).removeprefix("hmac-sha256:")

    def _sealed(self, data: bytes, location: BlobLocation) -> bytes:
        if location.area == _OPEN:
            return data
        return encrypt(self.keys.body_encryption, data, location.name.encode())

    def _opened(self, stored: bytes, location: BlobLocation) -> bytes:
        if location.area == _OPEN:
            return stored
        return decrypt(self.keys.body_encryption, stored, location.name.encode())

    def _path(self, location: BlobLocation) -> UPath:
        return self.root / location.area / location.name[:2] / location.name

    def _read(self, location: BlobLocation) -> bytes | None:
        try:
            return bytes(self._path(location).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def _write(self, location: BlobLocation, content: bytes) -> None:
        path = self._path(location)
        try:
            if path.protocol in _LOCAL:
                _write_local(Path(path.path), content)
            else:
                # An object store makes an object visible whole or not at all, and durable before it answers.
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(
            "blobs_unavailable",
            what=f"the store of bodies cannot be read or written ({type(error).__name__})",
            where=str(self.root),
            what_to_do="Check that it is there, that it has space, and who may write to it; then run again.",
        )


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


def _violation(what: str, name: str) -> IntegrityViolation:
    return IntegrityViolation(
        "body_not_intact",
        what=what,
        where=name,
        what_to_do="Restore the body from a backup; `channelsafe verify` lists all that is affected.",
    )
