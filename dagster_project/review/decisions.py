"""Decisions: a person's signed approve, reject, hold, lift, pull, withdraw, restore, reaffirm or acknowledge.

Belongs here: the typed decision, its statement, and who may make which (table of acts, rule R8). Identity comes from
the signature alone: no decision names its person. What decisions cover is `coverage`.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from dagster_project.integrity.digests import digest_bytes, digest_of
from dagster_project.integrity.documents import document_of
from dagster_project.integrity.signatures import Envelope, SigningKey, sign_envelope
from dagster_project.integrity.statements import Refusal, Statement, read_act, statement_bytes
from dagster_project.packaging.vocabulary import REVIEW_ROLES

DECISION_TYPE: Final = "https://channelsafe.example/decision/v1"


class Act(StrEnum):
    """What a decision does."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    LIFT = "lift"
    PULL = "pull"
    WITHDRAW = "withdraw"
    CONFIRM = "confirm"
    RESTORE = "restore"
    REAFFIRM = "reaffirm"
    ACKNOWLEDGE = "acknowledge"
    APPROVE_PROFILE = "approve_profile"
    REJECT_PROFILE = "reject_profile"


_ANY_REVIEWER: Final = frozenset(REVIEW_ROLES)
_COMMAND_OR_SUPPORT: Final = frozenset({"incident_command", "support_leadership"})
# Who may do it at all; what an approval needs besides is rule R3's, by class of change.
MAY: Final[Mapping[Act, frozenset[str]]] = MappingProxyType(
    {
        Act.APPROVE: _ANY_REVIEWER,
        Act.REJECT: _ANY_REVIEWER,
        Act.HOLD: _ANY_REVIEWER,
        Act.LIFT: _ANY_REVIEWER,
        Act.PULL: _ANY_REVIEWER,
        Act.WITHDRAW: _ANY_REVIEWER,
        Act.CONFIRM: _COMMAND_OR_SUPPORT,
        Act.RESTORE: _COMMAND_OR_SUPPORT,
        Act.REAFFIRM: _COMMAND_OR_SUPPORT,
        Act.ACKNOWLEDGE: frozenset({"incident_command"}),
        Act.APPROVE_PROFILE: frozenset({"incident_command", "support_leadership", "security", "legal"}),
        Act.REJECT_PROFILE: frozenset({"incident_command", "support_leadership", "security", "legal"}),
    }
)
NEED_A_REASON: Final = frozenset({Act.REJECT, Act.HOLD, Act.PULL, Act.WITHDRAW, Act.REJECT_PROFILE})


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One decision; what an act does not need is empty.

    Args:
        deployment: The trust domain that it is made in: elsewhere it is worth nothing.
        act: What it does.
        incident: The incident; empty for profiles.
        bridge: The bridge; empty for a hold of the whole incident, and for profiles.
        candidate: Ordinal of the candidate that the decision was taken on.
        changes: Digests of the changes that it approves or rejects.
        page: Digest of the whole page that was looked at (R5).
        version: The version that is pulled, withdrawn, confirmed, restored or reaffirmed.
        fields: Pointers that are pulled, restored or reaffirmed.
        refers_to: Digest of the hold that is lifted, or of the profile.
        role: The role in which a hold is made or lifted.
        reason: Why, in the person's words; for people inside alone.
        decided_at: When, by the person's clock.
    """

    deployment: str
    act: Act
    incident: str = ""
    bridge: str = ""
    candidate: int = 0
    changes: tuple[str, ...] = ()
    page: str = ""
    version: int = 0
    fields: tuple[str, ...] = ()
    refers_to: str = ""
    role: str = ""
    reason: str = ""
    decided_at: datetime


def decision_payload(decision: Decision) -> bytes:
    """Return the exact bytes that a person signs."""
    document = document_of(decision)
    subjects = {"page": decision.page} if decision.page else {}
    return statement_bytes(Statement(DECISION_TYPE, subjects, document))


def decision_digest(decision: Decision, keyid: str) -> str:
    """Return what names a decision: its exact words and the key that signed them."""
    return digest_of({"payload": digest_bytes(decision_payload(decision)), "keyid": keyid})


def sign_decision(decision: Decision, key: SigningKey) -> bytes:
    """Return a decision's envelope, signed."""
    return sign_envelope(decision_payload(decision), [key])


def read_decision(envelope: Envelope) -> Decision:
    """Read a decision from an envelope whose signature was looked at.

    Raises:
        IntegrityViolation: no decision in its one form.
    """
    refusal = Refusal("decision_refused", "decision", "a signed decision", "channelsafe review")
    return read_act(envelope, DECISION_TYPE, Decision, decision_payload, refusal)
