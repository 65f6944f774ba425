"""Version history: what was shared on which bridge and when, who decided what, and what was heard of it.

Belongs here: joining what is recorded of an incident's versions. Each answer is read from its own record and none is
inferred from another: a version that lies in the published folder is not thereby handed off, nor read. What was not
recorded is None, which means unknown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster_project.application.issuing import stored_index
from dagster_project.application.pinned import require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.signatures import read_envelope
from dagster_project.review.decisions import read_decision
from dagster_project.store.decisions import DecisionRow, decisions_of_incident
from dagster_project.store.findings import FindingRow, findings_of
from dagster_project.store.receipts import ReceiptRow, receipts_of
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, indexes_of, released_bridges, versions_of

__all__ = [
    "CoveringApproval",
    "DecisionOverview",
    "ReceiptRow",
    "StateMove",
    "VersionHistory",
    "VersionOverview",
    "state_moves",
    "version_history",
]


@dataclass(frozen=True)
class StateMove:
    """A publication state as a signed index first said it, and when the published folder was read back with that."""

    state: str
    at: datetime
    in_folder_at: datetime | None


@dataclass(frozen=True)
class CoveringApproval:
    """What one accepted approval covered of a version: the fields by pointer."""

    person: str
    received_at: datetime
    fields: tuple[str, ...]


@dataclass(frozen=True)
class VersionOverview:
    """One version and what is recorded of it.

    Args:
        incident: The incident.
        bridge: The bridge.
        version: Its number.
        kind: Release, acknowledgement, reaffirmation or pull.
        state: Its publication state now.
        state_since: Since when, as the signed indexes say; None where they do not.
        issued_at: When it was released.
        in_folder_since: When the published folder was first read back with it; None where it was not yet.
        as_of: The data's instant.
        stale_after: From when on the data is too old.
        reaffirmed_at: When a person saw it to be still so.
        approvals: Who approved what of it; None where its manifest does not say.
        standing_fields: What the profile's own approval covered; None where its manifest does not say.
        withheld: How many annexed values stayed inside, by audience; None where its manifest does not say.
        receipts: What was heard of it.
        findings: What was found wrong in it.
    """

    incident: str
    bridge: str
    version: int
    kind: str
    state: str
    state_since: datetime | None
    issued_at: datetime
    in_folder_since: datetime | None
    as_of: datetime | None
    stale_after: datetime
    reaffirmed_at: datetime | None
    approvals: tuple[CoveringApproval, ...] | None
    standing_fields: tuple[str, ...] | None
    withheld: dict[str, int] | None
    receipts: tuple[ReceiptRow, ...]
    findings: tuple[FindingRow, ...]


@dataclass(frozen=True)
class DecisionOverview:
    """One accepted decision; `bridge` is empty where it is about the whole incident.

    `fields` are those it names, and those whose changes it names as far as a version carried them out. How many changes
    it names besides is `other_changes`: no version carried those out. Its reason is for those who look at the hold.
    """

    decision_digest: str
    bridge: str
    person: str
    act: str
    decided_at: datetime
    received_at: datetime
    version: int | None
    role: str
    refers_to: str
    fields: tuple[str, ...]
    other_changes: int


@dataclass(frozen=True)
class VersionHistory:
    """The versions of an incident by bridge and number, and the decisions about it in the order of acceptance."""

    versions: tuple[VersionOverview, ...]
    decisions: tuple[DecisionOverview, ...]


def version_history(workspace: Workspace, incident: str, bridge: str | None = None) -> VersionHistory:
    """Return what was released of an incident and what was decided about it; of one bridge where it is named.

    Raises:
        UsageError: no record about the incident was ever admitted.
    """
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        bridges = [one for one in released_bridges(transaction, incident) if bridge in {None, one}]
        reading = _Reading(transaction, incident)
        versions = tuple(overview for name in bridges for overview in reading.versions(name))
        decided = [one for one in reading.rows if bridge is None or one.bridge in {bridge, ""}]
        return VersionHistory(versions, tuple(reading.decision(one) for one in decided))


def state_moves(transaction: Transaction, package_id: str) -> dict[int, tuple[StateMove, ...]]:
    """Return how the publication state of every version of a package moved, as its signed indexes say in order."""
    moves: dict[int, list[StateMove]] = {}
    for row in indexes_of(transaction, package_id):
        for number, listed in stored_index(transaction, row).versions.items():
            known = moves.setdefault(number, [])
            if not known or known[-1].state != listed.state:
                known.append(StateMove(listed.state, row.signed_at, row.published_at))
    return {number: tuple(found) for number, found in moves.items()}


class _Reading:
    """One pass over what is recorded of an incident, in one transaction."""

    def __init__(self, transaction: Transaction, incident: str) -> None:
        self._transaction, self._incident = transaction, incident
        self.rows = decisions_of_incident(transaction, incident)
        self._decided = {one.decision_digest: one for one in self.rows}
        self._receipts = receipts_of(transaction, incident)
        self._findings = findings_of(transaction, incident)
        # Filled by the versions that carried changes out.
        self._pointers: dict[str, str] = {}

    def versions(self, bridge: str) -> Iterable[VersionOverview]:
        """Yield the versions of one bridge."""
        rows = versions_of(self._transaction, self._incident, bridge)
        moves = state_moves(self._transaction, rows[0].package_id)
        for row in rows:
            yield self._version(row, moves.get(row.version, ()))

    def _version(self, row: VersionRow, moves: tuple[StateMove, ...]) -> VersionOverview:
        manifest = read_document(self._transaction.get_sealed(row.manifest_digest))
        changes = manifest.get("changes")
        self._pointers |= {one["digest"]: one["pointer"] for one in changes or []}
        is_known = bool(moves) and moves[-1].state == row.state
        return VersionOverview(
            incident=row.incident,
            bridge=row.bridge,
            version=row.version,
            kind=row.kind,
            state=row.state,
            state_since=moves[-1].at if is_known else None,
            issued_at=row.issued_at,
            in_folder_since=moves[0].in_folder_at if moves else None,
            as_of=row.as_of,
            stale_after=row.valid_until,
            reaffirmed_at=row.reaffirmed_at,
            approvals=None if changes is None else self._approvals(manifest),
            standing_fields=None if changes is None else tuple(one["pointer"] for one in changes if one["standing"]),
            withheld=manifest.get("withheld"),
            receipts=tuple(one for one in self._receipts if _is_about(one, row)),
            findings=tuple(one for one in self._findings if _is_about(one, row)),
        )

    def _approvals(self, manifest: Mapping[str, Any]) -> tuple[CoveringApproval, ...]:
        fields: dict[str, list[str]] = {}
        for change, decisions in manifest["decisions"].items():
            for digest in decisions:
                fields.setdefault(digest, []).append(self._pointers[change])
        return tuple(
            CoveringApproval(row.person, row.received_at, tuple(sorted(fields[row.decision_digest])))
            for row in self.rows
            if row.decision_digest in fields
        )

    def decision(self, row: DecisionRow) -> DecisionOverview:
        """Return one decision; the versions must have been read."""
        decision = read_decision(read_envelope(self._transaction.get_sealed(row.body_digest)))
        known = {self._pointers[one] for one in decision.changes if one in self._pointers}
        return DecisionOverview(
            decision_digest=row.decision_digest,
            bridge=row.bridge,
            person=row.person,
            act=row.act,
            decided_at=decision.decided_at,
            received_at=row.received_at,
            version=decision.version or None,
            role=decision.role,
            refers_to=decision.refers_to,
            fields=tuple(sorted({*decision.fields} | known)),
            other_changes=sum(1 for one in decision.changes if one not in self._pointers),
        )


def _is_about(one: ReceiptRow | FindingRow, row: VersionRow) -> bool:
    return (one.bridge, one.version) == (row.bridge, row.version)
