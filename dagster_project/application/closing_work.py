"""Closing work: one round of the worker that propagates dispositions.

Belongs here: verifying events that wait, taking a lease on a plan, and trying each of its steps that is due. Whoever
calls this (the command line, Dagster) knows nothing of it; the truth is in the store alone.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random

from dagster_project.application.closing_forward import take_step
from dagster_project.application.closing_records import plan_of
from dagster_project.application.closing_systems import Systems
from dagster_project.application.closing_undo import take_back
from dagster_project.application.closing_verifying import claim_event, verify_admitted
from dagster_project.application.closing_working import AUTHORITY, LEASE_SECONDS, LeaseLost, Overtaken, Working
from dagster_project.application.workspace import Workspace
from dagster_project.closure.plan import direction_of, next_steps
from dagster_project.closure.states import Direction, PlanState
from dagster_project.closure.steps import STEPS
from dagster_project.store import closure_leases, closures
from dagster_project.store.closures import StepRow
from dagster_project.store.transaction import Transaction

_LOOKED_AT = 50


@dataclass(frozen=True)
class _Turn:
    """A step to be tried now, and until when a system that it needs is left alone."""

    step: StepRow
    left_alone_until: datetime | None


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
        events = closures.due_events(transaction, workspace.clock.now(), limit=at_most, case_id=case)
    for row in events:
        claimed = claim_event(workspace, row)
        if claimed is not None:
            outcomes[verify_admitted(workspace, systems, claimed, chance)] += 1
    plans = 0
    seen: set[int] = set()
    while plans < at_most and (due := _due_plans(workspace, seen, case)):
        for plan_id in due[: at_most - plans]:
            seen.add(plan_id)
            working = _take(workspace, systems, chance, plan_id)
            if working is not None:
                plans += 1
                outcomes.update(_work_plan(working))
    return WorkReport(plans, dict(sorted(outcomes.items())))


def _due_plans(workspace: Workspace, seen: Collection[int], case: str | None) -> list[int]:
    """Return the next plans that are due and that nobody works, of those not looked at in this round."""
    limit = _LOOKED_AT + len(seen)
    with workspace.store.read() as transaction:
        due = closures.plans_to_work(transaction, workspace.clock.now(), tuple(STEPS), limit=limit, case_id=case)
    return [row.plan_id for row in due if row.plan_id not in seen]


def _take(workspace: Workspace, systems: Systems, chance: Random, plan_id: int) -> Working | None:
    """Take the lease of a plan; None where another worker was quicker."""
    with workspace.store.read() as transaction:
        if _is_taken(transaction, plan_id, workspace.clock.now()):
            return None
    with workspace.store.begin() as transaction:
        now = workspace.clock.now()
        row = closures.find_plan(transaction, plan_id)
        if row is None or _is_taken(transaction, plan_id, now):
            return None
        lease = closure_leases.acquire(transaction, plan_id, now=now, seconds=LEASE_SECONDS)
        return None if lease is None else Working(workspace, systems, chance, lease, row, plan_of(transaction, row))


def _is_taken(transaction: Transaction, plan_id: int, now: datetime) -> bool:
    """Tell whether somebody works a plan, or finished it meanwhile; a look before the lock keeps workers apart."""
    row = closures.find_plan(transaction, plan_id)
    is_finished = row is None or row.state in {PlanState.COMPLETE, PlanState.REVERTED}
    return is_finished or closure_leases.is_held(transaction, plan_id, now)


def _work_plan(working: Working) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    tried: set[str] = set()
    try:
        while (turn := _next(working, tried)) is not None:
            tried.add(turn.step.name)
            outcomes[_try(working, turn)] += 1
    except LeaseLost:
        outcomes["lease_lost"] += 1
        return outcomes
    except Overtaken:
        outcomes["overtaken"] += 1
    # Not in a `finally`: after a fault of ours the lease runs out by itself, so that no other worker hurries into it.
    with working.workspace.store.begin() as transaction:
        closure_leases.release(transaction, working.lease, now=working.workspace.clock.now())
    return outcomes


def _try(working: Working, turn: _Turn) -> str:
    if turn.left_alone_until is not None:
        return working.defer(turn.step, turn.left_alone_until)
    is_undo = direction_of(working.row.state) is Direction.UNDO
    return take_back(working, turn.step) if is_undo else take_step(working, turn.step)


def _next(working: Working, tried: Collection[str]) -> _Turn | None:
    """Return the next step that is due and was not tried in this round; None where the plan goes another way now."""
    with working.workspace.store.read() as transaction:
        row = closures.find_plan(transaction, working.row.plan_id)
        if row is None or row.state != working.row.state:
            return None
        now = working.workspace.clock.now()
        due = next_steps(working.plan, row.state, closures.steps_of(transaction, row.plan_id), now)
        step = next((one for one in due if one.name not in tried), None)
        if step is None:
            return None
        # Neither an undo nor settling what a stopped plan had begun asks the authority.
        systems = [step.target, *([AUTHORITY] if row.state == PlanState.OPEN else [])]
        return _Turn(step, closure_leases.left_alone_until(transaction, systems, now))
