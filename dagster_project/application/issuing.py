"""Issuing: making the next version of a package from content that may leave.

Belongs here: header, views, statement, states, index and internal manifest of one version, in one transaction (design,
section 4, release). Whether it may leave is decided before, in `releasing` and `pulling`; the published folder is
written afterwards by `projecting`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from dagster_project.application.audit_log import audit_key, make_checkpoint
from dagster_project.application.published_marks import refuse_to_fall_behind
from dagster_project.application.trust import service_key
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes, opaque_code
from dagster_project.integrity.documents import document_of, read_document
from dagster_project.integrity.publication import (
    PACKAGE,
    Index,
    ListedVersion,
    Predecessor,
    ReleaseStatement,
    index_bytes,
    read_index,
    release_statement_bytes,
    version_folder,
)
from dagster_project.integrity.signatures import read_envelope, sign_envelope
from dagster_project.packaging.channels import require_bridge
from dagster_project.packaging.header import Header, Revision, package_document
from dagster_project.packaging.lineage import read_lineage
from dagster_project.packaging.views import released_views_of
from dagster_project.review.history import Taken, Told, publication_states, shown_leaves
from dagster_project.sources.record import Classification
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import (
    IndexRow,
    VersionRow,
    add_index,
    add_version,
    indexes_of,
    set_states,
    versions_of,
)

# An index that nobody signs again within this time is refused by whoever looks: silence is noticed.
INDEX_LIFE: Final = timedelta(hours=6)
INDEX_CADENCE: Final = timedelta(hours=1)
_PACKAGE_ID_LENGTH: Final = 16
_WITHHELD_STATES: Final = ("on_hold", "in_review")


@dataclass(frozen=True, kw_only=True)
class Issue:
    """What is to become the next version of a bridge's package.

    `manifest` is everything that stands behind it, to be kept inside; `kind` is said in the revision history.
    """

    incident: str
    bridge: str
    kind: str
    content: dict[str, Any]
    lineage_bytes: bytes
    label: str
    candidate_id: int | None
    profile_digest: str
    valid_until: datetime
    as_of: datetime | None
    reaffirmed_at: datetime | None
    manifest: dict[str, Any]


def package_id_of(transaction: Transaction, incident: str, bridge: str) -> str:
    """Return the opaque id of a bridge's package."""
    return opaque_code(transaction.keys.opaque_codes, "package", incident, bridge, length=_PACKAGE_ID_LENGTH)


def issue(workspace: Workspace, transaction: Transaction, new: Issue, taken: Sequence[Taken]) -> VersionRow:
    """Make the next version, sign it and the index that makes it current, and leave its publication pending.

    Args:
        workspace: The deployment.
        transaction: One that may write; all of it happens there or nothing does.
        new: What to release.
        taken: The decisions about this bridge, from which the states of earlier versions follow.

    Raises:
        UnsafeOrRejected: no contract record opens a bridge on the channel that it was rendered for.
    """
    require_bridge(new.content["channel"], where=f"incident {new.incident}, bridge {new.bridge}")
    versions = versions_of(transaction, new.incident, new.bridge)
    package_id = package_id_of(transaction, new.incident, new.bridge)
    now = max([workspace.clock.now(), *(one.issued_at for one in versions)])
    header = _header(new, versions, package_id, now)
    payload = payload_of(new.content, header)
    said = release_statement_of(new.content, new.label, header, payload)
    statement = sign_envelope(said, [service_key(workspace, "release")])
    row = VersionRow(
        incident=new.incident,
        bridge=new.bridge,
        version=header.version,
        supersedes=header.version - 1 or None,
        package_id=package_id,
        kind=new.kind,
        state="released",
        candidate_id=new.candidate_id,
        profile_digest=new.profile_digest,
        content_digest=transaction.put_sealed(canonical_bytes(new.content)),
        lineage_digest=transaction.put_sealed(new.lineage_bytes),
        payload_digest=_keep_payload(transaction, payload),
        statement_digest=transaction.blobs.put(statement, Classification.CUSTOMER),
        manifest_digest=transaction.put_sealed(canonical_bytes(new.manifest | {"header": document_of(header)})),
        valid_until=new.valid_until,
        as_of=new.as_of,
        issued_at=now,
        reaffirmed_at=new.reaffirmed_at,
    )
    _move_states(transaction, [*versions, row], taken)
    add_version(transaction, row)
    sign_index(workspace, transaction, new.incident, new.bridge, now)
    append_entry(transaction, _audit_entry(transaction, row, now))
    make_checkpoint(workspace, transaction, audit_key(workspace))
    return row


def restate(workspace: Workspace, transaction: Transaction, incident: str, bridge: str, taken: Sequence[Taken]) -> None:
    """Move the states of versions as decisions say, without a new version, and sign the index that says so."""
    versions = versions_of(transaction, incident, bridge)
    if versions and _move_states(transaction, versions, taken):
        sign_index(workspace, transaction, incident, bridge, workspace.clock.now())


def sign_index(workspace: Workspace, transaction: Transaction, incident: str, bridge: str, at: datetime) -> IndexRow:
    """Sign the next index of a package; its publication is pending then.

    Raises:
        IntegrityViolation: ``store_rolled_back``, the published folder shows an index that the store does not know.
    """
    package_id = package_id_of(transaction, incident, bridge)
    before = indexes_of(transaction, package_id)
    refuse_to_fall_behind(workspace, transaction, package_id, before)
    versions = versions_of(transaction, incident, bridge)
    index = Index(
        package_id=package_id,
        index_version=len(before) + 1,
        current=next((one.version for one in versions if one.state == "released"), None),
        versions={
            one.version: ListedVersion(state=one.state, statement_digest=one.statement_digest)  # type: ignore[arg-type] # the table allows these words alone
            for one in versions
        },
        signed_at=at,
        expires=at + INDEX_LIFE,
    )
    envelope = sign_envelope(index_bytes(index), [service_key(workspace, "index")])
    row = IndexRow(
        package_id=package_id,
        index_version=index.index_version,
        incident=incident,
        bridge=bridge,
        body_digest=transaction.blobs.put(envelope, Classification.CUSTOMER),
        signed_at=at,
        expires=index.expires,
    )
    add_index(transaction, row)
    return row


def stored_index(transaction: Transaction, row: IndexRow) -> Index:
    """Return a stored index."""
    return read_index(read_envelope(transaction.blobs.get(row.body_digest, Classification.CUSTOMER)))


def payload_digests(transaction: Transaction, row: VersionRow) -> dict[str, str]:
    """Return the digests of a version's payload files by name."""
    found: dict[str, str] = read_document(transaction.get_sealed(row.payload_digest))
    return found


def told_versions(transaction: Transaction, versions: Sequence[VersionRow]) -> list[Told]:
    """Return versions with what each shows, leaf by leaf; what is on hold is not shown."""
    return [Told(one.version, one.issued_at, _shown(transaction, one)) for one in versions]


def _shown(transaction: Transaction, row: VersionRow) -> Mapping[str, str]:
    content = read_document(transaction.get_sealed(row.content_digest))
    return shown_leaves(content, read_lineage(transaction.get_sealed(row.lineage_digest)))


def _header(new: Issue, versions: Sequence[VersionRow], package_id: str, now: datetime) -> Header:
    version = len(versions) + 1
    history = [Revision(version=one.version, issued_at=one.issued_at, cause=one.kind) for one in versions]
    return Header(
        package_id=package_id,
        version=version,
        supersedes=Predecessor(version - 1, versions[-1].statement_digest) if versions else None,
        issued_at=now,
        as_of=new.as_of,
        stale_after=new.valid_until,
        reaffirmed_at=new.reaffirmed_at,
        revision_history=(*history, Revision(version=version, issued_at=now, cause=new.kind)),
    )


def payload_of(content: dict[str, Any], header: Header) -> dict[str, bytes]:
    """Return the public files of a version by name: the package, and its views made from it alone."""
    package = canonical_bytes(package_document(header, content))
    return {PACKAGE: package, **released_views_of(content, header)}


def _keep_payload(transaction: Transaction, payload: Mapping[str, bytes]) -> str:
    digests = {name: transaction.blobs.put(body, Classification.CUSTOMER) for name, body in payload.items()}
    return transaction.put_sealed(canonical_bytes(digests))


def release_statement_of(content: dict[str, Any], label: str, header: Header, payload: Mapping[str, bytes]) -> bytes:
    """Return what is signed about a version: header, profile label, slots, and the digest of every payload file."""
    folder = version_folder(header.version)
    release = ReleaseStatement(
        package_id=header.package_id,
        version=header.version,
        profile_label=label,
        channel=content["channel"],
        supersedes=header.supersedes,
        issued_at=header.issued_at,
        stale_after=header.stale_after,
        withheld={
            slot: "yes" if one["slot_state"] in _WITHHELD_STATES else "no" for slot, one in content["held"].items()
        },
        files={f"{folder}/{name}": digest_bytes(body) for name, body in payload.items()},
    )
    return release_statement_bytes(release)


def _move_states(transaction: Transaction, versions: Sequence[VersionRow], taken: Sequence[Taken]) -> bool:
    """Bring the states of stored versions to what follows from decisions; tell whether any moved."""
    states = publication_states(told_versions(transaction, versions), taken)
    stored = {one.version: one for one in versions_of(transaction, versions[0].incident, versions[0].bridge)}
    moved = {number: state for number, state in states.items() if number in stored and stored[number].state != state}
    set_states(transaction, versions[0].incident, versions[0].bridge, moved)
    return bool(moved)


def _audit_entry(transaction: Transaction, row: VersionRow, at: datetime) -> NewAuditEntry:
    details = {
        "content_digest": row.content_digest,
        "statement_digest": row.statement_digest,
        "manifest_digest": row.manifest_digest,
        "kind": row.kind,
    }
    return NewAuditEntry(
        at=at,
        actor="channelsafe",
        action=AuditAction.RELEASED,
        subject=f"bridge/{row.bridge}/version/{row.version}",
        details_digest=transaction.put_sealed(canonical_bytes(details)),
        incident=row.incident,
    )
