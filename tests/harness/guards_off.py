"""Guards switched off: with any one of them gone, the harness must find an interference or an omission.

`SWITCHES` says for every guard of `dagster_project.packaging.guards` how it is switched off, and which fault of another
part is let in beside it where that part does the same a second time. Release rules judge what rendering made, so of
each it is said in `FAULTS` which fault of rendering it is there for; found is a candidate that says something else than
what an honest rendering says, and passes all the same.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, cached_property
from random import Random
from typing import Any, Final

import msgspec
import pytest

from dagster_project.errors import ChannelsafeError
from dagster_project.integrity.digests import digest_of
from dagster_project.packaging import (
    absences,
    annexes,
    context,
    holds,
    profile_validation,
    release_check,
    rendering,
    reviewed_fields,
)
from dagster_project.packaging.context import BridgeFacts, ProfileTables, RenderingContext
from dagster_project.packaging.drafting import incident, inputs, service_state, slots, workarounds
from dagster_project.packaging.fields import Input, assemble, leaves
from dagster_project.packaging.guards import GUARDS, Guard
from dagster_project.packaging.lineage import Lineage, lineage_of
from dagster_project.packaging.profile import Profile, Rule
from dagster_project.packaging.snapshot import Snapshot
from dagster_project.scanning.deny_list import DenyList, NamesInRecords
from dagster_project.sources.record import Record
from tests.harness.bases import Base, make_base
from tests.harness.prove import run_block
from tests.support import histories
from tests.support.histories import shipped_profile
from tests.support.mutations import seeded

MOST: Final = 1000
PER_BASE: Final = 3
Patch = pytest.MonkeyPatch
Switch = Callable[[Patch], None]
# The tuples that the product walks, by kind of guard: where each is looked up.
WALKED: Final[Mapping[str, tuple[Any, str]]] = {
    "hold": (holds, "HOLD_GUARDS"),
    "review": (reviewed_fields, "REVIEW_GUARDS"),
    "absence": (absences, "ABSENCE_GUARDS"),
    "drop": (rendering, "DROP_GUARDS"),
    "release": (release_check, "RELEASE_RULES"),
    "profile": (profile_validation, "JUDGES"),
}


@dataclass(frozen=True)
class Found:
    """Of one guard that is off: after how many mutations it was found out, and by what; None where it was not."""

    guard: Guard
    mutations: int
    by: str | None


def search(guard: Guard, seed: str) -> Found:
    """Switch one guard off and mutate until something is found, `MOST` times at most."""
    with Patch.context() as patch:
        look = _LOOKS.get(guard.kind, _in_blocks)
        return look(guard, seed, patch)


def _in_blocks(guard: Guard, seed: str, patch: Patch) -> Found:
    switch_off(guard, patch)
    made = 0
    for number in range(MOST):
        try:
            figures = run_block(f"{seed}/guards", number, PER_BASE)
        except ChannelsafeError as fault:
            return Found(guard, made + 1, f"no page can be made: {fault.code}")
        made += figures.restricted + figures.permitted
        found = [*figures.interferences, *figures.omissions]
        if found:
            return Found(guard, made, found[0].partition(" in ")[0])
        if made >= MOST:
            break
    return Found(guard, made, None)


def switch_off(guard: Guard, patch: Patch) -> None:
    """Take a guard away for as long as `patch` lasts.

    Raises:
        KeyError: nothing here says how.
    """
    if guard.kind in WALKED:
        without(patch, guard.kind, guard.name)
    else:
        SWITCHES[guard.where](patch)


def without(patch: Patch, kind: str, name: str) -> None:
    """Take a guard out of the tuple that is walked."""
    module, registry = WALKED[kind]
    guards = getattr(module, registry)
    assert name in {one.__name__ for one in guards}
    patch.setattr(module, registry, tuple(one for one in guards if one.__name__ != name))


# ---- filters and denials, switched off ---------------------------------------------------------------------------


def _every_contract_opens(patch: Patch) -> None:
    def opened(snapshot: Snapshot) -> tuple[BridgeFacts, ...]:
        contracts = [one for one in snapshot.heads if one.type == "contract"]
        opening: dict[str, list[Record]] = {}
        for one in contracts:
            for bridge in one.data["bridges"]:
                opening.setdefault(bridge, []).append(one)
        return tuple(context._facts(snapshot, bridge, *opening[bridge]) for bridge in sorted(opening))

    patch.setattr(histories, "bridges_of", opened)


def _every_entitlement_counts(patch: Patch) -> None:
    def facts(snapshot: Snapshot, bridge: str, contract: Record, *rivals: Record) -> BridgeFacts:
        every = tuple(one for one in snapshot.heads if one.type == "entitlement")
        return BridgeFacts(bridge, contract.data["account"], contract, every, rivals)

    patch.setattr(context, "_facts", facts)


def _nothing_lapses(patch: Patch) -> None:
    patch.setattr(context, "is_in_force", lambda _record, _instant: True)


def _rivals_do_not_matter(patch: Patch) -> None:
    def entitled(self: RenderingContext) -> frozenset[str]:
        own = self.bridge.entitlements
        in_force = [one for one in own if context.is_in_force(one, self.evaluation_instant)]
        return frozenset(capability for one in in_force for capability in one.data["capabilities"])

    made = cached_property(entitled)
    made.__set_name__(RenderingContext, "entitled")
    patch.setattr(RenderingContext, "entitled", made)


def _everything_is_cleared(patch: Patch) -> None:
    for module in (holds, workarounds, slots, annexes):
        patch.setattr(module, "clearance_of", lambda _context, _record, _source_field: "cleared")


def _every_rule_shapes(patch: Patch) -> None:
    """The hold guard keeps the value back a second time, so it is off too."""

    def shaping(one: RenderingContext, source_field: str) -> Rule | None:
        return one.tables.rules.get(source_field)

    for module in (inputs, incident, service_state, workarounds, absences):
        patch.setattr(module, "shaping_rule", shaping)
    without(patch, "hold", "profile_holds_it")


def _told_anywhere(patch: Patch) -> None:
    def told(one: RenderingContext) -> tuple[Input, ...]:
        said = one.heads_by_type.get("customer-status", ())
        return tuple(inputs.indirect(record, "customer-status#/incident_status") for record in said)

    patch.setattr(incident, "_told_inputs", told)


def _everything_was_bought(patch: Patch) -> None:
    def observed(one: RenderingContext) -> Iterator[tuple[str, Any]]:
        grouped: dict[str, list[Any]] = {}
        for record in one.heads_by_type.get("service-health", ()):
            capability = one.tables.capability_by_component.get(record.data["component"])
            if capability is not None:
                grouped.setdefault(capability, []).append(service_state._observation(one, record))
        for capability in sorted(grouped):
            yield capability, tuple(grouped[capability])

    patch.setattr(service_state, "_observed", observed)


def _every_record_of(record_type: str) -> Callable[[RenderingContext], tuple[Record, ...]]:
    return lambda one: one.heads_by_type.get(record_type, ())


def _every_workaround_helps(patch: Patch) -> None:
    patch.setattr(workarounds, "helped_workarounds", _every_record_of("workaround"))


def _every_dependency_concerns(patch: Patch) -> None:
    for module in (workarounds, slots):
        patch.setattr(module, "relevant_dependencies", _every_record_of("dependency"))


def _every_workaround_may_be_applied(patch: Patch) -> None:
    patch.setattr(workarounds, "_may_be_applied", lambda _context, _record: True)


def _every_record_feeds(patch: Patch) -> None:
    def feeding(one: RenderingContext, fields: tuple[Any, ...]) -> tuple[Record, ...]:
        cited = {given.reference for field in fields for given in field.draft.inputs}
        return tuple(one.records[reference] for reference in sorted(cited))

    patch.setattr(rendering, "_feeding", feeding)


def _nothing_gives_way(patch: Patch) -> None:
    proper = rendering.reviewed_fields

    def reviewed(review: Any, fields: Any, by_rule: Any) -> Any:  # noqa: ANN401 - passed on
        return proper(msgspec.structs.replace(review, gone=()), fields, by_rule)

    patch.setattr(rendering, "reviewed_fields", reviewed)


def _annexes_of_every_account(patch: Patch) -> None:
    proper = annexes.annexes_of

    def of_every_account(one: RenderingContext) -> Any:  # noqa: ANN401 - passed on
        accounts = {record.data["account"] for record in one.snapshot.heads if record.type == "contract"}
        found: dict[str, tuple[Any, ...]] = {}
        for account in sorted(accounts):
            for audience, entries in proper(replace(one, bridge=replace(one.bridge, account=account))).items():
                found[audience] = (*found.get(audience, ()), *entries)
        return found

    patch.setattr(annexes, "annexes_of", of_every_account)


def _nothing_is_denied(patch: Patch) -> None:
    patch.setattr(RenderingContext, "denies", lambda _self, _text: False)


def _nothing_hits(patch: Patch) -> None:
    patch.setattr(DenyList, "hits", lambda _self, _text: 0)


def _no_names_in_records(patch: Patch) -> None:
    patch.setattr(context, "names_in_records", lambda _records: NamesInRecords(frozenset(), {}))


def _no_deny_list(patch: Patch) -> None:
    patch.setattr(context, "deny_list_of", lambda *_names, **_parts: DenyList(frozenset()))


SWITCHES: Final[Mapping[str, Switch]] = {
    "packaging.context.bridges_of": _every_contract_opens,
    "packaging.context._facts": _every_entitlement_counts,
    "packaging.context.is_in_force": _nothing_lapses,
    "packaging.context.RenderingContext.entitled": _rivals_do_not_matter,
    "packaging.clearance.clearance_of": _everything_is_cleared,
    "packaging.drafting.inputs.shaping_rule": _every_rule_shapes,
    "packaging.drafting.incident._told_inputs": _told_anywhere,
    "packaging.drafting.service_state._observed": _everything_was_bought,
    "packaging.drafting.workarounds.helped_workarounds": _every_workaround_helps,
    "packaging.drafting.workarounds.relevant_dependencies": _every_dependency_concerns,
    "packaging.drafting.workarounds._may_be_applied": _every_workaround_may_be_applied,
    "packaging.rendering._feeding": _every_record_feeds,
    "packaging.reviewed_fields.reviewed_fields": _nothing_gives_way,
    "packaging.annexes.annexes_of": _annexes_of_every_account,
    "packaging.context.RenderingContext.denies": _nothing_is_denied,
    "scanning.deny_list.DenyList.hits": _nothing_hits,
    "scanning.deny_list.names_in_records": _no_names_in_records,
    "scanning.deny_list.deny_list_of": _no_deny_list,
}


# ---- release rules, each with the fault that it is there for -----------------------------------------------------


@dataclass(frozen=True)
class Faulty:
    """A candidate that says something it must not, and the context that it claims to be rendered from."""

    content: dict[str, Any]
    lineage: Lineage
    context: RenderingContext

    def passes(self) -> bool:
        check = release_check.release_check(self.content, self.lineage, self.context, predecessor_digest=None)
        return check.passed


Fault = Callable[[RenderingContext, Random, Patch], Faulty | None]


def _rendered(one: RenderingContext) -> Faulty:
    made = rendering.render(one)
    return Faulty(made.content, lineage_of(one, made), one)


def _under(one: RenderingContext, tables: ProfileTables) -> RenderingContext:
    return replace(one, tables=tables)


@cache
def _profile(fault: str) -> ProfileTables:
    shipped = shipped_profile()
    changed: dict[str, Callable[[], Profile]] = {
        "raw words": lambda: msgspec.structs.replace(
            shipped, severities={name: f"{name} as typed" for name in shipped.severities}
        ),
        "flattery": lambda: msgspec.structs.replace(
            shipped, status_codes=shipped.status_codes | {"down": "operational", "partial": "degraded"}
        ),
        "trust": lambda: shipped_profile("customer-bridge-faulty"),
    }
    return ProfileTables(changed[fault]())


def _a_word_of_the_source(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    return _rendered(_under(one, _profile("raw words")))


def _another_value(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    honest = _rendered(one)
    said = leaves(honest.content)
    if "/severity_code" not in said:
        return None
    said["/severity_code"] = "severity_4" if said["/severity_code"] != "severity_4" else "severity_3"
    content = honest.content | assemble({"/severity_code": said["/severity_code"]})
    return Faulty(content, msgspec.structs.replace(honest.lineage, content_digest=digest_of(content)), one)


def _a_part_left_out(one: RenderingContext, random: Random, _patch: Patch) -> Faulty | None:
    honest = _rendered(one)
    regions = [group.draft.pointer for group in honest.lineage.groups if "/regions/" in group.draft.pointer]
    if not regions:
        return None
    gone = random.choice(regions)
    content = {name: {} for name in honest.content} | assemble(
        {pointer: value for pointer, value in leaves(honest.content).items() if pointer != gone}
    )
    groups = tuple(group for group in honest.lineage.groups if group.draft.pointer != gone)
    lineage = msgspec.structs.replace(honest.lineage, groups=groups, content_digest=digest_of(content))
    return Faulty(content, lineage, one)


def _a_denied_text(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    return _rendered(_under(one, _profile("trust")))


def _a_conflict_not_held(one: RenderingContext, _random: Random, patch: Patch) -> Faulty | None:
    without(patch, "hold", "in_conflict")
    without(patch, "hold", "fed_by_rejected_input")
    return _rendered(one)


def _a_rosier_state(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    return _rendered(_under(one, _profile("flattery")))


def _a_hold_that_does_not_show(one: RenderingContext, _random: Random, patch: Patch) -> Faulty | None:
    patch.setattr(slots, "_slot_fields", lambda _slot, _held, _absences: [])
    return _rendered(one)


def _a_class_not_permitted(one: RenderingContext, _random: Random, patch: Patch) -> Faulty | None:
    patch.setattr(rendering, "DROP_GUARDS", ())
    return _rendered(one)


def _old_news(one: RenderingContext, _random: Random, _patch: Patch) -> Faulty | None:
    """What was true three hours ago; a final page, or one that shows nothing of any record, does not age."""
    made = rendering.render(one)
    if made.as_of is None or made.content.get("document_status") in {"final", "on_hold"}:
        return None
    return _rendered(replace(one, evaluation_instant=one.evaluation_instant + timedelta(hours=3)))


FAULTS: Final[Mapping[str, Fault]] = {
    "schema": _a_word_of_the_source,
    "lineage": _another_value,
    "nothing_left_out": _a_part_left_out,
    "leak": _a_denied_text,
    "honest_about_conflicts": _a_conflict_not_held,
    "not_better_than_source": _a_rosier_state,
    "holds_are_visible": _a_hold_that_does_not_show,
    "permitted": _a_class_not_permitted,
    "fresh": _old_news,
}


def _by_faults(guard: Guard, seed: str, _patch: Patch) -> Found:
    """Let one fault into candidate after candidate until one passes that should not."""
    made = 0
    for one, random in _candidates(seed):
        made += 1
        with Patch.context() as inner:
            honest = rendering.render(one).content_bytes
            faulty = FAULTS[guard.name](one, random, inner)
            if faulty is None or (guard.name != "fresh" and digest_of(faulty.content) == _digest(honest)):
                continue
            assert not faulty.passes(), f"{guard.name} lets its fault pass while it is on"
            without(inner, "release", guard.name)
            if faulty.passes():
                return Found(guard, made, FAULTS[guard.name].__name__.strip("_").replace("_", " ") + " passes")
        if made >= MOST:
            break
    return Found(guard, made, None)


def _digest(body: bytes) -> str:
    return digest_of(msgspec.json.decode(body))


def _candidates(seed: str) -> Iterator[tuple[RenderingContext, Random]]:
    for number in range(MOST):
        random = seeded(f"{seed}/faults/{number}")
        base: Base = make_base(f"{seed}/faults/{number}", random)
        for one in base.contexts(base.history).values():
            if base.tables.profile == shipped_profile():
                yield one, random


# ---- judges of profiles ------------------------------------------------------------------------------------------


def _by_profiles(guard: Guard, _seed: str, patch: Patch) -> Found:
    """Let the judge's own faults into the shipped profile; found is one that is accepted."""
    from tests.unit.test_guard_registry import FINDINGS  # noqa: PLC0415 - its witnesses are tests of their own

    assert FINDINGS[guard.name](), f"{guard.name} finds no fault while it is on"
    switch_off(guard, patch)
    with suppress(ChannelsafeError):
        return Found(guard, 1, None if FINDINGS[guard.name]() else "a faulty profile is accepted")
    return Found(guard, 1, None)


_LOOKS: Final[Mapping[str, Callable[[Guard, str, Patch], Found]]] = {"release": _by_faults, "profile": _by_profiles}


def table(found: list[Found]) -> str:
    """Return the table of all guards: kind, name, after how many mutations it was missed, and by what."""
    rows = [
        f"{one.guard.kind:9}{one.guard.name:32}{one.mutations:6}  {one.by or 'NOT FOUND'}"
        for one in sorted(found, key=lambda one: one.guard)
    ]
    return "\n".join([f"{'kind':9}{'guard switched off':32}{'after':>6}  found by", *rows])


def all_guards() -> tuple[Guard, ...]:
    """Return every registered guard, sorted."""
    return tuple(sorted(GUARDS))
