"""Closing commands: what operators decide about closures, signed, each taken once.

Belongs here: drafting a command, checking who gave it, and what it does to rows. It writes to no other system: what is
to be tried again or taken back, the worker does. No command supplies a mapping or version: `closure.commands`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from dagster_project.application.closing_command_effects import EFFECTS, Given
from dagster_project.application.decision_checks import AHEAD, OLDEST
from dagster_project.application.drafting_decisions import Reviewer, printable_words
from dagster_project.application.review_desk import reviewer_of
from dagster_project.application.trust import current_trust, latest_trust
from dagster_project.application.workspace import Workspace
from dagster_project.closure.commands import (
    MAY,
    NEED_A_REASON,
    ClosureAct,
    ClosureCommand,
    command_digest,
    read_command,
    sign_command,
)
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.signatures import Envelope, SigningKey, read_envelope
from dagster_project.integrity.trust import Trust, people_who_signed
from dagster_project.store import closure_follow_ups
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.closure_follow_ups import CommandRow

__all__ = ["ClosureAct", "ClosureCommand", "Reviewer", "Taken", "draft_command", "give", "reviewer_of", "take_command"]


@dataclass(frozen=True)
class Taken:
    """A command that was taken, and by whom."""

    command_digest: str
    act: str
    person: str
    case_id: str


def draft_command(
    workspace: Workspace,
    act: ClosureAct,
    case: str,
    *,
    plan: int = 0,
    event: int = 0,
    step: str = "",
    follow_up: int = 0,
    reason: str = "",
) -> ClosureCommand:
    """Return a command, as of now in this deployment.

    Raises:
        UsageError: the reason cannot be read.
        Unavailable: nobody is trusted yet.
    """
    with workspace.store.read() as transaction:
        deployment = latest_trust(transaction, workspace).deployment
    return ClosureCommand(
        deployment=deployment,
        act=act,
        case=case,
        plan=plan,
        event=event,
        step=step,
        follow_up=follow_up,
        reason=printable_words(reason),
        decided_at=workspace.clock.now(),
    )


def give(workspace: Workspace, command: ClosureCommand, key: SigningKey) -> Taken:
    """Sign a command and take it; errors are those of `take_command`."""
    return take_command(workspace, sign_command(command, key))


def take_command(workspace: Workspace, envelope_bytes: bytes) -> Taken:
    """Take a signed command.

    Raises:
        UnsafeOrRejected: it may not be taken; the reason is its code, and nothing was changed.
        IntegrityViolation: it is no command in its one form.
        Unavailable: nobody is trusted, or trust has expired.
    """
    envelope = read_envelope(envelope_bytes)
    command = read_command(envelope)
    with workspace.store.begin() as transaction:
        trust = current_trust(transaction, workspace)
        person, now = _person(envelope, trust), workspace.clock.now()
        _check(command, trust, person, now)
        keyid = next(iter(envelope.signatures))
        digest = command_digest(command, keyid)
        body_digest = transaction.put_sealed(envelope_bytes)
        row = CommandRow(
            command_digest=digest,
            act=command.act.value,
            person=person,
            keyid=keyid,
            case_id=command.case,
            body_digest=body_digest,
            received_at=now,
        )
        if not closure_follow_ups.add_command(transaction, row):
            _refuse(command, "command_replayed", "this very command was taken before", "Make a new one.")
        EFFECTS[command.act](Given(transaction, command, digest, person, now))
        entry = NewAuditEntry(
            at=now,
            actor=person,
            action=AuditAction(f"closure_{command.act.value}"),
            subject=f"closure/{command.case}/command/{digest}",
            details_digest=body_digest,
        )
        append_entry(transaction, entry)
    return Taken(digest, command.act.value, person, command.case)


def _person(envelope: Envelope, trust: Trust) -> str:
    people = people_who_signed(envelope, trust)
    if len(envelope.signatures) != 1 or len(people) != 1:
        raise UnsafeOrRejected(
            "signer_not_trusted",
            what="the command is not signed by exactly one person's key that is trusted now",
            where="a signed command",
            what_to_do="Nothing was changed. Sign it with a key that `channelsafe trust show` lists.",
        )
    return next(iter(people))


def _check(command: ClosureCommand, trust: Trust, person: str, now: datetime) -> None:
    for code, applies, what in _REFUSALS:
        if applies(command, trust, person, now):
            _refuse(command, code, what, "Give it anew, here and now, by someone who may.")


_Applies = Callable[[ClosureCommand, Trust, str, datetime], bool]
_REFUSALS: Final[tuple[tuple[str, _Applies, str], ...]] = (
    (
        "command_of_another_deployment",
        lambda command, trust, _person, _now: command.deployment != trust.deployment,
        "it was given for another deployment",
    ),
    (
        "command_out_of_time",
        lambda command, _trust, _person, now: not now - OLDEST <= command.decided_at <= now + AHEAD,
        "the command is too old, or from the future",
    ),
    (
        "role_missing",
        lambda command, trust, person, _now: not trust.roles_of(person) & MAY[command.act],
        "the person has no role that may do this",
    ),
    (
        "reason_missing",
        lambda command, _trust, _person, _now: command.act in NEED_A_REASON and not command.reason.strip(),
        "this needs a reason",
    ),
)


def _refuse(command: ClosureCommand, code: str, what: str, what_to_do: str) -> NoReturn:
    raise UnsafeOrRejected(
        code,
        what=what,
        where=f"{command.act.value} of case {command.case}",
        what_to_do=f"Nothing was changed. {what_to_do}",
    )
