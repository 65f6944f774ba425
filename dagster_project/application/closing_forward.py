"""Closing forward: one step of a completion, after the authority was read again.

Belongs here: deciding what a step writes now, and whether it may. The effect itself is `closing_effects`.
"""

from collections.abc import Mapping, Sequence

from dagster_project.application.closing_effects import Prepared, begin, settle_by_probe
from dagster_project.application.closing_verifying import read_authority
from dagster_project.application.closing_working import AUTHORITY, Working
from dagster_project.closure.plan import skipped_steps
from dagster_project.closure.states import UNSETTLED, Direction, PlanState, StepState
from dagster_project.closure.steps import IDENTITY_FIELDS, Values, notice_values
from dagster_project.closure.targets import SubjectState, Target, TargetFailure
from dagster_project.closure.verification import Difference, Finding, references_of, verify_plan
from dagster_project.store.closures import StepRow


def take_step(working: Working, step: StepRow, steps: Sequence[StepRow]) -> str:
    """Take one of the steps of a plan forward as far as it goes now; return what came of it."""
    target = working.target(step)
    if step.state in UNSETTLED:
        settled = settle_by_probe(working, step, target)
        if settled is not None:
            return settled
        if working.row.state == PlanState.STOPPED:
            return _forget_intent(working, step)
    return _verify(working, step, target, steps)


def _forget_intent(working: Working, step: StepRow) -> str:
    """Say of a plan that is stopped that a step which was begun had no effect."""
    with working.commit() as (transaction, _now):
        working.change(transaction, step, state=StepState.PENDING.value, next_at=None)
    return "had_no_effect"


def _verify(working: Working, step: StepRow, target: Target, steps: Sequence[StepRow]) -> str:
    pinned = working.plan.disposition
    # A step that was begun and certainly had no effect is as if it never had been.
    state = StepState.PENDING
    try:
        found = read_authority(working.systems, pinned.case, references_of(pinned))
    except TargetFailure as failure:
        return working.postpone(step, failure, AUTHORITY, state)
    findings = verify_plan(pinned, found.record, found.archived)
    if findings:
        return working.stop(findings)
    try:
        subject = target.read(step.subject)
    except TargetFailure as failure:
        return working.postpone(step, failure, step.target, state)
    findings = _subject_findings(working, step, subject)
    return working.stop(findings) if findings else _write(working, step, target, _values(working, step, steps), subject)


def _subject_findings(working: Working, step: StepRow, subject: SubjectState | None) -> tuple[Finding, ...]:
    """Find fault with a subject that the target does not have, or that says it is another's."""
    if subject is None:
        makes_it = working.plan.definition(step.name).makes_subject
        return () if makes_it else (Finding(Difference.SUBJECT_MISSING, step.target),)
    pinned = working.plan.disposition
    return tuple(
        Finding(Difference.SUBJECT_OF_ANOTHER, f"{step.target}.{name}", expected=getattr(pinned, name))
        for name in IDENTITY_FIELDS
        if subject.values.get(name) not in {None, getattr(pinned, name)}
    )


def _write(
    working: Working, step: StepRow, target: Target, values: Mapping[str, object], subject: SubjectState | None
) -> str:
    if subject is not None and all(subject.values.get(name) == value for name, value in values.items()):
        return working.finish(step, StepState.ALREADY_COMPLETED)
    prior = {name: None if subject is None else subject.values.get(name) for name in values}
    version = None if subject is None else subject.version
    return begin(working, step, target, Prepared(values, version, prior))


def _values(working: Working, step: StepRow, steps: Sequence[StepRow]) -> Values:
    planned = working.plan.step(step.name)
    if not working.plan.definition(step.name).is_last:
        return planned.values
    order = [one.name for one in working.plan.steps]
    skipped = sorted(skipped_steps(steps, Direction.APPLY), key=order.index)
    return notice_values(planned, skipped)
