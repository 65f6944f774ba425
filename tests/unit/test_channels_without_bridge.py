"""Channels on which no contract record opens a bridge: for preview alone, and refused at every door behind that."""

from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from dagster_project.application import issuing, projecting, releasing
from dagster_project.application.issuing import Issue, issue
from dagster_project.application.policy_releases import release_by_policy
from dagster_project.application.previewing import Preview, preview
from dagster_project.application.profile_approval import propose_profile
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.projecting import project
from dagster_project.application.refresh import refresh
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.application.writing import judge_profile
from dagster_project.errors import UnsafeOrRejected, UsageError
from dagster_project.packaging.channels import CHANNELS, require_bridge
from dagster_project.packaging.profile import Action
from dagster_project.review.decisions import Act
from dagster_project.store import profiles as profile_rows
from dagster_project.store.tables import candidates, open_items, refreshes
from tests.support.command_line import command_line_of
from tests.support.moving_sources import BRIDGE, INCIDENT, pass_time, say, speak_of
from tests.support.played_stories import played_scenario
from tests.support.released_stories import FIRST, told_story
from tests.support.review_people import Bench

PREVIEWED = ("account_team", "public_page")
OTHER = "tidewater"
REFUSED = "channel_without_bridge"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The story up to where security clears the vendor's public name."""
    return told_story(tmp_path, 9).workspace


def nobody_minds(*_arguments: object, **_more: object) -> None:
    """Stand for a door that is open."""


# ---- the doors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PREVIEWED)
def test_a_profile_of_such_a_channel_is_assigned_to_no_bridge(workspace: Workspace, name: str) -> None:
    digest = load_profile(workspace, shipped_profile(name))
    for bridge in ("", BRIDGE):
        with pytest.raises(UnsafeOrRejected, match=REFUSED):
            assign_profile(workspace, digest, bridge=bridge)
    with workspace.store.read() as transaction:
        assert digest not in profile_rows.assigned_profiles(transaction, [INCIDENT]).values()


@pytest.mark.parametrize("name", PREVIEWED)
def test_what_was_rendered_under_it_all_the_same_is_not_released(tmp_path: Path, name: str) -> None:
    bench = slipped_in(tmp_path, name)
    everybody_asked_approves(bench)
    with pytest.raises(UnsafeOrRejected, match=REFUSED):
        release(bench.workspace, INCIDENT, OTHER)


def test_policy_releases_nothing_there_and_says_why(tmp_path: Path) -> None:
    bench = slipped_in(tmp_path, "account_team")
    standing = {one.bridge: one for one in release_by_policy(bench.workspace, INCIDENT)}
    assert (standing[OTHER].current, standing[OTHER].waits_for) == (None, REFUSED)


def slipped_in(folder: Path, name: str) -> Bench:
    """Approve such a profile, and assign it to a bridge past the door at which that is refused; render with it."""
    bench = told_story(folder, 2)
    digest = propose_profile(bench.workspace, shipped_profile(name), proposer="ada")
    for person in ("ines", "sam", "selma", "leo"):
        bench.act(person, Act.APPROVE_PROFILE, refers_to=digest)
    with bench.workspace.store.begin() as transaction:
        profile_rows.assign_profile(
            transaction, incident=INCIDENT, bridge=OTHER, profile_digest=digest, at=bench.workspace.clock.now()
        )
    refresh(bench.workspace, INCIDENT)
    return bench


def everybody_asked_approves(bench: Bench) -> None:
    for person in FIRST:
        pass_time(bench.workspace, 0.1)
        bench.approve(person, INCIDENT, OTHER)


def test_no_version_is_made_for_it_by_whatever_way(workspace: Workspace) -> None:
    at = workspace.clock.now()
    new = Issue(
        incident=INCIDENT, bridge=BRIDGE, kind="release", content={"channel": "public_page"}, lineage_bytes=b"",
        label="TLP:CLEAR", candidate_id=None, profile_digest="", valid_until=at, as_of=None, reaffirmed_at=None,
        manifest={},
    )  # fmt: skip
    with workspace.store.begin() as transaction, pytest.raises(UnsafeOrRejected, match=REFUSED):
        issue(workspace, transaction, new, [])


def test_a_version_that_is_there_all_the_same_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = slipped_in(tmp_path, "account_team")
    with monkeypatch.context() as open_doors:
        for module in (releasing, issuing):
            open_doors.setattr(module, "require_bridge", nobody_minds)
        everybody_asked_approves(bench)
        row = release(bench.workspace, INCIDENT, OTHER)
    with pytest.raises(UnsafeOrRejected, match=REFUSED):
        project(bench.workspace)
    folder = bench.workspace.settings.published / row.package_id
    assert not [path for path in folder.rglob("*") if path.is_file()]
    with monkeypatch.context() as open_doors:
        open_doors.setattr(projecting, "require_bridge", nobody_minds)
        project(bench.workspace)
    assert [path for path in folder.rglob("*") if path.is_file()], "without the door it would lie there"


def test_only_the_channel_of_customer_bridges_is_open() -> None:
    for channel in (*CHANNELS, "billboard", ""):
        if channel == "customer_bridge":
            require_bridge(channel, where="here")
            continue
        with pytest.raises(UnsafeOrRejected, match=REFUSED):
            require_bridge(channel, where="here")


@pytest.mark.parametrize("place", ["contract#/permitted_fields", "entitlement#/capabilities"])
@pytest.mark.parametrize("action", [Action.RENDER, Action.HOLD])
def test_a_public_page_that_shows_a_contract_or_an_entitlement_is_no_profile(place: str, action: Action) -> None:
    profile = shipped_profile("public_page")
    rules = tuple(
        msgspec.structs.replace(one, covers=tuple(name for name in one.covers if name != place))
        for one in profile.rules
    )
    added = msgspec.structs.replace(rules[0], id="added", covers=(place,), action=action, audience="legal")
    found = judge_profile(msgspec.structs.replace(profile, rules=(*rules, added)))
    assert [(one.code, one.where) for one in found if one.level == "error"] == [
        ("public_page_depends_on_contract", place)
    ]
    assert judge_profile(profile) == ()


# ---- the preview -----------------------------------------------------------------------------------------------


def pages(workspace: Workspace, name: str, bridge: str | None = None) -> dict[str, Preview]:
    return {one.bridge: one for one in preview(workspace, INCIDENT, shipped_profile(name), bridge)}


def test_the_account_team_sees_a_page_for_each_bridge_and_the_public_one_for_everybody(workspace: Workspace) -> None:
    assert set(pages(workspace, "account_team")) == {"harbourline", "tidewater"}
    assert set(pages(workspace, "account_team", BRIDGE)) == {BRIDGE}
    assert set(pages(workspace, "public_page")) == {""}
    for name in ("account_team", BRIDGE):
        with pytest.raises(UsageError, match="bridge_unknown"):
            pages(workspace, "public_page", name)


def test_the_public_page_says_capabilities_regions_and_status_and_nothing_else(workspace: Workspace) -> None:
    content = pages(workspace, "public_page")[""].content
    assert content is not None
    assert (content["channel"], content["tlp"]) == ("public_page", "TLP:CLEAR")
    assert {name for name, part in content.items() if part} - {"not_affected"} == {
        "schema", "channel", "tlp", "incident_status", "document_status", "affected_capabilities", "held", "names",
    }  # fmt: skip
    for stated in content["affected_capabilities"].values():
        assert set(stated) == {"capability_status", "regions"}


def test_nothing_on_the_public_page_depends_on_contracts_or_entitlements(workspace: Workspace) -> None:
    before = pages(workspace, "public_page")[""]
    say(workspace, "entitlement", "ENT-5520", {"/capabilities": []})
    say(workspace, "contract", "CTR-2031", {"/permitted_fields": [], "/required_fields": ["severity"], "/bridges": {}})
    after = pages(workspace, "public_page")[""]
    assert (after.content, after.text) == (before.content, before.text)
    assert pages(workspace, "account_team").keys() == {"tidewater"}


def test_the_public_page_names_what_no_customer_of_the_story_bought(workspace: Workspace) -> None:
    data = {"component": "report-builder", "region": "eu-west-1", "state": "down", "since": "2026-03-04T09:10:00Z"}
    speak_of(workspace, "service-health", "report-builder/eu-west-1", data, source="//status.example/health-eu")
    shown = {name: page.content for name, page in pages(workspace, "account_team").items()}
    everybody = pages(workspace, "public_page")[""].content
    assert everybody is not None
    assert shown["harbourline"] is not None
    assert "reporting" in everybody["affected_capabilities"]
    assert "reporting" not in shown["harbourline"]["affected_capabilities"]


def test_a_preview_stores_nothing(workspace: Workspace) -> None:
    before = dump(workspace)
    for name in (*PREVIEWED, "customer_bridge"):
        pages(workspace, name)
    assert dump(workspace) == before


def dump(workspace: Workspace) -> list[object]:
    with workspace.store.read() as transaction:
        return [
            transaction.connection.execute(sa.select(table)).fetchall() for table in (candidates, open_items, refreshes)
        ]


def test_a_page_that_would_not_pass_its_check_is_not_shown(workspace: Workspace) -> None:
    pass_time(workspace, 300)
    for one in pages(workspace, "account_team").values():
        assert (one.passed, one.content, one.text) == (False, None, "")
        assert [reason.rule for reason in one.reasons] == ["fresh"]


def test_a_profile_with_errors_previews_nothing(workspace: Workspace) -> None:
    broken = msgspec.structs.replace(shipped_profile("public_page"), label="TLP:BEIGE")
    with pytest.raises(UnsafeOrRejected, match="profile_invalid"):
        preview(workspace, INCIDENT, broken)


def test_the_command_prints_every_page_for_people_and_for_programs(tmp_path: Path) -> None:
    run = command_line_of(played_scenario().settings)
    at = ("--at", "2026-03-04T09:51:00Z")
    answer = run("preview", INCIDENT.lower(), "--profile", "account_team", *at)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("PREVIEW of account_team (TLP:AMBER)") == 2
    public = run("preview", INCIDENT, "--profile", "public_page", *at, "--json")
    assert (public.code, public.err) == (0, "")
    (page,) = public.json
    assert page["content"]["tlp"] == "TLP:CLEAR"
    unsafe = run("preview", INCIDENT, "--profile", "customer_bridge_faulty", "--at", "2026-03-04T10:30:00Z")
    assert unsafe.code == 1
    assert "NOT PASSED: leak" in unsafe.out
    assert run("preview", INCIDENT, "--profile", str(tmp_path / "none.yaml")).code == 3
    assert run("profile", "load", "public_page").code == 1
