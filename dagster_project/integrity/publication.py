"""Publication: what is signed about released packages, and what a published folder must hold because of it.

Belongs here: the release statement of one version and the index of all versions of one package, making and reading
both, how states may move from one index to the next, and the files that an index demands. Does not belong here: who
may sign (`public_trust`), files on a disk (`connections.published_folder`) and what a package says (`packaging`).
An index is never read in part: every version ever released is listed, so that absence has no meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from dagster_project.clock import format_instant
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import MAX_SAFE_INTEGER, canonical_bytes
from dagster_project.integrity.signatures import Envelope
from dagster_project.integrity.statements import Statement, read_statement, statement_bytes

RELEASE_TYPE: Final = "https://channelsafe.example/release/v1"
INDEX_TYPE: Final = "https://channelsafe.example/index/v1"
NEWEST_INDEX: Final = "index.dsse.json"
PACKAGE: Final = "package.json"
PAYLOAD_FILES: Final = (PACKAGE, "package.html", "package.md", "package.txt")

PublicState: TypeAlias = Literal["released", "superseded", "suspended", "withdrawn"]
PULLED: Final[frozenset[PublicState]] = frozenset({"suspended", "withdrawn"})
# A state that stays is no move. Withdrawn is final.
STATE_MOVES: Final[Mapping[PublicState, frozenset[PublicState]]] = MappingProxyType(
    {
        "released": frozenset({"superseded", "suspended", "withdrawn"}),
        "superseded": frozenset({"suspended", "withdrawn"}),
        "suspended": frozenset({"withdrawn", "superseded", "released"}),
        "withdrawn": frozenset(),
    }
)

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)]
_Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
# The name of a folder as well: nothing that a file system or a shell reads in its own way.
_PackageId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{1,64}\Z")]
_Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
_Slot: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,62}\Z")]


class Predecessor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version that another one supersedes, and the digest of the bytes of its ``statement.dsse.json``."""

    version: _Count
    statement_digest: _Digest


class ReleaseStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a `release` key signs about one version.

    `files` are the digests of all payload files by their path inside the package folder. Version 1 supersedes nothing,
    every other version the one before it, whatever became of that. `withheld` says ``yes`` or ``no`` for every slot of
    the package. Instants are aware.
    """

    package_id: _PackageId
    version: _Count
    profile_label: str
    channel: str
    supersedes: Predecessor | None
    issued_at: _Instant
    stale_after: _Instant
    withheld: Mapping[_Slot, Literal["yes", "no"]]
    files: Mapping[str, _Digest]


class ListedVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version as an index lists it: its state, and the digest of the bytes of its ``statement.dsse.json``."""

    state: PublicState
    statement_digest: _Digest


class Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an `index` key signs about a package: every version ever released, by number, and which one is current."""

    package_id: _PackageId
    index_version: _Count
    current: _Count | None
    versions: Mapping[_Count, ListedVersion]
    signed_at: _Instant
    expires: _Instant


@dataclass(frozen=True)
class FolderPlan:
    """The paths that an index demands of its folder; what is in neither must not lie there.

    `required` must be there. `unfinished` tells what is under way where a path is there, by a code: a pull or its
    restoration (``pull_not_finished``) by payload of pulled versions and tombstones of others; a release
    (``release_not_finished``) by files of the next version and the next index.
    """

    required: frozenset[str]
    unfinished: Mapping[str, str]


def version_folder(version: int) -> str:
    """Return the name of a version's folder, ``v000001``."""
    return f"v{version:06d}"


def statement_path(version: int) -> str:
    """Return where the release statement of a version lies in the package folder."""
    return f"{version_folder(version)}/statement.dsse.json"


def payload_paths(version: int) -> tuple[str, ...]:
    """Return where the payload files of a version lie in the package folder."""
    return tuple(f"{version_folder(version)}/{name}" for name in PAYLOAD_FILES)


def tombstone_path(version: int) -> str:
    """Return where the tombstone of a pulled version lies in the package folder."""
    return f"tombstones/{version_folder(version)}.json"


def index_path(index_version: int) -> str:
    """Return where an index lies in the package folder for good."""
    return f"index/{index_version:08d}.dsse.json"


def tombstone_bytes(package_id: str, version: int, state: PublicState) -> bytes:
    """Write the tombstone of a pulled version: canonical JSON, unsigned, because the index says the same."""
    return canonical_bytes({"package_id": package_id, "version": version, "state": state})


def release_statement_bytes(release: ReleaseStatement) -> bytes:
    """Write what is signed about a version: the payload for `sign_envelope`.

    Raises:
        IntegrityViolation: a field is not as its type says; its files are not the payload files of its version; it
            supersedes another version than the one before it.
    """
    _check_form(release, "release statement")
    _check_release(release)
    return statement_bytes(Statement(RELEASE_TYPE, release.files, _release_predicate(release)))


def read_release_statement(envelope: Envelope) -> ReleaseStatement:
    """Read the release statement in an envelope whose signatures were looked at.

    Raises:
        IntegrityViolation: it is none, or none that `release_statement_bytes` would have written.
    """
    statement = read_statement(envelope, RELEASE_TYPE)
    try:
        release = msgspec.convert({**statement.predicate, "files": dict(statement.subjects)}, ReleaseStatement)
    except msgspec.ValidationError as error:
        raise _malformed("release statement") from error
    if release_statement_bytes(release) != envelope.payload:
        raise _malformed("release statement")
    return release


def index_bytes(index: Index) -> bytes:
    """Write what is signed about all versions of a package: the payload for `sign_envelope`.

    Raises:
        IntegrityViolation: a field is not as its type says; versions are not 1 to their number; `current` is not the
            one released version (None where none is released).
    """
    _check_form(index, "index")
    _check_index(index)
    subjects = {statement_path(version): one.statement_digest for version, one in index.versions.items()}
    return statement_bytes(Statement(INDEX_TYPE, subjects, _index_predicate(index)))


def read_index(envelope: Envelope) -> Index:
    """Read the index in an envelope whose signatures were looked at.

    Raises:
        IntegrityViolation: it is none, or none that `index_bytes` would have written.
    """
    statement = read_statement(envelope, INDEX_TYPE)
    try:
        index = msgspec.convert(_index_document(statement), Index, str_keys=True)
    except (msgspec.ValidationError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise _malformed("index") from error
    if index_bytes(index) != envelope.payload:
        raise _malformed("index")
    return index


def check_index_succession(older: Index, newer: Index) -> None:
    """Refuse an index that may not follow another one of the same package.

    Raises:
        IntegrityViolation: ``package_id_differs``; ``index_version_not_next``; ``index_entry_dropped``, a version is
            no longer listed; ``statement_replaced``, one is listed with another statement; ``state_move_refused``, its
            state moved as `STATE_MOVES` does not allow.
    """
    if newer.package_id != older.package_id:
        raise _refused("package_id_differs", "the index is of another package", index_path(newer.index_version))
    if newer.index_version != older.index_version + 1:
        raise _refused("index_version_not_next", "the index does not follow", index_path(newer.index_version))
    for version, before in older.versions.items():
        after = newer.versions.get(version)
        where = f"{statement_path(version)} in {index_path(newer.index_version)}"
        if after is None:
            raise _refused("index_entry_dropped", "a version that was released is no longer listed", where)
        if after.statement_digest != before.statement_digest:
            raise _refused("statement_replaced", "a version is listed with another statement than before", where)
        if after.state != before.state and after.state not in STATE_MOVES[before.state]:
            what = f"a version may not move from {before.state} to {after.state}"
            raise _refused("state_move_refused", what, where)


def folder_plan(index: Index) -> FolderPlan:
    """Return the paths that an index demands of the folder that it stands for."""
    required = {NEWEST_INDEX, *(index_path(number) for number in range(1, index.index_version + 1))}
    new = len(index.versions) + 1
    following = (index_path(index.index_version + 1), statement_path(new), *payload_paths(new))
    unfinished = dict.fromkeys(following, "release_not_finished")
    for version, one in index.versions.items():
        required.add(statement_path(version))
        if one.state in PULLED:
            required.add(tombstone_path(version))
            unfinished.update(dict.fromkeys(payload_paths(version), "pull_not_finished"))
        else:
            required.update(payload_paths(version))
            unfinished[tombstone_path(version)] = "pull_not_finished"
    return FolderPlan(required=frozenset(required), unfinished=unfinished)


def _release_predicate(release: ReleaseStatement) -> dict[str, Any]:
    before = release.supersedes
    return {
        "package_id": release.package_id,
        "version": release.version,
        "profile_label": release.profile_label,
        "channel": release.channel,
        "supersedes": before and {"version": before.version, "statement_digest": before.statement_digest},
        "issued_at": format_instant(release.issued_at),
        "stale_after": format_instant(release.stale_after),
        "withheld": dict(release.withheld),
    }


def _index_predicate(index: Index) -> dict[str, Any]:
    return {
        "package_id": index.package_id,
        "index_version": index.index_version,
        "current": index.current,
        "versions": {str(version): {"state": one.state} for version, one in index.versions.items()},
        "signed_at": format_instant(index.signed_at),
        "expires": format_instant(index.expires),
    }


def _index_document(statement: Statement) -> dict[str, Any]:
    digests = statement.subjects
    versions = {
        version: {**one, "statement_digest": digests[statement_path(int(version))]}
        for version, one in statement.predicate["versions"].items()
    }
    return {**statement.predicate, "versions": versions}


def _check_form(record: msgspec.Struct, kind: str) -> None:
    """Refuse a record that was made with values that its types do not allow: nobody could read it once signed."""
    try:
        msgspec.convert(msgspec.to_builtins(record), type(record))
    except msgspec.ValidationError as error:
        raise _malformed(kind) from error


def _check_release(release: ReleaseStatement) -> None:
    before = release.supersedes.version if release.supersedes else 0
    if before != release.version - 1:
        what = "a version supersedes another one than the version before it"
        raise _refused("supersedes_not_the_version_before", what, statement_path(release.version))
    if release.files.keys() != set(payload_paths(release.version)):
        what = "the files that are signed are not the payload files of the version"
        raise _refused("payload_files_not_complete", what, statement_path(release.version))


def _check_index(index: Index) -> None:
    where = index_path(index.index_version)
    if set(index.versions) != set(range(1, len(index.versions) + 1)):
        raise _refused("versions_not_gapless", "the versions are not 1 to their number", where)
    released = [version for version, one in index.versions.items() if one.state == "released"]
    if released != ([] if index.current is None else [index.current]):
        raise _refused("current_not_the_released_version", "current is not the one released version", where)


def _malformed(kind: str) -> IntegrityViolation:
    return _refused("publication_malformed", f"this is not a {kind} in its one form", f"a {kind}")


def _refused(code: str, what: str, where: str) -> IntegrityViolation:
    return IntegrityViolation(
        code, what=what, where=where, what_to_do="Do not use it. Ask whoever publishes the package, by another way."
    )
