"""Closing working: what every step of a plan under work needs, each write in a commit under the lease.

Belongs here: the lease checked in the committing transaction, rows changed only while they stand where they were read,
trying again later, handing to people. Kept in memory is only that a step is finished, until the next commit: a worker
that dies with it leaves an intent, and the next one asks the target.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any, Final

from dagster_project.application.closing_pauses import (
    MOST_ATTEMPTS,
    MOST_FAILURES,
    named_pause,
    pause_after,
    time_left_alone,
)
from dagster_project.application.closing_records import (
    end_follow_ups_of_step,
    findings_evidence,
    hand_over_plan,
    known_code,
    move_plan_on,
    write_entry,
)
from dagster_project.application.closing_systems import Systems
from dagster_project.application.workspace import Workspace
from dagster_project.closure.follow_ups import KIND_OF, FollowUpKind
from dagster_project.closure.plan import Plan
from dagster_project.closure.states import Direction, PlanState, StepState
from dagster_project.closure.targets import Target, TargetFailure
from dagster_project.closure.verification import Finding, standing_of
from dagster_project.errors import Unavailable
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.store import closure_leases, closures
from dagster_project.store.audit import AuditAction
from dagster_project.store.closure_leases import PlanLease
from dagster_project.store.closures import PlanRow, StepRow
from dagster_project.store.transaction import Transaction

# A worker renews its lease with every commit; one that died or froze is replaced after this long.
LEASE_SECONDS: Final = 120
# The circuit breaker of the case-review system and the archive, which are read together.
AUTHORITY: Final = "authority"


class LeaseLost(Exception):
    """Another worker may have the plan: nothing is written any more."""


class Overtaken(Exception):
    """An operator or another worker changed what was to be changed: the plan is read again in another round."""


@dataclass(frozen=True)
class _Finished:
    """A step as it stood in the store, and what its row is to say now that it is finished."""

    step: StepRow
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Working:
    """One plan under work by one worker.

    `finished` is what the next commit takes along, `answered` are the systems whose failures are forgotten at the end.
    """

    workspace: Workspace
    systems: Systems
    chance: Random
    lease: PlanLease
    row: PlanRow
    plan: Plan
    finished: list[_Finished] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)

    @contextmanager
    def commit(self) -> Iterator[tuple[Transaction, datetime]]:
        """A transaction that commits only while the lease is held, and prolongs it. It takes finished steps along.

        Raises:
            LeaseLost: the lease expired, or another worker has the plan.
            Overtaken: a finished step does not stand where it stood when it was read.
        """
        with self.workspace.store.begin() as transaction:
            now = self.workspace.clock.now()
            if not closure_leases.renew(transaction, self.lease, now=now, seconds=LEASE_SECONDS):
                raise LeaseLost
            self._write_finished(transaction, now)
            yield transaction, now
        self.finished.clear()

    def _write_finished(self, transaction: Transaction, now: datetime) -> None:
        for one in self.finished:
            step = self.change(transaction, one.step, finished_at=now, **one.values)
            # Whoever is told of a step is told when it is first held up.
            if step.first_held_up_at is not None:
                end_follow_ups_of_step(transaction, self.row.plan_id, step.name, now)

    def keep_finished(self) -> None:
        """Commit that steps are finished, and the plan with the last of them.

        Raises:
            LeaseLost: as of every commit.
            Overtaken: as of every commit.
        """
        with self.commit() as (transaction, now):
            move_plan_on(transaction, self.row.plan_id, self.plan, now)

    def let_go(self) -> None:
        """Commit what is finished, and give the lease back.

        Raises:
            LeaseLost: as of every commit.
            Overtaken: as of every commit.
        """
        with self.commit() as (transaction, now):
            closure_leases.note_success(transaction, self.answered)
            move_plan_on(transaction, self.row.plan_id, self.plan, now)
            closure_leases.release(transaction, self.lease, now=now)

    def change(self, transaction: Transaction, step: StepRow, **values: Any) -> StepRow:  # noqa: ANN401 - columns
        """Change a step and return it as it is then.

        Raises:
            Overtaken: it does not stand where it stood when it was read.
        """
        if not closures.change_step(transaction, step, **values):
            raise Overtaken
        return replace(step, **values)

    def require_same_plan(self, transaction: Transaction) -> None:
        """Go on only if nobody stopped, reverted or resumed the plan since it was read.

        Raises:
            Overtaken: somebody did.
        """
        now = closures.find_plan(transaction, self.row.plan_id)
        if now is None or now.state != self.row.state:
            raise Overtaken

    def target(self, step: StepRow) -> Target:
        """Return the target of a step.

        Raises:
            Unavailable: the settings name none of that name.
        """
        found = self.systems.targets.get(step.target)
        if found is None:
            raise Unavailable(
                "target_not_configured",
                what="a closure needs a target that is not among the support systems",
                where=f"target {step.target}",
                what_to_do="Add its adapter. Nothing was changed.",
            )
        return found

    def defer(self, step: StepRow, until: datetime) -> str:
        """Try a step no sooner than a system may be called again; that is no attempt."""
        with self.commit() as (transaction, now):
            self.change(transaction, step, next_at=until, first_held_up_at=step.first_held_up_at or now)
        return "deferred"

    def postpone(self, step: StepRow, failure: TargetFailure, system: str, state: StepState) -> str:
        """Try a step again after a pause, because a system could not be used; it stands in `state` until then."""
        with self.commit() as (transaction, now):
            until = now + named_pause(getattr(failure, "after", None))
            self.answered.discard(system)
            if closure_leases.note_failure(transaction, system) >= MOST_FAILURES:
                until = max(until, now + time_left_alone(self.chance))
                closure_leases.leave_alone(transaction, system, until)
            self.again(transaction, step, known_code(failure.code), state, now, no_sooner=until)
        return "postponed"

    def again(
        self,
        transaction: Transaction,
        step: StepRow,
        code: str,
        state: StepState,
        now: datetime,
        *,
        no_sooner: datetime,
        kind: FollowUpKind = FollowUpKind.ATTEMPTS_EXHAUSTED,
        **values: Any,  # noqa: ANN401 - columns
    ) -> None:
        """Have a step tried again; after many attempts a person is told."""
        # An attempt that committed its intent was counted with it.
        attempts = step.attempts + (step.state != StepState.INTENT)
        next_at = max(now + pause_after(attempts, self.chance), no_sooner)
        held_up = {"last_error": code, "first_held_up_at": step.first_held_up_at or now}
        self.change(transaction, step, state=state.value, attempts=attempts, next_at=next_at, **held_up, **values)
        if attempts >= MOST_ATTEMPTS:
            hand_over_plan(transaction, kind, self.row, {"code": code}, now, step=step.name)

    def refuse(self, step: StepRow, code: str, kind: FollowUpKind, **received: str) -> str:
        """Have a step wait for a person, because trying again would not help; a receipt that it got is kept."""
        with self.commit() as (transaction, now):
            values = {"state": StepState.REFUSED.value, "next_at": None, "last_error": known_code(code)}
            held_up = step.first_held_up_at or now
            self.change(transaction, step, first_held_up_at=held_up, **values, **received)
            hand_over_plan(transaction, kind, self.row, {"code": known_code(code)}, now, step=step.name)
        return "refused"

    def finish(self, step: StepRow, state: StepState, **values: Any) -> str:  # noqa: ANN401 - columns
        """Finish a step with the next commit."""
        # A step forward is finished only after the authority answered; an undo does not ask it.
        self.answered.update([step.target, *([AUTHORITY] if step.direction == Direction.APPLY else [])])
        self.finished.append(_Finished(step, {"state": state.value, "next_at": None, "last_error": None, **values}))
        return state.value

    def stop(self, findings: tuple[Finding, ...]) -> str:
        """Stop the plan: the rest is not begun, nothing is undone, and a person is told what was applied."""
        standing = standing_of(findings)
        with self.commit() as (transaction, now):
            if not closures.change_plan(transaction, self.row, state=PlanState.STOPPED.value):
                raise Overtaken
            evidence = findings_evidence(findings)
            hand_over_plan(transaction, KIND_OF[standing], self.row, evidence, now)
            subject = f"closure/{self.row.case_id}/plan/{self.row.plan_id}"
            write_entry(transaction, AuditAction.CLOSURE_STOPPED, subject, canonical_bytes(evidence), now)
        return "stopped"
