"""Evidence of the audit log: verifying it where it lies, writing it out, and verifying what was written out.

Belongs here: gathering what is to be compared. What must agree with what is `integrity.audit_verification`, what an
export looks like `integrity.audit_export`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster_project.application.audit_log import log_origin
from dagster_project.application.trust import trust_chain
from dagster_project.application.trust_files import read_trust_file
from dagster_project.application.trust_shelf import AdoptedTrust
from dagster_project.application.workspace import Workspace
from dagster_project.connections.anchor import AnchorFile
from dagster_project.errors import Unavailable
from dagster_project.integrity.audit_entries import readable_leaf
from dagster_project.integrity.audit_export import export_lines, read_export
from dagster_project.integrity.audit_verification import LogCopy, LogFault, LogVerification, verify_log
from dagster_project.integrity.public_trust import follow_public_trust
from dagster_project.store.audit import FIRST, log_head, readable_entries_after
from dagster_project.store.audit_checkpoints import newest_anchored_size, readable_checkpoints
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class VerifiedLog:
    """What was found; whether there was an anchor to hold it against; whether its keys are a demonstration's."""

    found: LogVerification
    has_anchor: bool
    demo: bool


def verify_audit_log(workspace: Workspace) -> VerifiedLog:
    """Verify the log of a deployment against its checkpoints and its anchor.

    Raises:
        IntegrityViolation: a stored version of trust is not what was adopted.
        UnsafeOrRejected: it is demo trust, and the demo did not make this store.
        Unavailable: the database or the anchor cannot be read.
    """
    anchor = workspace.store.anchor
    # In this order others may go on anchoring: what is marked is in the anchor, and what is there is in the log.
    with workspace.store.read() as transaction:
        marked = newest_anchored_size(transaction)
    anchored, unreadable = ((), 0) if anchor is None else anchor.checkpoints()
    with workspace.store.read() as transaction:
        log = _copy_of(transaction, anchored_size=0 if anchor is None else marked, unreadable_anchors=unreadable)
        trust = trust_chain(transaction, workspace)
    found = verify_log(log, anchored=anchored, audit_keys=_audit_keys(trust))
    return VerifiedLog(found, anchor is not None, any(one.trust.demo for one in trust))


def export_audit_log(workspace: Workspace) -> Iterator[bytes]:
    """Yield the lines of an export: what the log says that it is, its entries, its checkpoints, as they are stored."""
    with workspace.store.read() as transaction:
        entries = readable_entries_after(transaction, FIRST)
        checkpoints, _unreadable = readable_checkpoints(transaction)
        yield from export_lines(log_origin(transaction), log_head(transaction), entries, checkpoints)


def verify_audit_export(export: Path, *, trust: Path, anchor: Path | None) -> VerifiedLog:
    """Verify an exported log on any machine: against public trust, and against an anchor where one is at hand.

    Raises:
        IntegrityViolation: the export or the public trust file is none in its one form.
        Unavailable: a file cannot be read, or the anchor does not exist.
    """
    if anchor is not None and not anchor.exists():
        raise Unavailable(
            "anchor_missing",
            what="there is no such anchor",
            where=str(anchor),
            what_to_do="Name the file to which checkpoints were appended, or leave it out.",
        )
    anchored, unreadable = ((), 0) if anchor is None else AnchorFile(anchor).checkpoints()
    chain = follow_public_trust(read_trust_file(trust))
    log = read_export(read_trust_file(export), faults=_unreadable_anchors(unreadable))
    found = verify_log(log, anchored=anchored, audit_keys=chain.keys_ever("audit"))
    return VerifiedLog(found, anchor is not None, chain.current.demo)


def _copy_of(transaction: Transaction, *, anchored_size: int, unreadable_anchors: int) -> LogCopy:
    checkpoints, unreadable = readable_checkpoints(transaction)
    faults = [LogFault("audit_checkpoint_unreadable", min(1, size), size) for size in unreadable]
    entries = readable_entries_after(transaction, FIRST)
    return LogCopy(
        origin=log_origin(transaction),
        leaves=[(sequence, readable_leaf(entry)) for sequence, entry in entries],
        head=log_head(transaction),
        checkpoints=checkpoints,
        anchored_size=anchored_size,
        faults=(*faults, *_unreadable_anchors(unreadable_anchors)),
    )


def _unreadable_anchors(lines: int) -> tuple[LogFault, ...]:
    # No crash leaves a whole line that is no checkpoint. Which entries it spoke for nobody can tell.
    return (LogFault("anchor_unreadable", 0, 0),) if lines else ()


def _audit_keys(trust: tuple[AdoptedTrust, ...]) -> dict[str, bytes]:
    return {keyid: public for one in trust for keyid, public in one.trust.service_keys("audit").items()}
