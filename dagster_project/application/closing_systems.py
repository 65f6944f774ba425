"""Closing systems: the systems that a closure reads and writes, opened.

Belongs here: joining the adapters to what the settings name, in one place. What the systems promise is
`closure.targets` and `closure.disposition`; the adapters are in `connections`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.closure.disposition import Archive, CaseReviewSystem
from dagster_project.closure.targets import Target
from dagster_project.errors import Unavailable
from dagster_project.settings import SUPPORT_SYSTEMS_VARIABLE, Settings


@dataclass(frozen=True)
class Systems:
    """The authority, the archive as it is read, and the targets by name."""

    case_review: CaseReviewSystem
    archive: Archive
    targets: Mapping[str, Target]


def open_systems(settings: Settings) -> Systems:
    """Open the systems that `settings` name.

    Raises:
        Unavailable: none are named, or there is no adapter for them.
    """
    named = settings.support_systems is not None
    raise Unavailable(
        "support_systems_unavailable",
        what="there is no adapter for these support systems" if named else "no support systems are named",
        where=SUPPORT_SYSTEMS_VARIABLE,
        what_to_do="Name the support-systems database or the HTTP base URL there. Events are kept until then.",
    )
