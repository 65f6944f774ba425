"""A profile's end is announced 30, 7 and 1 days before; after it nothing leaves but the acknowledgement and pulls."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from checks.standing import standing_metadata
from dagster_project.application.drafting_decisions import current_version, shown_fields
from dagster_project.application.overview import one_candidate
from dagster_project.application.policy_releases import keep_published, release_by_policy
from dagster_project.application.profile_approval import propose_profile
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.refresh import refresh
from dagster_project.application.releasing import release
from dagster_project.application.reminders import profile_reminders
from dagster_project.application.review_desk import review_page
from dagster_project.application.standing import standing
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.digests import digest_of
from dagster_project.packaging.acknowledgement import acknowledgement_content
from dagster_project.packaging.context import ProfileTables
from dagster_project.packaging.profile import Profile
from dagster_project.review.decisions import Act
from dagster_project.review.expiry import WARNING_DAYS, expiry_at
from dagster_project.store.versions import all_versions
from tests.support.command_line import command_line_of
from tests.support.review_people import Bench, copy_of, make_bench
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT, TOLD, UNTOLD = "INC-4711", "harbourline", "tidewater"
# Within the half hour for which what was observed stands, so that only the profile can be the reason.
LASTS = timedelta(minutes=10)
NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def pass_time(bench: Bench, time: timedelta) -> None:
    assert isinstance(bench.workspace.clock, FixedClock)
    bench.workspace.clock.set(bench.workspace.clock.now() + time)


def ending_in(workspace: Workspace, time: timedelta) -> Profile:
    return msgspec.structs.replace(shipped_profile("customer_bridge"), expires=workspace.clock.now() + time)


def put_in_use(bench: Bench, profile: Profile) -> str:
    """Have a profile approved by all, and render both bridges with it."""
    digest = propose_profile(bench.workspace, profile, proposer="ada")
    for person in ("ines", "sam", "selma", "leo"):
        bench.act(person, Act.APPROVE_PROFILE, refers_to=digest)
    for bridge in (TOLD, UNTOLD):
        assign_profile(bench.workspace, digest, bridge=bridge)
    refresh(bench.workspace, INCIDENT)
    return digest


def approved(bench: Bench, bridge: str) -> None:
    for person in ("ines", "selma", "ada"):
        bench.approve(person, INCIDENT, bridge)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def any_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A deployment with a candidate on two bridges, once on each database."""
    url = request.getfixturevalue("empty_postgresql_url") if request.param == "postgresql" else None
    workspace = make_workspace(tmp_path, database_url=url)
    play_scenario(workspace, until_step=2)
    yield make_bench(workspace)
    workspace.store.engine.dispose()


@pytest.fixture
def bench(made: Bench, tmp_path: Path) -> Bench:
    """A deployment whose profile ends in ten minutes; one bridge was told something under it."""
    return copy_of(made, tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    workspace = make_workspace(tmp_path_factory.mktemp("made"))
    play_scenario(workspace, until_step=2)
    bench = make_bench(workspace)
    put_in_use(bench, ending_in(workspace, LASTS))
    approved(bench, TOLD)
    release(workspace, INCIDENT, TOLD)
    return bench


def refused(bench: Bench, incident: str = INCIDENT, bridge: str = TOLD) -> str:
    """Return the code with which a release is refused, and see that nothing was released."""
    with bench.workspace.store.read() as transaction:
        before = all_versions(transaction)
    with pytest.raises(UnsafeOrRejected) as caught:
        release(bench.workspace, incident, bridge)
    with bench.workspace.store.read() as transaction:
        assert all_versions(transaction) == before
    return caught.value.code


# ---- before the end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "within", "expired"),
    [
        (31 * DAY, None, False),
        (30 * DAY + SECOND, None, False),
        (30 * DAY, 30, False),
        (7 * DAY + SECOND, 30, False),
        (7 * DAY, 7, False),
        (DAY + SECOND, 7, False),
        (DAY, 1, False),
        (SECOND, 1, False),
        (timedelta(0), None, True),
        (-DAY, None, True),
    ],
    ids=str,
)
def test_the_stages_are_thirty_seven_and_one_days(left: timedelta, within: int | None, *, expired: bool) -> None:
    found = expiry_at(NOW + left, NOW)
    assert (found.within_days, found.expired) == (within, expired)
    assert found.is_near is (expired or within is not None)
    assert found.ends_tonight is (expired or within == 1)


def test_a_profile_in_use_is_announced_at_every_stage_and_not_before(any_bench: Bench) -> None:
    workspace = any_bench.workspace
    digest = put_in_use(any_bench, ending_in(workspace, 31 * DAY))
    assert (profile_reminders(workspace), standing(workspace).ending) == ((), ())
    last = timedelta(days=31)
    for days in WARNING_DAYS:
        pass_time(any_bench, last - timedelta(days=days))
        last = timedelta(days=days)
        (found,) = profile_reminders(workspace)
        assert (found.profile_digest, found.within_days, found.expired) == (digest, days, False)
        assert found.bridges == (TOLD, UNTOLD)
    pass_time(any_bench, last)
    (found,) = profile_reminders(workspace)
    assert (found.within_days, found.expired) == (None, True)


def test_a_profile_that_nobody_approved_or_uses_is_not_announced(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=1)
    bench = make_bench(workspace)
    used_but_not_approved = load_profile(workspace, ending_in(workspace, DAY))
    assign_profile(workspace, used_but_not_approved, bridge=TOLD)
    approved_but_not_used = propose_profile(workspace, ending_in(workspace, DAY / 2), proposer="ada")
    for person in ("ines", "sam", "selma", "leo"):
        bench.act(person, Act.APPROVE_PROFILE, refers_to=approved_but_not_used)
    assert profile_reminders(workspace) == ()
    assign_profile(workspace, approved_but_not_used, bridge=TOLD)
    assert [one.profile_digest for one in profile_reminders(workspace)] == [approved_but_not_used]


@pytest.mark.parametrize(("days", "in_order"), [(8, True), (7, False), (1, False)])
def test_the_standing_check_names_what_ends_and_fails_from_seven_days_on(
    bench: Bench, days: int, *, in_order: bool
) -> None:
    put_in_use(bench, ending_in(bench.workspace, days * DAY))
    found = standing(bench.workspace)
    assert [one.name for one in found.ending] == ["customer-bridge"]
    assert found.in_order is in_order
    assert "customer-bridge" in str(standing_metadata(found)["profiles_ending"].value)


def test_the_command_line_says_how_near_the_end_is(bench: Bench) -> None:
    """The machine's clock is far beyond that of the story: there the profile has expired."""
    run = command_line_of(bench.workspace.settings)
    shown = {one["name"]: one for one in run("profile", "show", "--json").json if one["expired"]}
    assert shown["customer-bridge"]["expires_within_days"] is None
    assert "EXPIRED 2026-03-04" in run("profile", "show").out
    assert "expires 2031-01-01" in run("profile", "show").out  # the one that is proposed and in no use
    health = run("health")
    assert (health.code, "profile customer-bridge of harbourline, tidewater EXPIRED" in health.out) == (1, True)
    assert "EXPIRED" in run("review", "list").out


# ---- after the end ----------------------------------------------------------------------------------------------


def test_after_the_end_a_release_is_refused_with_the_reason_before_and_after_a_refresh(any_bench: Bench) -> None:
    put_in_use(any_bench, ending_in(any_bench.workspace, LASTS))
    approved(any_bench, TOLD)
    approved(any_bench, UNTOLD)
    pass_time(any_bench, LASTS - SECOND)
    assert "profile_expired" not in review_page(any_bench.workspace, INCIDENT, TOLD).missing
    assert release(any_bench.workspace, INCIDENT, UNTOLD).kind == "release"
    pass_time(any_bench, SECOND)
    assert "profile_expired" in review_page(any_bench.workspace, INCIDENT, TOLD).missing
    assert refused(any_bench) == "profile_expired"
    refresh(any_bench.workspace, INCIDENT)
    assert refused(any_bench) == "profile_expired"
    reasons = one_candidate(any_bench.workspace, INCIDENT, TOLD).reasons
    assert {(one.rule, one.code) for one in reasons} == {("fresh", "profile_expired")}


def test_policy_waits_and_reports_no_fault(bench: Bench) -> None:
    pass_time(bench, LASTS)
    refresh(bench.workspace, INCIDENT)
    found = {one.bridge: one for one in release_by_policy(bench.workspace, INCIDENT)}
    assert not found[TOLD].released_now
    assert keep_published(bench.workspace, at_most=timedelta(minutes=1)).failed == {}


@pytest.mark.parametrize("gone", ["expired", "rejected"])
def test_nobody_reaffirms_a_page_under_a_profile_that_is_gone(bench: Bench, gone: str) -> None:
    version = current_version(bench.workspace, INCIDENT, TOLD)
    fields = shown_fields(bench.workspace, version)
    if gone == "expired":
        pass_time(bench, LASTS)
    else:
        bench.act("leo", Act.REJECT_PROFILE, refers_to=version.profile_digest, reason="too loose")
    with pytest.raises(UnsafeOrRejected) as caught:
        bench.act("sam", Act.REAFFIRM, INCIDENT, TOLD, version=version.version, fields=fields)
    assert caught.value.code == {"expired": "profile_expired", "rejected": "profile_not_in_force"}[gone]


@pytest.mark.parametrize("refreshed", [False, True], ids=["not refreshed since", "refreshed since"])
def test_after_the_end_a_pull_takes_a_value_back_at_once(bench: Bench, *, refreshed: bool) -> None:
    version = current_version(bench.workspace, INCIDENT, TOLD)
    (status,) = [one for one in shown_fields(bench.workspace, version) if one.endswith("capability_status")][:1]
    pass_time(bench, LASTS + timedelta(hours=1))
    if refreshed:
        refresh(bench.workspace, INCIDENT)
    pulled = bench.act("leo", Act.PULL, INCIDENT, TOLD, version=version.version, fields=[status], reason="no").version
    assert pulled is not None
    assert pulled.kind == "pull"
    assert status not in shown_fields(bench.workspace, current_version(bench.workspace, INCIDENT, TOLD))


def test_after_the_end_the_acknowledgement_still_leaves_to_a_bridge_that_was_told_nothing(bench: Bench) -> None:
    pass_time(bench, LASTS + timedelta(hours=1))
    refresh(bench.workspace, INCIDENT)
    assert refused(bench, bridge=UNTOLD) == "profile_expired"
    told = bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, UNTOLD).version
    assert told is not None
    assert (told.kind, told.version) == ("acknowledgement", 1)
    expected = acknowledgement_content(ProfileTables(shipped_profile("customer_bridge")))
    assert told.content_digest == digest_of(expected)
    assert refused(bench, bridge=UNTOLD) == "profile_expired"


def test_with_a_profile_of_a_later_end_everything_leaves_again(bench: Bench) -> None:
    pass_time(bench, LASTS)
    put_in_use(bench, ending_in(bench.workspace, 90 * DAY))
    approved(bench, UNTOLD)
    assert standing(bench.workspace).ending == ()
    assert release(bench.workspace, INCIDENT, UNTOLD).kind == "release"
