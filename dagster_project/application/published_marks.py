"""Published marks: what the published folder shows already, which no index may fall behind.

Belongs here: noticing that the store was restored from a copy that is older than what was published. An index that was
signed and shown can never be another one, nor be followed by a lower one: everybody who saw it would refuse the folder.
Outsiders hold it against their own high-water marks (`integrity.trusted_state`); this is the publisher's own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dagster_project.application.trust import trust_chain
from dagster_project.application.workspace import Workspace
from dagster_project.connections.published_writing import read_if_published
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.publication import NEWEST_INDEX, Index, index_path, read_index
from dagster_project.integrity.signatures import read_envelope, signed_by
from dagster_project.store.signing_files import load_service_keys
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import IndexRow


def package_folder(workspace: Workspace, package_id: str) -> Path:
    """Return where the published folder of a package lies."""
    return workspace.settings.published / package_id


def refuse_to_fall_behind(
    workspace: Workspace, transaction: Transaction, package_id: str, stored: Sequence[IndexRow]
) -> None:
    """Refuse to go on where the published folder shows an index of ours that the store does not know.

    What is damaged, unreadable or not signed by us shows nothing: the projector puts the stored bytes back.

    Args:
        workspace: The deployment.
        transaction: One that reads at least.
        package_id: The package.
        stored: Every index of the package, from the first on.

    Raises:
        IntegrityViolation: ``store_rolled_back``.
    """
    last = len(stored)
    names = (NEWEST_INDEX, index_path(last + 1), *((index_path(last),) if last else ()))
    root = package_folder(workspace, package_id)
    bodies = {name: body for name in names if (body := read_if_published(root, name)) is not None}
    known = {one.body_digest for one in stored}
    unknown = {name: body for name, body in bodies.items() if digest_bytes(body) not in known}
    if not unknown:
        return
    keys = _index_keys(workspace, transaction)
    for name, body in unknown.items():
        index = _signed_index(body, keys)
        if index is not None and index.package_id == package_id:
            raise IntegrityViolation(
                "store_rolled_back",
                what=f"index {index.index_version} was published, but the store ends at {last} and does not know it",
                where=f"{package_id}/{name}",
                what_to_do="The store was restored from a copy that is too old. Restore a newer one. If there is none, "
                "publish from a new deployment, and tell everybody who has this folder by another way.",
            )


def _index_keys(workspace: Workspace, transaction: Transaction) -> Mapping[str, bytes]:
    """Return every index key that trust ever named, and those in the key files: trust may be what was rolled back."""
    chain = trust_chain(transaction, workspace)
    ever = {keyid: key for one in chain for keyid, key in one.trust.service_keys("index").items()}
    return ever | {key.keyid: key.public for key in load_service_keys(workspace.settings.keys).get("index", ())}


def _signed_index(body: bytes, keys: Mapping[str, bytes]) -> Index | None:
    try:
        envelope = read_envelope(body)
        return read_index(envelope) if signed_by(envelope, keys) else None
    except IntegrityViolation:
        return None
