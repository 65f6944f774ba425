"""Closing effects: one effect on a target, at most once: intent, effect with its key, receipt with read-back.

Belongs here: the protocol that both directions share. What is written, and whether it may be, is `closing_forward` and
`closing_undo`. An outcome that is not known is never repeated before a probe said that there was none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.application.closing_working import Working
from dagster_project.closure.follow_ups import FollowUpKind
from dagster_project.closure.states import Direction, StepState
from dagster_project.closure.targets import (
    OutcomeUnknown,
    SubjectChanged,
    SubjectState,
    Target,
    TargetFailure,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
    TargetUnavailable,
)
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_of
from dagster_project.store.closures import StepRow

EDITED = "edited_since"
_READ_BACK_DIFFERS = "read_back_differs"


@dataclass(frozen=True)
class Prepared:
    """What a step is about to write, which version its subject must still have, and what stood there before."""

    values: Mapping[str, object]
    expected_version: str | None
    prior: Mapping[str, object] | None


def settle_by_probe(working: Working, step: StepRow, target: Target) -> str | None:
    """Learn whether a step that was begun had its effect; None where it had none, and can have none any more."""
    if step.receipt_reference is not None and step.receipt_version is not None:
        kept = TargetReceipt(
            key=step.key, subject=step.subject, reference=step.receipt_reference, version=step.receipt_version
        )
        return settle(working, step, target, kept)
    try:
        receipt = probe_for_good(working, step, target)
    except TargetFailure as failure:
        return working.postpone(step, failure, step.target, StepState.UNKNOWN)
    return None if receipt is None else settle(working, step, target, receipt)


def probe_for_good(working: Working, step: StepRow, target: Target) -> TargetReceipt | None:
    """Return the receipt of a step's effect; None where there was none, and no request on its way can have it yet.

    A worker that froze, or a request that stalls, comes under the fence of an earlier lease.

    Raises:
        TargetUnavailable: nobody can say.
    """
    target.raise_fence(step.subject, working.lease.token)
    return target.probe(step.key)


def begin(working: Working, step: StepRow, target: Target, prepared: Prepared) -> str:
    """Commit the intent, ask for the effect, and keep what came of it."""
    with working.commit() as (transaction, now):
        working.require_same_plan(transaction)
        prior = None if prepared.prior is None else transaction.put_sealed(canonical_bytes(dict(prepared.prior)))
        intended = working.change(
            transaction,
            step,
            state=StepState.INTENT.value,
            request_digest=digest_of(dict(prepared.values)),
            prior_body=prior,
            expected_version=prepared.expected_version,
            attempts=step.attempts + 1,
            fence=working.lease.token,
            next_at=now,
        )
    request = TargetRequest(
        key=step.key,
        subject=step.subject,
        values=prepared.values,
        expected_version=prepared.expected_version,
        fence=working.lease.token,
    )
    return _ask(working, intended, target, request)


def _ask(working: Working, step: StepRow, target: Target, request: TargetRequest) -> str:
    try:
        receipt = target.apply(request)
    except TargetUnavailable as failure:
        return working.postpone(step, failure, step.target, StepState.PENDING)
    except OutcomeUnknown as failure:
        return working.postpone(step, failure, step.target, StepState.UNKNOWN)
    except SubjectChanged as failure:
        return _changed(working, step, failure)
    except TargetRefused as failure:
        is_undo = step.direction == Direction.UNDO
        return working.refuse(step, failure.code, FollowUpKind.UNDO_REFUSED if is_undo else FollowUpKind.TARGET_REFUSED)
    return settle(working, step, target, receipt)


def _changed(working: Working, step: StepRow, failure: TargetFailure) -> str:
    """Somebody wrote to the subject meanwhile: an undo leaves it to people, a step looks at it anew."""
    if step.direction == Direction.UNDO:
        return working.refuse(step, failure.code, FollowUpKind.EDITED_SINCE)
    with working.commit() as (transaction, now):
        working.again(transaction, step, failure.code, StepState.PENDING, now, no_sooner=now)
    return "postponed"


def settle(working: Working, step: StepRow, target: Target, receipt: TargetReceipt) -> str:
    """Read back what a receipt says was written, and finish the step where the target shows just that.

    Where somebody wrote to the subject since, it is left to people: it will not show what was written any more.
    """
    received = {"receipt_reference": receipt.reference, "receipt_version": receipt.version}
    try:
        found = target.read(step.subject)
    except TargetFailure as failure:
        return _again(working, step, failure.code, received, FollowUpKind.ATTEMPTS_EXHAUSTED)
    is_ours = receipt.key == step.key and receipt.subject == step.subject
    shown = _shown(working, step, found)
    if is_ours and shown != step.request_digest and _is_newer(found, step, receipt):
        return working.refuse(step, EDITED, FollowUpKind.EDITED_SINCE, **received)
    if not is_ours or shown != step.request_digest:
        return _again(working, step, _READ_BACK_DIFFERS, received, FollowUpKind.READ_BACK_DIFFERS)
    return working.finish(step, StepState.DONE, read_back_digest=shown, **received)


def _is_newer(found: SubjectState | None, step: StepRow, receipt: TargetReceipt) -> bool:
    """Tell whether a subject has a version that is neither ours nor the one before, which a target may show late."""
    return found is not None and found.version not in {receipt.version, step.expected_version}


def _again(working: Working, step: StepRow, code: str, received: Mapping[str, str], kind: FollowUpKind) -> str:
    """Keep the receipt, and read back again later: that the effect happened is known, that it is right is not."""
    with working.commit() as (transaction, now):
        working.again(transaction, step, code, StepState.UNKNOWN, now, no_sooner=now, kind=kind, **received)
    return "postponed"


def _shown(working: Working, step: StepRow, found: SubjectState | None) -> str | None:
    """Return the digest of what a target shows in the fields that a step wrote; None where that is nothing written."""
    if found is None:
        return None
    fields = working.plan.step(step.name).values
    try:
        return digest_of({name: found.values.get(name) for name in fields})
    except ValueError:  # what has no canonical form was not written by us
        return None
