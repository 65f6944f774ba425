"""Reports: events for what happened without a run of its own, so that its partition shows it.

Belongs here: turning stored results into Dagster events, after the fact. What may be seen
is what the runs show too.
"""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from assets.shown import Metadata, manifest_metadata, package_metadata
from checks.safety import as_check_result
from checks.standing import STANDING_CHECK, standing_metadata
from dagster_project.application.delta_report import delta_report, outcome_of
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
    report, outcome = delta_report(workspace, rows), outcome_of(finished.checked).value
    common = {
        "lane": dg.MetadataValue.text(refresh.lane.value),
        "revision": dg.MetadataValue.int(refresh.revision),
        "outcome": dg.MetadataValue.text(outcome),
    }

    def materialized(
        asset: dg.AssetsDefinition, digest_name: str, digests: Iterable[str], shown: Metadata
    ) -> dg.AssetMaterialization:
        digest = shown_digest(workspace, *digests)
        metadata = {**common, digest_name: dg.MetadataValue.text(digest), **shown}
        return dg.AssetMaterialization(asset.key, partition=incident, metadata=metadata, tags=_data_version(digest))

    yield materialized(source_snapshot, "snapshot_digest", [refresh.snapshot_digest], {})
    yield materialized(
        service_state_package,
        "content_digest",
        (row.content_digest for row in rows),
        package_metadata(report, incident),
    )
    for result in rule_results(finished.checked):
        shown = as_check_result(result)
        yield _evaluation(result.rule, incident, passed=shown.passed, metadata=shown.metadata)
    if rows and len(manifests) == len(rows):
        yield materialized(release_manifest, "manifest_digest", manifests, manifest_metadata(report))
        lineages = (row.lineage_digest for row in rows)
        yield materialized(package_lineage, "lineage_digest", lineages, {"bridges": dg.MetadataValue.int(len(rows))})


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
