"""Review state: where one bridge's page stands between what was told and what the sources call for.

Belongs here: reading versions, decisions and the latest candidate together, and working out what is covered. The rules
are `review`; taking decisions is `deciding`, releasing is `releasing`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from dagster_project.application.contexts import context_of, lineage_of_row
from dagster_project.application.trust import latest_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.signatures import read_envelope
from dagster_project.integrity.trust import Trust, people_who_signed
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Field, leaves
from dagster_project.packaging.lineage import Lineage, fields_from, read_lineage
from dagster_project.packaging.review_inputs import ReviewInputs
from dagster_project.review.changes import Change, changes_of
from dagster_project.review.coverage import Approval, Coverage, coverage_of
from dagster_project.review.decisions import Decision, read_decision
from dagster_project.review.history import active_holds, active_pulls
from dagster_project.review.pages import ReleasedPage, released_page
from dagster_project.review.staging import review_inputs_of
from dagster_project.review.steadiness import LeafIdentity, identity_of, standing_approvals, standing_rejections
from dagster_project.store import decisions as decision_rows
from dagster_project.store import gates
from dagster_project.store.candidates import CandidateRow, candidates_of, latest_candidate
from dagster_project.store.decisions import DecisionRow
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, versions_of


@dataclass(frozen=True)
class TakenDecision:
    """An accepted decision, whose signature was verified again, with the person's roles as trust has them now.

    `roles` is empty where the person, or the key, is trusted no more: then the decision approves nothing.
    """

    row: DecisionRow
    decision: Decision
    roles: frozenset[str]

    @property
    def person(self) -> str:
        """Who decided."""
        return self.row.person


@dataclass(frozen=True)
class ReviewState:
    """One bridge between what it was told and what the sources call for now."""

    incident: str
    bridge: str
    trust: Trust
    candidate: CandidateRow
    context: RenderingContext
    lineage: Lineage
    fields: dict[str, Field]
    versions: tuple[VersionRow, ...]
    told: ReleasedPage | None
    taken: tuple[TakenDecision, ...]
    changes: tuple[Change, ...]
    coverage: Coverage

    @property
    def current(self) -> VersionRow | None:
        """The version that is current, or None."""
        return next((one for one in self.versions if one.state == "released"), None)

    @cached_property
    def holds(self) -> tuple[TakenDecision, ...]:
        """The holds that stop every release of this bridge."""
        active = active_holds([(one.row.decision_digest, one.decision) for one in self.taken])
        return tuple(one for one in self.taken if one.row.decision_digest in active)

    @cached_property
    def pulled(self) -> frozenset[str]:
        """The leaves that were pulled and not restored."""
        return active_pulls([one.decision for one in self.taken])

    @cached_property
    def review(self) -> ReviewInputs:
        """What decisions make of the page that may leave now."""
        return review_inputs_of(self.context, self.fields, self.told, self.changes, self.coverage, self.pulled)

    @cached_property
    def staged(self) -> RenderingContext:
        """What the page that may leave now is rendered in."""
        return replace(self.context, review=self.review)


def review_state(
    workspace: Workspace, transaction: Transaction, incident: str, bridge: str, and_also: Sequence[Approval] = ()
) -> ReviewState:
    """Return where a bridge's page stands.

    Args:
        workspace: The deployment.
        transaction: Any transaction.
        incident: A registered incident.
        bridge: One of its bridges.
        and_also: Approvals that are being given: what the page would be with them.

    Raises:
        UsageError: the bridge has no candidate, or its latest one did not pass its release check.
        Unavailable: nobody is trusted yet.
    """
    row = _checked_candidate(transaction, incident, bridge)
    trust = latest_trust(transaction, workspace)
    context, lineage = context_of(workspace, transaction, row), lineage_of_row(transaction, row)
    content = read_document(transaction.get_sealed(row.content_digest))
    fields = {one.pointer: one for one in fields_from(lineage, leaves(content))}
    versions = tuple(versions_of(transaction, incident, bridge))
    told = told_page(transaction, versions)
    taken = taken_decisions(transaction, trust, incident, bridge)
    changes = changes_of(context, fields, told)
    since = _Leaves(workspace, transaction, row).since
    return ReviewState(
        incident=incident,
        bridge=bridge,
        trust=trust,
        candidate=row,
        context=context,
        lineage=lineage,
        fields=fields,
        versions=versions,
        told=told,
        taken=taken,
        changes=changes,
        coverage=coverage_of(
            changes, [*standing_approvals(taken, changes, since), *and_also], standing_rejections(taken, changes, since)
        ),
    )


def is_reviewable(transaction: Transaction, incident: str, bridge: str) -> bool:
    """Tell whether the latest candidate of a bridge passed its release check, without which nothing is reviewed."""
    row = latest_candidate(transaction, incident, bridge)
    return row is not None and gates.find_manifest(transaction, row.candidate_id) is not None


def _checked_candidate(transaction: Transaction, incident: str, bridge: str) -> CandidateRow:
    row = latest_candidate(transaction, incident, bridge)
    if row is None or gates.find_manifest(transaction, row.candidate_id) is None:
        raise UsageError(
            "nothing_to_review",
            what="there is no candidate that passed its release check",
            where=f"incident {incident}, bridge {bridge}",
            what_to_do=f"Refresh with `channelsafe refresh {incident}`; `channelsafe show` says why a check failed.",
        )
    return row


def told_page(transaction: Transaction, versions: Sequence[VersionRow]) -> ReleasedPage | None:
    """Return what the bridge was told last of the incident; an acknowledgement tells nothing of it."""
    telling = [one for one in versions if one.kind != "acknowledgement"]
    if not telling:
        return None
    last = telling[-1]
    lineage = read_lineage(transaction.get_sealed(last.lineage_digest))
    return released_page(last.version, read_document(transaction.get_sealed(last.content_digest)), lineage)


def taken_decisions(transaction: Transaction, trust: Trust, incident: str, bridge: str) -> tuple[TakenDecision, ...]:
    """Return the decisions about a bridge in the order in which they were accepted, each verified again."""
    rows = decision_rows.decisions_about(transaction, incident, bridge)
    return tuple(read_taken(transaction, trust, row) for row in rows)


def read_taken(transaction: Transaction, trust: Trust, row: DecisionRow) -> TakenDecision:
    """Read a stored decision, and what its person may do now."""
    envelope = read_envelope(transaction.get_sealed(row.body_digest))
    signed = row.person in people_who_signed(envelope, trust)
    return TakenDecision(row, read_decision(envelope), trust.roles_of(row.person) if signed else frozenset())


@dataclass(frozen=True)
class _Leaves:
    """What the leaves of a bridge's candidates are and rest on, up to the latest one."""

    workspace: Workspace
    transaction: Transaction
    latest: CandidateRow

    def since(self, ordinal: int, pointer: str) -> list[LeafIdentity | None]:
        """Return a leaf in every candidate from the one of this ordinal on; None where one has no such leaf."""
        rows = [one for one in self._rows if ordinal <= one.ordinal <= self.latest.ordinal]
        return [self._identities(row).get(pointer) for row in rows]

    @cached_property
    def _rows(self) -> list[CandidateRow]:
        rows = candidates_of(self.transaction, self.latest.incident)
        return [one for one in rows if one.bridge == self.latest.bridge]

    def _identities(self, row: CandidateRow) -> "_Identities":
        if row.candidate_id not in self._known:
            self._known[row.candidate_id] = _Identities(self.workspace, self.transaction, row)
        return self._known[row.candidate_id]

    @cached_property
    def _known(self) -> "dict[int, _Identities]":
        return {}


class _Identities:
    """What the leaves of one candidate are and rest on, worked out leaf by leaf."""

    def __init__(self, workspace: Workspace, transaction: Transaction, row: CandidateRow) -> None:
        self._context = context_of(workspace, transaction, row)
        self._groups = {one.draft.pointer: one for one in lineage_of_row(transaction, row).groups}

    def get(self, pointer: str) -> LeafIdentity | None:
        """Return what a leaf is and rests on, or None where the candidate has no such leaf."""
        group = self._groups.get(pointer)
        return None if group is None else identity_of(self._context, group)


def with_approval(changes: Iterable[Change], person: str, roles: frozenset[str]) -> Approval:
    """Return the approval of changes by one person."""
    return Approval(person, roles, frozenset(one.digest for one in changes))


def without_values(change: Change) -> Change:
    """Return a change without what it says: for logs and places where only ids may stand."""
    return msgspec.structs.replace(change, old=None, new=None)
