"""Deciding: taking people's signed decisions, each once, with what follows from it at once.

Belongs here: from the bytes of an envelope to a stored decision and its effect, in one transaction. Whether it may be
taken is `decision_checks`; the rules are `review`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dagster_project.application.acknowledging import issue_acknowledgement
from dagster_project.application.decision_checks import Proposed, check_decision
from dagster_project.application.issuing import restate
from dagster_project.application.pulling import take_back
from dagster_project.application.reaffirming import issue_reaffirmation
from dagster_project.application.releasing import taken_of
from dagster_project.application.trust import current_trust, latest_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.signatures import Envelope, SigningKey, read_envelope
from dagster_project.integrity.trust import Trust, people_who_signed
from dagster_project.review.decisions import Act, Decision, read_decision, sign_decision
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.decisions import NewDecision, add_decision
from dagster_project.store.versions import VersionRow

# What only takes back goes on also when trust has expired.
_TAKE_BACK: Final = (Act.HOLD, Act.PULL, Act.WITHDRAW, Act.REJECT)


@dataclass(frozen=True)
class Accepted:
    """A decision that was taken, by whom, and the version that it brought about, if any."""

    decision_digest: str
    act: str
    person: str
    version: VersionRow | None


def decide(workspace: Workspace, decision: Decision, key: SigningKey) -> Accepted:
    """Sign a decision and take it; errors are those of `take_decision`."""
    return take_decision(workspace, sign_decision(decision, key))


def take_decision(workspace: Workspace, envelope_bytes: bytes) -> Accepted:
    """Take a signed decision.

    Raises:
        UnsafeOrRejected: it may not be taken; the reason is its code, and nothing was changed.
        IntegrityViolation: it is no decision in its one form.
        Unavailable: nobody is trusted, or trust has expired and the decision would give something away.
    """
    envelope = read_envelope(envelope_bytes)
    decision = read_decision(envelope)
    with workspace.store.begin() as transaction:
        expires_not = decision.act in _TAKE_BACK
        trust = (latest_trust if expires_not else current_trust)(transaction, workspace)
        proposed = Proposed(
            workspace, transaction, trust, decision, _person(envelope, trust), next(iter(envelope.signatures))
        )
        _refuse_replay(proposed)
        check_decision(proposed)
        _store(proposed, envelope_bytes)
        version = _EFFECTS.get(decision.act, _nothing)(proposed)
        return Accepted(proposed.digest, decision.act.value, proposed.person, version)


def _person(envelope: Envelope, trust: Trust) -> str:
    people = people_who_signed(envelope, trust)
    if len(envelope.signatures) != 1 or len(people) != 1:
        raise UnsafeOrRejected(
            "signer_not_trusted",
            what="the decision is not signed by exactly one person's key that is trusted now",
            where="a signed decision",
            what_to_do="Nothing was changed. Sign it with a key that `channelsafe trust show` lists.",
        )
    return next(iter(people))


def _refuse_replay(proposed: Proposed) -> None:
    if any(one.row.decision_digest == proposed.digest for one in proposed.taken()):
        proposed.refuse("decision_replayed", "this very decision was taken before", "Make a new one.")


def _store(proposed: Proposed, envelope_bytes: bytes) -> None:
    decision, transaction = proposed.decision, proposed.transaction
    now = proposed.workspace.clock.now()
    body_digest = transaction.put_sealed(envelope_bytes)
    new = NewDecision(
        decision_digest=proposed.digest,
        act=decision.act.value,
        person=proposed.person,
        keyid=proposed.keyid,
        incident=decision.incident,
        bridge=decision.bridge,
        refers_to=decision.refers_to,
        body_digest=body_digest,
        received_at=now,
    )
    if add_decision(transaction, new) is None:
        proposed.refuse("decision_replayed", "this very decision was taken before", "Make a new one.")
    entry = NewAuditEntry(
        at=now,
        actor=proposed.person,
        action=AuditAction(f"decision_{decision.act.value}"),
        subject=f"bridge/{decision.bridge}/decision/{proposed.digest}",
        details_digest=body_digest,
        incident=decision.incident or None,
    )
    append_entry(transaction, entry)


def _nothing(_proposed: Proposed) -> VersionRow | None:
    return None


def _take_back(proposed: Proposed) -> VersionRow | None:
    decision = proposed.decision
    return take_back(proposed.workspace, proposed.transaction, decision.incident, decision.bridge, proposed.taken())


def _restate(proposed: Proposed) -> VersionRow | None:
    decision = proposed.decision
    taken = taken_of(proposed.taken())
    restate(proposed.workspace, proposed.transaction, decision.incident, decision.bridge, taken)
    return None


def _reaffirm(proposed: Proposed) -> VersionRow | None:
    return issue_reaffirmation(proposed.workspace, proposed.transaction, proposed.decision, proposed.taken())


def _acknowledge(proposed: Proposed) -> VersionRow | None:
    decision = proposed.decision
    return issue_acknowledgement(proposed.workspace, proposed.transaction, decision.incident, decision.bridge)


_EFFECTS: Final[Mapping[Act, Callable[[Proposed], VersionRow | None]]] = {
    Act.PULL: _take_back,
    Act.WITHDRAW: _take_back,
    Act.CONFIRM: _restate,
    Act.REAFFIRM: _reaffirm,
    Act.ACKNOWLEDGE: _acknowledge,
}
