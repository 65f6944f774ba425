"""The code location: everything put together, nothing decided.

Belongs here: `build_definitions`. Nothing is opened and nothing is read but the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets.analytics import analytics_files
from assets.closures import closure_propagation
from checks.analytics import analytics_checks
from checks.closures import closure_checks
from checks.safety import release_check
from checks.standing import no_incident_left_behind
from dagster_project.jobs import (
    REFRESH_ASSETS,
    check_analytics,
    propagate_closure,
    publish_analytics,
    refresh_incident,
    refresh_pending_incidents,
    release_what_is_covered,
    report_refreshes,
)
from dagster_project.schedules import hourly_check_of_analytics
from dagster_project.sensors import (
    due_closures,
    finished_refreshes,
    new_records,
    published_packages,
    stale_candidates,
    unpublished_results,
)
from dagster_project.settings import Settings, read_settings
from resources.workspace import WorkspaceResource


def build_definitions(settings: Settings, resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """Return the definitions of one deployment; `resources` replace the default ones by name."""
    return dg.Definitions(
        assets=[*REFRESH_ASSETS, analytics_files, closure_propagation],
        asset_checks=[release_check, no_incident_left_behind, analytics_checks, closure_checks],
        jobs=[
            refresh_incident,
            refresh_pending_incidents,
            release_what_is_covered,
            report_refreshes,
            propagate_closure,
            publish_analytics,
            check_analytics,
        ],
        sensors=[
            new_records,
            finished_refreshes,
            stale_candidates,
            published_packages,
            unpublished_results,
            due_closures,
        ],
        schedules=[hourly_check_of_analytics],
        resources={"channelsafe": WorkspaceResource(settings), **(resources or {})},
        executor=dg.in_process_executor,
    )


defs = build_definitions(read_settings(os.environ, base=Path(__file__).resolve().parents[1]))
