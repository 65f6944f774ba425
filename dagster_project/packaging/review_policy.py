"""The review policy: the part of a disclosure profile that says who must approve which class of change.

Belongs here: the typed policy, the least that a policy must ask for (rule R3), and comparing values by a profile's
partial orders. Classing a change is `review.change_classes`; counting approvals is `review.coverage`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

FIRST_RELEASE: Final = "first_release"
LISTED_WORSENING: Final = "listed_worsening"
INSERTED_HOLD: Final = "inserted_hold"
NEWLY_AFFECTED: Final = "newly_affected"
UNLISTED_WORSENING: Final = "unlisted_worsening"
INCOMPARABLE: Final = "incomparable"
IMPROVEMENT: Final = "improvement"
REMOVAL: Final = "removal"
IDENTIFIED: Final = "identified"
VERIFIED_WORKAROUND: Final = "available_verified"
UN_HOLD: Final = "un_hold"
ENTITLEMENT: Final = "entitlement"
MATERIAL: Final = "material"
SLOT_REVIEW_ROLE: Final = "slot_review_role"
ANY: Final = "*"

# Rule R3: what each class of change needs at the least. `slot_review_role` is that of the slot that a hold stood in.
LEAST_REQUIREMENTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        FIRST_RELEASE: frozenset({"incident_command", "security", "account_leadership"}),
        LISTED_WORSENING: frozenset(),
        INSERTED_HOLD: frozenset(),
        NEWLY_AFFECTED: frozenset({"incident_command"}),
        UNLISTED_WORSENING: frozenset({"incident_command"}),
        INCOMPARABLE: frozenset({"incident_command"}),
        IMPROVEMENT: frozenset({"incident_command", "support_leadership"}),
        REMOVAL: frozenset({"incident_command", "support_leadership"}),
        IDENTIFIED: frozenset({"incident_command", "security"}),
        VERIFIED_WORKAROUND: frozenset({"incident_command", "support_leadership"}),
        UN_HOLD: frozenset({SLOT_REVIEW_ROLE, "security"}),
        ENTITLEMENT: frozenset({"account_leadership"}),
        MATERIAL: frozenset({"support_leadership"}),
    }
)
# The classes that a profile's own approval may cover, once people have released the field on the bridge.
MAY_STAND: Final = frozenset({LISTED_WORSENING, INSERTED_HOLD})


class Materiality(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether a change of a field class from one value to another changes what a page implied; `*` is any value."""

    field_class: str
    old: str
    new: str
    material: bool


class ReviewPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who must approve what (rule R3), as data of the profile.

    `orders` are chains from better to worse by field class: values that share no chain cannot be compared.
    `listed_worsenings` are pairs (old, new) by field class; `fast_acknowledgement` names the template of the constant
    first text (R7); `reaffirmations` is how many may follow one another
    without a new record (R6), and `reaffirm_before_minutes` how long before `stale_after` the reminder comes.
    """

    requirements: dict[str, tuple[str, ...]]
    standing: tuple[str, ...]
    orders: dict[str, tuple[tuple[str, ...], ...]]
    listed_worsenings: dict[str, tuple[tuple[str, str], ...]]
    materiality: tuple[Materiality, ...]
    reaffirmations: int
    reaffirm_before_minutes: int
    fast_acknowledgement: str

    def is_better(self, field_class: str, left: object, right: object) -> bool:
        """Tell whether `left` is strictly better than `right`; values that cannot be compared are not."""
        return any(
            left in chain and right in chain and chain.index(str(left)) < chain.index(str(right))
            for chain in self.orders.get(field_class, ())
        )

    def is_listed_worsening(self, field_class: str, old: object, new: object) -> bool:
        """Tell whether the change is one that the profile's approval covers."""
        return self.is_better(field_class, old, new) and (old, new) in self.listed_worsenings.get(field_class, ())

    def is_material(self, field_class: str | None, old: object, new: object) -> bool:
        """Tell whether the change alters what a released page implied; what no row speaks of is material."""
        for row in self.materiality:
            if row.field_class == field_class and row.old in (ANY, old) and row.new in (ANY, new):
                return row.material
        return True


def policy_faults(policy: ReviewPolicy, roles: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield code and place of everything by which a policy is weaker than rule R3, or names what does not exist."""
    yield from _requirement_faults(policy, roles)
    for name in sorted({*policy.standing} - MAY_STAND):
        yield "standing_approval_too_wide", f"review_policy/standing/{name}"
    for field_class, pairs in policy.listed_worsenings.items():
        if any(not policy.is_better(field_class, old, new) for old, new in pairs):
            yield "listed_change_is_no_worsening", f"review_policy/listed_worsenings/{field_class}"
    if policy.reaffirmations < 0 or policy.reaffirm_before_minutes < 0:
        yield "negative_number", "review_policy/reaffirmations"


def _requirement_faults(policy: ReviewPolicy, roles: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name, least in LEAST_REQUIREMENTS.items():
        asked = frozenset(policy.requirements.get(name, ()))
        if name not in policy.requirements or not least <= asked:
            yield "review_policy_too_weak", f"review_policy/requirements/{name}"
        if not asked <= roles | {SLOT_REVIEW_ROLE}:
            yield "no_such_role", f"review_policy/requirements/{name}"
    for name in sorted(policy.requirements.keys() - LEAST_REQUIREMENTS.keys()):
        yield "no_such_change_class", f"review_policy/requirements/{name}"
