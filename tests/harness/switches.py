"""Switches: how each guard of packaging is switched off, for as long as a patch lasts.

A guard that stands in a tuple that packaging walks is taken out of it; every other is replaced by a function that
passes on all that it is given. Where another guard does the same a second time it is off too, and the switch says so.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import msgspec
import pytest

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
from dagster_project.packaging.context import BridgeFacts, RenderingContext
from dagster_project.packaging.drafting import incident, inputs, service_state, slots, workarounds
from dagster_project.packaging.fields import Input
from dagster_project.packaging.guards import Guard
from dagster_project.packaging.profile import Rule
from dagster_project.packaging.snapshot import Snapshot
from dagster_project.scanning.deny_list import DenyList, NamesInRecords
from dagster_project.sources.record import Record
from tests.support import histories

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


def _every_review_concerns(patch: Patch) -> None:
    patch.setattr(slots, "_concerning", lambda one, record_type: one.heads_by_type.get(record_type, ()))


def _every_record_is_listed(patch: Patch) -> None:
    """What makes no entry is read by two guards, so both are off."""

    def nothing(_self: RenderingContext) -> Mapping[str, Record]:
        return {}

    made = cached_property(nothing)
    made.__set_name__(RenderingContext, "unlisted")
    patch.setattr(RenderingContext, "unlisted", made)


def _every_record_feeds(patch: Patch) -> None:
    def feeding(one: RenderingContext, fields: tuple[Any, ...]) -> tuple[Record, ...]:
        cited = {given.reference for field in fields for given in field.draft.inputs}
        return tuple(one.records[reference] for reference in sorted(cited))

    patch.setattr(rendering, "_feeding", feeding)


def _nothing_gives_way(patch: Patch) -> None:
    proper = reviewed_fields.reviewed_fields

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


def _no_rule_is_broken(patch: Patch) -> None:
    patch.setattr(context, "breaks_a_rule", lambda _text: False)


def _no_names_in_records(patch: Patch) -> None:
    patch.setattr(context, "names_in_records", lambda _records: NamesInRecords(frozenset(), {}))


def _no_deny_list(patch: Patch) -> None:
    patch.setattr(context, "deny_list_of", lambda *_names, **_parts: DenyList(frozenset()))


SWITCHES: Final[Mapping[str, Switch]] = {
    "packaging.context.bridges_of": _every_contract_opens,
    "packaging.context._facts": _every_entitlement_counts,
    "packaging.context.is_in_force": _nothing_lapses,
    "packaging.context.RenderingContext.entitled": _rivals_do_not_matter,
    "packaging.context.RenderingContext.unlisted": _every_record_is_listed,
    "packaging.drafting.slots._concerning": _every_review_concerns,
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
    "scanning.shipped.breaks_a_rule": _no_rule_is_broken,
    "scanning.deny_list.names_in_records": _no_names_in_records,
    "scanning.deny_list.deny_list_of": _no_deny_list,
}
