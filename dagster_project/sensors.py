"""Sensors: new records become run requests, and new results reach the analysts' files.

Belongs here: two bounded ticks. What is pending or unpublished is the store's to say, and what was tried already is
Dagster's; the ticks only ask and pass on.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from dagster_project.application.attempts import Attempts, next_attempt_at
from dagster_project.application.landing import admit_landing
from dagster_project.application.reporting import PendingChange, log_position, pending_changes, unpublished_position
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError
from dagster_project.jobs import publish_analytics, refresh_incident
from dagster_project.partitions import INCIDENTS, incident_partitions
from resources.workspace import WorkspaceResource

# Dagster gives a tick one minute. Files are taken one by one, and what is left by then waits for the next tick.
SECONDS_FOR_LANDING: Final = 20.0
INCIDENTS_PER_TICK: Final = 100
SECONDS_BETWEEN_TICKS: Final = 5
SECONDS_BETWEEN_PUBLICATIONS: Final = 60
PARTITION_TAG: Final = "dagster/partition"
PRIORITY_TAG: Final = "dagster/priority"
REVISION_TAG: Final = "channelsafe/revision"


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
        unread = _admit_dropped_files(channelsafe.workspace)
        pending = pending_changes(channelsafe.workspace, limit=INCIDENTS_PER_TICK)
        position = log_position(channelsafe.workspace)
    except ChannelsafeError as error:
        # A source that cannot be read is not an empty source: nothing is concluded from it.
        return dg.SkipReason(f"nothing could be read: {_reason(error)}")
    if unread is not None:
        context.log.error("the landing folder could not be read: %s", _reason(unread))
    due = list(_due_requests(context.instance, channelsafe.workspace, pending))
    if not due:
        return dg.SkipReason(_why_nothing_is_due(unread, pending))
    names = [request.partition_key for request in due if request.partition_key is not None]
    new = [name for name in names if not context.instance.has_dynamic_partition(INCIDENTS, name)]
    return dg.SensorResult(
        run_requests=due,
        dynamic_partitions_requests=[incident_partitions.build_add_request(new)] if new else [],
        # For people: how far the log had come. The table of pending changes decides, so that none is passed over.
        cursor=str(position),
    )


@dg.sensor(
    job=publish_analytics,
    minimum_interval_seconds=SECONDS_BETWEEN_PUBLICATIONS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a publication of the analysts' files when the store has moved on since the last one.",
)
def unpublished_results(channelsafe: dg.ResourceParam[WorkspaceResource]) -> dg.SensorResult | dg.SkipReason:
    """Ask for one publication of each position of the store; of one that failed, once more every hour."""
    try:
        position = unpublished_position(channelsafe.workspace)
    except ChannelsafeError as error:
        return dg.SkipReason(f"nothing could be read: {_reason(error)}")
    if position is None:
        return dg.SkipReason("the analysts' files are up to date")
    hour = channelsafe.workspace.clock.now().strftime("%Y-%m-%dT%H")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"{position}:{hour}")], cursor=position)


def _admit_dropped_files(workspace: Workspace) -> ChannelsafeError | None:
    """Take in the landing folder for as long as a tick may; return the fault that ended it, if one did.

    A folder that cannot be read keeps nobody in the dark about what was admitted by other ways.
    """
    until = time.monotonic() + SECONDS_FOR_LANDING
    try:
        while admit_landing(workspace, limit=1).delivered and time.monotonic() < until:
            pass
    except ChannelsafeError as error:
        return error
    return None


def _due_requests(
    instance: dg.DagsterInstance, workspace: Workspace, pending: tuple[PendingChange, ...]
) -> Iterator[dg.RunRequest]:
    for change in pending:
        tags = {PARTITION_TAG: change.incident, REVISION_TAG: str(change.revision)}
        newest = instance.get_run_records(dg.RunsFilter(tags=tags), limit=1)
        if not newest:
            yield _request(change, 0)
        elif newest[0].dagster_run.is_finished:
            attempts = Attempts(instance.get_runs_count(dg.RunsFilter(tags=tags)), _ended_at(newest[0]))
            if next_attempt_at(attempts) <= workspace.clock.now():
                yield _request(change, attempts.ended)


def _ended_at(record: dg.RunRecord) -> datetime:
    if record.end_time is None:  # it was cancelled before it started
        return record.update_timestamp.astimezone(UTC)
    return datetime.fromtimestamp(record.end_time, UTC)


def _request(change: PendingChange, attempt: int) -> dg.RunRequest:
    priority = {PRIORITY_TAG: "10"} if change.urgent else {}
    return dg.RunRequest(
        run_key=f"{change.incident}:{change.revision}:{attempt}",
        partition_key=change.incident,
        tags={REVISION_TAG: str(change.revision), **priority},
    )


def _why_nothing_is_due(unread: ChannelsafeError | None, pending: tuple[PendingChange, ...]) -> str:
    if unread is not None:
        return f"the landing folder could not be read: {_reason(unread)}"
    return f"{len(pending)} pending changes have a run or wait for one" if pending else "no pending change"


def _reason(error: ChannelsafeError) -> str:
    return f"{error.what} [{error.code}]"
