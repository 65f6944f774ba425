"""Reach of a review policy: what its profile's own approval may not cover, and what of it can never decide anything.

Belongs here: going over orders, listed worsenings and materiality by code and place. The least that each class of
change needs is in `review_policy`; the classes of a change are `review.change_classes`.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Final

from dagster_project.packaging import vocabulary
from dagster_project.packaging.profile_reach import Found
from dagster_project.packaging.review_policy import ANY, LISTED_WORSENING, Materiality, ReviewPolicy

# The values that each field class can show; a template's parameter and a list may be anything.
_VALUES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "capability_status": vocabulary.CAPABILITY_STATUSES,
        "region_status": vocabulary.CAPABILITY_STATUSES,
        "incident_status": (*vocabulary.INCIDENT_STATUSES, *vocabulary.DOCUMENT_STATUSES),
        "severity": vocabulary.SEVERITY_CODES,
        "workaround_readiness": vocabulary.READINESS_CODES,
        "checkpoint": vocabulary.CHECKPOINTS,
        "slot": vocabulary.SLOT_STATES,
    }
)
# From better to worse. A profile may leave values out, or compare fewer; turned round, what rule R3 asks two people for
# would leave as a worsening that its profile lists.
STANDARD_ORDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "capability_status": vocabulary.STATUS_CHAIN,
        "region_status": vocabulary.STATUS_CHAIN,
        "incident_status": ("resolved", "monitoring", "mitigating", "identified", "investigating", "emerging"),
        "severity": ("severity_4", "severity_3", "severity_2", "severity_1"),
        "workaround_readiness": ("available_verified", "in_test_do_not_apply", "in_preparation", "none_available"),
    }
)
# Claims of classes of their own: people are asked for them whatever they follow (R3).
_ASKED_ANYWAY: Final = frozenset(
    {("incident_status", "identified"), ("incident_status", "resolved"), ("workaround_readiness", "available_verified")}
)


def orders_turned_round(policy: ReviewPolicy) -> Iterator[Found]:
    """Yield every pair of values that a policy orders against the standard, or both ways."""
    for field_class, chains in policy.orders.items():
        standard = STANDARD_ORDERS.get(field_class, ())
        pairs = {pair for one in chains for pair in combinations(one, 2)}
        for better, worse in sorted(pairs):
            where = f"review_policy/orders/{field_class}: {better} before {worse}"
            if (worse, better) in combinations(standard, 2):
                yield "order_contradicts_standard", where
            elif (worse, better) in pairs:
                yield "order_contradicts_itself", where


def standing_beyond_closed_values(policy: ReviewPolicy) -> Iterator[Found]:
    """Yield the field classes without closed values whose changes a policy would let leave by its own approval (R3)."""
    for field_class in policy.listed_worsenings:
        if field_class in vocabulary.FIELD_CLASSES and field_class not in _VALUES:
            yield "standing_approval_too_wide", f"review_policy/listed_worsenings/{field_class}"


def what_never_decides(policy: ReviewPolicy) -> Iterator[Found]:
    """Yield everything in a policy that can never decide about a change."""
    yield from _unknown_words(policy)
    yield from _worsenings_that_never_stand(policy)
    for position, row in enumerate(policy.materiality):
        if any(_covers(earlier, row) for earlier in policy.materiality[:position]):
            yield "materiality_row_never_decides", f"review_policy/materiality/{position}"


def _covers(earlier: Materiality, row: Materiality) -> bool:
    """Tell whether an earlier row decides everything that a row speaks of: the first that fits does."""
    same = earlier.field_class == row.field_class
    return same and earlier.old in {ANY, row.old} and earlier.new in {ANY, row.new}


def _worsenings_that_never_stand(policy: ReviewPolicy) -> Iterator[Found]:
    for field_class, pairs in policy.listed_worsenings.items():
        for old, new in pairs:
            asked = (field_class, new) in _ASKED_ANYWAY or field_class == "slot"
            if asked or LISTED_WORSENING not in policy.standing:
                yield "listed_worsening_never_stands", f"review_policy/listed_worsenings/{field_class}: {old} to {new}"


def _unknown_words(policy: ReviewPolicy) -> Iterator[Found]:
    spoken: list[tuple[str, str, tuple[str, ...]]] = [
        *(("orders", field_class, words) for field_class, chains in policy.orders.items() for words in chains),
        *(
            ("listed_worsenings", field_class, pair)
            for field_class, pairs in policy.listed_worsenings.items()
            for pair in pairs
        ),
        *(("materiality", row.field_class, (row.old, row.new)) for row in policy.materiality),
    ]
    for place, field_class, words in dict.fromkeys(spoken):
        if field_class not in vocabulary.FIELD_CLASSES:
            yield "no_such_field_class", f"review_policy/{place}/{field_class}"
        for word in {*words} - {ANY, *_VALUES.get(field_class, words)}:
            yield "no_such_value", f"review_policy/{place}/{field_class}/{word}"
