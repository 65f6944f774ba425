"""A published package: what signatures and digests say about the files of one package folder, from bytes alone.

Belongs here: judging a folder's files against public trust: every index ever signed, every release statement, every
payload file and what its header repeats, tombstones, and that nothing else lies there. Does not belong here: what was
seen before (`trusted_state`), the present instant, and reading files.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, TypeVar

from dagster_project.clock import format_instant
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.public_trust import PublicTrustChain
from dagster_project.integrity.publication import (
    NEWEST_INDEX,
    PACKAGE,
    PULLED,
    Index,
    ReleaseStatement,
    check_index_succession,
    folder_plan,
    index_path,
    payload_paths,
    read_index,
    read_release_statement,
    statement_path,
    tombstone_bytes,
    tombstone_path,
    version_folder,
)
from dagster_project.integrity.signatures import Envelope, read_envelope, signed_by

_Signed = TypeVar("_Signed")
# States of a slot (`packaging.vocabulary.SLOT_STATES`) in which it stands for something that is not shown.
_WITHHOLDING: Final = frozenset({"on_hold", "in_review"})
_HEADER: Final = frozenset(
    {
        "package_id", "version", "supersedes", "issued_at", "as_of", "stale_after", "reaffirmed_at", "revision_history",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Unfinished:
    """Something that a publisher does in steps and had not done to its end: a code, and where it shows."""

    code: str
    where: str


@dataclass(frozen=True)
class PublishedPackage:
    """A package whose files are what was signed.

    `index` is the newest, `index_keys` are the ids of the keys that signed it, `index_digests` the digests of all
    indexes from the first on, `releases` the statements by version.
    """

    index: Index
    index_keys: frozenset[str]
    index_digests: tuple[str, ...]
    releases: Mapping[int, ReleaseStatement]
    unfinished: tuple[Unfinished, ...]


def read_published_package(name: str, files: Mapping[str, bytes], chain: PublicTrustChain) -> PublishedPackage:
    """Judge all files of a package folder.

    Args:
        name: The name of the folder: it is the package's id.
        files: The bytes of every file by its path inside the folder.
        chain: Public trust. The newest index must be signed by a key that is trusted now; what was signed before, by
            keys that were trusted in some version.

    Raises:
        IntegrityViolation: a file is not what was signed, is missing or is not listed, or what was signed does not
            agree with itself; code and place say which.
    """
    index, keyids = _signed(files, NEWEST_INDEX, chain.current.service_keys("index"), read_index)
    if index.package_id != name:
        _refuse("package_id_differs", "the folder has not the name of the package that its index is of", NEWEST_INDEX)
    digests = _follow_indexes(index, files, chain)
    _check_listing(index, files)
    releases = {version: _read_release(index, version, files, chain) for version in index.versions}
    for release in releases.values():
        _check_payload(release, files)
    return PublishedPackage(
        index=index,
        index_keys=keyids,
        index_digests=digests,
        releases=releases,
        unfinished=tuple(_find_unfinished(index, files)),
    )


def withheld_slots(content: Mapping[str, Any]) -> dict[str, Literal["yes", "no"]]:
    """Return ``yes`` or ``no`` for every slot of package content: whether it stands for something not shown."""
    held = content["held"]
    return {name: "yes" if slot["slot_state"] in _WITHHOLDING else "no" for name, slot in held.items()}


def _follow_indexes(newest: Index, files: Mapping[str, bytes], chain: PublicTrustChain) -> tuple[str, ...]:
    """Follow all indexes from the first to the newest and return their digests."""
    keys = chain.keys_ever("index")
    before: Index | None = None
    digests = []
    for number in range(1, newest.index_version + 1):
        path = index_path(number)
        index, _ = _signed(files, path, keys, read_index)
        if index.index_version != number:
            _refuse("index_misplaced", "this index is another one than its name says", path)
        if before is not None:
            check_index_succession(before, index)
        before = index
        digests.append(digest_bytes(files[path]))
    if files[index_path(newest.index_version)] != files[NEWEST_INDEX]:
        _refuse("index_replaced", "the newest index differs from the one kept under its number", NEWEST_INDEX)
    return tuple(digests)


def _check_listing(index: Index, files: Mapping[str, bytes]) -> None:
    plan = folder_plan(index)
    for path in sorted(plan.required - files.keys()):
        _refuse("published_file_missing", "a file that was published is not there", path)
    for path in sorted(files.keys() - plan.required - plan.unfinished.keys()):
        _refuse("published_file_unlisted", "nobody signed that this file is published", path)


def _read_release(index: Index, version: int, files: Mapping[str, bytes], chain: PublicTrustChain) -> ReleaseStatement:
    path = statement_path(version)
    if digest_bytes(files[path]) != index.versions[version].statement_digest:
        _refuse("published_file_differs", "the statement is not the one that the index lists", path)
    release, _ = _signed(files, path, chain.keys_ever("release"), read_release_statement)
    if (release.package_id, release.version) != (index.package_id, version):
        _refuse("statement_misplaced", "the statement is of another package or version than its place says", path)
    before = release.supersedes
    if before is not None and before.statement_digest != index.versions[before.version].statement_digest:
        _refuse("supersedes_another", "the version supersedes another one than the index lists before it", path)
    return release


def _check_payload(release: ReleaseStatement, files: Mapping[str, bytes]) -> None:
    for path in payload_paths(release.version):
        if path in files and digest_bytes(files[path]) != release.files[path]:
            _refuse("published_file_differs", "the file is not the one that was released", path)
    path = f"{version_folder(release.version)}/{PACKAGE}"
    if path in files and not _says_the_same(files[path], release):
        _refuse("header_differs", "the package says of itself something else than its signed statement", path)


def _says_the_same(body: bytes, release: ReleaseStatement) -> bool:
    """Tell whether a package's header and slots repeat what was signed about it."""
    try:
        document = parse_strict(body)
        header, content = document["header"], document["content"]
        stated = {
            "package_id": release.package_id,
            "version": release.version,
            "supersedes": _predecessor(release),
            "issued_at": format_instant(release.issued_at),
            "stale_after": format_instant(release.stale_after),
        }
        return (
            canonical_bytes({"header": header, "content": content}) == body
            and header.keys() == _HEADER
            and {name: header[name] for name in stated} == stated
            and (content["channel"], content["tlp"]) == (release.channel, release.profile_label)
            and withheld_slots(content) == dict(release.withheld)
        )
    except (NotCanonical, LookupError, TypeError, AttributeError):
        return False


def _predecessor(release: ReleaseStatement) -> dict[str, Any] | None:
    before = release.supersedes
    return {"version": before.version, "statement_digest": before.statement_digest} if before else None


def _find_unfinished(index: Index, files: Mapping[str, bytes]) -> list[Unfinished]:
    """Refuse tombstones that say something wrong; return what a publisher had begun and not ended."""
    begun = folder_plan(index).unfinished
    found = [Unfinished(begun[path], path) for path in sorted(begun.keys() & files.keys())]
    for version, one in index.versions.items():
        path = tombstone_path(version)
        said = {state: tombstone_bytes(index.package_id, version, state) for state in PULLED}
        if path in files and files[path] not in said.values():
            _refuse("tombstone_differs", "this is not the tombstone of this version", path)
        if one.state in PULLED and files[path] != said[one.state]:
            # Tombstones come before the index that says so, so that a file that is gone has always its reason.
            found.append(Unfinished("pull_not_finished", path))
    return found


def _signed(
    files: Mapping[str, bytes], path: str, keys: Mapping[str, bytes], read: Callable[[Envelope], _Signed]
) -> tuple[_Signed, frozenset[str]]:
    """Read what was signed under a path, and by which keys: every signature must be by one of `keys`."""
    if path not in files:
        _refuse("published_file_missing", "a file that was published is not there", path)
    try:
        envelope = read_envelope(files[path])
        keyids = signed_by(envelope, keys)
        if keyids != envelope.signatures.keys():
            # A signature that nobody can check would be bytes that anybody can change.
            _refuse("signature_not_trusted", "a signature is not by a key that the public trust names for this", path)
        return read(envelope), keyids
    except IntegrityViolation as error:
        raise IntegrityViolation(error.code, what=error.what, where=path, what_to_do=error.what_to_do) from error


def _refuse(code: str, what: str, where: str) -> NoReturn:
    raise IntegrityViolation(
        code,
        what=what,
        where=where,
        what_to_do="Do not use the folder. Get it again from its publisher; if it stays so, ask them by another way.",
    )
