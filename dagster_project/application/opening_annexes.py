"""Opening annexes: handing restricted values to somebody who may see them, once that is written down.

Belongs here: from a signed request to the values, with the audit entry between: it is committed before anything is
handed out, and a refusal is committed as well. Whether a request may be granted is `review.openings`.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dagster_project.application.annexes import AnnexShelf, StoredAnnex
from dagster_project.application.drafting_decisions import printable_words
from dagster_project.application.pinned import require_incident
from dagster_project.application.trust import latest_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError, Unavailable, UnsafeOrRejected, UsageError
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import keyed_digest
from dagster_project.integrity.signatures import Envelope, read_envelope
from dagster_project.integrity.trust import Trust, people_who_signed
from dagster_project.packaging.annexes import AnnexEntry, seen_by
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from dagster_project.review.openings import Opening, read_opening, sign_opening, why_refused
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.signing_files import load_person_key
from dagster_project.store.transaction import Transaction

_NOBODY: Final = "unknown"
_WHAT: Final = {
    "signer_not_trusted": ("nobody who is trusted now signed this", "Sign with a key that `trust show` lists."),
    "opening_of_another_deployment": ("it was made for another deployment", "Make it here."),
    "opening_out_of_time": ("the request is too old, or from the future", "Make it again, with the clock set right."),
    "role_missing": ("the person does not have this role", "Name one of their roles."),
    "annex_unknown": ("the incident has no such annex", "See its annexes with `channelsafe annex list`."),
    "other_audience": ("this role may not open this annex", "`channelsafe annex list` says which roles may."),
    "reason_missing": ("opening an annex needs a reason", "Say why with --reason."),
}


@dataclass(frozen=True)
class OpenedEntry:
    """One restricted value, with the record version and the source field it is from and the rule that keeps it."""

    source: str
    recordid: str
    recordversion: int
    source_field: str
    rule_id: str
    value: Any


@dataclass(frozen=True)
class OpenedAnnex:
    """An annex in the hands of somebody who may see it: never to be logged, stored or sent on.

    Args:
        incident: The incident.
        annex: Its code.
        audience: Whose it is.
        person: Who opened it.
        role: In which role.
        opened_at: When.
        audit_sequence: The entry of the audit log that says so.
        entries: What the role may see of it.
        not_shown: How many values it holds besides.
    """

    incident: str
    annex: str
    audience: str
    person: str
    role: str
    opened_at: datetime
    audit_sequence: int
    entries: tuple[OpenedEntry, ...]
    not_shown: int


@dataclass(frozen=True)
class _Asked:
    """A request that was read, with who signed it and what it is about; None where there is no such annex."""

    envelope: bytes
    opening: Opening
    trust: Trust
    person: str | None
    keyids: tuple[str, ...]
    annex: StoredAnnex | None


def request_annex(
    workspace: Workspace, incident: str, annex: str, *, role: str, reason: str, key_file: Path
) -> OpenedAnnex:
    """Ask for an annex as the person whose key file this is.

    Raises:
        UsageError: no such incident or role, or the reason cannot be read.
        As `open_annex`; and Unavailable where the key file cannot be read.
    """
    key = load_person_key(key_file).key
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        deployment = latest_trust(transaction, workspace).deployment
    opening = Opening(
        deployment=deployment,
        incident=incident,
        # Codes are ASCII; what is not could not even be signed as it was typed.
        annex=annex if annex.isascii() else _NOBODY,
        role=role,
        reason=printable_words(reason),
        requested_at=workspace.clock.now(),
    )
    return open_annex(workspace, sign_opening(opening, key))


def open_annex(workspace: Workspace, envelope: bytes) -> OpenedAnnex:
    """Open an annex on a signed request: first the audit entry is committed, then the values are handed out.

    Raises:
        UnsafeOrRejected: it is refused; its reason is the code, and the audit log says so.
        UsageError: no such incident or role.
        IntegrityViolation: no request in its one form, or the annex or the audit log is not what was stored: nothing
            is handed out.
        Unavailable: nobody is trusted, trust has expired, or the audit log cannot be written: nothing is handed out.
    """
    signed = read_envelope(envelope)
    opening = read_opening(signed)
    with workspace.store.begin() as transaction:
        asked = _asked(workspace, transaction, opening, signed, envelope)
        now = workspace.clock.now()
        refusal = _refusal(asked, now)
        sequence = append_entry(transaction, _entry(transaction, asked, refusal, now))
    # Only here: the transaction is durable by now, and raising within it would undo its entry.
    if refusal is not None:
        raise refusal
    return _handed_out(asked, sequence, now)


def _asked(
    workspace: Workspace, transaction: Transaction, opening: Opening, signed: Envelope, envelope: bytes
) -> _Asked:
    require_incident(transaction, opening.incident)
    if opening.role not in REVIEW_ROLES:
        raise UsageError(
            "role_unknown",
            what="there is no such role",
            where="a request to open an annex",
            what_to_do=f"Name one of {', '.join(REVIEW_ROLES)}.",
        )
    trust = latest_trust(transaction, workspace)
    people = people_who_signed(signed, trust)
    person = next(iter(people)) if len(signed.signatures) == len(people) == 1 else None
    annex = AnnexShelf(workspace, transaction, opening.incident).find(opening.annex)
    return _Asked(envelope, opening, trust, person, tuple(sorted(signed.signatures)), annex)


def _refusal(asked: _Asked, now: datetime) -> ChannelsafeError | None:
    where = f"incident {asked.opening.incident}"
    if asked.trust.expires <= now:
        return Unavailable(
            "trust_expired",
            what="trust has expired: nobody can open anything under it",
            where=where,
            what_to_do="Have the custodians sign a new one: `channelsafe trust renew --expires INSTANT --key FILE`.",
        )
    code: str | None = "signer_not_trusted"
    if asked.person is not None:
        code = why_refused(
            asked.opening,
            deployment=asked.trust.deployment,
            roles=asked.trust.roles_of(asked.person),
            opens=None if asked.annex is None else asked.annex.opens,
            now=now,
        )
    if code is None:
        return None
    what, what_to_do = _WHAT[code]
    return UnsafeOrRejected(code, what=what, where=where, what_to_do=f"The attempt was written down. {what_to_do}")


def _entry(transaction: Transaction, asked: _Asked, refusal: ChannelsafeError | None, now: datetime) -> NewAuditEntry:
    """Return what the log says: person, role, annex, and the reason by keyed digest; the request lies sealed behind."""
    opening, annex = asked.opening, asked.annex
    reason_digest = keyed_digest(transaction.keys.digest, b"reason\x00" + opening.reason.encode())
    # What somebody typed for an annex may be anything: only a code of ours stands in the log.
    named = _NOBODY if annex is None else annex.code
    details = {
        "request_digest": transaction.put_sealed(asked.envelope),
        "request_keyids": list(asked.keyids),
        "annex_digest": None if annex is None else annex.digest,
        "reason_digest": reason_digest,
        "role": opening.role,
        "refused": None if refusal is None else refusal.code,
        "values": 0 if refusal is not None or annex is None else len(_seen(opening, annex)),
    }
    return NewAuditEntry(
        at=now,
        actor=asked.person or _NOBODY,
        action=AuditAction.ANNEX_OPENED if refusal is None else AuditAction.ANNEX_REFUSED,
        subject=f"annex/{named}/role/{opening.role}/reason/{reason_digest}",
        details_digest=transaction.put_sealed(canonical_bytes(details)),
        incident=opening.incident,
    )


def _seen(opening: Opening, annex: StoredAnnex) -> tuple[AnnexEntry, ...]:
    return seen_by(opening.role, annex.audience, annex.entries, annex.review_roles)


def _handed_out(asked: _Asked, sequence: int, now: datetime) -> OpenedAnnex:
    opening, annex = asked.opening, asked.annex
    if annex is None or asked.person is None:
        raise LookupError("granted without an annex or a person")
    seen = _seen(opening, annex)
    return OpenedAnnex(
        incident=opening.incident,
        annex=annex.code,
        audience=annex.audience,
        person=asked.person,
        role=opening.role,
        opened_at=now,
        audit_sequence=sequence,
        entries=tuple(_opened(one) for one in seen),
        not_shown=len(annex.entries) - len(seen),
    )


def _opened(entry: AnnexEntry) -> OpenedEntry:
    reference = entry.reference
    return OpenedEntry(
        source=reference.source,
        recordid=reference.recordid,
        recordversion=reference.recordversion,
        source_field=entry.source_field,
        rule_id=entry.rule_id,
        value=entry.value,
    )
