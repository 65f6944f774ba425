"""Projecting: bringing the published folder to what the newest signed index says.

Belongs here: which files lie in the folder, in which order they come and go, and the read-back. It is level-triggered:
whatever a process that died left, the next one ends at the same folder. Order: payload of new versions, tombstones,
indexes, the newest index, and only then what is taken back is removed; so a reader finds all that an index demands.
Where several indexes wait, the folder goes through them one by one, because a reader understands one that is under
way; only one that would show what has been taken back since is passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster_project.application.audit_log import anchor_checkpoints
from dagster_project.application.issuing import INDEX_CADENCE, payload_digests, sign_index, stored_index
from dagster_project.application.one_by_one import for_each
from dagster_project.application.published_marks import package_folder, refuse_to_fall_behind
from dagster_project.application.workspace import Workspace
from dagster_project.connections.published_folder import read_published_folder
from dagster_project.connections.published_writing import (
    alone_in,
    clear_unfinished,
    read_if_published,
    remove_published,
    write_published,
)
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.publication import (
    NEWEST_INDEX,
    PULLED,
    Index,
    index_path,
    payload_paths,
    statement_path,
    tombstone_bytes,
    tombstone_path,
    version_folder,
)
from dagster_project.sources.record import Classification
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import (
    IndexRow,
    VersionRow,
    all_packages,
    indexes_of,
    mark_published,
    packages_to_publish,
    versions_of,
)


@dataclass(frozen=True)
class Published:
    """A package whose folder was brought up to an index, and read back."""

    package_id: str
    index_version: int


def project(workspace: Workspace) -> tuple[Published, ...]:
    """Bring the published folder of every package up to date that has a pending publication; safe to call any time.

    Raises:
        Unavailable: the folder cannot be written.
        IntegrityViolation: what was read back is not what was written, or the store is older than the folder.
            What is wrong with one package is said after every other one was published.
    """
    return tuple(for_each(packages_waiting(workspace), lambda package_id: project_package(workspace, package_id)))


def packages_waiting(workspace: Workspace) -> list[str]:
    """Return the packages with a pending publication."""
    with workspace.store.read() as transaction:
        return packages_to_publish(transaction)


def project_package(workspace: Workspace, package_id: str) -> Published:
    """Bring the folder of one package up to its newest index; see `project`."""
    root = package_folder(workspace, package_id)
    # The store is read once nobody else writes: whoever waited must not put an older index back.
    with alone_in(root.parent), workspace.store.read() as transaction:
        rows = indexes_of(transaction, package_id)
        refuse_to_fall_behind(workspace, transaction, package_id, rows)
        clear_unfinished(root)
        for index in _steps(transaction, root, rows):
            written = _bring_to(transaction, root, rows[: index.index_version], index)
        _read_back(root, written)
    with workspace.store.begin() as transaction:
        mark_published(transaction, package_id, rows[-1].index_version, workspace.clock.now())
    # Afterwards, so that an anchor that cannot be written keeps back no pull.
    anchor_checkpoints(workspace)
    return Published(package_id, rows[-1].index_version)


def _steps(transaction: Transaction, root: Path, rows: Sequence[IndexRow]) -> Iterator[Index]:
    """Yield the indexes that the folder is to show one after the other, the newest last.

    None of them shows a version that the newest has taken back, unless the folder shows it already.
    """
    newest = stored_index(transaction, rows[-1])
    shown = read_if_published(root, NEWEST_INDEX)
    at = [number for number, row in enumerate(rows) if shown is not None and row.body_digest == digest_bytes(shown)]
    if at:
        there = _shown_versions(stored_index(transaction, rows[at[0]]))
        for row in rows[at[0] + 1 : -1]:
            index = stored_index(transaction, row)
            if _shown_versions(index) <= _shown_versions(newest) | there:
                yield index
                there = _shown_versions(index)
    yield newest


def _shown_versions(index: Index) -> frozenset[int]:
    return frozenset(version for version, one in index.versions.items() if one.state not in PULLED)


def _bring_to(transaction: Transaction, root: Path, rows: Sequence[IndexRow], index: Index) -> Mapping[str, str]:
    """Bring the folder to one index; return the digests of all that it holds then."""
    digests = {}
    for name, body in _files(transaction, rows, index):
        write_published(root, name, body)
        digests[name] = digest_bytes(body)
    for name in _to_remove(index):
        remove_published(root, name)
    return digests


def _files(transaction: Transaction, indexes: Sequence[IndexRow], index: Index) -> Iterator[tuple[str, bytes]]:
    """Yield what the folder must hold, in the order in which it has to appear."""
    for row in versions_of(transaction, indexes[-1].incident, indexes[-1].bridge):
        if row.version in index.versions:
            yield from _files_of_version(transaction, row, index)
    envelopes = [transaction.blobs.get(one.body_digest, Classification.CUSTOMER) for one in indexes]
    for one, envelope in zip(indexes, envelopes, strict=True):
        yield index_path(one.index_version), envelope
    yield NEWEST_INDEX, envelopes[-1]


def _files_of_version(transaction: Transaction, row: VersionRow, index: Index) -> Iterator[tuple[str, bytes]]:
    state = index.versions[row.version].state
    if state in PULLED:
        yield tombstone_path(row.version), tombstone_bytes(row.package_id, row.version, state)
    else:
        for name, digest in sorted(payload_digests(transaction, row).items()):
            yield f"{version_folder(row.version)}/{name}", transaction.blobs.get(digest, Classification.CUSTOMER)
    yield statement_path(row.version), transaction.blobs.get(row.statement_digest, Classification.CUSTOMER)


def _to_remove(index: Index) -> Iterator[str]:
    for version, one in index.versions.items():
        if one.state in PULLED:
            yield from payload_paths(version)
        else:
            yield tombstone_path(version)


def _read_back(root: Path, written: Mapping[str, str]) -> None:
    present = {name: digest_bytes(body) for name, body in read_published_folder(root).files.items()}
    if present != written:
        differing = sorted(name for name in present.keys() | written if present.get(name) != written.get(name))
        raise IntegrityViolation(
            "published_folder_differs",
            what=f"the published folder does not hold exactly what its index demands: {len(differing)} files differ",
            where=f"{root.name}/{ascii(differing[0])[1:-1]}",
            what_to_do="Take away what does not belong there; then run `channelsafe publish` again.",
        )


def indexes_due(workspace: Workspace) -> list[str]:
    """Return the packages whose index has to be signed again, so that readers can tell silence from a folder held back.

    The cadence counts from the index's own signing: nothing that happens elsewhere moves it (invariant I1).
    """
    with workspace.store.read() as transaction:
        return [one for one in all_packages(transaction) if _is_due(workspace, indexes_of(transaction, one)[-1])]


def renew_index(workspace: Workspace, package_id: str) -> None:
    """Sign the index of a package again, unless somebody did since it was due.

    Raises:
        IntegrityViolation: ``store_rolled_back``, the store is older than what was published.
    """
    with workspace.store.begin() as transaction:
        last = indexes_of(transaction, package_id)[-1]
        if _is_due(workspace, last):
            sign_index(workspace, transaction, last.incident, last.bridge, workspace.clock.now())


def _is_due(workspace: Workspace, last: IndexRow) -> bool:
    return workspace.clock.now() >= last.signed_at + INDEX_CADENCE
