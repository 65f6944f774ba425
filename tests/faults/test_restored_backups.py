"""Yesterday's backup, restored: outsiders refuse it by what they saw, and nothing is signed that falls behind.

Two things are restored apart or together: the store (database and bodies) and the published folder. On both databases.
"""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dagster_project.application.deciding import take_decision
from dagster_project.application.drafting_decisions import current_version
from dagster_project.application.issuing import INDEX_CADENCE
from dagster_project.application.policy_releases import keep_published
from dagster_project.application.projecting import project_package
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.publication import NEWEST_INDEX, PULLED, index_path
from dagster_project.store.release_tables import decisions, package_indexes
from tests.fixtures.postgresql import PostgresqlServer
from tests.support.killing import Place, renew
from tests.support.onlookers import Onlooker, onlooker
from tests.support.told_bridges import BRIDGE, INCIDENT, approved, signed_pull, told_both
from tests.support.workspaces import make_workspace, play_scenario


@dataclass(frozen=True)
class Days:
    """A deployment today, its backup of yesterday, and an onlooker who saw today's folder.

    Since yesterday a version was released to one bridge and something of it was pulled; `late_pull` is a decision that
    was signed yesterday, and comes only now.
    """

    today: Place
    yesterday: Place
    package_id: str
    other_package: str
    late_pull: bytes
    seen: Onlooker

    def folder(self, place: Place) -> Path:
        return place.settings.published / self.package_id

    def with_store_of_yesterday(self) -> Place:
        """Today's deployment, of which the store alone was restored."""
        shutil.rmtree(self.yesterday.settings.published)
        shutil.copytree(self.today.settings.published, self.yesterday.settings.published)
        return self.yesterday

    def later(self, place: Place, by: timedelta) -> Workspace:
        """Open a deployment at a later instant."""
        return replace(place, at=self.today.at + by).open()


def copied(place: Place, folder: Path, server: PostgresqlServer | None) -> Place:
    if server is None:
        return place.copied_to(folder, None)
    name = f"backup_{secrets.token_hex(6)}"
    template = (place.settings.database_url or "").rpartition("/")[2]
    return place.copied_to(folder, server.create_database(name, template=template))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def days(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Days]:
    """Play a day, keep a backup of it, and play another."""
    server: PostgresqlServer | None = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
    url = server.create_database(f"today_{secrets.token_hex(6)}") if server else None
    workspace = make_workspace(tmp_path / "today", database_url=url)
    bench = told_both(workspace)
    late_pull = signed_pull(bench)
    ours, other = (current_version(workspace, INCIDENT, bridge).package_id for bridge in (BRIDGE, "tidewater"))
    workspace.store.engine.dispose()
    backup = copied(Place(workspace.settings, workspace.clock.now()), tmp_path / "backup", server)
    play_scenario(workspace, from_step=3, until_step=6)
    approved(bench, BRIDGE)
    release(workspace, INCIDENT, BRIDGE)
    take_decision(workspace, signed_pull(bench))
    project_package(workspace, ours)
    today = Place(workspace.settings, workspace.clock.now())
    seen = onlooker(workspace, tmp_path / "onlooker")
    seen.verifies(today.settings.published / ours, today.at)
    workspace.store.engine.dispose()
    yield Days(today, replace(backup, at=today.at), ours, other, late_pull, seen)
    for place in (today, backup):
        if server and place.settings.database_url:
            server.drop_database(place.settings.database_url.rpartition("/")[2])


def refuses(seen: Onlooker, folder: Path, days: Days, by: timedelta = timedelta(0)) -> str:
    """Return by which code the onlooker refuses a folder, once it is sure that it moved nothing."""
    before = seen.state.read_bytes()
    with pytest.raises(IntegrityViolation) as refusal:
        seen.verifies(folder, days.today.at + by)
    assert seen.state.read_bytes() == before
    return refusal.value.code


def everything(workspace: Workspace) -> tuple[int, int]:
    """Count decisions and indexes: what a refused act must leave as they are."""
    with workspace.store.engine.connect() as connection:
        counted = [
            connection.execute(sa.select(sa.func.count()).select_from(one)).scalar_one()
            for one in (decisions, package_indexes)
        ]
    return counted[0], counted[1]


def test_an_onlooker_refuses_a_whole_deployment_of_yesterday_however_far_it_goes_on(days: Days) -> None:
    folder = days.folder(days.yesterday)
    assert refuses(days.seen, folder, days) == "index_rolled_back"
    codes = []
    for hours in range(1, 4):
        workspace = days.later(days.yesterday, hours * INDEX_CADENCE)
        renew(workspace)
        project_package(workspace, days.package_id)
        workspace.store.engine.dispose()
        codes.append(refuses(days.seen, folder, days, hours * INDEX_CADENCE))
    assert codes[-1] in {"index_replaced", "index_entry_dropped"}, codes


def test_what_an_outsider_carried_off_yesterday_is_refused_too(days: Days, tmp_path: Path) -> None:
    carried = tmp_path / "carried" / days.package_id
    shutil.copytree(days.folder(days.yesterday), carried)
    assert refuses(days.seen, carried, days) == "index_rolled_back"


def test_a_store_of_yesterday_writes_nothing_over_what_was_published_since(days: Days) -> None:
    place = days.with_store_of_yesterday()
    before, workspace = place.packages(), place.open()
    with pytest.raises(IntegrityViolation, match="store_rolled_back"):
        project_package(workspace, days.package_id)
    workspace.store.engine.dispose()
    assert place.packages() == before
    assert days.seen.looks_at(days.folder(place), place.at) == "finished"


@pytest.mark.parametrize("damage", ["gone", "changed", "yesterday's"])
def test_it_notices_also_where_the_newest_index_no_longer_tells(days: Days, damage: str) -> None:
    yesterdays = (days.folder(days.yesterday) / NEWEST_INDEX).read_bytes()
    place = days.with_store_of_yesterday()
    newest = days.folder(place) / NEWEST_INDEX
    if damage == "gone":
        newest.unlink()
    else:
        newest.write_bytes(yesterdays if damage == "yesterday's" else newest.read_bytes()[:-9])
    workspace = place.open()
    with pytest.raises(IntegrityViolation, match="store_rolled_back"):
        project_package(workspace, days.package_id)
    workspace.store.engine.dispose()


def test_a_store_of_yesterday_signs_nothing_and_takes_no_decision_that_would_be_signed(days: Days) -> None:
    workspace = days.with_store_of_yesterday().open()
    before = everything(workspace)
    with pytest.raises(IntegrityViolation, match="store_rolled_back"):
        take_decision(workspace, days.late_pull)
    assert everything(workspace) == before
    workspace.store.engine.dispose()


def test_the_package_of_another_bridge_that_lost_nothing_goes_on(days: Days) -> None:
    place = days.with_store_of_yesterday()
    workspace = days.later(place, INDEX_CADENCE)
    kept = keep_published(workspace, at_most=timedelta(minutes=1))
    workspace.store.engine.dispose()
    assert kept.failed[days.package_id] == "store_rolled_back"
    assert kept.renewed == 1
    folder = place.settings.published / days.other_package
    other = days.seen.sees(folder).index
    assert other.signed_at == days.today.at + INDEX_CADENCE


def test_indexes_that_were_signed_elsewhere_meanwhile_are_never_put_over_others(days: Days) -> None:
    """The store went on for a while where it did not see the folder: same numbers, other bytes."""
    folder = days.folder(days.yesterday)
    shown = days.seen.sees(days.folder(days.today)).index.index_version
    number = 0
    while number < shown:
        number += 1
        workspace = days.later(days.yesterday, number * INDEX_CADENCE)
        renew(workspace)
        workspace.store.engine.dispose()
    shutil.rmtree(folder)
    shutil.copytree(days.folder(days.today), folder)
    before = (folder / index_path(shown)).read_bytes()
    workspace = days.later(days.yesterday, number * INDEX_CADENCE)
    with pytest.raises(IntegrityViolation, match="store_rolled_back"):
        project_package(workspace, days.package_id)
    workspace.store.engine.dispose()
    assert (folder / index_path(shown)).read_bytes() == before


def test_with_the_newest_store_back_everything_goes_on_without_a_person(days: Days) -> None:
    workspace = days.later(days.today, INDEX_CADENCE)
    kept = keep_published(workspace, at_most=timedelta(minutes=1))
    workspace.store.engine.dispose()
    assert not kept.failed
    package = days.seen.sees(days.folder(days.today))
    assert package.index.signed_at == days.today.at + INDEX_CADENCE
    assert any(one.state in PULLED for one in package.index.versions.values())
    assert days.seen.looks_at(days.folder(days.today), days.today.at + INDEX_CADENCE) == "finished"


def test_a_folder_of_yesterday_is_brought_up_to_today_by_the_store(days: Days) -> None:
    today = days.today.packages()
    shutil.rmtree(days.today.settings.published)
    shutil.copytree(days.yesterday.settings.published, days.today.settings.published)
    workspace = days.today.open()
    project_package(workspace, days.package_id)
    workspace.store.engine.dispose()
    assert days.today.packages() == today
    assert days.seen.looks_at(days.folder(days.today), days.today.at) == "finished"
