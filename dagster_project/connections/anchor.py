"""The anchor: a file outside the data folder and its backups, to which checkpoints of the audit log are appended.

Belongs here: reading it and appending to it, one line a checkpoint, so that a crash leaves at most one line without
its end. What the log must agree with in it is `integrity.audit_verification`.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO, Final

from dagster_project.errors import IntegrityViolation, Unavailable, UsageError
from dagster_project.integrity.checkpoints import KeptCheckpoint, kept_bytes, read_kept

# Longer than any line: a note of a few signatures, and one hash for each bit of the size.
_TAIL: Final = 65536


@dataclass(frozen=True)
class AnchorFile:
    """One anchor, which need not exist yet."""

    path: Path

    def newest(self) -> KeptCheckpoint | None:
        """Return the checkpoint of the last whole line; None where the file does not exist or has no whole line.

        Raises:
            Unavailable: the file cannot be read.
            IntegrityViolation: the line is no checkpoint.
        """
        try:
            with self.path.open("rb") as file:
                return _newest_in(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(self.path, "read", error) from error

    def checkpoints(self) -> tuple[tuple[KeptCheckpoint, ...], int]:
        """Return every checkpoint, in the order of the file, and how many whole lines are none.

        Raises:
            Unavailable: the file cannot be read.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return (), 0
        except OSError as error:
            raise _unavailable(self.path, "read", error) from error
        found: list[KeptCheckpoint] = []
        for line in lines:
            with suppress(IntegrityViolation):  # counted: verification reports it
                found.append(read_kept(line))
        return tuple(found), len(lines) - len(found)

    def append(self, checkpoints: Sequence[KeptCheckpoint], *, after: KeptCheckpoint | None) -> bool:
        """Append checkpoints durably, if `after` is still the newest; tell whether a torn line was cut off first.

        Raises:
            Unavailable: the file cannot be written, or somebody else anchored meanwhile.
            IntegrityViolation: its last line is no checkpoint.
        """
        try:
            with _open_locked(self.path) as file:
                if _newest_in(file) != after:
                    raise Unavailable(
                        "anchor_moved",
                        what="another process anchored a checkpoint meanwhile",
                        where=str(self.path),
                        what_to_do="Run `channelsafe audit checkpoint` again.",
                    )
                was_torn = _cut_torn_line(file)
                file.write(b"".join(kept_bytes(one) + b"\n" for one in checkpoints))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unavailable(self.path, "written", error) from error
        return was_torn


def open_anchor(path: Path | None, *, home: Path) -> AnchorFile | None:
    """Return the anchor of a deployment, if it has one.

    Raises:
        UsageError: it lies in the data folder: whoever restores that would restore it too.
    """
    if path is None:
        return None
    if path.is_relative_to(home):
        raise UsageError(
            "anchor_inside_home",
            what="the anchor of the audit log lies in the data folder, which it is to be held against",
            where="CHANNELSAFE_ANCHOR",
            what_to_do="Name a file on another machine's disk, or at least outside the data folder and its backups.",
        )
    return AnchorFile(path)


def _open_locked(path: Path) -> BufferedRandom:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if is_new:
            _sync_folder(path.parent)
    except OSError:
        file.close()
        raise
    return file


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newest_in(file: BinaryIO) -> KeptCheckpoint | None:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL))
    whole, separator, _torn = file.read().rpartition(b"\n")
    return read_kept(whole.rpartition(b"\n")[2]) if separator else None


def _cut_torn_line(file: BinaryIO) -> bool:
    """Cut off a last line without its end, which nobody was ever told of; leave the file at its end."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _TAIL)
    file.seek(start)
    whole = start + file.read().rfind(b"\n") + 1
    file.truncate(whole)
    file.seek(whole)
    return whole != end


def _unavailable(path: Path, verb: str, error: OSError) -> Unavailable:
    return Unavailable(
        "anchor_unavailable",
        what=f"the anchor of the audit log cannot be {verb} ({type(error).__name__})",
        where=str(path),
        what_to_do="Make its place reachable again. Until then nothing is appended to the audit log, so nothing else "
        "is written either.",
    )
