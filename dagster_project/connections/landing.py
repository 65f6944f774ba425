"""The landing folder: NDJSON files that others drop, picked up so that nothing is read twice and nothing is lost.

Belongs here: files and lines. What a line says is `admission`'s business; what was read is the store's.

A file goes from ``<landing>/NAME`` to ``.picked-up/NAME.<digest>`` by one rename. Once all its lines are stored, where
they are sealed, it is removed: what lies in a folder is not. An empty ``.done/NAME.<digest>`` says that it was there. A
process killed in between leaves the file in ``.picked-up``, where the next pick-up finds it again; admission makes a
line that was admitted already a duplicate. What cannot be read is moved to ``.unreadable`` as it was dropped, with its
reason beside it. Writers drop a file whole: written as ``.NAME``, ``NAME.part`` or ``NAME.tmp``, then renamed.
"""

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from dagster_project.errors import Unavailable
from dagster_project.integrity.canonical import canonical_bytes

PICKED_UP: Final = ".picked-up"
DONE: Final = ".done"
UNREADABLE: Final = ".unreadable"
SUFFIX: Final = ".ndjson"
UNFINISHED_SUFFIXES: Final = (".part", ".tmp")
_REASON: Final = ".reason.json"
_GIVEN_DIGEST: Final = re.compile(r"\.([0-9a-f]{64})")
_LONGEST_NAME: Final = 180  # bytes; leaves room for the digest and the reason's suffix


@dataclass(frozen=True)
class PickedUpFile:
    """A file that was picked up: the name it was dropped under, the digest of its bytes, and where it lies now."""

    name: str
    digest: str
    path: Path


@dataclass(frozen=True)
class Unit:
    """One line: the file's name, the line number from 1, and the bytes without the line's end."""

    name: str
    line: int
    content: bytes


@dataclass(frozen=True)
class KeptAside:
    """Something in the landing folder that could not be read as a file of lines, and why."""

    name: str
    reason_code: str


def pick_up(folder: Path, *, limit: int | None = None) -> list[PickedUpFile]:
    """Return what an earlier pick-up left unfinished, and take files out of the landing folder while there is room.

    What cannot be read is kept aside: `kept_aside` lists it.

    Args:
        folder: The landing folder.
        limit: The most files to return; None for all. What is not taken stays where it was dropped.

    Returns:
        The files to read: the unfinished ones first, then what was just taken, both sorted by name and digest.

    Raises:
        Unavailable: the folder is missing or may not be read or changed.
    """
    try:
        for place in (PICKED_UP, DONE, UNREADABLE):
            (folder / place).mkdir(mode=0o700, exist_ok=True)
        begun = _named(folder, islice(sorted((folder / PICKED_UP).iterdir()), limit))
        taken = filter(None, (_take(folder, path) for path in sorted(folder.iterdir()) if _is_dropped(path)))
        return begun + _named(folder, islice(taken, None if limit is None else limit - len(begun)))
    except OSError as error:
        raise _unavailable(folder, error) from error


def _is_dropped(path: Path) -> bool:
    return not path.name.startswith(".") and not path.name.endswith(UNFINISHED_SUFFIXES)


def _named(folder: Path, paths: Iterable[Path]) -> list[PickedUpFile]:
    named = (_named_by_digest(folder, path) for path in paths)
    return sorted((file for file in named if file is not None), key=lambda one: (one.name, one.digest))


def waiting_files(folder: Path, *, dropped_before: datetime) -> int:
    """Count the files that were dropped before an instant and that nobody has picked up yet.

    Raises:
        Unavailable: the folder may not be read.
    """
    if not folder.is_dir():
        return 0
    try:
        dropped = [path.lstat().st_mtime for path in folder.iterdir() if _is_dropped(path)]
    except FileNotFoundError:
        return waiting_files(folder, dropped_before=dropped_before)  # one was picked up while we looked
    except OSError as error:
        raise _unavailable(folder, error) from error
    return sum(1 for instant in dropped if instant < dropped_before.timestamp())


def _take(folder: Path, path: Path) -> Path | None:
    """Move a dropped file to where it is read, or aside; return where it lies if it can be read."""
    try:
        reason_code = _why_unreadable(path)
        if reason_code is None and not path.name.endswith(SUFFIX):
            reason_code = "not_ndjson"
        if reason_code is None:
            return path.rename(folder / PICKED_UP / _name_while_taken(path.name))
        _keep_aside(folder, path, reason_code)
    except FileNotFoundError:
        pass  # another process picked it up, or its writer took it back, between listing and moving
    return None


def _name_while_taken(name: str) -> str:
    # Never the same twice: a second file of this name must not replace one that a killed process had just taken.
    return f"{name}.{secrets.token_hex(8)}.taken"


def _why_unreadable(path: Path) -> str | None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "symbolic_link"
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        return "not_a_regular_file"
    if len(os.fsencode(_dropped_name(path))) > _LONGEST_NAME or not path.name.isprintable():
        return "name_not_usable"
    return None if os.access(path, os.R_OK) else "not_readable"


def _keep_aside(folder: Path, path: Path, reason_code: str) -> None:
    """Move to ``.unreadable`` under a name that is free; the reason is written first, so that none lies there bare."""
    shown = path.name.encode("unicode_escape").decode()[:_LONGEST_NAME]
    for attempt in range(10_000):
        target = folder / UNREADABLE / (f"{shown}.{attempt}" if attempt else shown)
        reason = target.with_name(target.name + _REASON)
        if target.is_symlink() or target.exists():
            continue
        reason.write_bytes(canonical_bytes({"name": shown, "reason_code": reason_code}))
        path.rename(target)
        return
    raise FileExistsError(str(folder / UNREADABLE / shown))


def _named_by_digest(folder: Path, path: Path) -> PickedUpFile | None:
    """Give a picked-up file the name of its bytes, unless it bears one already; None if it is no longer there.

    A file that bears one is not read again for it: `finish` holds the name against the bytes once they were admitted.
    """
    try:
        reason_code = _why_unreadable(path)  # again: the writer may have put something else in its place
        if reason_code:
            _keep_aside(folder, path, reason_code)
            return None
        name = _dropped_name(path)
        given = _GIVEN_DIGEST.fullmatch(path.name.removeprefix(name))
        digest = given.group(1) if given else _digest(path)
        target = path.with_name(f"{name}.{digest}")
        if target != path:
            path.rename(target)
    except FileNotFoundError:
        return None  # another process named or finished it
    return PickedUpFile(name=name, digest=f"sha256:{digest}", path=target)


def _dropped_name(path: Path) -> str:
    """Return the name without what was put behind ``.ndjson``."""
    stem, suffix, _behind = path.name.rpartition(SUFFIX)
    return stem + suffix if suffix else path.name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def units(file: PickedUpFile) -> Generator[Unit, None, None]:
    """Yield the lines of a picked-up file, in order.

    A line may end in LF or CRLF; the last one needs no end. Lines of white space only are no units.

    Raises:
        Unavailable: the file can no longer be read.
    """
    try:
        with file.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                content = line.removesuffix(b"\n").removesuffix(b"\r")
                if content.strip():
                    yield Unit(name=file.name, line=number, content=content)
    except OSError as error:
        raise _unavailable(file.path, error) from error


def finish(file: PickedUpFile) -> bool:
    """Remove a file that was read, and whose units were committed; leave its name and digest in ``.done``.

    Returns:
        True if it is done. False if its bytes changed after it was picked up (its writer still held it open): it
        stays, and the next pick-up hands it out under its new digest.

    Raises:
        Unavailable: the file can no longer be read or removed.
    """
    done = file.path.parent.parent / DONE / file.path.name
    try:
        if not file.path.exists() and done.exists():
            return True  # another process finished it
        if f"sha256:{_digest(file.path)}" != file.digest:
            file.path.rename(file.path.with_name(_name_while_taken(file.name)))
            return False
        done.touch(mode=0o600)
        file.path.unlink(missing_ok=True)
    except OSError as error:
        raise _unavailable(file.path, error) from error
    return True


def kept_aside(folder: Path) -> list[KeptAside]:
    """List what was kept aside because it could not be read, sorted by name.

    Raises:
        Unavailable: the list cannot be read.
    """
    place = folder / UNREADABLE
    try:
        reasons = place.glob(f"*{_REASON}") if place.is_dir() else []
        stated = [(path, json.loads(path.read_bytes())["reason_code"]) for path in reasons]
    except (OSError, ValueError, KeyError) as error:
        raise _unavailable(place, error) from error
    aside = sorted((path.with_name(path.name.removesuffix(_REASON)), reason) for path, reason in stated)
    return [
        KeptAside(name=path.name, reason_code=reason)
        for path, reason in aside
        if path.is_symlink() or path.exists()  # a reason alone: the process was killed before the move
    ]


def _unavailable(place: Path, error: Exception) -> Unavailable:
    return Unavailable(
        "landing_folder_unavailable",
        what=f"the landing folder cannot be read or changed ({type(error).__name__})",
        where=str(place),
        what_to_do="Create the folder, or give this user the right to read, write and rename in it.",
    )
