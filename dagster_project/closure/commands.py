"""Commands: what an operator decides about a closure, signed like every act of a person.

Belongs here: the typed command, its statement, and who may give which. Identity comes from the signature alone. No
command has a member for a mapping, a version or a value: it cannot supply what the source record does not carry.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.integrity.documents import document_of
from dagster_project.integrity.signatures import Envelope, SigningKey, sign_envelope
from dagster_project.integrity.statements import Refusal, Statement, read_act, statement_bytes

COMMAND_TYPE: Final = "https://channelsafe.example/closure-command/v1"


class ClosureAct(StrEnum):
    """What a command does."""

    RETRY = "retry"
    SKIP = "skip"
    RESOLVE = "resolve"
    REVERT = "revert"


_OPERATORS: Final = frozenset({"incident_command", "support_leadership"})
MAY: Final[Mapping[ClosureAct, frozenset[str]]] = dict.fromkeys(ClosureAct, _OPERATORS)
NEED_A_REASON: Final = frozenset({ClosureAct.SKIP, ClosureAct.RESOLVE, ClosureAct.REVERT})


class ClosureCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command; what an act does not need is empty or 0.

    Args:
        deployment: The trust domain that it is given in: elsewhere it is worth nothing.
        act: What it does.
        case: The case.
        plan: The plan that is retried, skipped in or reverted.
        event: The event that is verified again.
        step: The step that is skipped or retried; empty to retry all that wait.
        follow_up: The follow-up that is resolved.
        reason: Why, in the person's words; for people inside alone.
        decided_at: When, by the person's clock.
    """

    deployment: str
    act: ClosureAct
    case: str
    plan: int = 0
    event: int = 0
    step: str = ""
    follow_up: int = 0
    reason: str = ""
    decided_at: datetime


def command_payload(command: ClosureCommand) -> bytes:
    """Return the exact bytes that a person signs."""
    return statement_bytes(Statement(COMMAND_TYPE, {}, document_of(command)))


def command_digest(command: ClosureCommand, keyid: str) -> str:
    """Return what names a command: its exact words and the key that signed them."""
    return digest_of({"payload": digest_bytes(command_payload(command)), "keyid": keyid})


def sign_command(command: ClosureCommand, key: SigningKey) -> bytes:
    """Return a command's envelope, signed."""
    return sign_envelope(command_payload(command), [key])


def read_command(envelope: Envelope) -> ClosureCommand:
    """Read a command from an envelope whose signature is looked at.

    Raises:
        IntegrityViolation: no command in its one form.
    """
    refusal = Refusal("command_refused", "closure command", "a signed command", "channelsafe closure")
    return read_act(envelope, COMMAND_TYPE, ClosureCommand, command_payload, refusal)
