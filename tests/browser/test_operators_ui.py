"""What operators see in the Dagster UI of a deployment of real processes, in both configurations."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import dagster as dg
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect, sync_playwright

from dagster_project.application.reporting import release_rules
from dagster_project.demo.scenario import load_scenario, restricted_values
from tests.support.deployment import CODE_SERVER, DAEMON, DEV, WEBSERVER, Deployment, team_databases
from tests.support.present_day import many_incidents, step_in_the_present

pytestmark = pytest.mark.chromium

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server")
SECONDS: Final = 120.0
LOOK: Final = 30_000  # milliseconds that a text may take to appear on a page that was opened
INCIDENT: Final = load_scenario().incident
Picture = Callable[[Page, str], None]
Deploy = Callable[..., Deployment]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def deploy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deploy]:
    """A function that starts programs on either storage; they end with the test."""
    with ExitStack() as opened:
        urls = {}
        if request.param == "postgresql":
            urls = opened.enter_context(team_databases(request.getfixturevalue("postgresql_server")))

        def start(*programs: str) -> Deployment:
            running = opened.enter_context(Deployment(tmp_path, **urls, programs=programs))
            running.assign_shipped_profile("harbourline", "tidewater")
            return running

        yield start


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    """Chromium that reaches this machine alone: the UI must work where nothing is let out."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        if os.environ.get("CHANNELSAFE_REQUIRE_ALL") == "1":
            pytest.fail("CHANNELSAFE_REQUIRE_ALL=1, but Chromium is not installed", pytrace=False)
        pytest.skip("Chromium is not installed")

    def only_this_machine(route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            route.abort()

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=list(SWITCHES)) as chromium,
    ):
        context = chromium.new_context(viewport={"width": 1600, "height": 1000})
        context.route("**/*", only_this_machine)
        yield context


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Picture:
    """A function that keeps a picture of a page, also in the folder CHANNELSAFE_PICTURES where one is named."""
    configuration = request.node.callspec.id

    def take(page: Page, name: str) -> None:
        path = tmp_path / f"{configuration}-{name}.png"
        page.screenshot(path=path)
        if folder := os.environ.get("CHANNELSAFE_PICTURES"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder)

    return take


def wait_for_success(deployment: Deployment, job: str) -> None:
    succeeded = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])
    deployment.wait_until(lambda: deployment.instance.get_runs(succeeded), SECONDS, f"{job} succeeded")


def expect_every_check_to_have_passed(page: Page) -> None:
    for rule in release_rules():
        shown = re.compile(rf"\b{rule}\s+Succeeded")
        expect(page.locator("body")).to_contain_text(shown, use_inner_text=True, timeout=LOOK)


def assert_nothing_restricted_is_shown(page: Page) -> None:
    shown = page.inner_text("body")
    assert [one.where for one in restricted_values() if one.value in shown] == []


def test_a_dropped_record_file_appears_as_a_checked_candidate_on_its_partition(
    deploy: Deploy, browser: BrowserContext, picture: Picture
) -> None:
    deployment = deploy(DEV)
    deployment.drop("01-declaration.ndjson", step_in_the_present(1))
    wait_for_success(deployment, "refresh_incident")
    page = browser.new_page()

    page.goto(f"{deployment.address}/assets/service_state_package?view=partitions&partition={INCIDENT}")
    expect(page.get_by_text("service_state_package").first).to_be_visible(timeout=LOOK)
    expect(page.get_by_text("Materialized", exact=True)).to_be_visible(timeout=LOOK)
    expect(page.get_by_role("row", name="bridges 2")).to_be_visible(timeout=LOOK)
    expect(page.get_by_text("hmac-sha256:").first).to_be_visible(timeout=LOOK)
    assert_nothing_restricted_is_shown(page)
    picture(page, "partition")

    page.goto(f"{deployment.address}/assets/service_state_package?view=checks&checkDetail=leak")
    expect_every_check_to_have_passed(page)
    expect(page.get_by_text("Passed", exact=True)).to_be_visible(timeout=LOOK)
    expect(page.get_by_text(INCIDENT).first).to_be_visible(timeout=LOOK)
    picture(page, "checks")

    page.goto(f"{deployment.address}/runs")
    expect(page.get_by_text("outcome: held")).to_be_visible(timeout=LOOK)
    picture(page, "runs")


def test_what_went_through_the_bulk_lane_appears_on_its_partitions_too(
    deploy: Deploy, browser: BrowserContext, picture: Picture
) -> None:
    deployment = deploy(CODE_SERVER, DAEMON, WEBSERVER)
    names = [f"INC-{number:04d}" for number in range(8)]
    deployment.drop("incidents.ndjson", many_incidents(names))
    wait_for_success(deployment, "refresh_pending_incidents")
    manifest = dg.AssetKey("release_manifest")
    deployment.wait_until(
        lambda: set(names) <= deployment.instance.get_materialized_partitions(manifest), SECONDS, "all are reported"
    )
    page = browser.new_page()
    page.goto(f"{deployment.address}/assets/service_state_package?view=partitions&partition={names[-1]}")
    expect(page.get_by_text("Materialized (8)")).to_be_visible(timeout=LOOK)
    expect(page.get_by_text("Materialized", exact=True)).to_be_visible(timeout=LOOK)
    picture(page, "partitions-of-the-bulk-lane")
    page.goto(f"{deployment.address}/assets/service_state_package?view=checks&checkDetail=leak")
    expect_every_check_to_have_passed(page)
    picture(page, "checks-of-the-bulk-lane")
