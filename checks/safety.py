"""The blocking release check of one incident's candidates.

Belongs here: one partitioned multi-check that judges every candidate and reports rule by rule. The rules are in
`packaging.release_rules`; results are recorded in the store by the application.
"""

import warnings
from collections.abc import Iterator

import dagster as dg

from assets.packages import OUTCOME_TAG, incident_of, service_state_package
from checks.results import proper_results
from dagster_project.application.checks import check_candidates
from dagster_project.application.delta_report import outcome_of
from dagster_project.application.reporting import RuleResult, release_rules, rule_results
from dagster_project.application.unreported import set_run_reported
from dagster_project.partitions import incident_partitions
from resources.workspace import WorkspaceResource

_WHAT_TO_DO = {
    "leak": "Correct the record that holds the name, or the profile that trusts it, and refresh.",
    "lineage": "Run `channelsafe verify`: what is stored does not follow from its records.",
    "not_better_than_source": "Correct the profile's status codes and refresh.",
    "permitted": "Correct the contract record or the profile and refresh.",
    "fresh": "Have the source confirm or correct what it said, then refresh; of `profile_expired`, have a profile with "
    "a later end approved and loaded.",
    "validity": "Refresh the incident.",
}
_ELSE = "This is a fault of the renderer: report it, and show the incident with `channelsafe show`."


def _specs() -> list[dg.AssetCheckSpec]:
    # Partitioned checks are a preview feature; Dagster is pinned exactly for their sake, and tests cover them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _partitioned_specs()


def _partitioned_specs() -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name=name,
            asset=service_state_package,
            blocking=True,
            partitions_def=incident_partitions,
            description=f"{description} When it fails: {_WHAT_TO_DO.get(name, _ELSE)}",
        )
        for name, description in release_rules().items()
    ]


def as_check_result(result: RuleResult) -> dg.AssetCheckResult:
    """Return what operators see of one release rule over the candidates of one incident."""
    return dg.AssetCheckResult(
        check_name=result.rule,
        asset_key=service_state_package.key,
        passed=result.passed,
        metadata={"bridges_checked": result.bridges_checked, **_shown(result)},
    )


def _shown(result: RuleResult) -> dict[str, str]:
    if result.passed:
        return {"what_to_do": "nothing"}
    found = {"codes": result.codes, "bridges": result.bridges, "fields": result.pointers}
    said = {name: ", ".join(values) for name, values in found.items() if values}
    return said | {"what_to_do": _WHAT_TO_DO.get(result.rule, _ELSE)}


@dg.multi_asset_check(specs=_specs(), name="release_check")
def release_check(
    context: dg.AssetCheckExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> Iterator[dg.AssetCheckResult]:
    """Judge every candidate of the incident from its stored bytes."""
    incident = incident_of(context)
    checked = check_candidates(channelsafe.workspace, incident)
    context.instance.add_run_tags(context.run.run_id, {OUTCOME_TAG: outcome_of(checked).value})
    set_run_reported(channelsafe.workspace, incident)
    results = (as_check_result(one) for one in rule_results(checked))
    yield from proper_results(results, names=tuple(release_rules()))
