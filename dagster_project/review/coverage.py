"""Coverage: which changes the decisions given so far cover, and whose decision is missing.

Belongs here: counting approvals by person (rules R1, R2), and naming the roles that are missing. Whether an approval
has lapsed is decided before it comes here; what becomes of changes that are not covered is `staging`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dagster_project.review.changes import Change

_TWO_PEOPLE: Final = 2


@dataclass(frozen=True)
class Approval:
    """One person's approval of changes by digest, with the roles that the person holds now."""

    person: str
    roles: frozenset[str]
    changes: frozenset[str]


@dataclass(frozen=True)
class Coverage:
    """What decisions make of every change: missing roles by change digest (none: covered), and what was rejected.

    A role is missing also as ``second_person``, where a source does not say who recorded what it says.
    """

    missing: Mapping[str, tuple[str, ...]]
    rejected: frozenset[str]

    def covers(self, change: Change) -> bool:
        """Tell whether a change may leave."""
        return change.digest not in self.rejected and not self.missing[change.digest]


SECOND_PERSON: Final = "second_person"


def coverage_of(changes: Iterable[Change], approvals: Sequence[Approval], rejected: Collection[str]) -> Coverage:
    """Return what approvals cover; a rejection outweighs every approval until it lapses with its change."""
    return Coverage(
        missing={one.digest: missing_roles(one, approvals) for one in changes},
        rejected=frozenset(rejected),
    )


def may_approve(change: Change, person: str) -> bool:
    """Tell whether a person may approve a change: nobody approves what they recorded (R2)."""
    return person not in change.recorded_by


def changes_asked_of(
    changes: Iterable[Change], coverage: Coverage, person: str, roles: frozenset[str]
) -> tuple[Change, ...]:
    """Return the changes that a person's roles are asked for, that nobody rejected and that they may approve."""
    return tuple(
        one
        for one in changes
        if not one.standing
        and one.digest not in coverage.rejected
        and may_approve(one, person)
        and (roles & {*one.roles} or one.recorder_unknown)
    )


def missing_roles(change: Change, approvals: Sequence[Approval]) -> tuple[str, ...]:
    """Return the roles that no approval fills yet; every role needs another person (R2)."""
    if change.standing:
        return ()
    people: dict[str, frozenset[str]] = {}
    for one in approvals:
        if change.digest in one.changes and may_approve(change, one.person):
            people[one.person] = people.get(one.person, frozenset()) | one.roles
    filled = filled_roles(change.roles, people)
    missing = tuple(role for role in change.roles if role not in filled)
    alone = change.recorder_unknown and len(change.roles) < _TWO_PEOPLE and len(people) < _TWO_PEOPLE
    return (*missing, SECOND_PERSON) if alone else missing


def filled_roles(roles: Sequence[str], people: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return as many of the roles as can be filled at once, no person in two of them (matching by augmenting)."""
    taken: dict[str, str] = {}

    def place(role: str, asked: set[str]) -> bool:
        for person in sorted(people):
            if role in people[person] and person not in asked:
                asked.add(person)
                if person not in taken or place(taken[person], asked):
                    taken[person] = role
                    return True
        return False

    for role in roles:
        place(role, set())
    return frozenset(taken.values())
