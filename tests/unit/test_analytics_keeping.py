"""Publishing again after a few incidents moved: the same files as publishing everything, for less work."""

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import INTERNAL_FILE, TABLES
from dagster_project.application.analytics_position import incident_positions
from dagster_project.application.candidates import render_candidates
from dagster_project.application.checks import check_candidates
from dagster_project.application.refresh import refresh
from dagster_project.application.snapshots import take_snapshot
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.connections.duckdb_files import ROWS_SCHEMA
from dagster_project.demo.scenario import load_scenario
from dagster_project.errors import IntegrityViolation
from dagster_project.store.candidates import candidates_of
from tests.support.analytics_files import run_on
from tests.support.many_incidents import accounts, assign_customer_bridge, deliver, incident_name, lines_of
from tests.support.stored_bodies import flip, stored_body
from tests.support.workspaces import make_workspace, play_scenario


def rows_of(workspace: Workspace) -> dict[str, list[str]]:
    """Return every row of every published table but the publication's own, in no order."""
    file = workspace.settings.published_analytics / INTERNAL_FILE
    with duckdb.connect(str(file), read_only=True) as connection:
        return {
            name: sorted(map(repr, connection.execute(f"FROM {ROWS_SCHEMA}.{name}").fetchall()))
            for name in TABLES
            if name != "publication"
        }


def published_anew(workspace: Workspace) -> dict[str, list[str]]:
    """Return the rows of a publication that keeps nothing."""
    shutil.rmtree(workspace.settings.published_analytics)
    publish(workspace)
    return rows_of(workspace)


def pass_time(workspace: Workspace) -> None:
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(workspace.clock.now() + timedelta(minutes=1))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three small incidents, refreshed and published."""
    workspace = make_workspace(tmp_path)
    assign_customer_bridge(workspace)
    deliver(workspace, accounts())
    for number in range(3):
        deliver(workspace, lines_of(number), f"delivery {number}")
        refresh(workspace, incident_name(number))
    publish(workspace)
    return workspace


def flip_a_body_of(workspace: Workspace, incident: str) -> None:
    with workspace.store.read() as transaction:
        body = stored_body(workspace.store, candidates_of(transaction, incident)[0].content_digest)
    flip(body.path, body.start + body.length // 2)


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_every_publication_of_a_story_holds_what_one_from_nothing_holds(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else None
    workspace = make_workspace(tmp_path, database_url=url)
    assign_customer_bridge(workspace)
    deliver(workspace, accounts())
    deliver(workspace, lines_of(1))
    refresh(workspace, incident_name(1))
    publish(workspace)
    steps = len(load_scenario().steps)
    for first in range(1, steps, 6):
        play_scenario(workspace, from_step=first, until_step=min(first + 5, steps))
        publish(workspace)
        kept = rows_of(workspace)
        assert kept == published_anew(workspace)
    assert len(kept["candidates"]) == 2 * steps + 2
    workspace.store.engine.dispose()


def test_what_each_way_of_moving_changes_is_published(workspace: Workspace) -> None:
    first, second, third = map(incident_name, range(3))
    pass_time(workspace)
    deliver(workspace, lines_of(0, version=2), "moved")  # pending, not refreshed
    publish(workspace)
    assert rows_of(workspace) == published_anew(workspace)
    refresh(workspace, first)
    take_snapshot(workspace, second)
    render_candidates(workspace, second)  # not checked yet
    publish(workspace)
    assert rows_of(workspace) == published_anew(workspace)
    check_candidates(workspace, second)
    publish(workspace)
    assert rows_of(workspace) == published_anew(workspace)
    deliver(workspace, lines_of(7), "new incident")
    publish(workspace)
    assert rows_of(workspace) == published_anew(workspace)
    assert len(rows_of(workspace)["incidents"]) == 4
    assert third in str(rows_of(workspace)["positions"])


def test_an_incident_that_did_not_move_is_not_read_again(workspace: Workspace) -> None:
    flip_a_body_of(workspace, incident_name(1))
    refresh(workspace, incident_name(0))
    before = rows_of(workspace)["fields"]
    assert publish(workspace).is_new
    assert set(before) < set(rows_of(workspace)["fields"])
    shutil.rmtree(workspace.settings.published_analytics)
    with pytest.raises(IntegrityViolation):
        publish(workspace)


def test_an_incident_that_moved_is_read_and_verified_whole(workspace: Workspace) -> None:
    flip_a_body_of(workspace, incident_name(0))
    before = rows_of(workspace)
    deliver(workspace, lines_of(0, version=2), "moved")
    with pytest.raises(IntegrityViolation):
        publish(workspace)
    assert rows_of(workspace) == before


def test_nothing_is_kept_of_a_file_that_somebody_changed(workspace: Workspace) -> None:
    file = workspace.settings.published_analytics / INTERNAL_FILE
    run_on(file, "UPDATE published.candidates SET outcome = 'forged'")
    refresh(workspace, incident_name(0))
    publish(workspace)
    assert "forged" not in str(rows_of(workspace))


def test_positions_tell_exactly_the_incidents_that_moved(workspace: Workspace) -> None:
    with workspace.store.read() as transaction:
        before = incident_positions(transaction)
    assert set(before) == set(map(incident_name, range(3)))
    pass_time(workspace)
    refresh(workspace, incident_name(2))
    with workspace.store.read() as transaction:
        after = incident_positions(transaction)
    assert {name for name in after if after[name] != before[name]} == {incident_name(2)}


def test_no_copy_of_the_published_file_is_left_behind(workspace: Workspace) -> None:
    flip_a_body_of(workspace, incident_name(0))
    deliver(workspace, lines_of(0, version=2), "moved")
    with pytest.raises(IntegrityViolation):
        publish(workspace)
    assert not [file.name for file in workspace.settings.published_analytics.iterdir() if "before" in file.name]


def test_instants_are_published_in_utc_on_a_machine_of_another_zone(workspace: Workspace) -> None:
    here = rows_of(workspace)["candidates"]
    shutil.rmtree(workspace.settings.published_analytics)
    code = (
        "import os; from pathlib import Path\n"
        "from dagster_project.application.analytics import publish\n"
        "from dagster_project.application.workspace import open_workspace\n"
        "from dagster_project.settings import read_settings\n"
        "publish(open_workspace(read_settings(os.environ, base=Path.cwd())))"
    )
    environment = os.environ | {
        "TZ": "Asia/Tokyo",
        "CHANNELSAFE_HOME": str(workspace.settings.home),
        "CHANNELSAFE_KEYS": str(workspace.settings.keys),
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert rows_of(workspace)["candidates"] == here
