"""Delta report: what changed in an incident's candidates, as operators may see it.

Belongs here: the rows of a table for people. A value is shown only of a candidate that has its internal manifest, and
an old value only where the candidate before has one: the others may hold what no customer may see, and Dagster is read
by many.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import msgspec

from dagster_project.application.candidates import current_refresh
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.delta import Delta, Operation
from dagster_project.store import gates
from dagster_project.store.candidates import CandidateRow
from dagster_project.store.refreshes import candidates_of_refresh

NOT_SHOWN: Final = "-"
MOST_ROWS: Final = 200


@dataclass(frozen=True)
class ShownChange:
    """One changed field on one bridge; `old` and `new` are JSON, or a dash where there is none that may be shown."""

    bridge: str
    field: str
    operation: str
    cause: str
    old: str
    new: str


def shown_changes(workspace: Workspace, incident: str) -> tuple[ShownChange, ...]:
    """Return what the candidates of the latest refresh changed, by bridge and field; at most 200 rows."""
    with workspace.store.read() as transaction:
        rows = candidates_of_refresh(transaction, current_refresh(transaction, incident))
        before = [row.predecessor_id for row in rows if row.predecessor_id is not None]
        passed = gates.find_manifests(transaction, [*before, *(row.candidate_id for row in rows)])
        deltas = [msgspec.json.decode(transaction.get_sealed(row.delta_digest), type=Delta) for row in rows]
    changes = (_shown(row, one, passed) for row, delta in zip(rows, deltas, strict=True) for one in delta.operations)
    return tuple(changes)[:MOST_ROWS]


def _shown(row: CandidateRow, one: Operation, passed: Collection[int]) -> ShownChange:
    new_may_be_read = row.candidate_id in passed
    old_may_be_read = new_may_be_read and row.predecessor_id in passed
    return ShownChange(
        bridge=row.bridge,
        field=one.pointer,
        operation=one.op,
        cause=one.cause,
        old=_text(one.old) if old_may_be_read and one.old_digest is not None else NOT_SHOWN,
        new=_text(one.new) if new_may_be_read and one.new_digest is not None else NOT_SHOWN,
    )


def _text(value: object) -> str:
    return canonical_bytes(value).decode()
