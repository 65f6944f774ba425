"""The audit log: signing checkpoints of it, and anchoring them out of reach.

Belongs here: making a checkpoint that follows from the one before, and bringing the anchor up to date. Verification
and export are `audit_evidence`; appending is `store.audit`.
"""

from dataclasses import replace
from typing import Final, NoReturn

from dagster_project.application.trust import service_key
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation, Unavailable, UsageError
from dagster_project.integrity.audit_entries import leaf_of
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.checkpoints import KeptCheckpoint, make_kept
from dagster_project.integrity.digests import opaque_code
from dagster_project.integrity.merkle import CompactRange
from dagster_project.integrity.signatures import SigningKey
from dagster_project.store.audit import (
    AuditAction,
    NewAuditEntry,
    all_entries_after,
    append_entry,
    head_for_appending,
)
from dagster_project.store.audit_checkpoints import (
    add_checkpoint,
    checkpoints_after,
    forget_anchor,
    mark_anchored,
    newest_anchored_size,
    newest_checkpoint,
)
from dagster_project.store.transaction import Transaction

_ORIGIN: Final = "channelsafe.example/audit/"


def log_origin(transaction: Transaction) -> str:
    """Return the name of a deployment's log. It follows from the keys, so that a log begun anew bears it too."""
    return _ORIGIN + opaque_code(transaction.keys.opaque_codes, "audit log", length=26)


def audit_key(workspace: Workspace) -> SigningKey | None:
    """Return the key that checkpoints are signed with; None while nobody is trusted yet.

    Raises:
        Unavailable: there is trust, but its key is not among the key files here.
        UnsafeOrRejected: it is demo trust, and the demo did not make this store.
        IntegrityViolation: a stored version of trust is not what was adopted.
    """
    try:
        return service_key(workspace, "audit")
    except Unavailable as error:
        if error.code != "no_trust":
            raise
        return None


def make_checkpoint(workspace: Workspace, transaction: Transaction, key: SigningKey | None) -> KeptCheckpoint:
    """Make the checkpoint of the log as it stands in this transaction, or return the newest where nothing was appended.

    It is never inconsistent with the one before: the entries since are read back and must lead from the range of that
    one to the head. Call `anchor_checkpoints` after the commit.

    Args:
        workspace: The deployment.
        transaction: One that may write.
        key: The key of the service `audit`; None while there is no trust.

    Raises:
        IntegrityViolation: ``audit_log_rolled_back`` as in `store.audit.append_entries`; ``audit_log_inconsistent``,
            the entries do not lead from the checkpoint before to the head.
        Unavailable: ``checkpoint_key_missing``, the one before is signed and there is no key now; or the anchor is
            gone.
    """
    head = head_for_appending(transaction)
    before = newest_checkpoint(transaction)
    start = CompactRange() if before is None else before.compact_range
    # Those without a place after `start` are none of this log's, and would make it another.
    if start.appended(leaf_of(entry) for entry in all_entries_after(transaction, start.size)) != head:
        _refuse_inconsistent(start.size, head.size)
    if before is not None and before.size == head.size:
        return before
    if key is None and before is not None and before.is_signed:
        raise Unavailable(
            "checkpoint_key_missing",
            what="the newest checkpoint is signed, and there is no key to sign the next one with",
            where="the audit log",
            what_to_do="Restore trust and its key files from their backup.",
        )
    kept = make_kept(log_origin(transaction), head, [] if key is None else [key])
    add_checkpoint(transaction, kept, at=workspace.clock.now())
    return kept


def anchor_checkpoints(workspace: Workspace) -> int | None:
    """Append the committed checkpoints that the anchor lacks to it, and mark them; do nothing where all is done.

    A crash at any instant leaves a checkpoint that is not marked, or not anchored yet: the next call ends it. Nobody
    else writes meanwhile, so that no two processes anchor at once.

    Returns:
        The size that is anchored now; None where the deployment has no anchor, or no checkpoint yet.

    Raises:
        IntegrityViolation: the newest anchored checkpoint is not one of this log.
        Unavailable: the anchor cannot be written, or is gone.
    """
    anchor = workspace.store.anchor
    if anchor is None:
        return None
    with workspace.store.begin() as transaction:
        head_for_appending(transaction)
        newest = anchor.newest()
        missing = checkpoints_after(transaction, -1 if newest is None else newest.size)
        was_torn = anchor.append(missing, after=newest) if missing else False
        anchored = missing[-1] if missing else newest
        if anchored is None:
            return None
        mark_anchored(transaction, anchored.size, at=workspace.clock.now())
        if was_torn:
            append_entry(transaction, _repair_of(workspace, transaction, anchored.size))
    return anchored.size


def checkpoint_now(workspace: Workspace) -> KeptCheckpoint:
    """Make a checkpoint of the log as it stands, and anchor it where the deployment has an anchor.

    Raises:
        As `audit_key`, `make_checkpoint` and `anchor_checkpoints`.
    """
    key = audit_key(workspace)
    with workspace.store.begin() as transaction:
        kept = make_checkpoint(workspace, transaction, key)
    anchor_checkpoints(workspace)
    return kept


def replace_anchor(workspace: Workspace) -> KeptCheckpoint:
    """Give up the anchor so far and begin a new one: a person's decision, which the log keeps as an entry.

    The new one must be empty, so that no evidence is passed over by naming the wrong file.

    Raises:
        UsageError: the deployment names no anchor, or one that holds checkpoints.
        IntegrityViolation: the log is not even what it says of itself.
        As `checkpoint_now`.
    """
    anchor = workspace.store.anchor
    if anchor is None or anchor.newest() is not None:
        raise UsageError(
            "anchor_not_new",
            what="a new anchor is a file that holds no checkpoint yet",
            where="CHANNELSAFE_ANCHOR",
            what_to_do="Name another file, and keep the old one: it is the evidence of what was there.",
        )
    now = workspace.clock.now()
    with workspace.store.begin() as guarded:
        transaction = replace(guarded, anchor=None)
        given_up = newest_anchored_size(transaction)
        forget_anchor(transaction)
        entry = NewAuditEntry(
            at=now,
            actor="channelsafe",
            action=AuditAction.ANCHOR_REPLACED,
            subject=f"anchor/checkpoint/{given_up}",
            details_digest=transaction.put_sealed(canonical_bytes({"marked_as_anchored": given_up})),
        )
        append_entry(transaction, entry)
    return checkpoint_now(workspace)


def _repair_of(workspace: Workspace, transaction: Transaction, size: int) -> NewAuditEntry:
    return NewAuditEntry(
        at=workspace.clock.now(),
        actor="channelsafe",
        action=AuditAction.ANCHOR_REPAIRED,
        subject=f"anchor/checkpoint/{size}",
        details_digest=transaction.put_sealed(canonical_bytes({"cut_off": "a line without its end"})),
    )


def _refuse_inconsistent(start: int, end: int) -> NoReturn:
    raise IntegrityViolation(
        "audit_log_inconsistent",
        what="the entries do not lead from the newest checkpoint to the head of the log",
        where=f"audit entries {start + 1} to {end}",
        what_to_do="Nothing was signed. See the range with `channelsafe audit verify` and keep a copy of the store.",
    )
