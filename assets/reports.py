"""Reports: events for what happened without a run of its own, so that its partition shows it.

Belongs here: turning stored results into Dagster events, after the fact. Counts, statuses, rule ids and keyed digests
only, as in the runs.
"""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from checks.safety import as_check_result
from checks.standing import STANDING_CHECK, standing_metadata
from dagster_project.application.reporting import VALIDITY_RULE, rule_results, shown_digest
from dagster_project.application.standing import StaleCandidate, Standing
from dagster_project.application.unreported import FinishedRefresh
from dagster_project.application.workspace import Workspace


def events_of_refresh(
    workspace: Workspace, finished: FinishedRefresh
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """Yield what a run of its own would have shown: assets, the result of every release rule, the manifests if any."""
    incident, refresh = finished.refresh.incident, finished.refresh
    rows = [one.row for one in finished.checked]
    manifests = [one.manifest_digest for one in finished.checked if one.manifest_digest is not None]
    common = {"lane": refresh.lane.value, "revision": refresh.revision}

    def materialized(asset: dg.AssetsDefinition, *digests: str, **counts: int) -> dg.AssetMaterialization:
        digest = shown_digest(workspace, *digests)
        return dg.AssetMaterialization(
            asset.key, partition=incident, metadata={**common, **counts, "digest": digest}, tags=_data_version(digest)
        )

    yield materialized(source_snapshot, refresh.snapshot_digest)
    yield materialized(
        service_state_package,
        *(row.content_digest for row in rows),
        bridges=len(rows),
        bridges_with_holds=sum(1 for row in rows if row.outcome.value == "held"),
        bridges_with_manifest=len(manifests),
        holds=sum(row.holds for row in rows),
        contents_changed=sum(1 for row in rows if row.content_changed),
    )
    for result in rule_results(finished.checked):
        shown = as_check_result(result)
        yield _evaluation(result.rule, incident, passed=shown.passed, metadata=shown.metadata)
    if rows and len(manifests) == len(rows):
        yield materialized(release_manifest, *manifests, bridges=len(manifests))
        yield materialized(package_lineage, *(row.lineage_digest for row in rows), bridges=len(rows))


def _data_version(digest: str) -> dict[str, str]:
    return {"dagster/data_version": digest}


def _evaluation(
    rule: str, incident: str, *, passed: bool, metadata: Mapping[str, dg.MetadataValue]
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=service_state_package.key,
        check_name=rule,
        passed=passed,
        metadata=metadata,
        severity=dg.AssetCheckSeverity.ERROR,
        blocking=False,  # nothing comes after it in this run; a blocking one would end the run here
        partition=incident,
    )


def events_of_stale(stale: Iterable[StaleCandidate]) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield one failed check of validity per incident that has gone stale."""
    bridges: dict[str, list[str]] = {}
    for one in stale:
        bridges.setdefault(one.incident, []).append(one.bridge)
    for incident, names in sorted(bridges.items()):
        metadata = {
            "codes": "ended",
            "bridges": ", ".join(sorted(names)),
            "what_to_do": "Have the source confirm or correct what it said; until then nothing of it may be relied on.",
        }
        values = {name: dg.MetadataValue.text(text) for name, text in metadata.items()}
        yield _evaluation(VALIDITY_RULE, incident, passed=False, metadata=values)


def standing_event(found: Standing) -> dg.AssetCheckEvaluation:
    """Return the standing check as an event."""
    return dg.AssetCheckEvaluation(
        asset_key=service_state_package.key,
        check_name=STANDING_CHECK,
        passed=found.in_order,
        metadata=standing_metadata(found),
        severity=dg.AssetCheckSeverity.WARN,
        blocking=False,
    )
