"""Findings: writing down what was found wrong in a version after its release.

Belongs here: recording one, once. What is done about it (a pull, a correction) people decide.
"""

from typing import Final

from dagster_project.application.receipts import Recorded, VersionName, require_version
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.audit_entries import AuditAction
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of, read_document
from dagster_project.packaging.fields import leaves
from dagster_project.store.audit import NewAuditEntry, append_entry
from dagster_project.store.findings import FindingRow, add_finding, findings_of
from dagster_project.store.transaction import Transaction

FINDING_KINDS: Final = ("leak", "stale", "misleading")


def record_finding(workspace: Workspace, name: VersionName, pointer: str, kind: str) -> Recorded[FindingRow]:
    """Record that a field of a version leaked, was stale or misled; recording the same again changes nothing.

    Raises:
        UsageError: no such version, field or kind.
    """
    if kind not in FINDING_KINDS:
        raise _unusable("finding_kind_unknown", "no such kind of finding", name, f"Use {', '.join(FINDING_KINDS)}.")
    with workspace.store.begin() as transaction:
        version = require_version(transaction, name)
        if pointer not in leaves(read_document(transaction.get_sealed(version.content_digest))):
            raise _unusable(
                "field_unknown", "the version has no such field", name, "Name the field as the package spells it."
            )
        row = FindingRow(**vars(name), field_pointer=pointer, kind=kind, found_at=workspace.clock.now())
        if not add_finding(transaction, row):
            return Recorded(_stored(transaction, row), is_new=False)
        append_entry(transaction, _entry(transaction, row))
        return Recorded(row, is_new=True)


def _unusable(code: str, what: str, name: VersionName, what_to_do: str) -> UsageError:
    return UsageError(code, what=what, where=str(name), what_to_do=what_to_do)


def _stored(transaction: Transaction, row: FindingRow) -> FindingRow:
    names = ("bridge", "version", "field_pointer", "kind")
    return next(
        one
        for one in findings_of(transaction, row.incident)
        if all(getattr(one, name) == getattr(row, name) for name in names)
    )


def _entry(transaction: Transaction, row: FindingRow) -> NewAuditEntry:
    return NewAuditEntry(
        at=row.found_at,
        actor="channelsafe",
        action=AuditAction.FINDING_RECORDED,
        subject=f"bridge/{row.bridge}/version/{row.version}/finding/{row.kind}",
        details_digest=transaction.put_sealed(canonical_bytes(document_of(row))),
        incident=row.incident,
    )
