"""The checks of one case's closures, one per promise of the completion protocol.

Belongs here: showing what `application.closing_invariants` found in the store. No run and no event of Dagster is asked.
"""

import warnings
from collections.abc import Iterator

import dagster as dg

from assets.closures import case_of, closure_propagation
from checks.results import proper_results
from dagster_project.application.closing_promises import PROMISES
from dagster_project.partitions import case_partitions
from resources.workspace import WorkspaceResource

_WHAT_TO_DO = (
    "What is stored of this closure is not as Channelsafe writes it. Stop the workers, run `channelsafe verify` and "
    "`channelsafe audit verify`, and compare the plans named here with the support systems: `channelsafe closure show`."
)


def _specs() -> list[dg.AssetCheckSpec]:
    # Partitioned checks are a preview feature; Dagster is pinned exactly for their sake, and tests cover them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name=name,
                asset=closure_propagation,
                blocking=True,
                partitions_def=case_partitions,
                description=f"{promise} When it fails: {_WHAT_TO_DO}",
            )
            for name, promise in PROMISES.items()
        ]


@dg.multi_asset_check(specs=_specs(), name="closure_checks")
def closure_checks(
    context: dg.AssetCheckExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> Iterator[dg.AssetCheckResult]:
    """Judge every closure of the case from the store."""
    from dagster_project.application.closing_invariants import judge_closures

    found = judge_closures(channelsafe.workspace, case_of(context))
    results = (
        dg.AssetCheckResult(
            check_name=one.name,
            asset_key=closure_propagation.key,
            passed=one.passed,
            metadata={
                "plans_judged": one.plans_judged,
                "codes": ", ".join(one.codes) or "none",
                "plans": ", ".join(map(str, one.plans)) or "none",
                "what_to_do": "nothing" if one.passed else _WHAT_TO_DO,
            },
        )
        for one in found
    )
    yield from proper_results(results, names=tuple(PROMISES))
