"""Sensors: what is pending becomes runs, and what happened without one reaches the operators and the analysts.

Belongs here: bounded ticks. What is pending, unreported, stale or unpublished is the store's to say, and what was
launched already is Dagster's; the ticks only ask and pass on.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from assets.reports import standing_event
from dagster_project.application.attempts import Attempts, next_attempt_at
from dagster_project.application.lanes import PendingChange, bulk_lane_is_worked, due_changes, share_out
from dagster_project.application.policy_releases import keep_published
from dagster_project.application.receiving import receive_landing
from dagster_project.application.reporting import log_position, unpublished_position
from dagster_project.application.standing import standing, sweep_stale
from dagster_project.application.unreported import anything_to_report, refreshes_of_severity_one
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError
from dagster_project.jobs import (
    BULK_JOB,
    LONGEST_REPORT,
    REPORT_JOB,
    propagate_closure,
    publish_analytics,
    refresh_incident,
    refresh_pending_incidents,
    report_refreshes,
)
from dagster_project.partitions import (
    REVISION_TAG,
    case_partitions,
    incident_partitions,
    may_be_case,
    unknown_cases,
    unknown_incidents,
)
from resources.workspace import WorkspaceResource

# Dagster gives a tick one minute. Files are taken one by one, and what is left by then waits for the next tick.
SECONDS_FOR_LANDING: Final = 20.0
INCIDENTS_PER_TICK: Final = 100
# The daemon looks every five seconds. With five here, a look that comes a hundredth too early is passed over, and a
# dropped file waits ten.
SECONDS_BETWEEN_TICKS: Final = 1
SECONDS_BETWEEN_PUBLICATIONS: Final = 60
SECONDS_BETWEEN_REPORTS: Final = 10
SECONDS_BETWEEN_SWEEPS: Final = 60
SECONDS_BETWEEN_ROUNDS: Final = 30
LONGEST_ROUND: Final = timedelta(seconds=20)
SEVERITY_ONE_PER_TICK: Final = 5
SECONDS_BETWEEN_CLOSURES: Final = 5
CASES_PER_TICK: Final = 20
# A case that is due still, or again, gets another run after so long: its last one may have died.
SECONDS_UNTIL_ANOTHER_RUN: Final = 30
TIME_TO_TAKE_THE_LANE: Final = timedelta(seconds=60)
PARTITION_TAG: Final = "dagster/partition"
PRIORITY_TAG: Final = "dagster/priority"
_NOT_STARTED: Final = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]


@dg.sensor(
    jobs=[refresh_incident, refresh_pending_incidents],
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Picks up the landing folder. Up to five pending incidents get runs of their own, more go to the bulk "
    "lane; of severity one the refresh is done already, and its run follows.",
)
def new_records(
    context: dg.SensorEvaluationContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.SensorResult | dg.SkipReason:
    """Admit what was dropped, then ask for the runs that pending changes need."""
    try:
        workspace = channelsafe.workspace
        unread = _admit_dropped_files(workspace)
        pending = due_changes(workspace, limit=INCIDENTS_PER_TICK)
        shares = share_out(pending, bulk_lane_is_worked=bulk_lane_is_worked(workspace))
        followed = list(_runs_that_follow(workspace))
        position = log_position(workspace)
    except ChannelsafeError as error:
        # A source that cannot be read is not an empty source: nothing is concluded from it.
        return dg.SkipReason(f"nothing could be read: {_reason(error)}")
    if unread is not None:
        context.log.error("the landing folder could not be read: %s", _reason(unread))
    due = [*followed, *_single_runs(context.instance, workspace, shares.single)]
    if shares.bulk:
        # A bulk run takes the lane soon after its start; while it works, nothing is shared out to another.
        due.extend(_one_run_of(context.instance, workspace, BULK_JOB, dies_after=TIME_TO_TAKE_THE_LANE))
    if not due:
        return dg.SkipReason(_why_nothing_is_due(unread, pending))
    return dg.SensorResult(
        run_requests=due,
        dynamic_partitions_requests=_unknown_partitions(context.instance, due),
        # For people: how far the log had come. The table of pending changes decides, so that none is passed over.
        cursor=str(position),
    )


@dg.sensor(
    job=report_refreshes,
    minimum_interval_seconds=SECONDS_BETWEEN_REPORTS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run that shows, worst first, what was refreshed without a run of its own or went stale.",
)
def finished_refreshes(
    context: dg.SensorEvaluationContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.SensorResult | dg.SkipReason:
    """Ask for one run that reports, unless one is under way."""
    try:
        workspace = channelsafe.workspace
        waiting = anything_to_report(workspace)
    except ChannelsafeError as error:
        return dg.SkipReason(f"nothing could be read: {_reason(error)}")
    if not waiting:
        return dg.SkipReason("the UI shows everything")
    requests = list(_one_run_of(context.instance, workspace, REPORT_JOB, dies_after=LONGEST_REPORT * 2))
    return dg.SensorResult(run_requests=requests) if requests else dg.SkipReason("a run reports already")


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_SWEEPS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks candidates past their valid_until with no newer one as stale, and counts the incidents that "
    "failed, wait, are overdue or stale.",
)
def stale_candidates(
    _context: dg.SensorEvaluationContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.SensorResult | dg.SkipReason:
    """Sweep and count; the standing check shows the result."""
    try:
        workspace = channelsafe.workspace
        sweep_stale(workspace)
        now = standing(workspace)
    except ChannelsafeError as error:
        return dg.SkipReason(f"nothing could be read: {_reason(error)}")
    return dg.SensorResult(asset_events=[standing_event(now)])


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_ROUNDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the published folder right: pulls, releases and reaffirms what needs nobody, ends what a "
    "process that died left half published, and signs indexes again.",
)
def published_packages(
    context: dg.SensorEvaluationContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.SkipReason:
    """Go one round. It asks for no run: what is current shows on the asset of each incident's next run."""
    try:
        kept = keep_published(channelsafe.workspace, at_most=LONGEST_ROUND)
    except ChannelsafeError as error:
        return dg.SkipReason(f"nothing could be published: {_reason(error)}")
    if kept.failed:
        context.log.error("%d packages could not be kept right: %s", len(kept.failed), sorted({*kept.failed.values()}))
    return dg.SkipReason(f"{kept.asked} incidents asked, {kept.renewed} indexes signed again")


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


@dg.sensor(
    job=propagate_closure,
    minimum_interval_seconds=SECONDS_BETWEEN_CLOSURES,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run of each case with an event to be verified, or a step to be tried, that no worker has.",
)
def due_closures(
    context: dg.SensorEvaluationContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.SensorResult | dg.SkipReason:
    """Ask for runs by what the store says is due; a run too many finds nothing to do."""
    # Not with the code location: closures cost its start tens of milliseconds.
    from dagster_project.application.closing_due import due_cases

    if channelsafe.settings.support_systems is None:
        return dg.SkipReason("no support systems are named")
    try:
        workspace = channelsafe.workspace
        due = due_cases(workspace, limit=CASES_PER_TICK, after=int(context.cursor or 0))
    except ChannelsafeError as error:
        return dg.SkipReason(f"nothing could be read: {_reason(error)}")
    shown = [one for one in due if may_be_case(one.case)]
    if len(shown) < len(due):
        context.log.error("%d cases can be no partitions: `channelsafe closure work` does them", len(due) - len(shown))
    if not due:
        return dg.SkipReason("no closure is due")
    turn = int(workspace.clock.now().timestamp()) // SECONDS_UNTIL_ANOTHER_RUN
    unknown = unknown_cases(context.instance, (one.case for one in shown))
    return dg.SensorResult(
        run_requests=[dg.RunRequest(f"event-{one.event_number}:{turn}", partition_key=one.case) for one in shown],
        dynamic_partitions_requests=[case_partitions.build_add_request(unknown)] if unknown else [],
        # The next tick goes on from here, so that cases which are due again and again keep no others waiting.
        cursor=str(due[-1].event_number),
    )


def _admit_dropped_files(workspace: Workspace) -> ChannelsafeError | None:
    """Take in the landing folder for as long as a tick may; return the fault that ended it, if one did.

    A folder that cannot be read keeps nobody in the dark about what was admitted by other ways.
    """
    until = time.monotonic() + SECONDS_FOR_LANDING
    try:
        while receive_landing(workspace, limit=1).admission.delivered and time.monotonic() < until:
            pass
    except ChannelsafeError as error:
        return error
    return None


def _runs_that_follow(workspace: Workspace) -> Iterator[dg.RunRequest]:
    """Ask for the runs that show refreshes of severity one; they find the refresh done and make no other."""
    for refresh in refreshes_of_severity_one(workspace, limit=SEVERITY_ONE_PER_TICK):
        yield dg.RunRequest(
            run_key=f"{refresh.incident}:{refresh.revision}:follows",
            job_name=refresh_incident.name,
            partition_key=refresh.incident,
            tags={REVISION_TAG: str(refresh.revision), PRIORITY_TAG: "20"},
        )


def _single_runs(
    instance: dg.DagsterInstance, workspace: Workspace, changes: tuple[PendingChange, ...]
) -> Iterator[dg.RunRequest]:
    for change in changes:
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
        job_name=refresh_incident.name,
        partition_key=change.incident,
        tags={REVISION_TAG: str(change.revision), **priority},
    )


def _one_run_of(
    instance: dg.DagsterInstance, workspace: Workspace, job: str, *, dies_after: timedelta
) -> Iterator[dg.RunRequest]:
    """Ask for a run of `job`, unless one is under way.

    One that started longer ago than `dies_after` and is still wanted died, whatever Dagster thinks of it.
    """
    of_this_job = dg.RunsFilter(job_name=job)
    newest = instance.get_run_records(of_this_job, limit=1)
    if newest and newest[0].dagster_run.status in _NOT_STARTED:
        return
    if newest and newest[0].dagster_run.status is dg.DagsterRunStatus.STARTED:
        started = datetime.fromtimestamp(newest[0].start_time or 0, UTC)
        if workspace.clock.now() - started < dies_after:
            return
    yield dg.RunRequest(run_key=f"{job}:{instance.get_runs_count(of_this_job)}", job_name=job)


def _unknown_partitions(
    instance: dg.DagsterInstance, requests: list[dg.RunRequest]
) -> list[dg.AddDynamicPartitionsRequest]:
    unknown = unknown_incidents(instance, (one.partition_key for one in requests if one.partition_key is not None))
    return [incident_partitions.build_add_request(unknown)] if unknown else []


def _why_nothing_is_due(unread: ChannelsafeError | None, pending: tuple[PendingChange, ...]) -> str:
    if unread is not None:
        return f"the landing folder could not be read: {_reason(unread)}"
    return f"{len(pending)} pending changes have a run or wait for one" if pending else "no pending change"


def _reason(error: ChannelsafeError) -> str:
    return f"{error.what} [{error.code}]"
