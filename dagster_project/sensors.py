"""Sensors: new records become run requests.

Belongs here: one bounded tick. What is pending is the store's to say; the tick only asks and passes on.
"""

import dagster as dg

from dagster_project.application.landing import admit_landing
from dagster_project.application.reporting import PendingChange, log_position, pending_changes
from dagster_project.errors import ChannelsafeError
from dagster_project.jobs import refresh_incident
from dagster_project.partitions import INCIDENTS, incident_partitions
from resources.workspace import WorkspaceResource

FILES_PER_TICK = 50
INCIDENTS_PER_TICK = 100
SECONDS_BETWEEN_TICKS = 5
PRIORITY_TAG = "dagster/priority"


@dg.sensor(
    job=refresh_incident,
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Picks up the landing folder and asks for one run per incident with a pending change.",
)
def new_records(
    context: dg.SensorEvaluationContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.SensorResult | dg.SkipReason:
    """Admit what was dropped, then ask for a refresh of every incident whose records moved."""
    try:
        admit_landing(channelsafe.workspace, limit=FILES_PER_TICK)
        pending = pending_changes(channelsafe.workspace, limit=INCIDENTS_PER_TICK)
        position = log_position(channelsafe.workspace)
    except ChannelsafeError as error:
        # A source that cannot be read is not an empty source: nothing is concluded from it.
        return dg.SkipReason(f"nothing could be read: {error.what} [{error.code}]")
    if not pending:
        return dg.SkipReason("no pending change")
    new = [one.incident for one in pending if not context.instance.has_dynamic_partition(INCIDENTS, one.incident)]
    return dg.SensorResult(
        run_requests=[_request(one) for one in pending],
        dynamic_partitions_requests=[incident_partitions.build_add_request(new)] if new else [],
        cursor=str(position),
    )


def _request(pending: PendingChange) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{pending.incident}:{pending.revision}:{pending.attempt}",
        partition_key=pending.incident,
        tags={PRIORITY_TAG: "10"} if pending.urgent else {},
    )
