"""Leaving: whether a staged page may leave, and whom it still asks (rules R3, R5).

Belongs here: what a page lacks, the approval of a page as a whole, and the roles that have something to decide. What
is covered is `coverage`, what is staged `staging`; who verifies again and makes the version is the application.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from dagster_project.packaging.release_check import ReleaseCheck
from dagster_project.review.changes import Change
from dagster_project.review.coverage import Coverage
from dagster_project.review.decisions import Act, Decision

NO_PAGE_APPROVAL: Final = "page_not_approved"


class Given(Protocol):
    """A decision that was taken, by whom, and the roles that the person has now."""

    @property
    def decision(self) -> Decision:
        """What was decided."""
        ...

    @property
    def person(self) -> str:
        """Who decided."""
        ...

    @property
    def roles(self) -> frozenset[str]:
        """The person's roles; none where the person is trusted no more."""
        ...


_Given = TypeVar("_Given", bound=Given)


@dataclass(frozen=True, kw_only=True)
class LeavingPage(Generic[_Given]):
    """A staged page: its digest and release check, the changes that it carries out, and the decisions taken so far.

    `told_before` says whether the bridge was told anything of the incident, `on_hold` whether people stopped it.
    """

    digest: str
    check: ReleaseCheck
    carried: tuple[Change, ...]
    taken: Sequence[_Given]
    told_before: bool
    on_hold: bool

    @property
    def approval(self) -> _Given | None:
        """The approval of exactly this page, by someone whom one of its changes asks for, after all others (R5)."""
        asked = {role for one in self.carried for role in one.roles}
        carried = {one.digest for one in self.carried}
        for one in reversed(self.taken):
            if one.decision.act is not Act.APPROVE or not one.roles & asked:
                continue
            if one.decision.page == self.digest:
                return one
            if carried & {*one.decision.changes}:
                return None
        return None

    def lacks(self, *, at: datetime, change_pending: bool) -> Iterator[str]:
        """Yield the reason code of everything that the page lacks to leave at an instant."""
        if change_pending:
            yield "change_pending"
        if self.on_hold:
            yield "on_hold_by_people"
        if not self.check.passed:
            yield "release_check_failed"
        elif not self.check.holds_at(at):
            yield "release_check_lapsed"
        if not self.told_before and not self.carried:
            yield "nothing_approved"
        if _needs_page_approval(self.carried, told_before=self.told_before) and not self.approval:
            yield NO_PAGE_APPROVAL


def _needs_page_approval(carried: Sequence[Change], *, told_before: bool) -> bool:
    return not told_before or any(not one.standing for one in carried)


def roles_asked(
    changes: Sequence[Change], coverage: Coverage, carried: Sequence[Change], *, only_the_page_waits: bool
) -> frozenset[str]:
    """Return the roles of whom something is asked now: for a change, or for the page as a whole.

    Args:
        changes: Every change to approve.
        coverage: What decisions cover of them.
        carried: Those that the staged page carries out.
        only_the_page_waits: The page says something new, and nothing but its approval as a whole is missing.
    """
    waiting = {
        role for change in changes if change.digest not in coverage.rejected for role in coverage.missing[change.digest]
    }
    if not waiting and only_the_page_waits:
        waiting = {role for change in carried for role in change.roles}
    return frozenset(waiting)
