"""Jobs: the refresh of one incident, the bulk lane, and the publication for analysts.

Belongs here: which assets run together, the one run that works the bulk lane, and running the refresh in this process
for callers that have a workspace open already. In-process executor: a step process per asset would cost four times
the time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

import dagster as dg

from assets.closures import closure_propagation
from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from assets.releases import released_package
from assets.reports import events_of_refresh, events_of_stale
from checks.analytics import analytics_checks
from checks.safety import release_check
from checks.standing import no_incident_left_behind
from dagster_project.application.lanes import BulkTally, work_bulk_lane
from dagster_project.application.unreported import next_to_report, set_reported, stale_to_report
from dagster_project.application.workspace import Workspace
from dagster_project.partitions import register_incidents
from resources.workspace import OpenedWorkspace, WorkspaceResource

BULK_JOB: Final = "refresh_pending_incidents"
LONGEST_BULK_RUN: Final = timedelta(minutes=10)
REPORT_JOB: Final = "report_refreshes"
LONGEST_REPORT: Final = timedelta(minutes=5)
_INCIDENTS_PER_REPORT: Final = 20
_BATCHES_PER_LINE: Final = 50
REFRESH_ASSETS = (source_snapshot, service_state_package, release_manifest, package_lineage, released_package)

refresh_incident = dg.define_asset_job(
    "refresh_incident",
    # The standing check is about all incidents: a sensor evaluates it.
    selection=dg.AssetSelection.assets(*REFRESH_ASSETS) - dg.AssetSelection.checks(no_incident_left_behind),
    description="Refresh one incident: snapshot, candidates, release check, internal manifests, lineage, and "
    "release of what decisions or policy cover already.",
)


release_what_is_covered = dg.define_asset_job(
    "release_what_is_covered",
    selection=dg.AssetSelection.assets(released_package) - dg.AssetSelection.checks(no_incident_left_behind),
    description="Release to the bridges of one incident what decisions, or the profile's own approval, cover already.",
)


@dg.op(description="Refreshes pending incidents batch by batch, each gated by its stored release check.")
def work_through_pending_incidents(
    context: dg.OpExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> None:
    """Work the bulk lane until nothing is due. Each batch is committed, so that a run that dies loses nothing."""

    def report(tally: BulkTally) -> None:
        if tally.batches % _BATCHES_PER_LINE == 0:
            context.log.info("%d incidents refreshed, %d failed their check", tally.refreshed, tally.failed_check)

    tally = work_bulk_lane(channelsafe.workspace, at_most=LONGEST_BULK_RUN, on_batch=report)
    context.add_output_metadata(asdict(tally))
    if tally.not_refreshed:
        raise dg.Failure(
            f"{tally.not_refreshed} incidents could not be refreshed and will be tried again; "
            "`channelsafe health` names them",
            metadata=asdict(tally),
            allow_retries=False,
        )


@dg.job(
    name=BULK_JOB,
    description="The bulk lane: many pending incidents in one run. The UI is told afterwards, worst first.",
    executor_def=dg.in_process_executor,
)
def refresh_pending_incidents() -> None:
    """One op: batches are committed by the application, not by Dagster."""
    work_through_pending_incidents()


@dg.op(out={}, description="Shows finished refreshes on their partitions: failed checks first, then holds.")
def show_what_went_without_a_run(
    context: dg.OpExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """Yield the events of some incidents, then write down that they are shown; what a dead run left is shown again."""
    workspace = channelsafe.workspace
    until = time.monotonic() + LONGEST_REPORT.total_seconds()
    while time.monotonic() < until:
        stale = stale_to_report(workspace, limit=_INCIDENTS_PER_REPORT)
        finished = next_to_report(workspace, limit=_INCIDENTS_PER_REPORT)
        if not (stale or finished):
            return
        register_incidents(context.instance, [one.refresh.incident for one in finished])
        for one in finished:
            yield from events_of_refresh(workspace, one)
        yield from events_of_stale(stale)
        set_reported(workspace, finished, stale)


@dg.job(
    name=REPORT_JOB,
    description="The UI catching up: refreshes of the bulk lane and by command, and what went stale, worst first.",
    executor_def=dg.in_process_executor,
)
def report_refreshes() -> None:
    """One op. A run, because Dagster keeps one result per check, partition and run: without runs, only the first."""
    show_what_went_without_a_run()


propagate_closure = dg.define_asset_job(
    "propagate_closure",
    selection=dg.AssetSelection.assets(closure_propagation),
    description="Propagate the final dispositions of one case, as far as its systems can be reached.",
)

publish_analytics = dg.define_asset_job(
    "publish_analytics",
    # Without the checks of the files: they load libraries that cost seconds, and publications come every minute.
    selection=dg.AssetSelection.assets("analytics") - dg.AssetSelection.checks(analytics_checks),
    description="Publish the DuckDB files for analysts.",
)

check_analytics = dg.define_asset_job(
    "check_analytics",
    selection=dg.AssetSelection.checks(analytics_checks),
    description="Check the DuckDB files for analysts as they lie there: schemas and expectations.",
)


# Events go to the instance, where the UI shows them; the console belongs to the caller.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class RunOutcome:
    """How a run in this process ended, and which blocking checks did not pass."""

    success: bool
    failed_checks: tuple[str, ...]


@contextmanager
def demo_runner(workspace: Workspace) -> Iterator[Callable[[str], RunOutcome]]:
    """Give a function that refreshes one incident by a real run on the deployment's own Dagster instance."""
    definitions = dg.Definitions(
        assets=list(REFRESH_ASSETS),
        asset_checks=[release_check, no_incident_left_behind],
        jobs=[refresh_incident],
        resources={"channelsafe": OpenedWorkspace(workspace)},
        executor=dg.in_process_executor,
    )
    job = definitions.resolve_job_def("refresh_incident")
    with dg.DagsterInstance.from_config(str(workspace.settings.dagster_home)) as instance:

        def run(incident: str) -> RunOutcome:
            register_incidents(instance, [incident])
            result = job.execute_in_process(
                instance=instance, partition_key=incident, raise_on_error=False, run_config=_QUIET
            )
            failed = [one.check_name for one in result.get_asset_check_evaluations() if not one.passed]
            return RunOutcome(success=result.success, failed_checks=tuple(sorted(failed)))

        yield run
