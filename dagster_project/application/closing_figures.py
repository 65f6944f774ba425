"""Closing figures: what Dagster may show of the closures of one case: counts, states, codes and a keyed digest.

Belongs here: the summary that an asset attaches as metadata. No identifier of another system leaves through here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dagster_project.application.closing_overview import StepOverview, closure_overview
from dagster_project.application.reporting import shown_digest
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.digests import digest_of


@dataclass(frozen=True)
class StepFigures:
    """Where one step of a plan stands; `last_error` is a code."""

    plan: int
    direction: str
    step: str
    state: str
    attempts: int
    last_error: str


@dataclass(frozen=True)
class CaseFigures:
    """Where the closures of a case stand: counts by state, and follow-ups that are open by kind."""

    events: Mapping[str, int]
    plans: Mapping[str, int]
    steps: tuple[StepFigures, ...]
    open_follow_ups: Mapping[str, int]
    shown_digest: str


def case_figures(workspace: Workspace, case: str) -> CaseFigures:
    """Return where the closures of a case stand.

    Raises:
        UsageError: no event ever told of this case.
    """
    found = closure_overview(workspace, case)
    steps = tuple(_step(plan.plan, one) for plan in found.plans for one in plan.steps)
    states = [[plan.plan, plan.state] for plan in found.plans] + [
        [one.plan, one.direction, one.step, one.state] for one in steps
    ]
    waiting = (one.kind for one in found.follow_ups if one.resolved_at is None)
    return CaseFigures(
        events=_counted(one.state for one in found.events),
        plans=_counted(one.state for one in found.plans),
        steps=steps,
        open_follow_ups=_counted(waiting),
        shown_digest=shown_digest(workspace, digest_of(states)),
    )


def _step(plan: int, one: StepOverview) -> StepFigures:
    return StepFigures(plan, one.direction, one.step, one.state, one.attempts, one.last_error or "")


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
