"""Readiness: what would stop a release to a bridge tonight, judged from facts, and what each obstacle means.

Belongs here: one rule per kind of obstacle, each a function from facts and an instant to obstacles, and reading what
they mean. Gathering the facts is `application.readiness`. Nothing here recommends: it says what is so.

Tonight is the day that follows the instant. What ends later, but within 30 days, is a warning.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Final

import msgspec
import yaml

from dagster_project.clock import parse_instant
from dagster_project.packaging.context import BridgeFacts, RenderingContext, is_in_force
from dagster_project.packaging.drafting.workarounds import helped_workarounds
from dagster_project.packaging.profile import Profile
from dagster_project.packaging.profile_reach import AGEING_TYPES, TABLES, Reach
from dagster_project.packaging.review_policy import SLOT_REVIEW_ROLE
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from dagster_project.review.coverage import filled_roles
from dagster_project.review.expiry import Expiry, expiry_at
from dagster_project.sources.record import Record

_TWO_PEOPLE: Final = 2


@cache
def obstacle_meanings() -> Mapping[str, str]:
    """Return by code what an obstacle means."""
    file = resources.files("dagster_project.review") / "obstacles.yaml"
    meanings: dict[str, str] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return meanings


class Obstacle(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that stands in the way: whether it stops a release tonight, its code, and what of.

    `where` names roles, services, source fields, counts and instants; never a value of a record.
    """

    stops: bool
    code: str
    where: str = ""

    @property
    def meaning(self) -> str:
        """What it means, in a sentence."""
        return obstacle_meanings()[self.code]


def _stops(code: str, where: str = "") -> Obstacle:
    return Obstacle(stops=True, code=code, where=where)


def _warns(code: str, where: str = "") -> Obstacle:
    return Obstacle(stops=False, code=code, where=where)


def _ending(expiry: Expiry, where: str, *, codes: tuple[str, str, str]) -> Iterator[Obstacle]:
    """Yield the obstacle that an end is; `codes` are those of what has ended, ends tonight, ends soon."""
    has_ended, tonight, soon = codes
    if expiry.expired:
        yield _stops(has_ended, where)
    elif expiry.ends_tonight:
        yield _stops(tonight, where)
    elif expiry.is_near:
        yield _warns(soon, where)


# ---- the deployment -----------------------------------------------------------------------------------------------


def trust_obstacles(expires: datetime | None, now: datetime) -> Iterator[Obstacle]:
    """Judge when trust, and with it all keys, ends; None where there is no trust."""
    if expires is None:
        yield _stops("trust_missing")
        return
    codes = ("trust_expired", "trust_expires_tonight", "trust_expiring")
    yield from _ending(expiry_at(expires, now), _until(expires), codes=codes)


def key_obstacles(missing: Iterable[str]) -> Iterator[Obstacle]:
    """Judge which services have no key here that trust names."""
    for service in missing:
        yield _stops("service_key_missing", service)


def anchor_obstacles(*, has_anchor: bool) -> Iterator[Obstacle]:
    """Judge whether a rolled-back store would be noticed."""
    if not has_anchor:
        yield _warns("no_anchor")


# ---- one bridge ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProfileFacts:
    """The profile that a bridge is rendered with, and whether it is approved by all and not rejected."""

    name: str
    expires: datetime
    in_force: bool


def profile_obstacles(profile: ProfileFacts | None, now: datetime) -> Iterator[Obstacle]:
    """Judge whether anything may leave under the profile."""
    if profile is None:
        yield _stops("profile_missing")
        return
    if not profile.in_force:
        yield _stops("profile_not_in_force", profile.name)
    codes = ("profile_expired", "profile_expires_tonight", "profile_expiring")
    yield from _ending(expiry_at(profile.expires, now), f"{profile.name}, {_until(profile.expires)}", codes=codes)


def contract_obstacles(facts: BridgeFacts | None, freshness: Mapping[str, int], now: datetime) -> Iterator[Obstacle]:
    """Judge contract and entitlements: absent, not in force, about to end, stale, or of two minds."""
    if facts is None:
        yield _stops("contract_absent")
        return
    if facts.rivals:
        yield _stops("bridge_claimed_twice")
    yield from _right("contract", facts.contracts, freshness, now)
    if facts.entitlements:
        yield from _right("entitlement", facts.entitlements, freshness, now)
    else:
        yield _stops("entitlement_absent")


def _right(kind: str, records: Sequence[Record], freshness: Mapping[str, int], now: datetime) -> Iterator[Obstacle]:
    in_force = [one for one in records if is_in_force(one, now)]
    if not in_force:
        yield _stops(f"{kind}_lapsed")
        return
    ends = max(parse_instant(one.data["valid_until"]) for one in in_force)
    codes = (f"{kind}_lapsed", f"{kind}_lapses_tonight", f"{kind}_lapsing")
    yield from _ending(expiry_at(ends, now), _until(ends), codes=codes)
    minutes = freshness.get(kind)
    if minutes is not None and any(one.recordedtime + timedelta(minutes=minutes) <= now for one in in_force):
        yield _warns(f"{kind}_stale")


def unmapped_obstacles(context: RenderingContext) -> Iterator[Obstacle]:
    """Judge current records by the tables of the profile: which values on this bridge's page it does not map."""
    tables, reach = context.tables, Reach(context.profile)
    shown = _shown_records(context)
    mapped: dict[str, Collection[str]] = {
        source_field: getattr(context.profile, table) for source_field, table in TABLES.items()
    }
    mapped["service-health#/component"] = tables.capability_by_component
    mapped["service-health#/region"] = tables.bucket_by_region
    for source_field, known in mapped.items():
        record_type, _, name = source_field.partition("#/")
        part = "service-health#/state" if record_type == "service-health" else source_field
        unknown = [one for one in shown.get(record_type, ()) if one.data[name] not in known]
        if unknown and reach.shapes(part):
            yield _stops("value_not_mapped", f"{source_field}: {_counted(len(unknown), 'record', 'records')}")
    bought = {name for one in context.bridge.entitlements for name in one.data["capabilities"]}
    unsaid = bought - context.profile.capabilities.keys()
    if unsaid:
        yield _stops(
            "value_not_mapped", f"entitlement#/capabilities: {_counted(len(unsaid), 'capability', 'capabilities')}"
        )


def _shown_records(context: RenderingContext) -> Mapping[str, Sequence[Record]]:
    """Return the records that this bridge's page reads, or would read if they were mapped."""
    table, heads = context.tables.capability_by_component, context.heads_by_type
    health = [
        one
        for one in heads.get("service-health", ())
        if table.get(one.data["component"]) is None or table[one.data["component"]] in context.entitled
    ]
    return {**heads, "service-health": health, "workaround": helped_workarounds(context)}


@dataclass(frozen=True)
class Standings:
    """Where a bridge of an incident stands: what the store knows beside its records."""

    has_candidate: bool
    passed_its_check: bool
    holds: int
    refresh_overdue: bool


def standing_obstacles(standing: Standings) -> Iterator[Obstacle]:
    """Judge what stops the page that is there."""
    if not standing.has_candidate:
        yield _stops("nothing_rendered")
    elif not standing.passed_its_check:
        yield _stops("release_check_failed")
    if standing.holds:
        yield _stops("on_hold_by_people", _counted(standing.holds, "hold", "holds"))
    if standing.refresh_overdue:
        yield _stops("refresh_overdue")


# ---- people -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class People:
    """Who could decide tonight: the roles of everybody trusted with a valid key, by person."""

    roles: Mapping[str, frozenset[str]]

    def can_fill(self, roles: Collection[str], without: str = "") -> bool:
        """Tell whether every one of these roles can be filled by another person."""
        able = {person: held for person, held in self.roles.items() if person != without}
        return filled_roles(sorted(roles), able) == {*roles}

    def anyone_has(self, role: str) -> bool:
        """Tell whether anybody has a role."""
        return any(role in held for held in self.roles.values())


def staffing_obstacles(profile: Profile, people: People, recorded_by: Collection[str | None]) -> Iterator[Obstacle]:
    """Judge whether the people there are can approve each class of change (rules R2, R3).

    Args:
        profile: Whose policy asks for roles.
        people: Who is trusted.
        recorded_by: Who recorded what the page reads now; None for a record that does not say.
    """
    asked = _asked(profile)
    unstaffed = sorted({role for roles in asked for role in roles if not people.anyone_has(role)})
    for role in unstaffed:
        yield _stops("role_unstaffed", f"{role}: {_classes(asked, [roles for roles in asked if role in roles])}")
    staffed = {roles: classes for roles, classes in asked.items() if not roles & {*unstaffed}}
    for roles, classes in staffed.items():
        if not people.can_fill(roles):
            yield _stops("too_few_people", f"{', '.join(sorted(roles))}: {', '.join(classes)}")
    for person in sorted({*recorded_by} & people.roles.keys() - {None}, key=str):
        able = [roles for roles in staffed if people.can_fill(roles)]
        stuck = [roles for roles in able if not people.can_fill(roles, without=str(person))]
        if stuck:
            yield _stops("only_the_recorder", f"{person}: {_classes(asked, stuck)}")
    if None in recorded_by and len([one for one in people.roles.values() if one & {*REVIEW_ROLES}]) < _TWO_PEOPLE:
        yield _stops("second_person_missing")


def _asked(profile: Profile) -> dict[frozenset[str], tuple[str, ...]]:
    """Return the classes of change by the set of roles that each needs; of holds, one set for each slot."""
    slots = sorted({one.review_role for one in profile.slots.values()})
    found: dict[frozenset[str], list[str]] = {}
    for name, roles in sorted(profile.review_policy.requirements.items()):
        own = frozenset(roles) - {SLOT_REVIEW_ROLE}
        sets = [own | {role} for role in slots] if SLOT_REVIEW_ROLE in roles else [own]
        for one in sets:
            if one:
                found.setdefault(one, []).append(name)
    return {roles: tuple(classes) for roles, classes in sorted(found.items(), key=lambda item: sorted(item[0]))}


def _classes(asked: Mapping[frozenset[str], Sequence[str]], sets: Iterable[frozenset[str]]) -> str:
    return ", ".join(sorted({name for roles in sets for name in asked[roles]}))


def recorders_of(context: RenderingContext) -> frozenset[str | None]:
    """Return who recorded what this bridge's page reads now; None stands for records that do not say."""
    shown = _shown_records(context)
    records = [one for kind in sorted(AGEING_TYPES - {"contract", "dependency"}) for one in shown.get(kind, ())]
    return frozenset(one.recordedby for one in (*records, *context.bridge.contracts))


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _until(ends: datetime) -> str:
    return f"until {ends.isoformat()}"
