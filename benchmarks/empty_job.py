"""The least that a job can be, beside ours in one code location: the baseline of `refresh_latency`.

Belongs here: one asset that does nothing, one job, and one sensor that asks for a run of it per file that it finds.
"""

import dagster as dg

from dagster_project import definitions as ours
from dagster_project.sensors import SECONDS_BETWEEN_TICKS
from resources.workspace import WorkspaceResource

EMPTY_JOB = "empty_job"
FOLDER = "empty_job_triggers"


@dg.asset
def nothing() -> None:
    """Do nothing."""


empty_job = dg.define_asset_job(EMPTY_JOB, selection=[nothing])


@dg.sensor(job=empty_job, minimum_interval_seconds=SECONDS_BETWEEN_TICKS, default_status=dg.DefaultSensorStatus.RUNNING)
def triggers(
    context: dg.SensorEvaluationContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.SensorResult | dg.SkipReason:
    """Ask for one run per file that came into the folder of triggers; their names ascend."""
    folder = channelsafe.settings.home / FOLDER
    known = context.cursor or ""
    names = sorted(path.name for path in folder.iterdir() if path.name > known) if folder.is_dir() else []
    if not names:
        return dg.SkipReason("no file came")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=name) for name in names], cursor=names[-1])


defs = dg.Definitions.merge(
    ours.defs, dg.Definitions(assets=[nothing], jobs=[empty_job], sensors=[triggers], executor=dg.in_process_executor)
)
