"""What would stop a release tonight is gathered as it is: records, profiles, trust, keys and decisions."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.profile_approval import propose_profile
from dagster_project.application.profiles import assign_profile, shipped_profile
from dagster_project.application.readiness import ANY_INCIDENT, Readiness, readiness
from dagster_project.application.refresh import refresh
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.errors import UsageError
from dagster_project.integrity.trust_changes import revoke_key, take_roles
from dagster_project.review.decisions import Act
from dagster_project.sources.admission import record_bytes
from dagster_project.store.signing_files import SIGNING_FILE_NAME
from tests.support.histories import after, changed, head
from tests.support.moving_sources import newest, pass_time, say
from tests.support.review_people import PEOPLE, Bench, copy_of, make_bench
from tests.support.review_room import BRIDGE as ROOM_BRIDGE
from tests.support.review_room import INCIDENT as ROOM_INCIDENT
from tests.support.review_room import open_room
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT, OURS, THEIRS = "INC-4711", "harbourline", "tidewater"
SHIPPED = shipped_profile("customer_bridge")
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def any_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A deployment in which everything is in order, once on each database."""
    url = request.getfixturevalue("empty_postgresql_url") if request.param == "postgresql" else None
    return _bench(make_workspace(tmp_path, database_url=url))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return _bench(make_workspace(tmp_path_factory.mktemp("made")))


@pytest.fixture
def bench(made: Bench, tmp_path: Path) -> Bench:
    """The same on SQLite."""
    return copy_of(made, tmp_path)


def _bench(workspace: Workspace) -> Bench:
    play_scenario(workspace, until_step=2)
    return make_bench(workspace)


def stopping(found: Readiness) -> dict[str, set[str]]:
    """Return the codes that stop a release by place; of every bridge under ``-``."""
    places = {f"{one.incident}/{one.bridge}": one.obstacles for one in found.bridges} | {"-": found.deployment}
    return {place: {one.code for one in obstacles if one.stops} for place, obstacles in places.items() if obstacles}


OURS_NOW, THEIRS_NOW = f"{INCIDENT}/{OURS}", f"{INCIDENT}/{THEIRS}"
OURS_LATER, THEIRS_LATER = f"/{OURS}", f"/{THEIRS}"


def test_where_everything_is_in_order_only_the_missing_anchor_is_a_warning(any_bench: Bench) -> None:
    found = readiness(any_bench.workspace)
    assert found.ready
    assert [(one.stops, one.code) for one in found.deployment] == [(False, "no_anchor")]
    places = [(one.incident, one.bridge, one.obstacles) for one in found.bridges]
    assert places == [(incident, bridge, ()) for incident in (ANY_INCIDENT, INCIDENT) for bridge in (OURS, THEIRS)]


def test_what_is_wrong_is_listed_at_the_bridges_that_it_concerns(any_bench: Bench) -> None:
    any_bench.act("leo", Act.HOLD, INCIDENT, OURS, role="legal", reason="wait")
    say(any_bench.workspace, "contract", "CTR-1877", {"/valid_until": "2026-03-04T20:00:00Z"})
    any_bench.change_trust(lambda trust: take_roles(trust, "leo", ["legal"]))
    found = readiness(any_bench.workspace)
    assert not found.ready
    assert stopping(found) == {
        "-": set(),
        OURS_LATER: {"role_unstaffed"},
        THEIRS_LATER: {"role_unstaffed", "contract_lapses_tonight"},
        OURS_NOW: {"role_unstaffed", "on_hold_by_people"},
        THEIRS_NOW: {"role_unstaffed", "contract_lapses_tonight"},
    }


def test_a_person_whose_key_was_revoked_staffs_no_role(bench: Bench) -> None:
    at, keyid = bench.workspace.clock.now(), bench.keys["selma"].keyid
    bench.change_trust(lambda trust: revoke_key(trust, "selma", keyid, at))
    assert stopping(readiness(bench.workspace))[OURS_NOW] == {"role_unstaffed"}


def test_what_a_person_here_recorded_needs_somebody_else_of_the_role(bench: Bench) -> None:
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"}, recordedby="selma")
    found = stopping(readiness(bench.workspace))
    assert found[OURS_NOW] == {"only_the_recorder"}
    assert OURS_LATER not in found


def test_a_word_nobody_mapped_is_listed_before_any_refresh_reads_it(bench: Bench) -> None:
    record = newest(bench.workspace, "incident", INCIDENT)
    pass_time(bench.workspace)
    at = bench.workspace.clock.now() - SECOND
    told_now = msgspec.structs.replace(
        changed(record, "/state", "odd"), recordversion=record.recordversion + 1, id="odd", recordedtime=at, time=at
    )
    admit(bench.workspace, [DeliveredUnit("test", "line 1", record_bytes(told_now))])
    found = readiness(bench.workspace, INCIDENT, OURS)
    (only_one,) = found.bridges
    assert [(one.code, one.where) for one in only_one.obstacles] == [("value_not_mapped", "incident#/state: 1 record")]
    pass_time(bench.workspace, minutes=6)
    assert stopping(readiness(bench.workspace))[THEIRS_NOW] == {"refresh_overdue", "value_not_mapped"}


def test_a_profile_that_is_not_approved_or_ends_tonight_stops_the_bridge_that_it_renders(bench: Bench) -> None:
    workspace = bench.workspace
    soon = msgspec.structs.replace(SHIPPED, expires=workspace.clock.now() + timedelta(hours=8))
    digest = propose_profile(workspace, soon, proposer="ada")
    assign_profile(workspace, digest, bridge=THEIRS)
    found = stopping(readiness(workspace))
    assert found[THEIRS_NOW] == found[THEIRS_LATER] == {"profile_not_in_force", "profile_expires_tonight"}
    assert OURS_NOW not in found
    for person in ("ines", "sam", "selma", "leo"):
        bench.act(person, Act.APPROVE_PROFILE, refers_to=digest)
    assert stopping(readiness(workspace))[THEIRS_NOW] == {"profile_expires_tonight"}


def test_a_page_that_is_too_old_has_failed_its_check(bench: Bench) -> None:
    pass_time(bench.workspace, minutes=120)
    refresh(bench.workspace, INCIDENT)
    assert stopping(readiness(bench.workspace))[OURS_NOW] == {"release_check_failed"}


def test_a_bridge_that_its_contract_no_longer_names_has_none(bench: Bench) -> None:
    for person in PEOPLE:
        bench.approve(person, INCIDENT, THEIRS)
    version = release(bench.workspace, INCIDENT, THEIRS)
    assign_profile(bench.workspace, version.profile_digest)  # for every bridge without one of its own
    say(bench.workspace, "contract", "CTR-1877", {"/bridges": {"tidewater-new": {"incidents": ["*"]}}})
    found = stopping(readiness(bench.workspace))
    assert found[THEIRS_NOW] == found[THEIRS_LATER] == {"contract_absent"}
    assert "/tidewater-new" not in found


def test_without_the_keys_of_the_services_nothing_can_be_signed(bench: Bench) -> None:
    path = bench.workspace.settings.keys / SIGNING_FILE_NAME
    assert not readiness(bench.workspace).deployment[0].stops
    path.unlink()
    found = [one for one in readiness(bench.workspace).deployment if one.stops]
    assert {one.code for one in found} == {"service_key_missing"}
    assert [one.where for one in found] == ["audit", "index", "release"]


def test_where_nobody_is_trusted_and_no_profile_is_in_use_both_are_said(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    assert stopping(readiness(workspace)) == {"-": {"trust_missing"}}
    admit(workspace, [DeliveredUnit("test", "line 1", record_bytes(head(after(1), "contract", "CTR-2031")))])
    assert stopping(readiness(workspace))[OURS_LATER] == {"profile_missing", "entitlement_absent"}


def test_trust_that_ends_takes_every_key_with_it(bench: Bench) -> None:
    assert isinstance(bench.workspace.clock, FixedClock)
    for left, code in ((31, None), (30, "trust_expiring"), (1, "trust_expires_tonight"), (0, "trust_expired")):
        bench.workspace.clock.set(after(2).at + timedelta(days=3650 - left))
        found = {one.code for one in readiness(bench.workspace, INCIDENT).deployment} - {"no_anchor"}
        assert found == ({code} if code else set())


def test_a_bridge_or_incident_that_is_not_there_is_a_slip_of_the_keyboard(bench: Bench) -> None:
    for incident, bridge in ((None, "harborline"), (INCIDENT, "harborline"), ("INC-0", None)):
        with pytest.raises(UsageError):
            readiness(bench.workspace, incident, bridge)


def test_the_command_line_lists_it_and_its_exit_code_says_whether_anything_stops_a_release(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    good = room.run("readiness")
    assert good.code == 0, good.everything
    assert f"{ROOM_INCIDENT}, {ROOM_BRIDGE}: nothing stops a release" in good.out
    assert "warns no_anchor" in good.out
    assert room.run("readiness", "--json").json["ready"] is True
    room.decide("leo", "hold", ROOM_BRIDGE, "--role", "legal", "--reason", "wait")
    bad = room.run("readiness", "--incident", ROOM_INCIDENT.lower(), "--bridge", ROOM_BRIDGE)
    assert (bad.code, "STOPS on_hold_by_people (1 hold)" in bad.out) == (1, True)
    assert "an incident not declared yet" not in bad.out
    answer = room.run("readiness", "--json")
    assert (answer.code, answer.json["ready"]) == (1, False)
    again = room.run("readiness", "--json")
    assert again.out.replace(again.json["at"], answer.json["at"]) == answer.out
    assert room.run("readiness", "--bridge", "nobody").code == 2
