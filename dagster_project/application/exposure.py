"""Exposure: who had which value of a field, from when to when.

Belongs here: following one field over the versions of every bridge. Instants are those of signed indexes, people those
of receipts; where there is no receipt, who had it is unknown. A value that was pulled is not said again: its keyed
digest tells whether two spans had the same one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dagster_project.application.pinned import require_incident
from dagster_project.application.version_history import StateMove, state_moves
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import keyed_digest
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.publication import PULLED
from dagster_project.packaging.fields import leaves
from dagster_project.packaging.lineage import Lineage, read_lineage
from dagster_project.store.receipts import ReceiptRow, receipts_of
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, released_bridges, versions_of


@dataclass(frozen=True)
class ExposedSpan:
    """Successive versions of a bridge that said the same of a field.

    Args:
        bridge: The bridge.
        versions: Their numbers.
        on_hold: Whether the field was on hold: then nobody had a value.
        pulled: Whether it was taken back: every version of the bridge that said it is suspended or withdrawn.
        value: What they said; None where it was on hold, or was taken back.
        value_digest: Tells equal values from others within this deployment; None where it was on hold.
        since: When the first of them was released.
        until: When the last of them stopped being the current one; None while it is, or where no index says.
        taken_back_at: Where it was taken back, when the last of these versions was, as the index says.
        receipts: What was heard of these versions; empty where nobody said who had them.
    """

    bridge: str
    versions: tuple[int, ...]
    on_hold: bool
    pulled: bool
    value: Any
    value_digest: str | None
    since: datetime
    until: datetime | None
    taken_back_at: datetime | None
    receipts: tuple[ReceiptRow, ...]


def exposure(workspace: Workspace, incident: str, pointer: str, bridge: str | None = None) -> tuple[ExposedSpan, ...]:
    """Return who had which value of a field, by bridge and in order.

    Raises:
        UsageError: no such incident, nothing was released of it there, or no version ever had such a field.
    """
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        bridges = [one for one in released_bridges(transaction, incident) if bridge in {None, one}]
        receipts = receipts_of(transaction, incident)
        found = [
            span
            for name in bridges
            for span in joined(list(_spans(transaction, versions_of(transaction, incident, name), pointer, receipts)))
        ]
    if not found:
        raise UsageError(
            "field_never_told",
            what="no version that was released has such a field",
            where=f"{pointer} of incident {incident}, {bridge or 'every bridge'}",
            what_to_do=f"Name the field as packages spell it; `channelsafe history {incident}` lists the versions.",
        )
    return tuple(found)


@dataclass(frozen=True)
class _Said:
    """What one version said of the field; no digest where it was on hold."""

    row: VersionRow
    value: Any
    digest: str | None


def _said(transaction: Transaction, versions: Sequence[VersionRow], pointer: str) -> Iterator[_Said]:
    for row in versions:
        if _is_on_hold(read_lineage(transaction.get_sealed(row.lineage_digest)), pointer):
            yield _Said(row, None, None)
            continue
        values = leaves(read_document(transaction.get_sealed(row.content_digest)))
        if pointer in values:
            digest = keyed_digest(transaction.keys.digest, canonical_bytes(values[pointer]))
            yield _Said(row, values[pointer], digest)


def _spans(
    transaction: Transaction, versions: Sequence[VersionRow], pointer: str, receipts: Sequence[ReceiptRow]
) -> Iterator[ExposedSpan]:
    moves = state_moves(transaction, versions[0].package_id)
    said = list(_said(transaction, versions, pointer))
    still_told = {one.digest for one in said if one.row.state not in PULLED}
    for one in said:
        row, own = one.row, moves.get(one.row.version, ())
        is_pulled = one.digest is not None and one.digest not in still_told
        yield ExposedSpan(
            bridge=row.bridge,
            versions=(row.version,),
            on_hold=one.digest is None,
            pulled=is_pulled,
            value=None if is_pulled else one.value,
            value_digest=one.digest,
            since=row.issued_at,
            until=_end(own),
            taken_back_at=next((move.at for move in own if is_pulled and move.state in PULLED), None),
            receipts=tuple(heard for heard in receipts if (heard.bridge, heard.version) == (row.bridge, row.version)),
        )


def _is_on_hold(lineage: Lineage, pointer: str) -> bool:
    """Tell whether a leaf is on hold, or is one that cannot stand yet because something of it is."""
    held = {one.draft.pointer for one in lineage.groups if one.hold is not None}
    return pointer in held or any(one.pointer == pointer for one in lineage.absences)


def _end(moves: Sequence[StateMove]) -> datetime | None:
    """Return when a version stopped being the current one for good; None while it is, or where no index says."""
    last = max((place for place, one in enumerate(moves) if one.state == "released"), default=len(moves))
    return moves[last + 1].at if last + 1 < len(moves) else None


def joined(spans: Sequence[ExposedSpan]) -> list[ExposedSpan]:
    """Return spans with those of successive versions that said the same as one; where it was away between, as two."""
    found: list[ExposedSpan] = []
    for one in spans:
        last = found[-1] if found else None
        if last is None or last.versions[-1] + 1 != one.versions[0] or last.value_digest != one.value_digest:
            found.append(one)
            continue
        backs = [at for at in (last.taken_back_at, one.taken_back_at) if at is not None]
        found[-1] = replace(
            last,
            versions=(*last.versions, *one.versions),
            until=one.until,
            taken_back_at=max(backs, default=None),
            receipts=(*last.receipts, *one.receipts),
        )
    return found
