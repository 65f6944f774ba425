"""The asset of group `releases`: what was released to the bridges of an incident.

Belongs here: reporting releases to Dagster. It holds no rule: launching it releases what policy releases anyway.
"""

import dagster as dg

from assets.packages import OWNERS, incident_of, release_manifest
from dagster_project.application.policy_releases import BridgeStanding, release_by_policy
from dagster_project.application.reporting import shown_digest
from dagster_project.partitions import incident_partitions
from resources.workspace import WorkspaceResource

GROUP = "releases"
_BRIDGES = dg.TableSchema(
    columns=[
        dg.TableColumn("bridge", description="The customer bridge."),
        dg.TableColumn("version", "int", description="The current version; 0 where none is current."),
        dg.TableColumn("kind", description="release, reaffirmation, pull or acknowledgement."),
        dg.TableColumn("under_review", "bool", description="Whether an open item is about what it implies."),
        dg.TableColumn("released_now", "bool", description="Whether this run released it."),
        dg.TableColumn("waits_for", description="Why nothing newer was released, as a code."),
    ]
)


@dg.asset(
    partitions_def=incident_partitions,
    deps=[release_manifest],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"package"},
    code_version="1",
    description="The current version of every bridge's package. A run releases only what decisions, or the profile's "
    "own approval, cover already.",
)
def released_package(
    context: dg.AssetExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.MaterializeResult[None]:
    """Ask policy, and report where every bridge stands."""
    incident = incident_of(context)
    standing = release_by_policy(channelsafe.workspace, incident)
    digest = shown_digest(channelsafe.workspace, *(one.current.statement_digest for one in standing if one.current))
    return dg.MaterializeResult(
        metadata={
            "bridges": len(standing),
            "released_now": sum(one.released_now for one in standing),
            "under_review": sum(one.under_review for one in standing),
            "by_bridge": dg.MetadataValue.table([_record(one) for one in standing], _BRIDGES),
            "show_more": f"channelsafe history {incident}",
        },
        data_version=dg.DataVersion(digest),
    )


def _record(one: BridgeStanding) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "bridge": one.bridge,
            "version": 0 if one.current is None else one.current.version,
            "kind": "" if one.current is None else one.current.kind,
            "under_review": one.under_review,
            "released_now": one.released_now,
            "waits_for": one.waits_for,
        }
    )
