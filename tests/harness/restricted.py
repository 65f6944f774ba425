"""I1: what must not show is mutated, in any combination, and nothing that leaves may differ.

A pair is kept where what the bridge may notice agrees (`premises`), else discarded; of a kept pair every byte that
leaves must be equal. A mutation counts once it was kept for at least one bridge.
"""

from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Final

from dagster_project.packaging import annexes
from dagster_project.packaging.context import ProfileTables
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.source_fields import field_classification
from tests.harness.bases import Base
from tests.harness.figures import Figures
from tests.harness.outgoing import packaged
from tests.harness.premises import VALUES
from tests.harness.scenarios import ACCOUNTS, CAPABILITIES, CHECKPOINTS, INCIDENT_STATES, OURS, STATES
from tests.support.agreement import opening_contracts
from tests.support.histories import History, changed
from tests.support.mutations import (
    ENTRY_MUTATIONS,
    INSTANTS,
    RECORD_MUTATIONS,
    every_account_mutation,
    is_released,
    is_valid,
    mutate_field,
    restricted_fields,
    several_fields,
)

# A mutant, what it is counted as, and the bridges that must not notice it.
Proposal = tuple[str, History, tuple[str, ...]]
_TRIES: Final = 40
_SHARE_OF_CONCERNING: Final = 0.7
# Many guards are about the one field that holds a text, which is seldom kept back.
_WEIGHT_OF_TEXT: Final = 4
_WORDS: Final[Mapping[str, tuple[object, ...]]] = {
    "incident#/severity": ("SEV1", "SEV2", "SEV3", "SEV4", "odd"),
    "incident#/state": (*INCIDENT_STATES, "odd"),
    "incident#/cause_confirmed": (True, False),
    "incident#/monitoring_until": INSTANTS,
    "incident#/data_integrity": ("no_loss", "loss", "under_review", "odd"),
    "service-health#/state": (*STATES, "odd"),
    "service-health#/since": INSTANTS,
    "workaround#/readiness": ("none", "drafting", "in_test", "withdrawn", "ready", "odd"),
    "workaround#/verified": (True, False),
    "bridge-timeline#/checkpoint": (*CHECKPOINTS, "odd"),
    "bridge-timeline#/at": INSTANTS,
    "entitlement#/capabilities": tuple([one] for one in CAPABILITIES),
}


def mutate_restricted(base: Base, random: Random, figures: Figures, *, times: int) -> None:
    """Make mutations of what must not show until `times` were kept, or no more can be made of this base."""
    made = 0
    for _attempt in range(times * _TRIES if base.bridges else 0):
        if made == times:
            return
        proposal = random.choices(_KINDS, _WEIGHTS)[0](base, random)
        mutant = None if proposal is None else base.admitted(proposal[1])
        if proposal is not None and mutant is not None and _compare(base, proposal, mutant, figures):
            figures.restricted += 1
            made += 1


def find_what_no_pair_shows(base: Base, figures: Figures) -> bool:
    """Look at one history alone: nobody is told whom no contract lets in, and no annex is of another account.

    Returns:
        Whether something was found; premises cannot be read of a bridge that no contract opens.
    """
    unopened = [one for one in base.bridges if not opening_contracts(base.history, one)]
    if unopened:
        figures.interferences.append(f"{unopened[0]} is told though no contract opens it in {base.name}")
        return True
    for bridge in base.bridges:
        account = base.premises[bridge].account
        accounts = {one.identity: one.data.get("account", account) for one in base.history.records}
        annexed = annexes.annexes_of(base.contexts(base.history)[bridge]).values()
        sources = [one.reference for entries in annexed for one in entries]
        if any(accounts[one.source, one.recordid] != account for one in sources):
            figures.interferences.append(f"the annex of {bridge} holds another account's values in {base.name}")
            return True
    return False


def _compare(base: Base, proposal: Proposal, mutant: History, figures: Figures) -> bool:
    """Compare a mutant with its base on each bridge; tell whether any pair was kept."""
    name, _, bridges = proposal
    contexts = base.contexts(mutant)
    kept = False
    for bridge in bridges:
        if bridge not in contexts or base.premises_of(mutant, bridge).agreement() != base.agreements[bridge]:
            figures.discarded[name] += 1
            continue
        kept = True
        figures.kept[name] += 1
        before, after = base.packages[bridge].outgoing, packaged(contexts[bridge]).outgoing
        figures.passed[after.passed] += 1
        if before != after:
            parts = ", ".join(before.differences(after))
            figures.interferences.append(f"{name} changes {parts} of {bridge} in {base.name} at {base.history.at}")
    return kept


@cache
def _fields(tables: ProfileTables) -> tuple[str, ...]:
    return restricted_fields(tables.profile)


def _one_field(base: Base, random: Random) -> Proposal | None:
    """Exchange one restricted value; what a clearance releases at present is not restricted."""
    held = {one.type for one in base.history.snapshot.heads}
    source_field = random.choice([one for one in _fields(base.tables) if one.partition("#")[0] in held])
    if is_released(base.history, base.profile, source_field):
        return None
    mutant = mutate_field(base.history, source_field, random)
    return None if mutant is None else (source_field, mutant, base.bridges)


def _several(base: Base, random: Random) -> Proposal | None:
    """Exchange several restricted values; what clearances and what was told decide is mutated alone."""
    fields = tuple(one for one in _fields(base.tables) if one not in _DECIDING)
    mutant = several_fields(base.history, fields, random)
    return None if mutant is None else ("several fields at once", mutant, base.bridges)


def _record(base: Base, random: Random) -> Proposal | None:
    """Add, remove or retime a record of the inside."""
    known = RECORD_MUTATIONS | ENTRY_MUTATIONS
    name = random.choice(sorted(known))
    mutant = known[name](base.history, random)
    return None if mutant is None else (name, mutant, base.bridges)


def _inside(base: Base, random: Random) -> Proposal | None:
    """Exchange a value that would be shown, were its record not labelled for the inside."""
    source_field = random.choice([one for one in sorted(_WORDS) if not one.startswith("entitlement")])
    mutant = mutate_field(base.history, source_field, random, inside=True)
    return None if mutant is None else (f"{source_field} of an inside record", mutant, base.bridges)


def _hidden(base: Base, random: Random) -> Proposal | None:
    """Exchange a value that a bridge must not be shown at present, though the profile renders its field."""
    bridge = random.choice(base.bridges)
    hidden = hidden_values(base, bridge)
    if not hidden:
        return None
    # What is kept back for a reason of its own is rare beside what does not concern the bridge at all.
    concerning = [one for one in hidden if not base.premises[bridge].is_absent(one[0])]
    among = concerning if concerning and random.random() < _SHARE_OF_CONCERNING else hidden
    kinds = sorted({(record.type, pointer) for record, pointer in among})
    kind = random.choices(kinds, [_WEIGHT_OF_TEXT if one == ("workaround", "/reference") else 1 for one in kinds])[0]
    record, pointer = random.choice([one for one in among if (one[0].type, one[1]) == kind])
    source_field = f"{record.type}#{pointer}"
    words = _WORDS.get(source_field) or (f"x-{record.data[pointer[1:]]}", f"{record.data[pointer[1:]]}.7")
    mutant = changed(record, pointer, random.choice(words))
    if mutant.data == record.data or not is_valid(mutant):
        return None
    return (f"{source_field} kept back", base.history.replacing((record, mutant)), (bridge,))


def hidden_values(base: Base, bridge: str) -> list[tuple[Record, str]]:
    """Return records and pointers of values that the profile renders and this bridge must not be shown."""
    premises = base.premises[bridge]
    return [
        (record, pointer)
        for record in base.history.snapshot.heads
        for pointer in VALUES.get(record.type, ())
        if pointer[1:] in record.data
        and field_classification(record, pointer) is Classification.CUSTOMER
        and premises.action(f"{record.type}#{pointer}") == "render"
        and premises.hides(record, pointer, record.data[pointer[1:]])
    ]


def _account(base: Base, random: Random) -> Proposal | None:
    """Change what concerns one account alone; the bridge of the other must not notice."""
    if len(base.bridges) < len(OURS):
        return None
    one, other = random.sample(OURS, k=2)
    mutants = [*every_account_mutation(base.history, ACCOUNTS[one], one, random)]
    return ("records of another account", random.choice(mutants), (other,)) if mutants else None


_DECIDING: Final = frozenset({"dependency#/vendors", "dependency#/component", "customer-status#/incident_status"})
_SHARES: Final[Mapping[Callable[[Base, Random], Proposal | None], int]] = {
    _one_field: 32,
    _several: 10,
    _record: 20,
    _inside: 8,
    _hidden: 25,
    _account: 5,
}
# Those of values alone, where nothing is added or taken away.
PROPOSALS: Final = (_one_field, _several, _inside)
_KINDS, _WEIGHTS = [*_SHARES], [*_SHARES.values()]
