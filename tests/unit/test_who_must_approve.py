"""Rule R3, row by row: what each class of change needs, and that one approval short is not enough (R2, R3, R5)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dagster_project.application.deciding import decide
from dagster_project.application.drafting_decisions import draft_act, staged_page
from dagster_project.application.profile_approval import profile_standing, propose_profile
from dagster_project.application.profiles import shipped_profile
from dagster_project.application.releasing import StagedPage, release
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.fields import leaves
from dagster_project.packaging.profile import Action
from dagster_project.review.changes import Change
from dagster_project.review.decisions import Act
from tests.support.moving_sources import BRIDGE, INCIDENT, say, speak_of
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.workspaces import make_workspace, play_scenario

BY_ROLE = {
    "incident_command": "ines",
    "support_leadership": "sam",
    "account_leadership": "ada",
    "security": "selma",
    "legal": "leo",
}
GATEWAY, RELAY = "outbound-gateway/eu-west-1", "mx-relay/eu-west-1"
EUROPE = "/affected_capabilities/message-delivery/regions/europe"
Move = Callable[[Workspace], None]


def health(state: str) -> Move:
    def move(workspace: Workspace) -> None:
        for recordid in (RELAY, GATEWAY):
            say(workspace, "service-health", recordid, {"/state": state})

    return move


def incident(**values: object) -> Move:
    return lambda workspace: say(workspace, "incident", INCIDENT, {f"/{name}": value for name, value in values.items()})


def cadence(minutes: int | None) -> Move:
    return lambda workspace: say(workspace, "contract", "CTR-2031", {"/committed_cadence_minutes": minutes})


def newly_affected(workspace: Workspace) -> None:
    speak_of(
        workspace, "service-health", "inbox-api/eu-central-1",
        {"component": "inbox-api", "region": "eu-central-1", "state": "degraded", "since": "2026-03-04T09:09:00Z"},
        source="//status.example/health-eu",
    )  # fmt: skip


def workaround(readiness: str, *, verified: bool) -> Move:
    def move(workspace: Workspace) -> None:
        speak_of(
            workspace, "workaround", f"WA-{readiness}",
            {"readiness": readiness, "verified": verified, "applies_to": ["mx-relay"]},
            source="//workarounds.example/tracker", recordedby="p-3310",
        )  # fmt: skip

    return move


def nothing(_workspace: Workspace) -> None:
    """Change nothing."""


RESOLVED = {
    "state": "resolved", "resolution_confirmed_by": "p-1184", "data_integrity": "no_loss", "monitoring_until": None,
}  # fmt: skip
IC, SL, AL, SECURITY = "incident_command", "support_leadership", "account_leadership", "security"
# class: (what was released before, what changes, at which leaf, the roles that it needs)
ROWS: dict[str, tuple[Move, Move, str, set[str]]] = {
    "newly_affected": (nothing, newly_affected, "/affected_capabilities/inbox-api/capability_status", {IC, SL}),
    "unlisted_worsening": (incident(state="monitoring"), incident(state="investigating"), "/incident_status", {IC, SL}),
    "incomparable": (nothing, incident(state="merged"), "/incident_status", {IC, SL}),
    "improvement": (nothing, health("degraded"), EUROPE, {IC, SL}),
    "removal": (nothing, cadence(None), "/statements/committed-cadence/parameters/minutes", {IC, SL}),
    "identified": (
        nothing, incident(state="identified", cause_confirmed=True), "/incident_status", {IC, SECURITY, SL},
    ),
    "available_verified": (nothing, workaround("ready", verified=True), "readiness", {IC, SL}),
    "un_hold": (health("odd"), health("down"), EUROPE, {IC, SECURITY, SL}),
    "entitlement": (nothing, cadence(15), "/statements/committed-cadence/parameters/minutes", {IC, AL, SL}),
    "material": (nothing, incident(severity="SEV2"), "/severity_code", {IC, SL}),
}  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=2)
    return make_bench(workspace)


def approve_all(bench: Bench, people: "list[str] | None" = None) -> None:
    for person in people or PEOPLE:
        bench.approve(person, INCIDENT, BRIDGE)


def release_everything(bench: Bench) -> None:
    approve_all(bench)
    if staged_page(bench.workspace, INCIDENT, BRIDGE).is_news:
        release(bench.workspace, INCIDENT, BRIDGE)


def page_of(bench: Bench) -> StagedPage:
    return staged_page(bench.workspace, INCIDENT, BRIDGE)


def change_at(page: StagedPage, place: str) -> Change:
    return next(one for one in page.state.changes if one.pointer == place or one.pointer.endswith(f"/{place}"))


def shown(page: StagedPage, pointer: str) -> Any:  # noqa: ANN401 - a package value
    return leaves(page.candidate.content).get(pointer)


def after(bench: Bench, name: str) -> Change:
    """Release what went before a row's change, let it happen, and return it."""
    before, move, place, _roles = ROWS[name]
    release_everything(bench)
    before(bench.workspace)
    release_everything(bench)
    move(bench.workspace)
    return change_at(page_of(bench), place)


@pytest.mark.parametrize("name", ROWS)
def test_a_change_of_this_class_leaves_once_everybody_whom_it_needs_approved_it(bench: Bench, name: str) -> None:
    change = after(bench, name)
    assert name in change.classes
    assert not change.standing
    assert set(change.roles) == ROWS[name][3]
    approve_all(bench, [BY_ROLE[role] for role in change.roles])
    assert shown(page_of(bench), change.pointer) == change.new
    release(bench.workspace, INCIDENT, BRIDGE)


@pytest.mark.parametrize("name", ROWS)
def test_one_approval_short_a_change_of_this_class_does_not_leave(bench: Bench, name: str) -> None:
    change = after(bench, name)
    absent = ROWS[name][3] - {"incident_command"}
    approve_all(bench, [BY_ROLE[role] for role in change.roles if role not in sorted(absent)[:1]])
    page = page_of(bench)
    assert not page.state.coverage.covers(change_at(page, change.pointer))
    assert shown(page, change.pointer) != change.new


def test_a_first_release_needs_incident_command_security_and_account_leadership(bench: Bench) -> None:
    approve_all(bench, ["ines", "selma", "ada"])
    assert release(bench.workspace, INCIDENT, BRIDGE).version == 1


@pytest.mark.parametrize("absent", ["ines", "selma", "ada"])
def test_a_first_release_without_one_of_them_says_nothing_of_the_incident(bench: Bench, absent: str) -> None:
    approve_all(bench, [person for person in ("ines", "selma", "ada", "sam", "leo") if person != absent])
    page = page_of(bench)
    assert all(one.standing for one in page.carried)
    with pytest.raises(UnsafeOrRejected, match="page_not_approved"):
        release(bench.workspace, INCIDENT, BRIDGE)


def test_a_listed_worsening_leaves_by_the_profiles_own_approval_and_opens_an_item_where_it_is_material(
    bench: Bench,
) -> None:
    # writing rule M6
    release_everything(bench)
    health("degraded")(bench.workspace)
    release_everything(bench)
    health("down")(bench.workspace)
    change = change_at(page_of(bench), EUROPE)
    assert change.classes == ("listed_worsening",)
    release(bench.workspace, INCIDENT, BRIDGE)
    assert shown(page_of(bench), EUROPE) == "major_outage"


def test_a_worsening_that_the_profile_does_not_list_waits_for_people(bench: Bench) -> None:
    release_everything(bench)
    health("degraded")(bench.workspace)
    release_everything(bench)
    health("maintenance")(bench.workspace)
    release_everything(bench)
    health("degraded")(bench.workspace)
    change = change_at(page_of(bench), EUROPE)
    assert "unlisted_worsening" in change.classes
    assert shown(page_of(bench), EUROPE) == "under_assessment"


def test_what_goes_on_hold_leaves_at_once_and_what_comes_off_hold_does_not(bench: Bench) -> None:
    release_everything(bench)
    health("odd")(bench.workspace)
    change = change_at(page_of(bench), EUROPE)
    assert change.classes == ("inserted_hold",)
    release(bench.workspace, INCIDENT, BRIDGE)
    health("down")(bench.workspace)
    assert shown(page_of(bench), EUROPE) == "under_assessment"


def test_a_newly_affected_capability_is_under_assessment_at_once_and_no_longer_among_the_unaffected(
    bench: Bench,
) -> None:
    release_everything(bench)
    newly_affected(bench.workspace)
    page = page_of(bench)
    assert shown(page, "/affected_capabilities/inbox-api/capability_status") == "under_assessment"
    assert "inbox-api" not in page.candidate.content["not_affected"]
    assert release(bench.workspace, INCIDENT, BRIDGE).state == "released"


def test_one_person_with_two_roles_counts_once(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "two")
    play_scenario(workspace, until_step=2)
    people = {**PEOPLE, "ines": ("incident_command", "security")}
    double = make_bench(workspace, people=people)
    approve_all(double, ["ines", "ada"])
    assert all(one.standing for one in page_of(double).carried)
    approve_all(double, ["selma"])
    assert any(not one.standing for one in page_of(double).carried)


@pytest.mark.parametrize("silent", ["leo", "sam", "selma", "ines"])
def test_one_silent_reviewer_never_blocks_what_others_approved(bench: Bench, silent: str) -> None:
    release_everything(bench)
    incident(severity="SEV2", state="identified", cause_confirmed=True)(bench.workspace)
    speak_of(
        bench.workspace, "bridge-timeline", "TL-known", {"checkpoint": "investigating", "at": "2026-03-04T09:09:00Z"},
        source="//incidents.example/bridge", recordedby="p-2207",
    )  # fmt: skip
    waiting = page_of(bench).state.changes
    approve_all(bench, [person for person in PEOPLE if person != silent])
    release(bench.workspace, INCIDENT, BRIDGE)
    told = page_of(bench).state.told
    assert told is not None
    held_by = {role for role in BY_ROLE if BY_ROLE[role] == silent and role != IC}
    for change in waiting:
        if not held_by & {*change.roles}:
            assert told.fields[change.pointer].value == change.new
        else:
            assert told.fields[change.pointer].value != change.new


def test_an_approval_never_covers_a_later_return_to_the_same_value(bench: Bench) -> None:
    release_everything(bench)
    health("degraded")(bench.workspace)
    bench.approve("ines", INCIDENT, BRIDGE, [EUROPE])
    health("down")(bench.workspace)
    health("degraded")(bench.workspace)
    bench.approve("sam", INCIDENT, BRIDGE, [EUROPE])
    page = page_of(bench)
    assert not page.state.coverage.covers(change_at(page, EUROPE))
    bench.approve("ivan", INCIDENT, BRIDGE, [EUROPE])
    assert page_of(bench).state.coverage.covers(change_at(page, EUROPE))


def test_an_approval_outlives_newer_records_that_say_the_same_and_none_that_say_it_on_other_support(
    bench: Bench,
) -> None:
    # writing rule M10
    release_everything(bench)
    health("degraded")(bench.workspace)
    bench.approve("ines", INCIDENT, BRIDGE, [EUROPE])
    say(bench.workspace, "service-health", RELAY, {"/note": "Still so."})
    bench.approve("sam", INCIDENT, BRIDGE, [EUROPE])
    page = page_of(bench)
    assert page.state.coverage.covers(change_at(page, EUROPE))
    say(bench.workspace, "service-health", RELAY, {"/state": "maintenance"})
    page = page_of(bench)
    assert shown(page, EUROPE) != "degraded" or not page.state.coverage.covers(change_at(page, EUROPE))
    assert not page.state.coverage.covers(change_at(page, EUROPE))


def test_an_approval_of_the_status_outlives_another_confirmer_of_the_resolution_and_not_a_missing_one(
    bench: Bench,
) -> None:
    release_everything(bench)
    incident(state="monitoring", resolution_confirmed_by="p-1184")(bench.workspace)
    bench.approve("ines", INCIDENT, BRIDGE, ["/incident_status"])
    incident(resolution_confirmed_by="p-2207")(bench.workspace)
    bench.approve("sam", INCIDENT, BRIDGE, ["/incident_status"])
    page = page_of(bench)
    assert page.state.coverage.covers(change_at(page, "/incident_status"))
    incident(resolution_confirmed_by=None)(bench.workspace)
    page = page_of(bench)
    assert not page.state.coverage.covers(change_at(page, "/incident_status"))


def test_whoever_recorded_what_a_field_says_cannot_approve_it(bench: Bench) -> None:
    release_everything(bench)
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"}, recordedby="ines")
    with pytest.raises(UnsafeOrRejected, match="own_record"):
        bench.approve("ines", INCIDENT, BRIDGE, ["/severity_code"])
    approve_all(bench, ["sam", "ivan"])
    assert shown(page_of(bench), "/severity_code") == "severity_2"


def test_where_a_source_does_not_say_who_recorded_two_people_are_needed(bench: Bench) -> None:
    release_everything(bench)
    checkpoint = {"checkpoint": "investigating", "at": "2026-03-04T09:09:00Z"}
    speak_of(
        bench.workspace, "bridge-timeline", "TL-anonymous", checkpoint, source="//incidents.example/bridge"
    )  # fmt: skip
    change = change_at(page_of(bench), "checkpoint")
    assert change.recorder_unknown
    assert change.roles == ("incident_command",)
    approve_all(bench, ["ines"])
    assert not page_of(bench).state.coverage.covers(change)
    approve_all(bench, ["leo"])
    assert page_of(bench).state.coverage.covers(change)


def test_a_looser_profile_needs_all_four_and_not_its_proposer(bench: Bench) -> None:
    profile = msgspec.structs.replace(shipped_profile("customer_bridge"), name="another")
    digest = propose_profile(bench.workspace, profile, proposer="sam")
    four = ("ines", "selma", "leo", "sam")
    for person in four[:3]:
        bench.act(person, Act.APPROVE_PROFILE, refers_to=digest)
    with bench.workspace.store.read() as transaction:
        assert profile_standing(transaction, bench.workspace, digest).missing == ("support_leadership",)
    with pytest.raises(UnsafeOrRejected, match="own_proposal"):
        bench.act("sam", Act.APPROVE_PROFILE, refers_to=digest)
    with pytest.raises(UnsafeOrRejected, match="role_missing"):
        bench.act("ada", Act.APPROVE_PROFILE, refers_to=digest)


def test_a_stricter_profile_is_in_force_by_one_approval_as_a_hold(bench: Bench) -> None:
    before = shipped_profile("customer_bridge")
    rules = tuple(
        msgspec.structs.replace(one, action=Action.HOLD, audience="security", slot="other")
        if one.id == "severity"
        else one
        for one in before.rules
    )
    stricter = msgspec.structs.replace(before, rules=rules)
    replaces = propose_profile(bench.workspace, before, proposer="ada")
    digest = propose_profile(bench.workspace, stricter, proposer="sam", replaces=replaces)
    decide(bench.workspace, draft_act(bench.workspace, Act.APPROVE_PROFILE, refers_to=digest), bench.keys["leo"])
    with bench.workspace.store.read() as transaction:
        assert profile_standing(transaction, bench.workspace, digest).in_force


def test_a_value_that_is_a_list_is_material_or_not_like_any_other() -> None:
    policy = shipped_profile("customer_bridge").review_policy
    assert not policy.is_material("checkpoint", None, ["message-delivery"])
    assert policy.is_material("workaround_readiness", ["message-delivery"], [])
