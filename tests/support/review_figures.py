"""What reviewing cost and whether it kept up, counted over what is stored: nothing here knows who played it, or how.

A stale interval is counted over what the bridge was told: from `stale_after` of a version, as its header says it, to
the next version, or to the last post on its incident where none followed. An incident of the feed is never final: it
is followed to its last post.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import median
from typing import Any

from dagster_project.application.workspace import Workspace
from dagster_project.clock import parse_instant
from dagster_project.integrity.documents import read_document
from dagster_project.store.decisions import decisions_of_incident
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, all_versions


@dataclass(frozen=True)
class StaleInterval:
    """One time in which a bridge's current page was too old."""

    incident: str
    version: int
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class ReviewFigures:
    """Counts over every released version. `changes` is how many changes people approved, one number per release.

    `decisions` counts approvals per release, by role and number: how many releases took so many decisions of a role.
    """

    versions: Counter[str]
    told: frozenset[str]
    stale: tuple[StaleInterval, ...]
    changes: tuple[int, ...]
    decisions: Mapping[str, tuple[int, ...]]

    @property
    def together(self) -> tuple[int, ...]:
        """How many decisions of all roles each release took."""
        return tuple(sum(one) for one in zip(*self.decisions.values(), strict=True))

    def lines(self) -> Iterator[str]:
        """Yield the figures as sentences."""
        kinds = ", ".join(f"{count} by {kind}" for kind, count in sorted(self.versions.items()))
        yield f"{self.versions.total()} versions of {len(self.told)} incidents: {kinds}"
        yield f"stale intervals of what the bridge was told: {len(self.stale)}"
        asked = [number for number in self.changes if number]
        yield f"releases by policy alone: {len(self.changes) - len(asked)}; that people were asked about: {len(asked)}"
        yield f"changes to approve per release: {_spread(self.changes)}"
        yield f"changes to approve per release that people were asked about: {_spread(asked)}"
        for role, numbers in self.decisions.items():
            yield f"decisions per release, {role}: {_spread(numbers)}"
        yield f"decisions per release, all roles: {_spread(self.together)}"
        asked = [number for number in self.together if number]
        yield f"decisions per release that people were asked about, all roles: {_spread(asked)}"


def _spread(numbers: Sequence[int]) -> str:
    counted = Counter(numbers)
    shown = ", ".join(f"{number}: {counted[number]}" for number in sorted(counted))
    return f"median {median(numbers):g}, mean {sum(numbers) / len(numbers):.2f}, most {max(numbers)} ({shown})"


def review_figures(
    workspace: Workspace, last_post: Mapping[str, datetime], roles: Mapping[str, Iterable[str]]
) -> ReviewFigures:
    """Count over everything that was released.

    Args:
        workspace: The deployment.
        last_post: Until when each incident was followed.
        roles: The roles of every person; each has one.
    """
    role_of = {person: role for person, (role,) in roles.items()}
    changes: list[int] = []
    decisions: dict[str, list[int]] = {role: [] for role in dict.fromkeys(role_of.values())}
    stale: list[StaleInterval] = []
    with workspace.store.read() as transaction:
        versions = all_versions(transaction)
        for (incident, _), rows in groupby(versions, key=lambda one: (one.incident, one.bridge)):
            package = [(row, _manifest(transaction, row)) for row in rows]
            stale += _stale([(row, _stale_after(manifest)) for row, manifest in package], last_post[incident])
            people = {one.decision_digest: one.person for one in decisions_of_incident(transaction, incident)}
            for asked, counted in _reviewed([manifest for row, manifest in package if row.kind == "release"], people):
                changes.append(asked)
                by_role = Counter(role_of[person] for person in counted)
                for role, numbers in decisions.items():
                    numbers.append(by_role[role])
    return ReviewFigures(
        versions=Counter(one.kind for one in versions),
        told=frozenset(one.incident for one in versions),
        stale=tuple(stale),
        changes=tuple(changes),
        decisions={role: tuple(numbers) for role, numbers in decisions.items()},
    )


def _manifest(transaction: Transaction, row: VersionRow) -> dict[str, Any]:
    return dict(read_document(transaction.get_sealed(row.manifest_digest)))


def _stale_after(manifest: Mapping[str, Any]) -> datetime:
    return parse_instant(manifest["header"]["stale_after"])


def _stale(package: Sequence[tuple[VersionRow, datetime]], end: datetime) -> Iterator[StaleInterval]:
    for (row, stale_after), (following, _) in pairwise(package):
        if stale_after < min(following.issued_at, end):
            yield StaleInterval(row.incident, row.version, stale_after, min(following.issued_at, end))
    last, stale_after = package[-1]
    if stale_after < end:
        yield StaleInterval(last.incident, last.version, stale_after, end)


def _reviewed(manifests: Iterable[Mapping[str, Any]], people: Mapping[str, str]) -> Iterator[tuple[int, list[str]]]:
    """Yield for each release how many changes people approved for it, and who gave each decision that it first used."""
    used: set[str] = set()
    for one in manifests:
        approved = [change["digest"] for change in one["changes"] if not change["standing"]]
        behind = {digest for change in approved for digest in one["decisions"][change]} - used
        used |= behind
        yield len(approved), [people[digest] for digest in sorted(behind)]


def longest(stale: Iterable[StaleInterval]) -> timedelta:
    """Return the longest of these times."""
    return max((one.end - one.begin for one in stale), default=timedelta())
