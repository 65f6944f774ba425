"""Closing: admitting the event of a final disposition.

Belongs here: from the bytes of anyone to an event that is verified, once. Verifying is `closing_verifying`, propagating
is `closing_work`, and what operators decide is `closing_commands`.
"""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

import msgspec

from dagster_project.application.closing_records import hand_over_event
from dagster_project.application.closing_systems import Systems
from dagster_project.application.closing_verifying import claim_within, verify_admitted
from dagster_project.application.workspace import Workspace
from dagster_project.closure.disposition import DispositionEvent
from dagster_project.closure.follow_ups import FollowUpKind
from dagster_project.closure.schemas import is_event
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.store import closures
from dagster_project.store.closures import EventRow, NewDelivery
from dagster_project.store.transaction import Transaction

# An event holds identifiers: more than this is something else.
MOST_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class AdmittedEvent:
    """What became of an event that was handed in.

    `outcome` is `admitted`, `duplicate` or `mismatch`; `became` is what verification made of it where it was admitted,
    and `kept` where nobody could be asked.
    """

    outcome: str
    event_number: int
    source: str
    event_id: str
    case_id: str
    became: str


def admit_event(workspace: Workspace, systems: Systems | None, body: bytes, *, chance: Random) -> AdmittedEvent:
    """Admit an event: once for its id, and verified at once where there are systems to ask.

    Args:
        workspace: The deployment.
        systems: The authority and the archive; None to keep the event until there are.
        body: The event as JSON.
        chance: For the pause before it is verified again where the authority cannot be reached.

    Raises:
        UnsafeOrRejected: it is no event; its digest and length are kept, and nothing of its text.
    """
    event = _parse(workspace, body)
    document = canonical_bytes(document_of(event))
    with workspace.store.begin() as transaction:
        outcome, row = _admit(workspace, transaction, event, document, len(body))
        is_claimed = outcome == "admitted" and systems is not None
        claimed = claim_within(transaction, row, workspace.clock.now()) if is_claimed else None
    became = "kept" if outcome == "admitted" else row.state
    if systems is not None and claimed is not None:
        became = verify_admitted(workspace, systems, claimed, event, chance)
    return AdmittedEvent(outcome, row.event_number, row.source, row.event_id, row.case_id, became)


def _parse(workspace: Workspace, body: bytes) -> DispositionEvent:
    reason, document = _document(body)
    if reason is None:
        if is_event(document):
            return msgspec.convert(document, DispositionEvent)
        reason = "event_form_refused"
    digest = digest_bytes(body)
    with workspace.store.begin() as transaction:
        delivery = NewDelivery(
            source=None,
            event_id=None,
            digest=digest,
            length=len(body),
            outcome="refused",
            reason_code=reason,
            received_at=workspace.clock.now(),
        )
        closures.add_delivery(transaction, delivery)
    raise UnsafeOrRejected(
        reason,
        what=_REFUSALS[reason],
        where=f"an event of {len(body)} bytes, digest {digest}",
        what_to_do="Nothing of it was kept but this digest. Send the fields of an event, and no others.",
    )


_REFUSALS: Final = {
    "event_too_large": "an event is no longer than 64 KiB",
    "event_not_json": "an event is one JSON document in its strict form",
    "event_form_refused": "the event lacks a field, has one that no event has, or a value of another form",
}


def _document(body: bytes) -> tuple[str | None, Any]:
    if len(body) > MOST_BYTES:
        return "event_too_large", None
    try:
        return None, parse_strict(body)
    except NotCanonical:
        return "event_not_json", None


def _admit(
    workspace: Workspace, transaction: Transaction, event: DispositionEvent, document: bytes, length: int
) -> tuple[str, EventRow]:
    now, digest = workspace.clock.now(), digest_bytes(document)
    number = closures.add_event(
        transaction,
        source=event.source,
        event_id=event.event_id,
        case_id=event.case,
        body=document,
        digest=digest,
        at=now,
    )
    row = closures.find_event_by_id(transaction, event.source, event.event_id)
    if row is None:
        raise LookupError("an event that was just stored is not there")
    outcome = "admitted" if number is not None else "duplicate" if row.digest == digest else "mismatch"
    delivery = NewDelivery(
        source=event.source,
        event_id=event.event_id,
        digest=digest,
        length=length,
        outcome=outcome,
        reason_code=None,
        received_at=now,
    )
    closures.add_delivery(transaction, delivery)
    if outcome == "mismatch":
        evidence = {"digest_taken": row.digest, "digest_refused": digest}
        hand_over_event(transaction, FollowUpKind.EVENT_MISMATCH, row, evidence, now)
    return outcome, row
