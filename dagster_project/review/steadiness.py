"""Steadiness: whether a field stayed at the value, and on the support, for which it was approved (rule R1).

Belongs here: comparing one leaf over successive candidates, and which approvals and rejections still stand by that. An
approval never covers a later return to the same value.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.lineage import LineageGroup
from dagster_project.review.changes import Change
from dagster_project.review.coverage import Approval
from dagster_project.review.decisions import Act, Decision
from dagster_project.review.leaving import Given
from dagster_project.review.pages import support_digest


@dataclass(frozen=True)
class LeafIdentity:
    """What a leaf of one candidate says, by which rule, resting on what."""

    value_digest: str
    rule_digest: str
    support_digest: str


def identity_of(context: RenderingContext, group: LineageGroup) -> LeafIdentity:
    """Return what a leaf of a candidate says and rests on."""
    return LeafIdentity(group.value_digest, group.rule_digest, support_digest(context, group.draft))


def has_stayed(change: Change, since: Iterable[LeafIdentity | None]) -> bool:
    """Tell whether in every candidate since an approval the leaf was as the change has it.

    Args:
        change: The change that was approved.
        since: The leaf in every candidate from the approved one to the latest; None where it had no such leaf.
    """
    if change.op == "remove":
        return all(one is None for one in since)
    wanted = LeafIdentity(change.new_digest, change.rule_digest, change.support_digest)
    return all(one == wanted for one in since)


# A leaf in every candidate of a bridge from the one of an ordinal to the latest; None where one has no such leaf.
LeavesSince = Callable[[int, str], Iterable[LeafIdentity | None]]


def standing_approvals(taken: Iterable[Given], changes: Iterable[Change], since: LeavesSince) -> list[Approval]:
    """Return approvals with the changes that they still approve."""
    by_digest = {one.digest: one for one in changes}
    return [
        Approval(one.person, one.roles, _still_named(one.decision, by_digest, since))
        for one in taken
        if one.decision.act is Act.APPROVE and one.roles
    ]


def standing_rejections(taken: Iterable[Given], changes: Iterable[Change], since: LeavesSince) -> frozenset[str]:
    """Return the changes that are rejected; who rejected a change may approve it later."""
    by_digest = {one.digest: one for one in changes}
    found: dict[str, str] = {}
    for one in taken:
        if one.decision.act not in {Act.REJECT, Act.APPROVE}:
            continue
        for digest in _still_named(one.decision, by_digest, since):
            if one.decision.act is Act.REJECT:
                found[digest] = one.person
            elif found.get(digest) == one.person:
                del found[digest]
    return frozenset(found)


def _still_named(decision: Decision, changes: Mapping[str, Change], since: LeavesSince) -> frozenset[str]:
    return frozenset(
        digest
        for digest in decision.changes
        if digest in changes and has_stayed(changes[digest], since(decision.candidate, changes[digest].pointer))
    )
