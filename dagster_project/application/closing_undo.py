"""Closing undo: taking back one step of a completion, on an operator's command.

Belongs here: writing back what stood before, only where the target still holds what we wrote, and correcting the
notice. The authority is not asked: it is why there is something to take back. Nothing here writes to it.
"""

from collections.abc import Sequence

from dagster_project.application.closing_effects import EDITED, Prepared, begin, probe_for_good, settle_by_probe
from dagster_project.application.closing_working import Working
from dagster_project.closure.follow_ups import FollowUpKind
from dagster_project.closure.plan import skipped_steps
from dagster_project.closure.states import UNSETTLED, Direction, StepState
from dagster_project.closure.steps import Undo, ValuesRefused, correction_values, restored_values
from dagster_project.closure.targets import Target, TargetFailure
from dagster_project.integrity.documents import read_document
from dagster_project.store.closures import StepRow

_NOT_RESTORABLE = "prior_value_refused"


def take_back(working: Working, step: StepRow, steps: Sequence[StepRow]) -> str:
    """Take one of the steps of a plan back as far as it goes now; return what came of it."""
    target = working.target(step)
    if step.state in UNSETTLED:
        settled = settle_by_probe(working, step, target)
        if settled is not None:
            return settled
    (forward,) = (one for one in steps if one.name == step.name and one.direction == Direction.APPLY)
    try:
        written = _version_written(working, forward, target)
        if written is None:
            return working.finish(step, StepState.ALREADY_COMPLETED)
        if working.plan.definition(step.name).undo is Undo.CORRECT:
            return _correct(working, step, target, steps)
        return _restore(working, step, target, forward, written)
    except TargetFailure as failure:
        return working.postpone(step, failure, step.target, StepState.PENDING)


def _version_written(working: Working, forward: StepRow, target: Target) -> str | None:
    """Return the version that a subject got by what is taken back; None where nothing was written.

    Raises:
        TargetUnavailable: nobody can say.
    """
    if forward.receipt_version is not None:
        return forward.receipt_version
    receipt = probe_for_good(working, forward, target)
    return None if receipt is None else receipt.version


def _correct(working: Working, step: StepRow, target: Target, steps: Sequence[StepRow]) -> str:
    order = [one.name for one in working.plan.steps]
    skipped = sorted(skipped_steps(steps, Direction.UNDO), key=order.index)
    values = correction_values(working.plan.step(step.name), skipped)
    return begin(working, step, target, Prepared(values, expected_version=None, prior=None))


def _restore(working: Working, step: StepRow, target: Target, forward: StepRow, written: str) -> str:
    with working.workspace.store.read() as transaction:
        prior = read_document(transaction.get_sealed(forward.prior_body or ""))
    try:
        values = restored_values(step.target, working.plan.step(step.name).values, prior)
    except ValuesRefused:
        return working.refuse(step, _NOT_RESTORABLE, FollowUpKind.UNDO_REFUSED)
    found = target.read(step.subject)
    if found is not None and all(found.values.get(name) == value for name, value in values.items()):
        return working.finish(step, StepState.ALREADY_COMPLETED)
    if found is None or found.version != written:
        return working.refuse(step, EDITED, FollowUpKind.EDITED_SINCE)
    return begin(working, step, target, Prepared(values, expected_version=written, prior=None))
