"""What decisions amount to, one after the other: holds that are active, leaves that are pulled, states of versions.

Belongs here: the table of acts (design, Review rules). Everything is worked out from the decisions in their order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster_project.integrity.digests import digest_of
from dagster_project.packaging.fields import leaves
from dagster_project.packaging.lineage import Lineage
from dagster_project.review.decisions import Act, Decision


def active_holds(taken: Iterable[tuple[str, Decision]]) -> frozenset[str]:
    """Return the digests of the holds that nobody lifted."""
    active: dict[str, Decision] = {}
    for digest, decision in taken:
        if decision.act is Act.HOLD:
            active[digest] = decision
        elif decision.act is Act.LIFT:
            active.pop(decision.refers_to, None)
    return frozenset(active)


def active_pulls(taken: Iterable[Decision]) -> frozenset[str]:
    """Return the leaves that were pulled and not restored since."""
    pulled: set[str] = set()
    for decision in taken:
        if decision.act is Act.PULL:
            pulled.update(decision.fields)
        elif decision.act is Act.RESTORE:
            pulled.difference_update(decision.fields)
    return frozenset(pulled)


@dataclass(frozen=True)
class Told:
    """One version as its states follow from: number and instant, and the digests of what it shows by pointer."""

    version: int
    issued_at: datetime
    shown: Mapping[str, str]


def shown_leaves(content: dict[str, Any], lineage: Lineage) -> dict[str, str]:
    """Return the digests of the leaves that a page shows, by pointer; what is on hold is not shown."""
    held = {group.draft.pointer for group in lineage.groups if group.hold is not None}
    return {pointer: digest_of(value) for pointer, value in leaves(content).items() if pointer not in held}


@dataclass(frozen=True)
class Taken:
    """A decision with the instant of its acceptance."""

    received_at: datetime
    decision: Decision


def publication_states(told: Sequence[Told], taken: Sequence[Taken]) -> dict[int, str]:
    """Return the publication state of every version.

    A pull suspends every version that shows the pulled value, a withdrawal its version; confirmed, that is final. What
    a pull suspended is superseded again once the value was restored and released anew, with all that this takes.

    Args:
        told: The versions, in order.
        taken: The decisions about them, in order.
    """
    story = _Story()
    waiting = list(told)
    for one in taken:
        # What a decision names was told before it, also where a clock shows both at one instant.
        while waiting and (waiting[0].issued_at < one.received_at or waiting[0].version <= one.decision.version):
            story.tell(waiting.pop(0))
        story.decide(one.decision)
    for version in waiting:
        story.tell(version)
    states = {one.version: story.state_of(one.version) for one in told}
    newest = max(states, default=None)
    if newest is not None and states[newest] == "superseded":
        states[newest] = "released"
    return states


class _Story:
    """Versions and decisions in the order in which they came about."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        # The (leaf, value) pairs that were pulled, and those of them that may be told again.
        self._pulled: set[tuple[str, str]] = set()
        self._restored: set[tuple[str, str]] = set()
        self._withdrawn: dict[int, str] = {}

    def tell(self, version: Told) -> None:
        """Add a version; what it shows that was restored is pulled no more."""
        self._told.append(version)
        again = {pair for pair in self._restored if version.shown.get(pair[0]) == pair[1]}
        self._pulled -= again
        self._restored -= again

    def decide(self, decision: Decision) -> None:
        """Add a decision."""
        if decision.act is Act.PULL:
            named = next((one for one in self._told if one.version == decision.version), None)
            pairs = {(name, named.shown[name]) for name in decision.fields if named and name in named.shown}
            self._pulled |= pairs
            self._restored -= pairs
        elif decision.act is Act.RESTORE:
            self._restored |= {pair for pair in self._pulled if pair[0] in decision.fields}
        elif decision.act is Act.WITHDRAW:
            self._withdrawn.setdefault(decision.version, "suspended")
        elif decision.act is Act.CONFIRM:
            self._withdrawn[decision.version] = "withdrawn"

    def state_of(self, version: int) -> str:
        """Return the state of one version, where ``superseded`` stands for nothing against it."""
        if self._withdrawn.get(version) == "withdrawn":
            return "withdrawn"
        told = next(one for one in self._told if one.version == version)
        pulled = any(told.shown.get(pointer) == digest for pointer, digest in self._pulled)
        return "suspended" if pulled or version in self._withdrawn else "superseded"
