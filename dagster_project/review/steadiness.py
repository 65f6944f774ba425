"""Steadiness: whether a field stayed at the value, and on the support, for which it was approved (rule R1).

Belongs here: comparing one leaf over successive candidates. An approval never covers a later return to the same value.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.lineage import LineageGroup
from dagster_project.review.changes import Change
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
