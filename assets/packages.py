"""Assets of group `packages`: from the record log to checked candidates of one incident.

Belongs here: one asset per step of a refresh, with metadata that operators may see. Metadata carries counts, statuses,
keyed digests, and of what changed only values that passed their release check.
"""

import dagster as dg

from assets.shown import manifest_metadata, package_metadata
from dagster_project.application.candidates import render_candidates
from dagster_project.application.checks import write_manifests
from dagster_project.application.delta_report import RefreshOutcome, delta_report, outcome_of
from dagster_project.application.reporting import lineage_summary, shown_digest
from dagster_project.application.snapshots import Lane, continue_or_take_snapshot, take_snapshot
from dagster_project.errors import UnsafeOrRejected, UsageError
from dagster_project.partitions import REVISION_TAG, incident_partitions
from resources.workspace import WorkspaceResource

GROUP = "packages"
OWNERS = ["team:support-operations"]
OUTCOME_TAG = "outcome"


def incident_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """Return the incident that a run is about.

    Raises:
        UsageError: the run is over a range of incidents; each is gated in a run of its own.
    """
    if context.has_partition_key:
        incident: str = context.partition_key
        return incident
    raise UsageError(
        "one_incident_per_run",
        what="a run refreshes exactly one incident, and this one is over a range",
        where=f"run {context.run.run_id}",
        what_to_do="Launch a run for each incident, or leave what is pending to the job refresh_pending_incidents.",
    )


@dg.asset(
    partitions_def=incident_partitions,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"snapshot"},
    code_version="1",
    description="The latest admissible record versions of the incident, pinned, with conflicts and what was rejected.",
)
def source_snapshot(
    context: dg.AssetExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.MaterializeResult[None]:
    """Pin what is known of the incident and start a refresh."""
    incident, revision = incident_of(context), context.run.tags.get(REVISION_TAG)
    if revision is None:
        taken = take_snapshot(channelsafe.workspace, incident, lane=Lane.SINGLE)
    else:
        taken = continue_or_take_snapshot(channelsafe.workspace, incident, int(revision))
    digest = shown_digest(channelsafe.workspace, taken.refresh.snapshot_digest)
    return dg.MaterializeResult(
        metadata={
            "records": taken.records,
            "conflicts": taken.conflicts,
            "rejected_inputs": taken.rejected,
            "lagging_sources": taken.lagging,
            "revision": taken.refresh.revision,
            "snapshot_digest": digest,
        },
        data_version=dg.DataVersion(digest),
    )


@dg.asset(
    partitions_def=incident_partitions,
    deps=[source_snapshot],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"package"},
    code_version="1",
    description="One candidate package per customer bridge, with annexes that stay inside. Not released, not readable "
    "by customers.",
)
def service_state_package(
    context: dg.AssetExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.MaterializeResult[None]:
    """Render a candidate for every bridge of the incident."""
    incident = incident_of(context)
    rows = render_candidates(channelsafe.workspace, incident)
    digest = shown_digest(channelsafe.workspace, *(row.content_digest for row in rows))
    report = delta_report(channelsafe.workspace, rows)
    return dg.MaterializeResult(
        metadata={"content_digest": digest, **package_metadata(report, incident)},
        data_version=dg.DataVersion(digest),
    )


@dg.asset(
    partitions_def=incident_partitions,
    deps=[service_state_package],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"manifest"},
    code_version="1",
    description="The internal manifest of every candidate: digests, pins, profile, what is held and withheld. Refuses "
    "without a passed release check of exactly these bytes, whatever run it is launched in.",
)
def release_manifest(
    context: dg.AssetExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.MaterializeResult[None]:
    """Verify the release check of every candidate, or derive it, and refuse what did not pass."""
    run, workspace = context.run.run_id, channelsafe.workspace
    try:
        checked = write_manifests(workspace, incident_of(context))
    except UnsafeOrRejected:
        context.instance.add_run_tags(run, {OUTCOME_TAG: RefreshOutcome.FAILED_CHECK.value})
        raise
    outcome = outcome_of(checked).value
    context.instance.add_run_tags(run, {OUTCOME_TAG: outcome})
    digest = shown_digest(workspace, *(str(one.manifest_digest) for one in checked))
    report = delta_report(workspace, [one.row for one in checked])
    return dg.MaterializeResult(
        metadata={"outcome": outcome, "manifest_digest": digest, **manifest_metadata(report)},
        data_version=dg.DataVersion(digest),
    )


@dg.asset(
    partitions_def=incident_partitions,
    deps=[service_state_package],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"lineage"},
    code_version="1",
    description="For every leaf of every candidate the record versions and the rule behind it; `channelsafe explain` "
    "shows them.",
)
def package_lineage(
    context: dg.AssetExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.MaterializeResult[None]:
    """Report the lineage that was stored with the candidates."""
    incident = incident_of(context)
    summary = lineage_summary(channelsafe.workspace, incident)
    return dg.MaterializeResult(
        metadata={
            "bridges": summary.bridges,
            "leaves": summary.leaves,
            "inputs": summary.inputs,
            "leaves_on_hold": summary.holds,
            "show_more": f"channelsafe explain {incident} BRIDGE",
            "lineage_digest": summary.shown_digest,
        },
        data_version=dg.DataVersion(summary.shown_digest),
    )
