"""Projecting: bringing the published folder to what the newest signed index says.

Belongs here: which files lie in the folder, in which order they come and go, and the read-back. It is level-triggered:
whatever a process that died left, the next one ends at the same folder. Order: payload of new versions, tombstones,
indexes, the newest index, and only then what is taken back is removed; so a reader finds all that an index demands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster_project.application.audit_log import anchor_checkpoints
from dagster_project.application.issuing import INDEX_CADENCE, payload_digests, sign_index, stored_index
from dagster_project.application.workspace import Workspace
from dagster_project.connections.published_folder import read_published_folder
from dagster_project.connections.published_writing import clear_unfinished, remove_published, write_published
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.publication import (
    NEWEST_INDEX,
    PULLED,
    Index,
    folder_plan,
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
        IntegrityViolation: what was read back is not what was written.
    """
    published = tuple(project_package(workspace, package_id) for package_id in packages_waiting(workspace))
    if published:
        # Afterwards, so that an anchor that cannot be written keeps back no pull.
        anchor_checkpoints(workspace)
    return published


def packages_waiting(workspace: Workspace) -> list[str]:
    """Return the packages with a pending publication."""
    with workspace.store.read() as transaction:
        return packages_to_publish(transaction)


def project_package(workspace: Workspace, package_id: str) -> Published:
    """Bring the folder of one package up to its newest index; see `project`."""
    root = workspace.settings.published / package_id
    with workspace.store.read() as transaction:
        indexes = indexes_of(transaction, package_id)
        index = stored_index(transaction, indexes[-1])
        clear_unfinished(root)
        for name, body in _files(transaction, indexes, index):
            write_published(root, name, body)
    for name in _to_remove(index):
        remove_published(root, name)
    _read_back(root, index)
    with workspace.store.begin() as transaction:
        mark_published(transaction, package_id, index.index_version, workspace.clock.now())
    return Published(package_id, index.index_version)


def _files(transaction: Transaction, indexes: list[IndexRow], index: Index) -> Iterator[tuple[str, bytes]]:
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


def _read_back(root: Path, index: Index) -> None:
    present = set(read_published_folder(root).files)
    plan = folder_plan(index)
    if not plan.required <= present or present - plan.required:
        raise IntegrityViolation(
            "published_folder_differs",
            what="the published folder does not hold exactly what its index demands",
            where=f"package {index.package_id}",
            what_to_do="Take away what does not belong there; then run `channelsafe publish` again.",
        )


def renew_indexes(workspace: Workspace) -> int:
    """Sign the indexes again whose cadence has come, so that a reader can tell silence from a folder held back.

    The cadence counts from the index's own signing: nothing that happens elsewhere moves it (invariant I1).
    """
    now = workspace.clock.now()
    renewed = 0
    with workspace.store.begin() as transaction:
        for package_id in all_packages(transaction):
            last = indexes_of(transaction, package_id)[-1]
            if now >= last.signed_at + INDEX_CADENCE:
                sign_index(workspace, transaction, last.incident, last.bridge, now)
                renewed += 1
    return renewed
