"""What would stop a release tonight is listed by bridge.

Each obstacle has its row, and its twin where nothing is wrong.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from dagster_project.application.profiles import shipped_profile
from dagster_project.clock import format_instant
from dagster_project.packaging.context import BridgeFacts, RenderingContext
from dagster_project.packaging.profile import Profile
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from dagster_project.review.readiness import (
    Obstacle,
    People,
    ProfileFacts,
    Standings,
    anchor_obstacles,
    contract_obstacles,
    key_obstacles,
    obstacle_meanings,
    profile_obstacles,
    recorders_of,
    staffing_obstacles,
    standing_obstacles,
    trust_obstacles,
    unmapped_obstacles,
)
from dagster_project.sources.record import Record
from tests.support.histories import History, after, changed, head, shipped_tables
from tests.support.review_people import PEOPLE

INCIDENT, OURS, THEIRS = "INC-4711", "harbourline", "tidewater"
HISTORY = after(2)
NOW = HISTORY.at
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
SHIPPED = shipped_profile("customer_bridge")
STAFF = People({person: frozenset(roles) for person, roles in PEOPLE.items()})
GOOD = Standings(has_candidate=True, passed_its_check=True, holds=0, refresh_overdue=False)
Found = tuple[bool, str, str]


def told(found: Iterable[Obstacle]) -> list[Found]:
    return sorted((one.stops, one.code, one.where) for one in found)


def codes(found: Iterable[Obstacle]) -> set[tuple[bool, str]]:
    return {(one.stops, one.code) for one in found}


def context(history: History = HISTORY, profile: Profile | None = None) -> RenderingContext:
    tables = shipped_tables() if profile is None else type(shipped_tables())(profile)
    return history.contexts(tables)[OURS]


def facts(**parts: Any) -> BridgeFacts:  # noqa: ANN401 - any part of the facts
    return replace(context().bridge, **parts)


def ending(record: Record, left: timedelta) -> Record:
    return changed(record, "/valid_until", format_instant(NOW + left))


def contract(left: timedelta) -> BridgeFacts:
    (one,) = context().bridge.contracts
    return facts(contract=ending(one, left))


def entitlement(*left: timedelta) -> BridgeFacts:
    (one,) = context().bridge.entitlements
    return facts(entitlements=tuple(ending(one, each) for each in left))


def with_value(record_type: str, recordid: str, pointer: str, value: object) -> RenderingContext:
    record = head(HISTORY, record_type, recordid)
    return context(HISTORY.replacing((record, changed(record, pointer, value))))


def only(*people: str, **others: str) -> People:
    """Return some of the staff, and others with one role each."""
    chosen = {person: STAFF.roles[person] for person in people}
    return People(chosen | {person: frozenset({role}) for person, role in others.items()})


def profile(left: timedelta, *, in_force: bool = True) -> ProfileFacts:
    return ProfileFacts("p", NOW + left, in_force)


Rule = Callable[[], Iterable[Obstacle]]
HOUR = {"contract": 60, "entitlement": 60}
# What is wrong, the rule that finds it, whether it stops a release, and the same rule where nothing is wrong.
OBSTACLES: list[tuple[str, bool, Rule, Rule]] = [
    ("profile_missing", True, lambda: profile_obstacles(None, NOW), lambda: profile_obstacles(profile(31 * DAY), NOW)),
    (
        "profile_not_in_force",
        True,
        lambda: profile_obstacles(profile(31 * DAY, in_force=False), NOW),
        lambda: profile_obstacles(profile(31 * DAY), NOW),
    ),
    (
        "profile_expired",
        True,
        lambda: profile_obstacles(profile(timedelta(0)), NOW),
        lambda: profile_obstacles(profile(31 * DAY), NOW),
    ),
    (
        "profile_expires_tonight",
        True,
        lambda: profile_obstacles(profile(DAY), NOW),
        lambda: profile_obstacles(profile(30 * DAY + SECOND), NOW),
    ),
    (
        "profile_expiring",
        False,
        lambda: profile_obstacles(profile(DAY + SECOND), NOW),
        lambda: profile_obstacles(profile(30 * DAY + SECOND), NOW),
    ),
    ("trust_missing", True, lambda: trust_obstacles(None, NOW), lambda: trust_obstacles(NOW + 31 * DAY, NOW)),
    ("trust_expired", True, lambda: trust_obstacles(NOW, NOW), lambda: trust_obstacles(NOW + 31 * DAY, NOW)),
    (
        "trust_expires_tonight",
        True,
        lambda: trust_obstacles(NOW + DAY, NOW),
        lambda: trust_obstacles(NOW + 31 * DAY, NOW),
    ),
    (
        "trust_expiring",
        False,
        lambda: trust_obstacles(NOW + 30 * DAY, NOW),
        lambda: trust_obstacles(NOW + 31 * DAY, NOW),
    ),
    ("service_key_missing", True, lambda: key_obstacles(["release"]), lambda: key_obstacles([])),
    ("no_anchor", False, lambda: anchor_obstacles(has_anchor=False), lambda: anchor_obstacles(has_anchor=True)),
    ("contract_absent", True, lambda: contract_obstacles(None, {}, NOW), lambda: contract_obstacles(facts(), {}, NOW)),
    (
        "contract_lapsed",
        True,
        lambda: contract_obstacles(contract(timedelta(0)), {}, NOW),
        lambda: contract_obstacles(contract(31 * DAY), {}, NOW),
    ),
    (
        "contract_lapses_tonight",
        True,
        lambda: contract_obstacles(contract(DAY), {}, NOW),
        lambda: contract_obstacles(contract(31 * DAY), {}, NOW),
    ),
    (
        "contract_lapsing",
        False,
        lambda: contract_obstacles(contract(30 * DAY), {}, NOW),
        lambda: contract_obstacles(contract(31 * DAY), {}, NOW),
    ),
    (
        "contract_stale",
        False,
        lambda: contract_obstacles(facts(), {"contract": 60}, NOW),
        lambda: contract_obstacles(facts(), {"contract": 10**6}, NOW),
    ),
    (
        "bridge_claimed_twice",
        True,
        lambda: contract_obstacles(facts(rivals=(head(HISTORY, "contract", "CTR-1877"),)), {}, NOW),
        lambda: contract_obstacles(facts(), {}, NOW),
    ),
    (
        "entitlement_absent",
        True,
        lambda: contract_obstacles(facts(entitlements=()), {}, NOW),
        lambda: contract_obstacles(facts(), {}, NOW),
    ),
    (
        "entitlement_lapsed",
        True,
        lambda: contract_obstacles(entitlement(-DAY, timedelta(0)), {}, NOW),
        lambda: contract_obstacles(entitlement(-DAY, 31 * DAY), {}, NOW),
    ),
    (
        "entitlement_lapses_tonight",
        True,
        lambda: contract_obstacles(entitlement(DAY, DAY / 2), {}, NOW),
        lambda: contract_obstacles(entitlement(DAY, 31 * DAY), {}, NOW),
    ),
    (
        "entitlement_lapsing",
        False,
        lambda: contract_obstacles(entitlement(2 * DAY), {}, NOW),
        lambda: contract_obstacles(entitlement(31 * DAY), {}, NOW),
    ),
    (
        "entitlement_stale",
        False,
        lambda: contract_obstacles(facts(), {"entitlement": 60}, NOW),
        lambda: contract_obstacles(facts(), {"entitlement": 10**6}, NOW),
    ),
    (
        "value_not_mapped",
        True,
        lambda: unmapped_obstacles(with_value("incident", INCIDENT, "/state", "odd")),
        lambda: unmapped_obstacles(context()),
    ),
    (
        "role_unstaffed",
        True,
        lambda: staffing_obstacles(SHIPPED, only("ines", "sam", "ada", "selma"), ()),
        lambda: staffing_obstacles(SHIPPED, STAFF, ()),
    ),
    (
        "too_few_people",
        True,
        lambda: staffing_obstacles(SHIPPED, People({"solo": frozenset(REVIEW_ROLES)}), ()),
        lambda: staffing_obstacles(SHIPPED, STAFF, ()),
    ),
    (
        "second_person_missing",
        True,
        lambda: staffing_obstacles(SHIPPED, People({"solo": frozenset(REVIEW_ROLES)}), (None,)),
        lambda: staffing_obstacles(SHIPPED, STAFF, (None,)),
    ),
    (
        "only_the_recorder",
        True,
        lambda: staffing_obstacles(SHIPPED, STAFF, ("sam",)),
        lambda: staffing_obstacles(SHIPPED, STAFF, ("ines", "p-1184")),  # ivan can stand in for ines
    ),
    (
        "nothing_rendered",
        True,
        lambda: standing_obstacles(replace(GOOD, has_candidate=False, passed_its_check=False)),
        lambda: standing_obstacles(GOOD),
    ),
    (
        "release_check_failed",
        True,
        lambda: standing_obstacles(replace(GOOD, passed_its_check=False)),
        lambda: standing_obstacles(GOOD),
    ),
    (
        "on_hold_by_people",
        True,
        lambda: standing_obstacles(replace(GOOD, holds=1)),
        lambda: standing_obstacles(GOOD),
    ),
    (
        "refresh_overdue",
        True,
        lambda: standing_obstacles(replace(GOOD, refresh_overdue=True)),
        lambda: standing_obstacles(GOOD),
    ),
]


@pytest.mark.parametrize(("code", "stops", "wrong", "right"), OBSTACLES, ids=[one[0] for one in OBSTACLES])
def test_an_obstacle_is_found_and_not_where_nothing_is_wrong(
    code: str, wrong: Rule, right: Rule, *, stops: bool
) -> None:
    assert (stops, code) in codes(wrong())
    assert told(right()) == []


def test_every_kind_of_obstacle_has_its_row_and_its_sentence() -> None:
    assert [one[0] for one in OBSTACLES] == [*dict.fromkeys(one[0] for one in OBSTACLES)]
    assert {one[0] for one in OBSTACLES} == obstacle_meanings().keys()
    assert all(sentence.endswith(".") for sentence in obstacle_meanings().values())


# ---- what is said of each --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed_context", "where"),
    [
        (lambda: with_value("incident", INCIDENT, "/severity", "dire"), "incident#/severity: 1 record"),
        (
            lambda: with_value("service-health", "mx-relay/eu-west-1", "/state", "odd"),
            "service-health#/state: 1 record",
        ),
        (
            lambda: with_value("service-health", "mx-relay/eu-west-1", "/component", "nobody"),
            "service-health#/component: 1 record",
        ),
        (
            lambda: with_value("service-health", "mx-relay/eu-west-1", "/region", "moon-1"),
            "service-health#/region: 1 record",
        ),
        (
            lambda: with_value("bridge-timeline", "TL-4711-01", "/checkpoint", "lunch"),
            "bridge-timeline#/checkpoint: 1 record",
        ),
        (
            lambda: with_value("entitlement", "ENT-5520", "/capabilities", ["message-delivery", "fax", "telex"]),
            "entitlement#/capabilities: 2 capabilities",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_values_that_are_not_mapped_are_counted_by_source_field_and_never_repeated(
    changed_context: Callable[[], RenderingContext], where: str
) -> None:
    assert told(unmapped_obstacles(changed_context())) == [(True, "value_not_mapped", where)]


def test_a_workaround_of_a_readiness_nobody_mapped_counts_where_it_helps_what_was_bought() -> None:
    history = after(6)
    record = next(one for one in history.snapshot.heads if one.type == "workaround")
    changed_history = history.replacing((record, changed(record, "/readiness", "soonish")))
    by_bridge = {bridge: told(unmapped_obstacles(one)) for bridge, one in contexts(changed_history).items()}
    assert by_bridge[OURS] == [(True, "value_not_mapped", "workaround#/readiness: 1 record")]


def contexts(history: History) -> Mapping[str, RenderingContext]:
    return history.contexts(shipped_tables())


def test_a_state_nobody_mapped_does_not_concern_a_bridge_that_did_not_buy_the_capability() -> None:
    record = head(after(5), "service-health", "inbox-api/eu-central-1")
    history = after(5).replacing((record, changed(record, "/state", "odd")))
    found = {bridge: told(unmapped_obstacles(one)) for bridge, one in contexts(history).items()}
    assert [bool(found[OURS]), bool(found[THEIRS])] == [True, False]


def test_what_the_profile_keeps_inside_need_not_be_mapped() -> None:
    rules = tuple(
        msgspec.structs.replace(one, action="annex", audience="security") if one.id == "severity" else one
        for one in SHIPPED.rules
    )
    record = head(HISTORY, "incident", INCIDENT)
    history = HISTORY.replacing((record, changed(record, "/severity", "dire")))
    assert told(unmapped_obstacles(context(history, msgspec.structs.replace(SHIPPED, rules=rules)))) == []


def test_a_role_that_nobody_has_is_named_with_the_classes_of_change_that_need_it() -> None:
    (found,) = told(staffing_obstacles(SHIPPED, only("ines", "sam", "selma", "leo"), ()))
    assert found == (True, "role_unstaffed", "account_leadership: entitlement, first_release")


def test_the_legal_role_is_needed_for_the_contract_slot_alone() -> None:
    (found,) = told(staffing_obstacles(SHIPPED, only("ines", "sam", "ada", "selma"), ()))
    assert found == (True, "role_unstaffed", "legal: un_hold")


def test_one_person_with_two_roles_counts_once() -> None:
    people = People({**STAFF.roles, "selma": frozenset(), "ines": frozenset({"incident_command", "security"})})
    two = People({name: held for name, held in people.roles.items() if name != "ivan"})
    assert told(staffing_obstacles(SHIPPED, people, ())) == []  # ivan commands, ines is security
    assert told(staffing_obstacles(SHIPPED, two, ())) == [
        (True, "too_few_people", "account_leadership, incident_command, security: first_release"),
        (True, "too_few_people", "incident_command, security: identified, un_hold"),
    ]


def test_the_only_person_of_a_role_who_recorded_the_facts_is_named_with_what_stays_undecided() -> None:
    found = told(staffing_obstacles(SHIPPED, STAFF, ("ada", "nobody here", None)))
    assert found == [(True, "only_the_recorder", "ada: entitlement, first_release")]


def test_the_recorders_are_those_of_the_records_that_the_page_reads() -> None:
    assert recorders_of(context()) >= {"p-1184", "p-2207", None}
