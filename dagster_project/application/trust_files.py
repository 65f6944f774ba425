"""Files of the trust ceremony that hold no secret: people, drafts, and what outsiders verify with.

Belongs here: reading and writing them. Private keys are `store.signing_files`.
"""

import os
from pathlib import Path
from typing import NoReturn

from dagster_project.errors import Unavailable


def read_trust_file(path: Path) -> bytes:
    """Read a file of the ceremony.

    Raises:
        Unavailable: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        _refuse(path, "read", error)


def write_new_trust_file(path: Path, content: bytes) -> None:
    """Write a file that is not there yet: a draft that is may hold signatures that somebody went far for.

    Raises:
        Unavailable: it is there, or cannot be written.
    """
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        _refuse(path, "written", error)


def write_trust_file(path: Path, content: bytes) -> None:
    """Write a file in place of the one that may be there, whole or not at all.

    Raises:
        Unavailable: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        _refuse(path, "written", error)


def _refuse(path: Path, verb: str, error: OSError) -> NoReturn:
    raise Unavailable(
        "trust_file_unavailable",
        what=f"the file cannot be {verb} ({type(error).__name__})",
        where=str(path),
        what_to_do="Name another file, or move away the one that is in its place.",
    ) from error
