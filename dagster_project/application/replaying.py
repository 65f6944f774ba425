"""Replay: one candidate made again from what it pins, compared part by part (invariant I6)."""

from dataclasses import dataclass

from dagster_project.application.candidates import view_digests
from dagster_project.application.contexts import context_of, is_of_this_renderer, predecessor_of, predecessor_row
from dagster_project.application.overview import find_row
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.packaging.candidate import make_candidate
from dagster_project.store.candidates import CandidateRow
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class ReplayReport:
    """Which parts of a candidate came out equal. Under another renderer only equal content is expected."""

    incident: str
    bridge: str
    ordinal: int
    same_renderer: bool
    equal: dict[str, bool]

    @property
    def reproduced(self) -> bool:
        """Whether everything that must be equal is."""
        return all(self.equal.values()) if self.same_renderer else self.equal["content"]


def compare_with_pins(workspace: Workspace, transaction: Transaction, row: CandidateRow) -> ReplayReport:
    """Make a candidate again from its pins and compare it with its stored digests."""
    before = predecessor_of(workspace, transaction, predecessor_row(transaction, row))
    again = make_candidate(context_of(workspace, transaction, row), before)
    return ReplayReport(
        incident=row.incident,
        bridge=row.bridge,
        ordinal=row.ordinal,
        same_renderer=is_of_this_renderer(workspace, row),
        equal={
            "content": digest_bytes(again.content_bytes) == row.content_digest,
            "lineage": digest_bytes(again.lineage_bytes) == row.lineage_digest,
            "delta": digest_bytes(again.delta_bytes) == row.delta_digest,
            "annex": digest_bytes(again.annex_bytes) == row.annex_digest,
            "views": digest_of(view_digests(again.views)) == row.view_digest,
        },
    )


def replay_candidate(workspace: Workspace, incident: str, bridge: str, ordinal: int | None = None) -> ReplayReport:
    """Replay one candidate; without an ordinal the latest of the bridge."""
    with workspace.store.read() as transaction:
        return compare_with_pins(workspace, transaction, find_row(transaction, incident, bridge, ordinal))
