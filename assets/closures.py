"""The asset of group `closures`: the closures of one case, as far as they can be propagated now.

Belongs here: calling the worker for that case, and showing where its steps stand. Everything that matters is in the
store: a run that dies, or is launched twice, changes nothing about what is done.
"""

from dataclasses import asdict
from random import SystemRandom

import dagster as dg

from assets.packages import OWNERS
from dagster_project.errors import UsageError
from dagster_project.partitions import case_partitions
from resources.workspace import WorkspaceResource

GROUP = "closures"
PLANS_PER_RUN = 10
_STEPS = dg.TableSchema(
    columns=[
        dg.TableColumn("plan", "int", description="The plan, counted over all cases."),
        dg.TableColumn("direction", description="apply, or undo after a revert."),
        dg.TableColumn("step", description="The step of the closure."),
        dg.TableColumn("state", description="Where it stands."),
        dg.TableColumn("attempts", "int", description="How often it was tried."),
        dg.TableColumn("last_error", description="Why it did not go through the last time, as a code."),
    ]
)


def case_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """Return the case that a run is about.

    Raises:
        UsageError: the run is over a range of cases.
    """
    if context.has_partition_key:
        case: str = context.partition_key
        return case
    raise UsageError(
        "one_case_per_run",
        what="a run propagates the closures of exactly one case, and this one is over a range",
        where=f"run {context.run.run_id}",
        what_to_do="Launch a run for each case, or run `channelsafe closure work --once` for all that are due.",
    )


@dg.asset(
    partitions_def=case_partitions,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"closure"},
    code_version="1",
    description="The final dispositions of one case, propagated to the support systems step by step, each effect at "
    "most once. What does not agree with the source record is stopped and waits as a follow-up.",
)
def closure_propagation(
    context: dg.AssetExecutionContext, channelsafe: dg.ResourceParam[WorkspaceResource]
) -> dg.MaterializeResult[None]:
    """Work one round for this case, as `channelsafe closure work --once` does for all."""
    # Not with the code location: closures cost its start tens of milliseconds.
    from dagster_project.application.closing_figures import case_figures
    from dagster_project.application.closing_work import work

    workspace, case = channelsafe.workspace, case_of(context)
    report = work(workspace, channelsafe.systems, at_most=PLANS_PER_RUN, chance=SystemRandom(), case=case)
    found = case_figures(workspace, case)
    return dg.MaterializeResult(
        metadata={
            "plans_worked": report.plans,
            "outcomes": dict(report.outcomes),
            "events": dict(found.events),
            "plans": dict(found.plans),
            "open_follow_ups": dict(found.open_follow_ups),
            "by_step": dg.MetadataValue.table([dg.TableRecord(asdict(one)) for one in found.steps], _STEPS),
            "show_more": f"channelsafe closure show {case}",
        },
        data_version=dg.DataVersion(found.shown_digest),
    )
