"""The standing check: whether any incident is left behind.

Belongs here: showing what `application.standing` counted, by hand in the UI or as an event of the sensor. It blocks
nothing: it is there so that silence is never taken for success.
"""

from collections.abc import Mapping
from typing import Final

import dagster as dg

from assets.packages import service_state_package
from dagster_project.application.standing import EndingProfile, Standing, standing
from resources.workspace import WorkspaceResource

STANDING_CHECK: Final = "no_incident_left_behind"
_WHAT_TO_DO: Final = (
    "- **failed**: the newest package did not pass its release check; the check on the incident's partition names the "
    "rule.\n- **overdue**: a change waits for more than five minutes; look at daemon, queue and bulk lane.\n"
    "- **stale**: nothing new was said before the data's age limit; have the source confirm or correct it.\n"
    "- **profiles ending**: have one with a later end approved; once a profile has expired, only the fast "
    "acknowledgement leaves under it. The check fails from 7 days before.\n"
    "- **files left**: nobody picks up the landing folder; look at the daemon or `channelsafe receive`.\n\n"
    "`channelsafe health` gives the same figures without Dagster."
)


def standing_metadata(found: Standing) -> Mapping[str, dg.MetadataValue]:
    """Return what the check shows: counts, names of at most 20 incidents, and what to do."""
    since = found.oldest_pending_since
    return {
        "failed": dg.MetadataValue.int(found.failed),
        "waiting": dg.MetadataValue.int(found.waiting),
        "overdue": dg.MetadataValue.int(found.overdue),
        "stale": dg.MetadataValue.int(found.stale),
        "files_left_in_the_landing_folder": dg.MetadataValue.int(found.undelivered),
        "not_shown_yet": dg.MetadataValue.int(found.unreported),
        "oldest_pending_since": dg.MetadataValue.text("none" if since is None else since.isoformat()),
        "profiles_ending": dg.MetadataValue.text("; ".join(map(_ending, found.ending)) or "none"),
        "worst": dg.MetadataValue.text(", ".join(found.worst) or "none"),
        "what_to_do": dg.MetadataValue.md("nothing" if found.in_order else _WHAT_TO_DO),
    }


def _ending(one: EndingProfile) -> str:
    within = "expired" if one.expired else f"within {one.within_days} days"
    return f"{one.name} {one.profile_digest[:19]}, {within}: {one.ends.isoformat()}"


@dg.asset_check(
    asset=service_state_package,
    name=STANDING_CHECK,
    blocking=False,
    description="No incident's newest package failed its check or went stale, no change waits for more than five "
    "minutes, and no profile in use ends within seven days. A sensor evaluates it every minute. When it fails: see "
    "what_to_do in its result, and begin with the incidents named as worst.",
)
def no_incident_left_behind(channelsafe: dg.ResourceParam[WorkspaceResource]) -> dg.AssetCheckResult:
    """Count the incidents that are not in order."""
    found = standing(channelsafe.workspace)
    return dg.AssetCheckResult(
        passed=found.in_order, severity=dg.AssetCheckSeverity.WARN, metadata=standing_metadata(found)
    )
