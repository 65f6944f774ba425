"""Bases: histories that mutations start from, each with what its bridges may notice and what leaves.

Belongs here: which histories, under which profile and which decisions, and admitting what was mutated through the
product's own admission. A mutant shares with its base every record that was not touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from random import Random
from typing import Any, Final

from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.profile import Action, Profile, Rule
from dagster_project.packaging.review_inputs import NO_REVIEW, UNDECIDED, ReviewInputs
from dagster_project.sources.admission import Rejection, admit_bytes, record_bytes
from dagster_project.sources.record import Record
from dagster_project.sources.registry import shipped_registry
from tests.harness.outgoing import Packaged, packaged
from tests.harness.premises import NarrowPremises
from tests.harness.scenarios import OURS, make_scenario
from tests.support.histories import History, rejected_input, shipped_profile, shipped_tables, story, with_rule
from tests.support.mutations import with_inside_labels

STRICTER: Final = ("service-health#/since", "bridge-timeline#/at", "workaround#/readiness", "incident#/severity")
_SHARE_OF_STORY: Final = 0.15
_SHARE_OF_LABELS: Final = 0.3
_SHARE_OF_ENDS: Final = 0.5
_SHARE_OF_REVIEWS: Final = 0.26
_REVIEWS: Final = (
    ReviewInputs(on_hold={"/severity_code": UNDECIDED}),
    ReviewInputs(gone=("/severity_code",)),
)


@dataclass(frozen=True)
class Base:
    """A history under a profile, with what people's decisions keep back."""

    name: str
    history: History
    tables: ProfileTables
    review: ReviewInputs = NO_REVIEW

    @property
    def profile(self) -> Profile:
        return self.tables.profile

    @property
    def kept_back(self) -> tuple[str, ...]:
        """The leaves that people's decisions keep back."""
        return (*self.review.on_hold, *self.review.gone)

    @cached_property
    def bridges(self) -> tuple[str, ...]:
        return tuple(self.contexts(self.history))

    @cached_property
    def premises(self) -> Mapping[str, NarrowPremises]:
        """What each bridge may notice."""
        return {one: self.premises_of(self.history, one) for one in self.bridges}

    @cached_property
    def agreements(self) -> Mapping[str, dict[str, Any]]:
        return {name: one.agreement() for name, one in self.premises.items()}

    @cached_property
    def packages(self) -> Mapping[str, Packaged]:
        """What leaves to each bridge."""
        return {name: packaged(context) for name, context in self.contexts(self.history).items()}

    def contexts(self, history: History) -> dict[str, RenderingContext]:
        """Return the context of each of our bridges, of this history or of a mutant of it."""
        found = history.contexts(self.tables)
        return {name: replace(found[name], review=self.review) for name in OURS if name in found}

    def premises_of(self, history: History, bridge: str) -> NarrowPremises:
        return NarrowPremises(history, self.profile, bridge, self.kept_back)

    def admitted(self, mutant: History) -> History | None:
        """Have what is new in a mutant admitted from its bytes; None where admission refuses it."""
        ours = {id(one) for one in self.history.records}
        records: list[Record] = []
        for one in mutant.records:
            judged = one if id(one) in ours else _admit(one, mutant)
            if isinstance(judged, Rejection):
                return None
            records.append(judged)
        return replace(mutant, records=tuple(records))


def _admit(record: Record, history: History) -> Record | Rejection:
    return admit_bytes(record_bytes(record), received_at=history.at, registry=shipped_registry())


def refused(history: History, record: Record, line: bytes) -> History:
    """Return the history in which a line arrived, in the place of a record, that must be refused.

    Raises:
        AssertionError: it was admitted.
    """
    judged = admit_bytes(line, received_at=history.at, registry=shipped_registry())
    assert isinstance(judged, Rejection), "a line that must be refused was admitted"
    left = history.without(record)
    return replace(left, rejected=(*left.rejected, rejected_input(judged, line)))


def make_base(seed: str, random: Random) -> Base:
    """Return the base of a seed: a step of a generated scenario, or of the sample scenario."""
    histories = story() if random.random() < _SHARE_OF_STORY else make_scenario(seed).histories()
    # What goes wrong in a scenario goes wrong at its end.
    history = histories[-1] if random.random() < _SHARE_OF_ENDS else random.choice(histories)
    # The log holds what was delivered twice once; else a mutant would contradict its own duplicate.
    distinct = {one.reference: one for one in history.records}
    history = replace(history, records=tuple(distinct.values()), profiles={})
    if random.random() < _SHARE_OF_LABELS:
        history = with_inside_labels(history, random)
    review = random.choice(_REVIEWS) if random.random() < _SHARE_OF_REVIEWS else NO_REVIEW
    return Base(seed, history, _tables(random.random()), review)


def _tables(chance: float) -> ProfileTables:
    """Return the shipped profile, or now and then one that keeps back more."""
    stricter = {0.16: Action.HOLD, 0.22: Action.ANNEX, 0.26: Action.IGNORE}
    return next((_stricter(action) for share, action in stricter.items() if chance < share), shipped_tables())


@cache
def _stricter(action: Action) -> ProfileTables:
    rule = Rule(id="kept-back", covers=STRICTER, action=action, audience="incident_command")
    return ProfileTables(with_rule(shipped_profile(), rule))
