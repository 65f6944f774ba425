"""The sample scenario played up to a step, and real Dagster runs over it on a real instance."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg

from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from checks.safety import release_check
from dagster_project.application.overview import CandidateOverview, candidate_history
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.partitions import INCIDENTS
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
