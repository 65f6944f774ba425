"""A published package folder, as someone reads it who trusts neither the folder nor who brought it.

Belongs here: reading every file once, and refusing what no published folder holds: links, devices, names that another
file system reads in its own way. What must lie in the folder is `integrity.publication`'s business; writing it is
`published_writing`'s. Names that begin with a dot are unfinished writes and are passed over.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from dagster_project.errors import IntegrityViolation, Unavailable

# A page has some hundred kilobytes; without a bound a folder could fill the memory of whoever looks at it.
LARGEST_FILE: Final = 16 * 1024 * 1024
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.IGNORECASE)


@dataclass(frozen=True)
class PublishedFolder:
    """A folder as it was read: its name, and the bytes of every file by its path inside, with ``/``."""

    name: str
    files: Mapping[str, bytes]


def read_published_folder(folder: Path) -> PublishedFolder:
    """Read every file of a package folder once.

    Raises:
        Unavailable: ``published_folder_unreadable``, the folder or something in it is missing or may not be read.
        IntegrityViolation: ``published_link``, a symbolic link; ``published_not_a_file``, neither file nor folder;
            ``published_name_refused``, a name other than ASCII letters, digits, dots, hyphens and underscores;
            ``published_case_collision``, two names that some file systems take for one;
            ``published_folder_too_deep``, a folder in a folder of the package; ``published_file_too_large``.
    """
    try:
        place = folder.resolve(strict=True)
        with _opened(place, os.O_DIRECTORY) as descriptor:
            files = dict(_files(descriptor, ""))
    except OSError as error:
        raise Unavailable(
            "published_folder_unreadable",
            what=f"the folder cannot be read whole ({type(error).__name__})",
            where=str(folder),
            what_to_do="Name the folder of one package, and see that you may read everything in it.",
        ) from error
    return PublishedFolder(name=place.name, files=files)


def _files(folder: int, inside: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every file under an open folder. Nothing is opened by a path that could be swapped."""
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    if len({name.casefold() for name in names}) != len(names):
        _refuse("published_case_collision", "two names differ in upper and lower case only", inside or "the folder")
    for name in names:
        path = f"{inside}{name}"
        if _NAME.fullmatch(name) is None:
            _refuse("published_name_refused", "a name is not made of plain characters", ascii(path))
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            _refuse("published_link", "this is a symbolic link", path)
        if stat.S_ISDIR(mode):
            if inside:
                _refuse("published_folder_too_deep", "folders of a package hold files only", path)
            with _opened(name, os.O_DIRECTORY, within=folder) as descriptor:
                yield from _files(descriptor, f"{path}/")
        elif stat.S_ISREG(mode):
            yield path, _content(folder, name, path)
        else:
            _refuse("published_not_a_file", "this is neither a file nor a folder", path)


def _content(folder: int, name: str, path: str) -> bytes:
    # Not blocking: what was a file a moment ago may be a pipe now.
    with _opened(name, os.O_NONBLOCK, within=folder) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        _refuse("published_file_too_large", f"the file has more than {LARGEST_FILE} bytes", path)
    return content


@contextmanager
def _opened(path: Path | str, flags: int, *, within: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse(code: str, what: str, where: str) -> NoReturn:
    raise IntegrityViolation(
        code,
        what=what,
        where=where,
        what_to_do="A published folder holds no such thing. Use nothing of it; get it again from its publisher.",
    )
