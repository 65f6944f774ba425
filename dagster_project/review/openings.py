"""Openings: a person's signed request to open an annex.

Belongs here: the typed request, its statement, and whether it may be granted. Identity comes from the signature alone
(rule R8): no request names its person. Writing it down and handing the values out is the application's.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import msgspec

from dagster_project.integrity.documents import document_of
from dagster_project.integrity.signatures import Envelope, SigningKey, sign_envelope
from dagster_project.integrity.statements import Refusal, Statement, read_act, statement_bytes

OPENING_TYPE: Final = "https://channelsafe.example/annex-opening/v1"
# A person's clock may differ from ours by as much; an older request is not one to look now.
_APART: Final = timedelta(minutes=5)


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request to open an annex.

    Args:
        deployment: The trust domain that it is made in: elsewhere it is worth nothing.
        incident: The incident.
        annex: The annex, by its code.
        role: The role in which the person asks.
        reason: Why, in the person's words; for people inside alone.
        requested_at: When, by the person's clock.
    """

    deployment: str
    incident: str
    annex: str
    role: str
    reason: str
    requested_at: datetime


def sign_opening(opening: Opening, key: SigningKey) -> bytes:
    """Return a request's envelope, signed."""
    return sign_envelope(_payload(opening), [key])


def read_opening(envelope: Envelope) -> Opening:
    """Read a request from an envelope whose signature was looked at.

    Raises:
        IntegrityViolation: no request in its one form.
    """
    refusal = Refusal("opening_refused", "request to open an annex", "a signed request", "channelsafe annex open")
    return read_act(envelope, OPENING_TYPE, Opening, _payload, refusal)


def why_refused(
    opening: Opening, *, deployment: str, roles: Collection[str], opens: Collection[str] | None, now: datetime
) -> str | None:
    """Return the code for which a person may not open an annex, or None where they may.

    Args:
        opening: What they ask for.
        deployment: The trust domain that it is asked in.
        roles: The roles that trust gives the person; none where nobody trusted signed.
        opens: The roles that may open the annex; None where there is no such annex.
        now: The instant of asking.
    """
    # In this order: who has no role learns nothing of which annexes there are.
    refused = {
        "opening_of_another_deployment": opening.deployment != deployment,
        "opening_out_of_time": abs(now - opening.requested_at) > _APART,
        "role_missing": opening.role not in roles,
        "annex_unknown": opens is None,
        "other_audience": opens is not None and opening.role not in opens,
        "reason_missing": not opening.reason.strip(),
    }
    return next((code for code, applies in refused.items() if applies), None)


def _payload(opening: Opening) -> bytes:
    return statement_bytes(Statement(OPENING_TYPE, {}, document_of(opening)))
