"""Trust succession: how one version of trust follows another.

Belongs here: the rule by which a version is adopted (exactly the next one, signed by the threshold of custodians of the
old version and of the new), and what is passed from custodian to custodian until it is met. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.signatures import (
    Envelope,
    SigningKey,
    add_signatures,
    envelope_bytes,
    read_envelope,
)
from dagster_project.integrity.trust import (
    PUBLIC_TRUST_TYPE,
    TRUST_TYPE,
    Trust,
    people_who_signed,
    public_trust_bytes,
    read_trust,
    trust_bytes,
)

CHAIN_FORMAT: Final = "channelsafe-public-trust-chain/1"
_DRAFT_FORMAT: Final = "channelsafe-trust-draft/1"


@dataclass(frozen=True)
class SignedTrust:
    """One version of trust as its two envelopes: for inside, and for outsiders."""

    internal: Envelope
    public: Envelope


def sign_trust(trust: Trust, keys: Sequence[SigningKey]) -> SignedTrust:
    """Return both envelopes of a trust version, signed by `keys`; without any, a draft that nobody signed yet."""
    unsigned = SignedTrust(
        Envelope(TRUST_TYPE, trust_bytes(trust), {}), Envelope(PUBLIC_TRUST_TYPE, public_trust_bytes(trust), {})
    )
    return sign_also(unsigned, keys)


def sign_also(signed: SignedTrust, keys: Sequence[SigningKey]) -> SignedTrust:
    """Return both envelopes with further signatures."""
    if not keys:
        return signed
    return SignedTrust(
        read_envelope(add_signatures(signed.internal, keys)), read_envelope(add_signatures(signed.public, keys))
    )


def verify_succession(old: Trust | None, new: SignedTrust, *, at: datetime) -> Trust:
    """Return the trust of `new` where it may follow `old` at this instant.

    Args:
        old: The version before; None for the first version, which its own custodians sign.
        new: Both envelopes. An old version that expired can still be followed: else nobody could renew it.
        at: When it is adopted.

    Raises:
        UnsafeOrRejected: it may not; the code says why.
    """
    trust = read_successor(old, new)
    if trust.expires <= at:
        _refuse("trust_expired", "the version has expired already")
    missing = missing_signers(old, trust, new)
    if missing:
        _refuse("trust_signatures_missing", f"at least {missing} more custodians must sign it")
    return trust


def read_successor(old: Trust | None, new: SignedTrust) -> Trust:
    """Return the trust of a version that could follow `old` if enough custodians signed it.

    Raises:
        UnsafeOrRejected: it never could.
    """
    trust = read_trust(new.internal)
    if new.public.payload_type != PUBLIC_TRUST_TYPE or new.public.payload != public_trust_bytes(trust):
        _refuse("trust_public_differs", "what outsiders would get is not what the version for inside says")
    if trust.version != (1 if old is None else old.version + 1):
        _refuse("trust_version_not_next", f"version {trust.version} is not the next one")
    if old is not None:
        _check_continuity(old, trust)
    return trust


def missing_signers(old: Trust | None, new: Trust, signed: SignedTrust) -> int:
    """Return how many more custodians must sign at least: of the old version, of the new, on either envelope."""
    missing = (
        judge.threshold - len(people_who_signed(envelope, judge) & judge.custodians)
        for judge in (new, old or new)
        for envelope in (signed.internal, signed.public)
    )
    return max(0, *missing)


def _check_continuity(old: Trust, new: Trust) -> None:
    if new.deployment != old.deployment:
        _refuse("trust_deployment_differs", "the version belongs to another deployment")
    if new.demo != old.demo:
        _refuse("trust_demo_differs", "demo trust never becomes real trust, nor the other way")
    for name, person in old.people.items():
        kept = new.people[name].keys if name in new.people else {}
        for keyid, key in person.keys.items():
            if keyid not in kept or kept[keyid].public != key.public:
                # Who signed what in the past is read off these keys.
                _refuse("trust_key_dropped", "a key of a person is not listed any more: revoke it instead")
            if key.revoked_at is not None and kept[keyid].revoked_at != key.revoked_at:
                _refuse("trust_revocation_undone", "a revoked key counts again, or was revoked at another instant")


def write_draft(signed: SignedTrust) -> bytes:
    """Return the file that is passed from custodian to custodian: the document as it reads, and who signed so far."""
    return canonical_bytes(
        {
            "format": _DRAFT_FORMAT,
            "trust": parse_strict(signed.internal.payload),
            "signatures": {
                name: {keyid: signature.hex() for keyid, signature in envelope.signatures.items()}
                for name, envelope in (("internal", signed.internal), ("public", signed.public))
            },
        }
    )


def read_draft(content: bytes) -> SignedTrust:
    """Read such a file. What outsiders would get is made of the document again.

    Raises:
        UnsafeOrRejected: it is none, or its document is no trust.
    """
    draft = _parse_draft(content)
    if draft is None:
        _refuse("trust_draft_unreadable", "this is not a draft of a trust version")
    internal = Envelope(TRUST_TYPE, draft["payload"], draft["internal"])
    return SignedTrust(internal, Envelope(PUBLIC_TRUST_TYPE, public_trust_bytes(read_trust(internal)), draft["public"]))


def _parse_draft(content: bytes) -> dict[str, Any] | None:
    try:
        document = parse_strict(content)
        if document["format"] != _DRAFT_FORMAT:
            return None
        signatures = {
            name: {keyid: bytes.fromhex(signature) for keyid, signature in document["signatures"][name].items()}
            for name in ("internal", "public")
        }
        return {"payload": canonical_bytes(document["trust"]), **signatures}
    except (NotCanonical, AttributeError, LookupError, TypeError, ValueError):
        return None


def public_chain_bytes(envelopes: Sequence[Envelope]) -> bytes:
    """Return the file for outsiders: the public envelopes of all versions, from the first on."""
    return canonical_bytes({"format": CHAIN_FORMAT, "chain": [envelope_document(one) for one in envelopes]})


def envelope_document(envelope: Envelope) -> Any:  # noqa: ANN401 - any JSON value
    """Return an envelope as a member of another document."""
    return parse_strict(envelope_bytes(envelope))


def _refuse(code: str, what: str) -> NoReturn:
    raise UnsafeOrRejected(
        code,
        what=what,
        where="a new version of trust",
        what_to_do="Nothing was changed; the version that holds still does. See it with `channelsafe trust show`.",
    )
