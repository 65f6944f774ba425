"""Closing work: one round of the worker that propagates dispositions.

Belongs here: verifying events that wait, taking a lease on a plan, and trying each of its steps that is due. Whoever
calls this (the command line, Dagster) knows nothing of it; the truth is in the store alone.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from random import Random

from dagster_project.application.closing_forward import take_step
from dagster_project.application.closing_records import plan_of
from dagster_project.application.closing_systems import Systems
from dagster_project.application.closing_undo import take_back
from dagster_project.application.closing_verifying import verify_admitted
from dagster_project.application.closing_working import LEASE_SECONDS, LeaseLost, Overtaken, Working
from dagster_project.application.workspace import Workspace
from dagster_project.closure.plan import direction_of, next_steps
from dagster_project.closure.states import Direction
from dagster_project.closure.steps import STEPS
from dagster_project.store import closure_leases, closures
from dagster_project.store.closures import PlanRow, StepRow

_LOOKED_AT = 50


@dataclass(frozen=True)
class WorkReport:
    """What a round did: plans worked, and how many events and steps came to which end."""

    plans: int
    outcomes: Mapping[str, int]


def work(
    workspace: Workspace, systems: Systems, *, at_most: int, chance: Random, case: str | None = None
) -> WorkReport:
    """Work one round: events that wait to be verified, then plans with steps that are due.

    An exception that is nobody's outage ends the round and changes nothing: what was begun is probed after the lease
    has run out.

    Args:
        workspace: The deployment.
        systems: The authority, the archive and the targets.
        at_most: The most events, and the most plans, of this round.
        chance: For pauses.
        case: Only what concerns this case; None for all.
    """
    outcomes: Counter[str] = Counter()
    with workspace.store.read() as transaction:
        due = closures.due_events(transaction, workspace.clock.now(), limit=at_most, case_id=case)
    for row in due:
        outcomes[verify_admitted(workspace, systems, row, chance)] += 1
    worked: set[int] = set()
    while len(worked) < at_most:
        working = _claim(workspace, systems, chance, worked, case)
        if working is None:
            break
        worked.add(working.row.plan_id)
        outcomes.update(_work_plan(working))
    return WorkReport(len(worked), dict(sorted(outcomes.items())))


def _claim(
    workspace: Workspace, systems: Systems, chance: Random, worked: Collection[int], case: str | None
) -> Working | None:
    """Take the lease of the plan that is due longest, of those not worked in this round."""
    limit = _LOOKED_AT + len(worked)
    with workspace.store.read() as transaction:
        due = closures.plans_to_work(transaction, workspace.clock.now(), tuple(STEPS), limit=limit, case_id=case)
    for row in due:
        if row.plan_id not in worked and (working := _take(workspace, systems, chance, row)) is not None:
            return working
    return None


def _take(workspace: Workspace, systems: Systems, chance: Random, seen: PlanRow) -> Working | None:
    with workspace.store.begin() as transaction:
        now = workspace.clock.now()
        lease = closure_leases.acquire(transaction, seen.plan_id, now=now, seconds=LEASE_SECONDS)
        row = closures.find_plan(transaction, seen.plan_id)
        if lease is None or row is None:
            return None
        return Working(workspace, systems, chance, lease, row, plan_of(transaction, row))


def _work_plan(working: Working) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    tried: set[str] = set()
    try:
        while (step := _next(working, tried)) is not None:
            tried.add(step.name)
            is_undo = direction_of(working.row.state) is Direction.UNDO
            outcomes[take_back(working, step) if is_undo else take_step(working, step)] += 1
    except LeaseLost:
        outcomes["lease_lost"] += 1
        return outcomes
    except Overtaken:
        outcomes["overtaken"] += 1
    # Not in a `finally`: after a fault of ours the lease runs out by itself, so that no other worker hurries into it.
    with working.workspace.store.begin() as transaction:
        closure_leases.release(transaction, working.lease, now=working.workspace.clock.now())
    return outcomes


def _next(working: Working, tried: Collection[str]) -> StepRow | None:
    """Return the next step that is due and was not tried in this round; None where the plan goes another way now."""
    with working.workspace.store.read() as transaction:
        row = closures.find_plan(transaction, working.row.plan_id)
        steps = closures.steps_of(transaction, working.row.plan_id)
    if row is None or row.state != working.row.state:
        return None
    due = next_steps(working.plan, row.state, steps, working.workspace.clock.now())
    return next((one for one in due if one.name not in tried), None)
