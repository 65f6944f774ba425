"""Schedules: what is looked at now and then, whether or not anything happened.

Belongs here: when. What is looked at is in `jobs` and `checks`.
"""

import dagster as dg

from dagster_project.application.analytics import published_position
from dagster_project.errors import ChannelsafeError
from dagster_project.jobs import check_analytics
from resources.workspace import WorkspaceResource


@dg.schedule(
    job=check_analytics,
    cron_schedule="17 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour, checks the analysts' files as they lie there.",
)
def hourly_check_of_analytics(
    channelsafe: dg.ResourceParam[WorkspaceResource],
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a check, unless nothing was ever published."""
    try:
        position = published_position(channelsafe.workspace)
    except ChannelsafeError as error:
        return dg.SkipReason(f"nothing could be read: {error.code}")
    return dg.RunRequest() if position else dg.SkipReason("nothing has been published yet")
