"""Closing work: one round of the worker that propagates dispositions.

Belongs here: verifying events that wait, taking a lease on a plan, and trying each of its steps that is due. Whoever
calls this (the command line, Dagster) knows nothing of it; the truth is in the store alone.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from dagster_project.application.closing_forward import take_step
from dagster_project.application.closing_records import plan_of
from dagster_project.application.closing_systems import Systems
from dagster_project.application.closing_undo import take_back
from dagster_project.application.closing_verifying import claim_event, stored_event, verify_admitted
from dagster_project.application.closing_working import AUTHORITY, LEASE_SECONDS, LeaseLost, Overtaken, Working
from dagster_project.application.workspace import Workspace
from dagster_project.closure.plan import Plan, direction_of, last_to_wake, next_steps
from dagster_project.closure.states import FINISHED, Direction, PlanState
from dagster_project.closure.steps import STEPS
from dagster_project.store import closure_leases, closures
from dagster_project.store.closures import PlanRow, StepRow
from dagster_project.store.transaction import Transaction

_LOOKED_AT: Final = 50
# That a step is finished is committed with the intent of the next one, unless it took this much of the lease.
_SLOW: Final = timedelta(seconds=LEASE_SECONDS / 4)


@dataclass(frozen=True)
class _Look:
    """Where the steps of a plan stand, and until when which systems are left alone.

    While the lease is held nobody else changes a step, so finished ones are followed here and not read again.
    """

    steps: tuple[StepRow, ...]
    left_alone: Mapping[str, datetime]

    def after(self, plan: Plan, finished: StepRow, outcome: str, now: datetime) -> "_Look":
        """Return where the steps stand once one of them is finished; the last one may be due by that."""
        steps = tuple(replace(one, state=outcome) if one == finished else one for one in self.steps)
        last = last_to_wake(plan, [one for one in steps if one.direction == finished.direction])
        return replace(self, steps=tuple(replace(one, next_at=now) if one == last else one for one in steps))


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
            event = stored_event(workspace, claimed)
            outcomes[verify_admitted(workspace, systems, claimed, event, chance)] += 1
    plans = 0
    seen: set[int] = set()
    while plans < at_most and (due := _due_plans(workspace, seen, case)):
        for plan_id in due[: at_most - plans]:
            seen.add(plan_id)
            taken = _take(workspace, systems, chance, plan_id)
            if taken is not None:
                plans += 1
                outcomes.update(_work_plan(*taken))
    return WorkReport(plans, dict(sorted(outcomes.items())))


def _due_plans(workspace: Workspace, seen: Collection[int], case: str | None) -> list[int]:
    """Return the next plans that are due and that nobody works, of those not looked at in this round."""
    limit = _LOOKED_AT + len(seen)
    with workspace.store.read() as transaction:
        due = closures.plans_to_work(transaction, workspace.clock.now(), tuple(STEPS), limit=limit, case_id=case)
    return [row.plan_id for row in due if row.plan_id not in seen]


def _take(workspace: Workspace, systems: Systems, chance: Random, plan_id: int) -> tuple[Working, _Look] | None:
    """Take the lease of a plan and look where it stands; None where another worker was quicker."""
    with workspace.store.read() as transaction:
        if _is_taken(transaction, plan_id, workspace.clock.now()):
            return None
    with workspace.store.begin() as transaction:
        now = workspace.clock.now()
        row = closures.find_plan(transaction, plan_id)
        if row is None or _is_finished(row):
            return None
        lease = closure_leases.acquire(transaction, plan_id, now=now, seconds=LEASE_SECONDS)
        if lease is None:
            return None
        return Working(workspace, systems, chance, lease, row, plan_of(transaction, row)), _look(transaction, row, now)


def _look(transaction: Transaction, row: PlanRow, now: datetime) -> _Look:
    steps = tuple(closures.steps_of(transaction, row.plan_id))
    return _Look(steps, closure_leases.left_alone(transaction, now))


def _is_taken(transaction: Transaction, plan_id: int, now: datetime) -> bool:
    """Tell whether somebody works a plan, or finished it meanwhile; a look before the lock keeps workers apart."""
    row = closures.find_plan(transaction, plan_id)
    return row is None or _is_finished(row) or closure_leases.is_held(transaction, plan_id, now)


def _is_finished(row: PlanRow) -> bool:
    return row.state in {PlanState.COMPLETE, PlanState.REVERTED}


def _work_plan(working: Working, look: _Look) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    try:
        try:
            _take_turns(working, look, outcomes)
        except Overtaken:
            outcomes["overtaken"] += 1
        # After a fault of ours the lease runs out by itself instead, so that no other worker hurries into it.
        working.let_go()
    except LeaseLost:
        outcomes["lease_lost"] += 1
    return outcomes


def _take_turns(working: Working, look: _Look, outcomes: Counter[str]) -> None:
    tried: set[str] = set()
    seen: _Look | None = look
    while seen is not None and (step := _next(working, seen, tried)) is not None:
        tried.add(step.name)
        outcome, seen = _turn(working, seen, step)
        outcomes[outcome] += 1


def _next(working: Working, look: _Look, tried: Collection[str]) -> StepRow | None:
    """Return the next step that is due and was not tried in this round."""
    due = next_steps(working.plan, working.row.state, look.steps, working.workspace.clock.now())
    return next((one for one in due if one.name not in tried), None)


def _turn(working: Working, look: _Look, step: StepRow) -> tuple[str, _Look | None]:
    """Try a step; return what came of it, and where the plan stands then: None where it goes another way now."""
    clock = working.workspace.clock
    begun = clock.now()
    outcome = _try(working, look, step)
    if outcome in FINISHED and clock.now() - begun < _SLOW:
        return outcome, look.after(working.plan, step, outcome, clock.now())
    if working.finished:
        working.keep_finished()
    with working.workspace.store.read() as transaction:
        row = closures.find_plan(transaction, working.row.plan_id)
        goes_on = row is not None and row.state == working.row.state
        return outcome, _look(transaction, working.row, clock.now()) if goes_on else None


def _try(working: Working, look: _Look, step: StepRow) -> str:
    # Neither an undo nor settling what a stopped plan had begun asks the authority.
    systems = {step.target, *([AUTHORITY] if working.row.state == PlanState.OPEN else [])}
    left_alone = [until for system, until in look.left_alone.items() if system in systems]
    if left_alone:
        return working.defer(step, max(left_alone))
    is_undo = direction_of(working.row.state) is Direction.UNDO
    return (take_back if is_undo else take_step)(working, step, look.steps)
