"""Verifying a published package from outside: a folder, a public trust file, and what was seen before. Nothing else.

Belongs here: the order of the questions. It reads no store, no key and no setting, so that it answers the same on a
machine that has only what was handed over. Every refusal is an error; trusted state moves after the last question only.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from dagster_project.clock import format_instant
from dagster_project.connections.published_folder import PublishedFolder, read_published_folder
from dagster_project.connections.trusted_state_file import read_if_there, replace_trusted_state
from dagster_project.errors import Unavailable, UnsafeOrRejected
from dagster_project.integrity.public_trust import PublicTrust, PublicTrustChain, follow_public_trust
from dagster_project.integrity.publication import NEWEST_INDEX, PULLED, Index
from dagster_project.integrity.published_package import PublishedPackage, Unfinished, read_published_package
from dagster_project.integrity.trusted_state import (
    check_package_kept,
    check_trust_kept,
    read_trusted_state,
    state_after,
    trusted_state_bytes,
)

STATE_FOLDER: Final = ".channelsafe-verify"


@dataclass(frozen=True)
class VerifiedPackage:
    """What was verified at an instant.

    `current` is the version to be used, None where none is; `stale_after` the instant from which its data is too old,
    `is_stale` whether that has come. `versions` were ever released, `pulled` of them are suspended or withdrawn.
    `seen_before` is False where there was nothing to compare with. `demo` tells that nothing of it is real.
    """

    package_id: str
    deployment: str
    demo: bool
    trust_version: int
    index_version: int
    index_expires: datetime
    current: int | None
    stale_after: datetime | None
    is_stale: bool
    versions: int
    pulled: int
    files: int
    seen_before: bool
    state_file: str


def verify_published(folder: Path, *, trust_file: Path, state_file: Path | None, at: datetime) -> VerifiedPackage:
    """Verify one package folder at an instant.

    Args:
        folder: The package folder; its name is the package's id.
        trust_file: The chain of public trust, from whoever vouches for the publisher, not from the folder.
        state_file: What was seen before; None for the package's file in `STATE_FOLDER` in the present folder.
        at: The instant for everything that expires, one for the whole verification.

    Raises:
        IntegrityViolation: something is not what was signed, or less or else than was seen before.
        UnsafeOrRejected: all is what was signed, but expired, or the publisher had not finished.
        Unavailable: something cannot be read, or trusted state cannot be written.
    """
    chain = follow_public_trust(_read(trust_file))
    published = read_published_folder(folder)
    place = state_file or Path.cwd() / STATE_FOLDER / f"{published.name}.trusted.json"
    known = read_if_there(place)
    package = _judge(published, chain, known, place)
    _check_timely(chain.current, package, at)
    replace_trusted_state(place, known=known, new=trusted_state_bytes(state_after(chain, package)))
    index = package.index
    stale_after = package.releases[index.current].stale_after if index.current is not None else None
    return VerifiedPackage(
        package_id=index.package_id,
        deployment=chain.current.deployment,
        demo=chain.current.demo,
        trust_version=chain.current.version,
        index_version=index.index_version,
        index_expires=index.expires,
        current=index.current,
        stale_after=stale_after,
        is_stale=stale_after is not None and stale_after <= at,
        versions=len(index.versions),
        pulled=sum(1 for one in index.versions.values() if one.state in PULLED),
        files=len(published.files),
        seen_before=known is not None,
        state_file=str(place),
    )


def _judge(published: PublishedFolder, chain: PublicTrustChain, known: bytes | None, place: Path) -> PublishedPackage:
    state = None if known is None else read_trusted_state(known, str(place))
    if state is not None:
        check_trust_kept(state, chain)
    package = read_published_package(published.name, published.files, chain)
    if state is not None:
        check_package_kept(state, chain, package)
    return package


def _check_timely(trust: PublicTrust, package: PublishedPackage, at: datetime) -> None:
    """Refuse what was signed but is not to be used: last, because whatever is not as signed weighs more."""
    if trust.expires <= at:
        raise _expired("public_trust_expired", "the public trust file", trust.expires)
    if package.index.expires <= at:
        raise _expired("index_expired", NEWEST_INDEX, package.index.expires)
    if package.unfinished:
        raise _not_finished(package.index, package.unfinished[0])


def _expired(code: str, where: str, when: datetime) -> UnsafeOrRejected:
    return UnsafeOrRejected(
        code,
        what=f"this expired at {format_instant(when)}: what follows it may be kept from you",
        where=where,
        what_to_do="Rely on nothing in the folder. Get it again, newer; ask the publisher if there is nothing newer.",
    )


def _not_finished(index: Index, found: Unfinished) -> UnsafeOrRejected:
    return UnsafeOrRejected(
        found.code,
        what=f"index {index.index_version} and the files do not agree yet: the publisher had not finished",
        where=found.where,
        what_to_do="Do not use this file. Get the folder again; if it stays so, tell the publisher.",
    )


def _read(trust_file: Path) -> bytes:
    try:
        return trust_file.read_bytes()
    except OSError as error:
        raise Unavailable(
            "public_trust_file_unreadable",
            what=f"the public trust file cannot be read ({type(error).__name__})",
            where=str(trust_file),
            what_to_do="Name the file of public trust that you were given, and see that you may read it.",
        ) from error
