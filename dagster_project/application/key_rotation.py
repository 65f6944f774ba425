"""Key rotation: giving a deployment another body key, and destroying the one before.

Belongs here: the order of its steps, which makes that a process may die at any of them. A new key is durable in the key
file before anything is sealed under it; from the commit that says so on, every writer seals under it; bodies are moved
pack by pack; the former key is destroyed only once every sealed body was opened with the new one. Moving bodies is
`store.body_rotation`. Digests and ids are keyed by other keys, so that nothing that names anything changes.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation, UsageError
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.keys import KEY_LENGTH, KeyRing, body_key_id
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.body_account import BodyFault, account_for_bodies
from dagster_project.store.body_keys import BodyKeys, adopt_body_key, current_body_key, require_current_key
from dagster_project.store.body_rotation import bodies_to_move, move_packs, packs_to_move, remove_left_packs
from dagster_project.store.key_files import load_keys, only_key_changer, replace_keys
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class Rotation:
    """What a rotation did, and what is left.

    Args:
        body_key: The id of the key that seals now.
        former: The id of the one before it, while the key file holds it; None once it was destroyed.
        begun: Whether the key is new; else a rotation that was begun before was carried on.
        reencrypted: How many bodies were sealed anew.
        left: How many bodies still need the former key.
        faults: What was not moved because it is not what was stored.
    """

    body_key: str
    former: str | None
    begun: bool
    reencrypted: int
    left: int
    faults: tuple[BodyFault, ...]


def rotate_body_key(workspace: Workspace, *, progress: Callable[[int], None]) -> Rotation:
    """Seal under a new key from now on, and move what is stored to it; carry on where that was begun before.

    While the former key is in the key file, no other rotation begins.

    Args:
        workspace: The deployment.
        progress: Told of the bodies moved so far, after every transaction.

    Raises:
        Unavailable: another process is at it, keys or bodies cannot be read or written, or the key file is not that of
            this store.
    """
    folder = workspace.settings.keys
    with only_key_changer(folder):
        ring = load_keys(folder)
        _refuse_foreign(workspace, ring)
        begun = ring.former_body_encryption is None
        if begun:
            ring = ring.rotated(secrets.token_bytes(KEY_LENGTH))
            replace_keys(folder, ring)
        _adopt(workspace, ring)
        moved, faults = _move_all(workspace, progress)
        with workspace.store.read() as transaction:
            left = bodies_to_move(transaction)
    return Rotation(
        body_key=body_key_id(ring.body_encryption),
        former=_former_id(ring),
        begun=begun,
        reencrypted=moved,
        left=left,
        faults=faults,
    )


def retire_former_key(workspace: Workspace, rotation: Rotation) -> Rotation:
    """Destroy the former key once no body needs it: every sealed body is opened with the new one before.

    Raises:
        IntegrityViolation: a body needs it still, or is not what was stored; the key is kept.
        Unavailable: another process is at it, or keys or bodies cannot be read or written.
        UsageError: the key file holds no former key.
    """
    folder = workspace.settings.keys
    with only_key_changer(folder):
        ring = load_keys(folder)
        former = _former_id(ring)
        if former is None:
            raise UsageError(
                "no_former_key",
                what="the key file holds no former body key",
                where=str(folder),
                what_to_do="Nothing is to be destroyed. Begin a rotation with `channelsafe keys rotate`.",
            )
        with workspace.store.read() as transaction:
            _refuse_if_needed(transaction, len(account_for_bodies(transaction).faults))
        with workspace.store.begin() as transaction:
            remove_left_packs(transaction)
            _refuse_if_needed(transaction, 0)
            details = {"body_key": body_key_id(ring.body_encryption), "destroyed": former}
            _write_down(workspace, transaction, AuditAction.BODY_KEY_RETIRED, former, details)
        replace_keys(folder, ring.without_former())
    return replace(rotation, former=None)


def _adopt(workspace: Workspace, ring: KeyRing) -> None:
    """Let every writer seal under the ring's key from now on; done before, nothing is done."""
    fresh, former = body_key_id(ring.body_encryption), _former_id(ring)
    with workspace.store.begin() as transaction:
        current = current_body_key(transaction.connection)
        if current == fresh:
            return
        if current is None and former is not None:
            adopt_body_key(transaction.connection, former)
        elif current is not None:
            # Another machine may have rotated a moment ago: then this file is behind, and its new key is never used.
            BodyKeys(workspace.settings.keys, ring).key(current)
        adopt_body_key(transaction.connection, fresh)
        details = {"body_key": fresh, "former_body_key": former}
        _write_down(workspace, transaction, AuditAction.BODY_KEY_ROTATED, fresh, details)


def _refuse_foreign(workspace: Workspace, ring: KeyRing) -> None:
    with workspace.store.read() as transaction:
        require_current_key(transaction.connection, BodyKeys(workspace.settings.keys, ring))


def _move_all(workspace: Workspace, progress: Callable[[int], None]) -> tuple[int, tuple[BodyFault, ...]]:
    with workspace.store.begin() as transaction:
        remove_left_packs(transaction)
        groups = packs_to_move(transaction)
    count = 0
    faults: list[BodyFault] = []
    for packs in groups:
        with workspace.store.begin() as transaction:
            moved = move_packs(transaction, packs)
        # A transaction of its own: until the commit above is durable, the packs hold the only copies.
        with workspace.store.begin() as transaction:
            remove_left_packs(transaction)
        count += moved.bodies
        faults += moved.faults
        progress(count)
    return count, tuple(faults)


def _former_id(ring: KeyRing) -> str | None:
    return None if ring.former_body_encryption is None else body_key_id(ring.former_body_encryption)


def _refuse_if_needed(transaction: Transaction, faults: int) -> None:
    """Refuse to destroy a key that a body may need."""
    left = bodies_to_move(transaction)
    if left or faults:
        raise IntegrityViolation(
            "former_key_needed",
            what=f"the former key is kept: {left} bodies need it, {faults} are not as they were stored",
            where="the store of bodies",
            what_to_do="See them with `channelsafe verify`, restore them from a backup, and run this again.",
        )


def _write_down(
    workspace: Workspace,
    transaction: Transaction,
    action: AuditAction,
    body_key: str,
    details: Mapping[str, str | None],
) -> None:
    entry = NewAuditEntry(
        at=workspace.clock.now(),
        actor="channelsafe",
        action=action,
        subject=f"body_key/{body_key}",
        details_digest=transaction.put_sealed(canonical_bytes(dict(details))),
    )
    append_entry(transaction, entry)
