"""Invariant I1: what must not show changes nothing that leaves, byte for byte.

How it is judged. A history of the sample scenario is taken at several of its steps, one restricted value, record or
time is mutated, and both histories are packaged for every bridge. Whether they must agree is decided beforehand by
`tests.support.agreement`, which reads the premises (a) to (e) of the invariant from the records by code of its own
and never looks at rendered content: a pair whose premises agree is kept, else discarded. For every kept pair the
content, all views, the check's verdict and reasons, `as_of` and `valid_until` must be equal. The table of pairs kept
and discarded is printed; under 80 % kept for any field the test says too little and fails.

A value that a clearance releases (the vendors of a cleared dependency) is rendered, not restricted, so it is mutated
only at steps where nothing releases it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dagster_project.packaging import context, holds
from dagster_project.packaging.context import ProfileTables
from dagster_project.packaging.drafting import slots, workarounds
from dagster_project.packaging.profile import Action, Profile, Rule
from dagster_project.sources.record import Classification
from tests.support.agreement import Premises
from tests.support.histories import (
    FULL,
    History,
    Leaving,
    after,
    changed,
    head,
    leaving,
    shipped_profile,
    shipped_tables,
    with_rule,
)
from tests.support.mutations import (
    BRIDGES,
    ENTRY_MUTATIONS,
    RECORD_MUTATIONS,
    add_inside_step,
    add_inside_workaround,
    every_account_mutation,
    is_released,
    mutate_field,
    restricted_fields,
    seeded,
    several_fields,
    with_inside_labels,
)

STEPS = (3, 6, 8, 9, 14, 17, 20, 22, 25, 26)
TIMES = 100 if FULL else 20
LEAST_KEPT = 0.8
OURS = BRIDGES[:2]
RENDERED_OF_INSIDE = (
    "service-health#/state", "service-health#/since", "incident#/severity", "incident#/state",
    "bridge-timeline#/checkpoint", "bridge-timeline#/at", "workaround#/readiness",
)  # fmt: skip


@dataclass
class Tally:
    """Pairs kept and discarded by what was mutated, and where kept pairs differ in what leaves."""

    kept: Counter[str] = field(default_factory=Counter)
    discarded: Counter[str] = field(default_factory=Counter)
    interference: list[str] = field(default_factory=list)

    def share(self, name: str) -> float:
        return self.kept[name] / max(1, self.kept[name] + self.discarded[name])

    def table(self, title: str) -> str:
        names = sorted({*self.kept, *self.discarded})
        rows = [f"{name:44}{self.kept[name]:6}{self.discarded[name]:11}{self.share(name):8.0%}" for name in names]
        return "\n".join(["", title, f"{'mutated':44}{'kept':>6}{'discarded':>11}{'share':>8}", *rows, ""])


class Harness:
    """Compares histories under one profile; premises and packages of unmutated histories are kept."""

    def __init__(self, profile: Profile | None = None) -> None:
        self.profile = profile or shipped_profile()
        self.tables = ProfileTables(profile) if profile else shipped_tables()
        self.tally = Tally()
        self._known: dict[int, tuple[History, dict[str, Any], dict[str, Leaving]]] = {}

    def compare(self, name: str, one: History, other: History, bridges: tuple[str, ...] = OURS) -> None:
        first = self._packages(one)
        premises = {bridge: Premises(other, self.profile, bridge).agreement() for bridge in bridges}
        contexts = other.contexts(self.tables)
        for bridge in bridges:
            if first[1][bridge] != premises[bridge]:
                self.tally.discarded[name] += 1
                continue
            self.tally.kept[name] += 1
            self._judge(name, one, first[2][bridge], leaving(contexts[bridge]), bridge)

    def _judge(self, name: str, history: History, first: Leaving, second: Leaving, bridge: str) -> None:
        parts = [part for part in Leaving.__dataclass_fields__ if getattr(first, part) != getattr(second, part)]
        if parts:
            self.tally.interference.append(f"{name} changes {', '.join(parts)} of {bridge} at {history.at}")

    def _packages(self, history: History) -> tuple[History, dict[str, Any], dict[str, Leaving]]:
        if id(history) not in self._known:
            premises = {bridge: Premises(history, self.profile, bridge).agreement() for bridge in OURS}
            packages = {bridge: leaving(one) for bridge, one in history.contexts(self.tables).items()}
            # The history is kept beside, so that its id is not given to another.
            self._known[id(history)] = (history, premises, packages)
        return self._known[id(history)]

    def field_pairs(self, source_field: str, times: int, seed: str) -> None:
        random = seeded(f"{seed} {source_field}")
        steps = [step for step in STEPS if not is_released(after(step), self.profile, source_field)]
        made = 0
        for attempt in range(times * 40):
            history = after(steps[attempt % len(steps)])
            mutant = mutate_field(history, source_field, random)
            if mutant is not None:
                self.compare(source_field, history, mutant)
                made += 1
            if made == times:
                return
        pytest.fail(f"only {made} mutations of {source_field} could be made")


def assert_nothing_interferes(tally: Tally) -> None:
    assert not tally.interference, "\n".join(sorted(set(tally.interference))[:20])
    assert {name: f"{tally.share(name):.0%}" for name in tally.discarded if tally.share(name) < LEAST_KEPT} == {}


def test_no_restricted_value_changes_anything_that_leaves(announce: Callable[[str], None]) -> None:
    harness = Harness()
    for source_field in restricted_fields(harness.profile):
        harness.field_pairs(source_field, TIMES, "one value")
    announce(harness.tally.table("I1, one restricted value mutated"))
    assert set(harness.tally.kept) == set(restricted_fields(harness.profile))
    assert_nothing_interferes(harness.tally)


def test_several_restricted_values_at_once_change_nothing_that_leaves(announce: Callable[[str], None]) -> None:
    harness, random = Harness(), seeded("several")
    # What a clearance may release, and what decides on holds, is mutated alone; together they leave few pairs.
    fields = tuple(
        one
        for one in restricted_fields(harness.profile)
        if one not in {"dependency#/vendors", "dependency#/component", "customer-status#/incident_status"}
    )
    for attempt in range(TIMES * 4):
        history = after(STEPS[attempt % len(STEPS)])
        mutant = several_fields(history, fields, random)
        if mutant is not None:
            harness.compare("several fields at once", history, mutant)
    announce(harness.tally.table("I1, several restricted values mutated"))
    assert_nothing_interferes(harness.tally)


@pytest.mark.parametrize("name", RECORD_MUTATIONS)
def test_restricted_records_added_removed_or_retimed_change_nothing_that_leaves(
    name: str, announce: Callable[[str], None]
) -> None:
    harness, random = Harness(), seeded(name)
    # Adding or taking away what a hold or a clearance stands for moves a slot; those pairs are discarded.
    for attempt in range(TIMES * 2):
        history = after(STEPS[attempt % len(STEPS)])
        mutant = RECORD_MUTATIONS[name](history, random)
        if mutant is not None:
            harness.compare(name, history, mutant)
    announce(harness.tally.table("I1, records mutated"))
    assert harness.tally.kept[name] >= TIMES
    assert not harness.tally.interference, harness.tally.interference[:10]


@pytest.mark.parametrize("name", ENTRY_MUTATIONS)
def test_how_many_steps_and_workarounds_are_kept_inside_changes_nothing_that_leaves(
    name: str, announce: Callable[[str], None]
) -> None:
    harness, random = Harness(), seeded(name)
    for attempt in range(TIMES * 2):
        history = after(STEPS[attempt % len(STEPS)])
        for add in (add_inside_step, add_inside_workaround) * 2:
            history = add(history, random)
        mutant = ENTRY_MUTATIONS[name](history, random)
        assert mutant is not None
        harness.compare(name, history, mutant)
    announce(harness.tally.table("I1, records mutated"))
    assert harness.tally.kept[name] >= TIMES
    assert not harness.tally.interference, harness.tally.interference[:10]


def inside_pairs(harness: Harness, fields: tuple[str, ...], times: int) -> None:
    random = seeded("labelled for the inside")
    for attempt in range(times * len(fields) * 3):
        history = with_inside_labels(after(STEPS[attempt % len(STEPS)]), random)
        source_field = fields[attempt % len(fields)]
        mutant = mutate_field(history, source_field, random, inside=True)
        if mutant is not None:
            harness.compare(f"{source_field} of an inside record", history, mutant)


def test_a_rendered_field_of_a_record_for_the_inside_changes_nothing_that_leaves(
    announce: Callable[[str], None],
) -> None:
    harness = Harness()
    inside_pairs(harness, RENDERED_OF_INSIDE, TIMES)
    announce(harness.tally.table("I1, records labelled internal or restricted"))
    assert min(harness.tally.kept.values()) >= TIMES // 2
    assert not harness.tally.interference, harness.tally.interference[:10]


def withholding(action: Action) -> Profile:
    """Return a profile that keeps back fields which the shipped one renders beside others of the same record."""
    covered = ("service-health#/since", "bridge-timeline#/at", "workaround#/applies_to", "incident#/severity")
    audience = "incident_command"
    return with_rule(shipped_profile(), Rule(id="kept-back", covers=covered, action=action, audience=audience))


@pytest.mark.parametrize("action", [Action.HOLD, Action.ANNEX, Action.IGNORE])
def test_a_field_that_a_stricter_profile_keeps_back_changes_nothing_that_leaves(action: Action) -> None:
    harness = Harness(withholding(action))
    for source_field in ("service-health#/since", "bridge-timeline#/at", "incident#/severity"):
        harness.field_pairs(source_field, TIMES, "kept back")
    assert_nothing_interferes(harness.tally)


@pytest.mark.parametrize(
    ("account", "bridge", "other"),
    [("HARBOURLINE", "harbourline", "tidewater"), ("TIDEWATER", "tidewater", "harbourline")],
)
def test_one_customer_learns_nothing_of_another(
    account: str, bridge: str, other: str, announce: Callable[[str], None]
) -> None:
    harness, random = Harness(), seeded(account)
    for step in STEPS[:: 1 if FULL else 2]:
        for mutant in every_account_mutation(after(step), account, bridge, random):
            harness.compare(f"records of {account}", after(step), mutant, bridges=(other,))
    announce(harness.tally.table("I1, the other customer's records mutated"))
    assert_nothing_interferes(harness.tally)


# ---- the harness finds interference once a guard is off --------------------------------------------------------


def without(guards: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    assert name in {one.__name__ for one in guards}
    return tuple(one for one in guards if one.__name__ != name)


def everything_is_for_customers(monkeypatch: pytest.MonkeyPatch) -> Harness:
    monkeypatch.setattr(context, "field_classification", lambda _record, _pointer: Classification.CUSTOMER)
    return Harness()


def labels_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> Harness:
    monkeypatch.setattr(holds, "HOLD_GUARDS", without(holds.HOLD_GUARDS, "not_classified_customer"))
    return Harness()


def the_profile_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> Harness:
    monkeypatch.setattr(holds, "HOLD_GUARDS", without(holds.HOLD_GUARDS, "profile_holds_it"))
    return Harness(withholding(Action.ANNEX))


def everything_is_cleared(monkeypatch: pytest.MonkeyPatch) -> Harness:
    for module in (holds, workarounds, slots):
        monkeypatch.setattr(module, "clearance_of", lambda _context, _record, _source_field: "cleared")
    return Harness()


INSIDE = ("service-health#/state", "service-health#/since", "incident#/severity")
MUTANTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], Harness], tuple[str, ...], tuple[str, ...]]] = {
    # name: (switch the guard off, fields mutated, fields mutated in records for the inside)
    "every label reads customer": (everything_is_for_customers, (), INSIDE),
    "no label is looked at": (labels_are_not_looked_at, (), INSIDE),
    "no rule is looked at": (the_profile_is_not_looked_at, ("service-health#/since", "bridge-timeline#/at"), ()),
    "everything is cleared": (everything_is_cleared, ("dependency#/vendors",), ()),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_harness_finds_interference_when_a_guard_is_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    switch_off, fields, inside = MUTANTS[name]
    harness = switch_off(monkeypatch)
    for source_field in fields:
        harness.field_pairs(source_field, 20, "mutant")
    inside_pairs(harness, inside, 20)
    assert harness.tally.interference


def test_the_harness_finds_a_profile_that_trusts_a_source_too_much() -> None:
    """With `trusted` no hold stands in for a host name; what is denied then decides whether the check passes."""
    harness = Harness(shipped_profile("customer-bridge-faulty"))
    history = after(21)
    observed = head(history, "service-health", "mx-relay/eu-west-1")
    harness.compare("host", history, history.replacing((observed, changed(observed, "/host", "KB-1842"))))
    assert any("passed" in one for one in harness.tally.interference)
