"""The sample scenario played up to a step, and real Dagster runs over it on a real instance."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import duckdb
import sqlalchemy as sa

from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from checks.safety import release_check
from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import INTERNAL_FILE
from dagster_project.application.overview import CandidateOverview, candidate_history
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.partitions import INCIDENTS
from dagster_project.store import gates
from dagster_project.store.refreshes import candidates_of_refresh, latest_refresh
from resources.workspace import OpenedWorkspace

INCIDENT = "INC-4711"
# The step at which the faulty profile renders an internal host name on this bridge.
UNSAFE_STEP, UNSAFE_BRIDGE, SAFE_BRIDGE = 18, "tidewater", "harbourline"
ALL_ASSETS = [source_snapshot, service_state_package, release_manifest, package_lineage]


@dataclass(frozen=True)
class Run:
    """One run: its result and its instance."""

    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance

    def materialized(self) -> set[str]:
        events = [one for one in self.result.all_events if one.event_type_value == "ASSET_MATERIALIZATION"]
        return {one.asset_key.to_user_string() for one in events if one.asset_key is not None}

    def failed_checks(self) -> set[str]:
        return {one.check_name for one in self.result.get_asset_check_evaluations() if not one.passed}


def copy_of(played: Workspace, folder: Path) -> Workspace:
    """Open a copy of a workspace that was played, which a test may change; its clock stands where the other's does."""
    home, keys = folder / "home", folder / "keys"
    shutil.copytree(played.settings.home, home)
    shutil.copytree(played.settings.keys, keys)
    return open_workspace(replace(played.settings, home=home, keys=keys), clock=FixedClock(played.clock.now()))


def run_assets(
    workspace: Workspace,
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetsDefinition | dg.AssetChecksDefinition],
    selection: dg.AssetSelection | None = None,
) -> Run:
    """Materialize `assets` of the incident in one run."""
    if not instance.has_dynamic_partition(INCIDENTS, INCIDENT):
        instance.add_dynamic_partitions(INCIDENTS, [INCIDENT])
    result = dg.materialize(
        assets,
        instance=instance,
        partition_key=INCIDENT,
        resources={"channelsafe": OpenedWorkspace(workspace)},
        raise_on_error=False,
        selection=selection,
    )
    return Run(result, instance)


def run_whole_job(workspace: Workspace, instance: dg.DagsterInstance) -> Run:
    """Run everything that `refresh_incident` runs."""
    return run_assets(workspace, instance, [*ALL_ASSETS, release_check])


def latest(workspace: Workspace, bridge: str) -> CandidateOverview:
    """Return the newest candidate of a bridge."""
    return [one for one in candidate_history(workspace, INCIDENT) if one.bridge == bridge][-1]


def forget_gates_of_latest_refresh(workspace: Workspace) -> None:
    """Take the latest refresh back to where rendering has happened and nothing was judged."""
    with workspace.store.begin() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        numbers = [row.candidate_id for row in candidates_of_refresh(transaction, refresh)]
        for table in ("internal_manifests", "release_checks"):
            statement = sa.text(f"DELETE FROM {table} WHERE candidate_id IN ({', '.join(map(str, numbers))})")  # noqa: S608 - our own ids
            transaction.connection.execute(statement)


def manifests_of_unsafe(workspace: Workspace) -> int:
    with workspace.store.read() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        rows = [row for row in candidates_of_refresh(transaction, refresh) if row.bridge == UNSAFE_BRIDGE]
        return sum(1 for row in rows if gates.find_manifest(transaction, row.candidate_id) is not None)


def passed_checks_of_unsafe(workspace: Workspace) -> int:
    with workspace.store.read() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        rows = [row for row in candidates_of_refresh(transaction, refresh) if row.bridge == UNSAFE_BRIDGE]
        return sum(1 for row in rows for one in gates.release_checks_of(transaction, row.candidate_id) if one.passed)


def rows_among_the_passed(workspace: Workspace, bridge: str) -> int:
    """Publish, and count the rows of a bridge's newest candidate in the view that analysts read."""
    publish(workspace)
    with workspace.store.read() as transaction:
        refresh = latest_refresh(transaction, INCIDENT)
        assert refresh is not None
        (number,) = [row.candidate_id for row in candidates_of_refresh(transaction, refresh) if row.bridge == bridge]
    with duckdb.connect(workspace.settings.published_analytics / INTERNAL_FILE, read_only=True) as connection:
        rows = connection.execute("SELECT * FROM passed_candidates WHERE candidate_id = ?", [number])
        return len(rows.fetchall())
