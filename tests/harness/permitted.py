"""I1': every permitted fact is changed alone, and must change the page or show a hold.

A changed fact counts as shown where any byte of the content differs. Where it does not, the fact is judged as
`tests.support.permitted_facts` judges it: shown by another of its values, on hold, or dominated by a named rule.
Beside that, facts are made undecidable (unknown words, names that nobody mapped, lapsed rights, lines that must be
refused, copies in conflict): of each of these it is written down here where the hold must show.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

import msgspec

from dagster_project.clock import format_instant
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.context import RenderingContext, is_in_force
from dagster_project.packaging.fields import leaves
from dagster_project.sources.admission import record_bytes
from dagster_project.sources.record import Classification, Record
from tests.harness.bases import Base, refused
from tests.harness.figures import Figures
from tests.harness.outgoing import packaged
from tests.harness.scenarios import GLOBAL
from tests.support.histories import History, changed, heads, make_record
from tests.support.permitted_facts import (
    DOMINATED,
    Fact,
    Shown,
    alternatives,
    belongs_to_a_workaround_not_said_to_be_ready,
    facts,
    is_on_hold,
    is_shown,
)

_TRIES: Final = 40
_SHARE_UNDECIDABLE: Final = 0.25


@dataclass(frozen=True)
class Undecidable:
    """A mutant in which something cannot be decided, and the pointer that a slot of the bridge must then list."""

    name: str
    history: History
    bridge: str
    pointer: str


def mutate_permitted(base: Base, random: Random, figures: Figures, *, times: int) -> None:
    """Change permitted facts one at a time, `times` times, or as often as this base allows."""
    known = [*_facts(base)]
    verdicts: dict[tuple[int, str, str], str] = {}
    made = 0
    for _attempt in range(times * _TRIES):
        if made == times:
            return
        if random.random() < _SHARE_UNDECIDABLE:
            done = _make_undecidable(base, random, figures)
        else:
            done = bool(known) and _change(base, random.choice(known), random, figures, verdicts)
        figures.permitted += done
        made += done


def change_of_a_fact(base: Base, random: Random) -> History | None:
    """Return the base's history with one permitted fact changed, as admission takes it in; None where it does not."""
    known = _facts(base)
    if not known:
        return None
    fact = random.choice(known)
    value = random.choice(alternatives(fact))
    return None if value == fact.record.data[fact.pointer[1:]] else base.admitted(fact.replaced(value))


def _facts(base: Base) -> list[Fact]:
    """Return the permitted facts; on what waits for people nothing else may decide, so it is left out."""
    found = facts(base.history, base.tables)
    return [one for one in found if one.bridge in base.bridges and not (base.kept_back and _is_severity(one))]


def _is_severity(fact: Fact) -> bool:
    return fact.source_field == "incident#/severity"


def _change(
    base: Base, fact: Fact, random: Random, figures: Figures, verdicts: dict[tuple[int, str, str], str]
) -> bool:
    own = fact.record.data[fact.pointer[1:]]
    value = random.choice(alternatives(fact))
    mutant = base.admitted(fact.replaced(value)) if value != own else None
    if mutant is None:
        return False
    contexts = base.contexts(mutant)
    before = base.packages[fact.bridge]
    if fact.bridge not in contexts or packaged(contexts[fact.bridge]).outgoing.content != before.outgoing.content:
        verdict = "shown"
        if _shows_the_article_of_what_is_not_ready(fact, value, contexts.get(fact.bridge)):
            figures.interferences.append(f"the article of a workaround that is not ready shows in {base.name}")
    else:
        key = (id(fact.record), fact.pointer, fact.bridge)
        if key not in verdicts:
            verdicts[key] = _judge(base, fact)
        verdict = verdicts[key]
    figures.verdicts[verdict] += 1
    if verdict == "SILENT":
        said = f"{fact.source_field} of {fact.record.recordid}: {own!r} -> {value!r}"
        figures.omissions.append(f"{said} on {fact.bridge} in {base.name} at {base.history.at}")
    return True


def _shows_the_article_of_what_is_not_ready(fact: Fact, value: object, context: RenderingContext | None) -> bool:
    if fact.source_field != "workaround#/reference" or context is None:
        return False
    said = {str(one) for one in leaves(packaged(context).rendering.content).values()}
    return belongs_to_a_workaround_not_said_to_be_ready(fact) and str(value) in said


def _judge(base: Base, fact: Fact) -> str:
    """Judge a fact that another value did not change."""
    rendering = base.packages[fact.bridge].rendering
    if is_on_hold(fact, rendering):
        return "on hold"
    by_rule = next((rule.__name__ for rule in (*DOMINATED, *EXPLAINED) if rule(fact)), None)
    if by_rule is not None:
        return by_rule
    # The rendering of the fact's own context knows nothing of decisions that are missing; nor does its base then.
    shown = Shown(rendering, canonical_bytes(rendering.content))
    return "two values say the same" if is_shown(fact, shown.content) else "SILENT"


def is_a_right_that_is_not_in_force(fact: Fact) -> bool:
    """Of a contract or entitlement that is not valid now only what would make it valid decides anything."""
    if fact.record.type not in {"contract", "entitlement"}:
        return False
    entitlements = fact.context.bridge.entitlements
    alive = any(is_in_force(one, fact.history.at) for one in entitlements)
    about_account = fact.record.type == "entitlement" or fact.source_field == "contract#/account"
    return not fact.context.contract_in_force or (about_account and not alive)


def is_a_right_to_a_bridge_that_two_contracts_open(fact: Fact) -> bool:
    """Where two contracts open one bridge everything is on hold, whatever else either says."""
    return fact.record.type in {"contract", "entitlement"} and bool(fact.context.bridge.rivals)


def grants_what_nothing_is_known_of(fact: Fact) -> bool:
    """Where nothing is known of what an account bought, its rights decide nothing beyond what is on hold for that."""
    about_account = fact.record.type == "entitlement" or fact.source_field == "contract#/account"
    known = {fact.capability(one) for one in heads(fact.history, "service-health")}
    return about_account and not known & fact.context.entitled


def belongs_to_a_workaround_whose_readiness_is_kept_back(fact: Fact) -> bool:
    """A profile that keeps back how ready a workaround is shows nothing of it that would tell."""
    return fact.record.type == "workaround" and "workaround#/readiness" not in fact.context.tables.rendered


# Beside `DOMINATED`: what the sample scenario has no case of.
EXPLAINED: Final[tuple[Callable[[Fact], bool], ...]] = (
    is_a_right_that_is_not_in_force,
    is_a_right_to_a_bridge_that_two_contracts_open,
    grants_what_nothing_is_known_of,
    belongs_to_a_workaround_whose_readiness_is_kept_back,
)


# ---- what cannot be decided must show --------------------------------------------------------------------------


def _make_undecidable(base: Base, random: Random, figures: Figures) -> bool:
    bridge = random.choice(base.bridges) if base.bridges else ""
    made = random.choice(UNDECIDABLE)(base, bridge, random) if bridge else None
    admitted = None if made is None else base.admitted(made.history)
    contexts = {} if admitted is None else base.contexts(admitted)
    if made is None or made.bridge not in contexts:
        return False
    held = packaged(contexts[made.bridge]).rendering.content["held"]
    shows = any(made.pointer in slot["fields"] for slot in held.values())
    figures.verdicts[f"undecidable and on hold: {made.name}" if shows else "SILENT"] += 1
    if not shows:
        figures.omissions.append(f"{made.name} does not show on {bridge} in {base.name} at {base.history.at}")
    return True


def _said_by_customer_records(base: Base, kind: str) -> list[Record]:
    return [one for one in heads(base.history, kind) if one.dataclassification is Classification.CUSTOMER]


def _unknown_severity(base: Base, bridge: str, random: Random) -> Undecidable | None:
    contract = base.premises[bridge].contract.data
    if (
        base.kept_back
        or base.premises[bridge].action("incident#/severity") != "render"
        or "severity" not in contract["permitted_fields"]
    ):
        return None
    record = random.choice(heads(base.history, "incident"))
    word = f"unheard-of-{random.randint(1, 999)}"
    mutant = base.history.replacing((record, changed(record, "/severity", word)))
    return Undecidable("an unknown word", mutant, bridge, "/severity_code")


def _unmapped_component(base: Base, bridge: str, random: Random) -> Undecidable | None:
    found = heads(base.history, "service-health")
    if not found:
        return None
    record = random.choice(found)
    mutant = base.history.replacing((record, changed(record, "/component", f"nobody-{random.randint(1, 999)}")))
    return Undecidable("an unmapped component", mutant, bridge, "/affected_capabilities")


def _unmapped_region(base: Base, bridge: str, random: Random) -> Undecidable | None:
    premises = base.premises[bridge]
    bought = [
        one
        for one in heads(base.history, "service-health")
        if premises.capability.get(one.data["component"]) in premises.entitled
        # Of copies in conflict another may be the one that stands once this is changed.
        and one.version_identity not in premises.disputed
    ]
    if not bought:
        return None
    record = random.choice(bought)
    place = f"/affected_capabilities/{premises.capability[record.data['component']]}/regions"
    mutant = base.history.replacing((record, changed(record, "/region", f"moon-{random.randint(1, 999)}")))
    return Undecidable("an unmapped region", mutant, bridge, place)


def _lapsed_entitlement(base: Base, bridge: str, random: Random) -> Undecidable | None:
    premises = base.premises[bridge]
    own = [one for one in heads(base.history, "entitlement") if one.data["account"] == premises.account]
    if not own:
        return None
    gone = format_instant(base.history.at - timedelta(minutes=random.randint(1, 9999)))
    lapsed = [(one, changed(one, "/valid_until", gone)) for one in own]
    mutant = base.history.replacing(*lapsed)
    return Undecidable("a lapsed entitlement", mutant, bridge, "/affected_capabilities")


def _lapsed_contract(base: Base, bridge: str, random: Random) -> Undecidable | None:
    contract = base.premises[bridge].contract
    gone = format_instant(base.history.at - timedelta(minutes=random.randint(1, 9999)))
    mutant = base.history.replacing((contract, changed(contract, "/valid_until", gone)))
    return Undecidable("a lapsed contract", mutant, bridge, "/incident_status")


def _required_class(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Require a class that no record can feed."""
    contract = base.premises[bridge].contract
    empty = {
        "workaround_readiness": ("/workarounds", "workaround"),
        "checkpoint": ("/timeline", "bridge-timeline"),
    }
    name = random.choice(sorted(empty))
    pointer, kind = empty[name]
    if heads(base.history, kind):
        return None
    mutant = base.history.replacing((contract, changed(contract, "/required_fields", [name])))
    return Undecidable("a required class without records", mutant, bridge, pointer)


def _refused_line(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a source speak for the first time, in a form that must be refused."""
    data = {"component": "mx-relay", "region": "eu-west-1", "state": "down", "estimated_end": "soon"}
    record = make_record(
        "service-health",
        f"new-{random.randint(1, 999)}",
        data,
        source="//channelsafe/forms",
        subject=base.history.incident,
        recordedtime=base.history.at,
    )
    mutant = refused(base.history, record, record_bytes(record))
    return Undecidable("a refused line", mutant, bridge, "/affected_capabilities")


def _copy_of_what_was_not_bought(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a copy of a record arrive that contradicts one of a component that this account did not buy."""
    foreign = [one for one in heads(base.history, "service-health") if base.premises[bridge].is_absent(one)]
    if not foreign:
        return None
    record = random.choice(foreign)
    copy = changed(record, "/note", f"another copy {random.randint(1, 999)}")
    return Undecidable("copies in conflict", base.history.adding(copy), bridge, "/affected_capabilities")


def _copy_of_a_dependency(base: Base, bridge: str, random: Random) -> Undecidable | None:
    found = heads(base.history, "dependency")
    if not found:
        return None
    copy = changed(random.choice(found), "/note", f"another copy {random.randint(1, 999)}")
    return Undecidable("a dependency in conflict", base.history.adding(copy), bridge, "/statements")


def _sources_that_contradict(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let a second source contradict what is said of a component that this account bought."""
    premises = base.premises[bridge]
    bought = [
        one
        for one in _said_by_customer_records(base, "service-health")
        if premises.capability.get(one.data["component"]) in premises.entitled
        and premises.bucket.get(one.data["region"]) is not None
        and one.source != GLOBAL
    ]
    if not bought or premises.nothing_permitted or "capability_status" not in premises.permitted:
        return None
    record = random.choice(bought)
    state = random.choice([one for one in ("up", "down", "partial") if one != record.data["state"]])
    other = msgspec.structs.replace(changed(record, "/state", state), source=GLOBAL, id=f"{record.id}-elsewhere")
    if any(one.identity == other.identity for one in base.history.records):
        return None
    place = f"/affected_capabilities/{premises.capability[record.data['component']]}/capability_status"
    return Undecidable("sources that contradict", base.history.adding(other), bridge, place)


def _article_that_no_text_may_hold(base: Base, bridge: str, random: Random) -> Undecidable | None:
    """Let the article of a workaround that is shown be what no text may hold, and no record says."""
    shown = {one.pointer for one in base.packages[bridge].rendering.fields if one.hold is None}
    code = base.contexts(base.history)[bridge].code
    places = {f"/workarounds/{code(one)}/reference": one for one in _said_by_customer_records(base, "workaround")}
    known = sorted(places.keys() & shown)
    if not known:
        return None
    place, number = random.choice(known), random.randint(100, 999)
    said = random.choice((f"db-{number}.use1.internal", f"10.12.{number % 250}.7", f"ana{number}@example.org"))
    mutant = base.history.replacing((places[place], changed(places[place], "/reference", said)))
    return Undecidable("an article that no text may hold", mutant, bridge, place)


UNDECIDABLE: Final[tuple[Callable[[Base, str, Random], Undecidable | None], ...]] = (
    _unknown_severity,
    _unmapped_component,
    _unmapped_region,
    _lapsed_entitlement,
    _lapsed_contract,
    _required_class,
    _refused_line,
    _copy_of_what_was_not_bought,
    _copy_of_a_dependency,
    _sources_that_contradict,
    _article_that_no_text_may_hold,
)
