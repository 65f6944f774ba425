"""I1: what must not show is mutated, in any combination, and nothing that leaves may differ.

A pair is kept where what the bridge may notice agrees (`premises`), else discarded; of a kept pair every byte that
leaves must be equal. A mutation counts once it was kept for at least one bridge.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Final

from dagster_project.packaging import annexes
from dagster_project.packaging.context import ProfileTables
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.source_fields import field_classification
from tests.harness.bases import STRICTER, Base
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
# What concerns others is kept back in most histories; what is kept back for what it says, in few.
_WEIGHTS_OF_REASONS: Final[Mapping[str, int]] = {"absent": 1, "kept back": 8, "rivals": 8}
_WEIGHT_OF_STRICTER: Final = 5
_SHARE_OF_READY: Final = 0.5
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
    fields = [one for one in _fields(base.tables) if one.partition("#")[0] in held]
    # What a stricter profile alone keeps back is of a few fields, in few bases.
    source_field = random.choices(fields, [_WEIGHT_OF_STRICTER if one in STRICTER else 1 for one in fields])[0]
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
    # What of these could show at all, shows seldom: what another bridge was told, and that there is one entry more.
    weights = {"customer-status added": 4, "dependency added": 4, **dict.fromkeys(ENTRY_MUTATIONS, 2)}
    name = random.choices(sorted(known), [weights.get(one, 1) for one in sorted(known)])[0]
    mutant = known[name](base.history, random)
    return None if mutant is None else (name, mutant, base.bridges)


def _inside(base: Base, random: Random) -> Proposal | None:
    """Exchange a value that would be shown, were its record not labelled for the inside."""
    source_field = random.choice([one for one in sorted(_WORDS) if not one.startswith("entitlement")])
    mutant = mutate_field(base.history, source_field, random, inside=True)
    return None if mutant is None else (f"{source_field} of an inside record", mutant, base.bridges)


def _hidden(base: Base, random: Random) -> Proposal | None:
    """Exchange a value that a bridge must not be shown at present, though the profile renders its field."""
    by_reason: dict[str, list[tuple[str, Record, str]]] = {}
    for bridge in base.bridges:
        for record, pointer in hidden_values(base, bridge):
            reason = base.premises[bridge].reason_to_hide(record, pointer, record.data[pointer[1:]])
            by_reason.setdefault(str(reason), []).append((bridge, record, pointer))
    if not by_reason:
        return None
    reasons = sorted(by_reason)
    reason = random.choices(reasons, [_WEIGHTS_OF_REASONS.get(one, 2) for one in reasons])[0]
    bridge, record, pointer = _one_kept_back(by_reason[reason], random)
    source_field = f"{record.type}#{pointer}"
    words = _WORDS.get(source_field) or (f"x-{record.data[pointer[1:]]}", f"{record.data[pointer[1:]]}.7")
    mutant = changed(record, pointer, random.choice(words))
    if mutant.data == record.data or not is_valid(mutant):
        return None
    return (f"{source_field} kept back", base.history.replacing((record, mutant)), (bridge,))


def _one_kept_back(among: Sequence[tuple[str, Record, str]], random: Random) -> tuple[str, Record, str]:
    """Choose a kind of value and one of that kind; a text most often where its article is ready to be shown."""
    articles = [one for one in among if one[2] == "/reference" and one[1].data["readiness"] == "ready"]
    if articles and random.random() < _SHARE_OF_READY:
        return random.choice(articles)
    kind = random.choice(sorted({(record.type, pointer) for _, record, pointer in among}))
    return random.choice([one for one in among if (one[1].type, one[2]) == kind])


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
    _one_field: 18,
    _several: 8,
    _record: 26,
    _inside: 11,
    _hidden: 32,
    _account: 5,
}
# Those of values alone, where nothing is added or taken away.
PROPOSALS: Final = (_one_field, _several, _inside)
_KINDS, _WEIGHTS = [*_SHARES], [*_SHARES.values()]
