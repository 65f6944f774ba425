"""An unsafe candidate leaves no manifest, no passed check and no row among the passed, whatever way it is run.

Each way has a twin with the gate switched off, which shows that the gate is what stopped it. The database's own refusal
is switched off too where the twin needs it: it is the second lock on the same door.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import sqlalchemy as sa

from assets.packages import release_manifest, service_state_package, source_snapshot
from dagster_project.application import checks as gate
from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import INTERNAL_FILE
from dagster_project.application.workspace import Workspace
from dagster_project.cli.main import channelsafe
from dagster_project.cli.output import run as run_command
from dagster_project.packaging import release_check as domain_check
from dagster_project.packaging.release_rules import RELEASE_RULES
from dagster_project.store import gates
from dagster_project.store.refreshes import candidates_of_refresh, latest_refresh
from tests.dagster.scenario_runs import (
    ALL_ASSETS,
    INCIDENT,
    SAFE_BRIDGE,
    UNSAFE_BRIDGE,
    UNSAFE_STEP,
    copy_of,
    latest,
    run_assets,
    run_whole_job,
)
from tests.support.workspaces import make_workspace, play_scenario

Way = Callable[[Workspace, dg.DagsterInstance], bool]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The scenario up to where the faulty profile has rendered an unsafe candidate and nothing was judged."""
    made = make_workspace(tmp_path_factory.mktemp("played"))
    play_scenario(made, until_step=UNSAFE_STEP)
    _forget_gates_of_latest_refresh(made)
    return made


@pytest.fixture
def workspace(played: Workspace, tmp_path: Path) -> Workspace:
    return copy_of(played, tmp_path)


def _forget_gates_of_latest_refresh(workspace: Workspace) -> None:
    """Take the latest refresh back to where rendering has happened and nothing was judged."""
    with workspace.store.begin() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        numbers = [row.candidate_id for row in candidates_of_refresh(transaction, refresh)]
        for table in ("internal_manifests", "release_checks"):
            statement = sa.text(f"DELETE FROM {table} WHERE candidate_id IN ({', '.join(map(str, numbers))})")  # noqa: S608 - our own ids
            transaction.connection.execute(statement)


def whole_job(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    return run_whole_job(workspace, instance).result.success


def manifest_alone(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    return run_assets(workspace, instance, [release_manifest]).result.success


def without_checks(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    return run_assets(workspace, instance, [source_snapshot, service_state_package, release_manifest]).result.success


def command_line(workspace: Workspace, instance: dg.DagsterInstance) -> bool:
    assert instance is not None
    arguments = ["refresh", INCIDENT, "--at", "2026-03-04T10:30:00Z"]
    settings = workspace.settings
    environment = {"CHANNELSAFE_HOME": str(settings.home), "CHANNELSAFE_KEYS": str(settings.keys)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["channelsafe", *arguments])
        for name, value in environment.items():
            patch.setenv(name, value)
        return run_command(channelsafe) == 0


WAYS = [whole_job, manifest_alone, without_checks, command_line]


def _manifests_of_unsafe(workspace: Workspace) -> int:
    with workspace.store.read() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        rows = [row for row in candidates_of_refresh(transaction, refresh) if row.bridge == UNSAFE_BRIDGE]
        return sum(1 for row in rows if gates.find_manifest(transaction, row.candidate_id) is not None)


def _passed_checks_of_unsafe(workspace: Workspace) -> int:
    with workspace.store.read() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        rows = [row for row in candidates_of_refresh(transaction, refresh) if row.bridge == UNSAFE_BRIDGE]
        return sum(1 for row in rows for one in gates.release_checks_of(transaction, row.candidate_id) if one.passed)


def _rows_among_the_passed(workspace: Workspace, bridge: str) -> int:
    """Publish, and count the rows of a bridge's newest candidate in the view that analysts read."""
    publish(workspace)
    with workspace.store.read() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        (number,) = [row.candidate_id for row in candidates_of_refresh(transaction, refresh) if row.bridge == bridge]
    with duckdb.connect(workspace.settings.published_analytics / INTERNAL_FILE, read_only=True) as connection:
        rows = connection.execute("SELECT * FROM passed_candidates WHERE candidate_id = ?", [number])
        return len(rows.fetchall())


@pytest.mark.parametrize("way", WAYS)
def test_an_unsafe_candidate_has_no_row_among_the_passed_and_the_safe_one_beside_it_has(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    way(workspace, instance)
    assert _rows_among_the_passed(workspace, UNSAFE_BRIDGE) == 0
    assert _rows_among_the_passed(workspace, SAFE_BRIDGE) == 1


@pytest.mark.parametrize("way", WAYS)
def test_an_unsafe_candidate_leaves_no_manifest_and_no_passed_check(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    assert not way(workspace, instance)
    assert _manifests_of_unsafe(workspace) == 0
    assert _passed_checks_of_unsafe(workspace) == 0
    assert latest(workspace, UNSAFE_BRIDGE).publication_state == "failed_check"


@pytest.mark.parametrize("way", WAYS)
def test_the_other_bridge_of_the_incident_has_its_manifest_all_the_same(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    way(workspace, instance)
    assert latest(workspace, SAFE_BRIDGE).publication_state == "candidate"


@pytest.mark.parametrize("way", WAYS)
def test_with_the_leak_rule_off_the_unsafe_candidate_gets_its_manifest(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = tuple(rule for rule in RELEASE_RULES if rule.__name__ != "leak")
    monkeypatch.setattr(domain_check, "RELEASE_RULES", rest)
    way(workspace, instance)
    assert _manifests_of_unsafe(workspace) == 1
    assert _passed_checks_of_unsafe(workspace) == 1
    assert _rows_among_the_passed(workspace, UNSAFE_BRIDGE) == 1


@pytest.mark.parametrize("way", WAYS)
def test_with_the_application_gate_open_the_database_still_refuses(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "is_open", lambda *_arguments: True)
    way(workspace, instance)
    assert _manifests_of_unsafe(workspace) == 0


@pytest.mark.parametrize("way", WAYS)
def test_with_both_locks_off_the_unsafe_candidate_gets_its_manifest(
    way: Way, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "is_open", lambda *_arguments: True)
    add = gates.add_release_checks
    monkeypatch.setattr(
        gates,
        "add_release_checks",
        lambda transaction, news: add(transaction, [replace(new, passed=True) for new in news]),
    )
    way(workspace, instance)
    assert _manifests_of_unsafe(workspace) == 1


def test_the_blocking_check_stops_what_comes_after_it_in_the_same_run(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    done = run_whole_job(workspace, instance)
    assert done.failed_checks() == {"leak"}
    assert done.materialized() == {"source_snapshot", "service_state_package"}


def test_a_safe_incident_goes_all_the_way(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=3)
    done = run_whole_job(workspace, instance)
    assert done.result.success
    assert done.failed_checks() == set()
    assert done.materialized() == {asset.key.to_user_string() for asset in ALL_ASSETS}
    record = instance.get_run_by_id(done.result.run_id)
    assert record is not None
    assert record.tags["outcome"] == "held"


def test_a_check_past_its_end_opens_nothing(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=3)
    _forget_gates_of_latest_refresh(workspace)
    workspace.clock.set(latest(workspace, SAFE_BRIDGE).evaluated_at.replace(hour=23))  # type: ignore[attr-defined] # a FixedClock
    assert not manifest_alone(workspace, instance)
    assert latest(workspace, SAFE_BRIDGE).publication_state == "failed_check"
