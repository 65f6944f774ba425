"""I1': every permitted fact is changed alone, and must change the page or show a hold.

A changed fact counts as shown where any byte of the content differs. Where it does not, the fact is judged as
`tests.support.permitted_facts` judges it: shown by another of its values, on hold, or dominated by a named rule.
Beside that, facts are made undecidable (unknown words, names that nobody mapped, lapsed rights, lines that must be
refused, copies in conflict): of each of these it is written down here where the hold must show.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.context import RenderingContext, is_in_force
from dagster_project.packaging.fields import leaves
from tests.harness.bases import Base
from tests.harness.figures import Figures
from tests.harness.outgoing import Packaged, packaged
from tests.harness.undecidable import UNDECIDABLE
from tests.support.histories import History, heads
from tests.support.permitted_facts import (
    DOMINATED,
    Fact,
    Shown,
    alternatives,
    badness,
    belongs_to_a_workaround_not_said_to_be_ready,
    facts,
    is_on_hold,
    is_shown,
)

_TRIES: Final = 40
_SHARE_UNDECIDABLE: Final = 0.45


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
            done = bool(known) and _change(base, _one_of_a_kind(known, random), random, figures, verdicts)
        figures.permitted += done
        made += done


def _one_of_a_kind(known: Sequence[Fact], random: Random) -> Fact:
    """Choose a source field and a fact of it: states and rights are many, an article or an instant are few."""
    source_field = random.choice(sorted({one.source_field for one in known}))
    return random.choice([one for one in known if one.source_field == source_field])


def change_of_a_fact(base: Base, random: Random) -> History | None:
    """Return the base's history with one permitted fact changed, as admission takes it in; None where it does not."""
    known = _facts(base)
    if not known:
        return None
    fact = _one_of_a_kind(known, random)
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


def one_more_part_of_what_is_as_bad_anyway(fact: Fact) -> bool:
    """Of which part a state is told decides nothing while another part, in the same bucket, is at least as bad."""
    if fact.source_field != "service-health#/component":
        return False
    own = badness(fact.status(fact.record))
    return any(
        badness(fact.status(one)) >= own and fact.stands_where(one) for one in fact.siblings if one is not fact.record
    )


# Beside `DOMINATED`: what the sample scenario has no case of.
EXPLAINED: Final[tuple[Callable[[Fact], bool], ...]] = (
    is_a_right_that_is_not_in_force,
    is_a_right_to_a_bridge_that_two_contracts_open,
    grants_what_nothing_is_known_of,
    belongs_to_a_workaround_whose_readiness_is_kept_back,
    one_more_part_of_what_is_as_bad_anyway,
)


# ---- what cannot be decided must show --------------------------------------------------------------------------


def _is_held(package: Packaged, place: str) -> bool:
    return any(place in slot["fields"] for slot in package.rendering.content["held"].values())


def _make_undecidable(base: Base, random: Random, figures: Figures) -> bool:
    bridge = random.choice(base.bridges) if base.bridges else ""
    made = random.choice(UNDECIDABLE)(base, bridge, random) if bridge else None
    admitted = None if made is None else base.admitted(made.history)
    contexts = {} if admitted is None else base.contexts(admitted)
    if made is None or made.bridge not in contexts:
        return False
    # Where the place is on hold already nothing would be missed, so it proves nothing.
    if _is_held(base.packages[bridge], made.pointer):
        return False
    shows = _is_held(packaged(contexts[made.bridge]), made.pointer)
    figures.verdicts[f"undecidable and on hold: {made.name}" if shows else "SILENT"] += 1
    if not shows:
        figures.omissions.append(f"{made.name} does not show on {bridge} in {base.name} at {base.history.at}")
    return True
