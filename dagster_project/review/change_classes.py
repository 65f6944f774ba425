"""Classes of change: which rows of rule R3 one changed leaf falls under.

Belongs here: comparing what a bridge was told with what the sources call for now, leaf by leaf. A leaf may fall under
several rows; then it needs what all of them need.
"""

from collections.abc import Iterator
from typing import Final

from dagster_project.packaging import review_policy as policies
from dagster_project.packaging.fields import Draft, Field, pointer_tokens
from dagster_project.packaging.holds import ACCOUNT_TYPES
from dagster_project.packaging.review_inputs import REJECTED, UNDECIDED
from dagster_project.packaging.review_policy import ReviewPolicy
from dagster_project.review.pages import SLOT_STATE

_STATUS_CLASSES: Final = ("capability_status", "region_status")
# From open to closed; `cleared` is a statement of its own, and a slot that shows it anew was cleared.
_CLOSED: Final = {"none_declared": 0, "cleared": 0, "in_review": 1, "on_hold": 2}


def classes_of(policy: ReviewPolicy, before: Field | None, now: Field | None, *, is_first: bool) -> frozenset[str]:
    """Return the classes of one changed leaf.

    Args:
        policy: The profile's.
        before: What the bridge was told, or None.
        now: What the sources call for, or None.
        is_first: Nothing of the incident was ever released to this bridge.
    """
    if now is None:
        return frozenset({policies.REMOVAL})
    if pointer_tokens(now.pointer)[-1] == SLOT_STATE:
        return frozenset(_of_slot(before, now, is_first=is_first))
    if now.hold is not None:
        return frozenset({policies.INSERTED_HOLD})
    found = {*_claims(now), *_rights(now.draft)}
    if is_first:
        return frozenset(found | {policies.FIRST_RELEASE})
    if before is None or before.hold is not None:
        return frozenset(found | {*_added(now)} | {*_taken_off_hold(before)})
    return frozenset(found | {_compared(policy, before, now)})


def _of_slot(before: Field | None, now: Field, *, is_first: bool) -> Iterator[str]:
    was = "" if before is None else str(before.value)
    if _CLOSED.get(str(now.value), 2) > _CLOSED.get(was, 0):
        yield policies.INSERTED_HOLD
        return
    if is_first:
        yield policies.FIRST_RELEASE
    if now.value == "cleared" or _CLOSED.get(was, 0) > _CLOSED.get(str(now.value), 2) or not is_first:
        yield policies.UN_HOLD


def _claims(now: Field) -> Iterator[str]:
    last = pointer_tokens(now.pointer)[-1]
    if (last, now.value) == ("incident_status", "identified"):
        yield policies.IDENTIFIED
    if (last, now.value) == ("incident_status", "resolved"):
        yield policies.IMPROVEMENT
    if (last, now.value) == ("readiness", "available_verified"):
        yield policies.VERIFIED_WORKAROUND


def _rights(draft: Draft) -> Iterator[str]:
    if any(one.relation == "DIRECT" and one.source_field.partition("#")[0] in ACCOUNT_TYPES for one in draft.inputs):
        yield policies.ENTITLEMENT


def _added(now: Field) -> Iterator[str]:
    if now.pointer.startswith("/not_affected/"):
        yield policies.IMPROVEMENT
    elif now.draft.field_class in _STATUS_CLASSES:
        yield policies.NEWLY_AFFECTED
    else:
        yield policies.INCOMPARABLE


def _taken_off_hold(before: Field | None) -> Iterator[str]:
    """What only waited for a decision, or was rejected, is not taken off a hold of policy by approving it."""
    if before is not None and before.hold is not None and before.hold.reason not in {UNDECIDED, REJECTED}:
        yield policies.UN_HOLD


def _compared(policy: ReviewPolicy, before: Field, now: Field) -> str:
    field_class = now.draft.field_class or ""
    if policy.is_better(field_class, now.value, before.value):
        return policies.IMPROVEMENT
    if policy.is_listed_worsening(field_class, before.value, now.value):
        return policies.LISTED_WORSENING
    return (
        policies.UNLISTED_WORSENING if policy.is_better(field_class, before.value, now.value) else policies.INCOMPARABLE
    )
