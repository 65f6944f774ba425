"""Reaffirmation: when a page is to be reaffirmed, how often people may, and what a look makes of a page (rule R6).

Belongs here: working these out from versions and policy. Whether the sources still call for the page is asked where
pages are staged.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, Protocol

import msgspec

from dagster_project.packaging.review_inputs import ReviewInputs
from dagster_project.packaging.review_policy import ReviewPolicy

REAFFIRMATION: Final = "reaffirmation"


class ToldVersion(Protocol):
    """A version of a page as far as reaffirming looks at it."""

    @property
    def kind(self) -> str:
        """What it was made by."""
        ...

    @property
    def valid_until(self) -> datetime:
        """Until when it may be relied on."""
        ...

    @property
    def reaffirmed_at(self) -> datetime | None:
        """When a person saw it to be still so, or None."""
        ...


def due_before_stale(policy: ReviewPolicy, version: ToldVersion) -> datetime:
    """Return from when on a current page is to be reaffirmed."""
    return version.valid_until - timedelta(minutes=policy.reaffirm_before_minutes)


def people_may_look(policy: ReviewPolicy, versions: Sequence[ToldVersion]) -> bool:
    """Tell whether the profile allows people one more reaffirmation without a new record."""
    seen = (one.kind == REAFFIRMATION and one.reaffirmed_at is not None for one in reversed(versions))
    return sum(1 for _one in takewhile(bool, seen)) < policy.reaffirmations


def seen_to_be_so(review: ReviewInputs, fields: Sequence[str], at: datetime) -> ReviewInputs:
    """Return review inputs with leaves that a person saw to be still so at an instant."""
    return msgspec.structs.replace(review, reaffirmed=tuple(sorted(fields)), reaffirmed_at=at)
