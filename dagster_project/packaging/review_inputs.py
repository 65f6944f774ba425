"""Review inputs: what people's decisions make of a page, as an input of its rendering.

Belongs here: which leaves are kept back until a decision, which keep what an earlier version said, which give way to
those (rule R4 and the pull of the design). Which leaves these are is decided in `review`, applying it to rendered
fields is `reviewed_fields`; a version pins them (invariant I6).
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import msgspec

UNDECIDED: Final = "undecided"
REJECTED: Final = "rejected"
PULLED: Final = "pulled"
# Pulled because the contract or the entitlement allows it no more; it shows in the slot of contracts.
NOT_ALLOWED: Final = "not_allowed"
REVIEW_REASONS: Final = (UNDECIDED, REJECTED, PULLED, NOT_ALLOWED)
KEPT_FROM_VERSION: Final = "kept_from_version"


class Kept(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A leaf that keeps what a version said, also where the sources call for no such leaf any more."""

    pointer: str
    value: Any
    version: int
    field_class: str | None
    held_as: str


class ReviewInputs(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What decisions make of one page. Of one leaf at most one of the three is true.

    `on_hold` are reasons by pointer, `kept` earlier values, `gone` leaves that give way to kept ones. The leaves
    that are `reaffirmed` were observed to be still so at that instant, and age from it (rule R6).
    """

    on_hold: dict[str, str] = {}
    kept: tuple[Kept, ...] = ()
    gone: tuple[str, ...] = ()
    reaffirmed: tuple[str, ...] = ()
    reaffirmed_at: datetime | None = None

    @cached_property
    def kept_by_pointer(self) -> Mapping[str, Kept]:
        """The kept leaves by pointer."""
        return {one.pointer: one for one in self.kept}


NO_REVIEW: Final = ReviewInputs()
