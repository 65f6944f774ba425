"""Signatures: DSSE envelopes over exact bytes, signed with Ed25519.

Belongs here: the signing key, the one form of a signed envelope, and which keys have signed one. Who a key belongs to
and how many must sign is `trust`; what the signed bytes say is for those who read them. An envelope is refused unless
it is byte for byte its own canonical form: one signature has one spelling.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_bytes

# in-toto's payload type; what kind of statement it is, its predicate type says.
STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
SEED_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A private Ed25519 key of 32 bytes. Its repr shows the key id only.

    Raises:
        ValueError: the seed has not 32 bytes.
    """

    seed: bytes

    def __post_init__(self) -> None:
        """Refuse what is no key."""
        if len(self.seed) != SEED_LENGTH:
            raise ValueError(f"a signing key has {SEED_LENGTH} bytes")

    def __repr__(self) -> str:
        return f"SigningKey({self.keyid})"

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def keyid(self) -> str:
        """The id of the key: the digest of its public bytes."""
        return keyid_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over exactly `message`."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


@dataclass(frozen=True)
class Envelope:
    """A signed envelope as it was read: the payload's type and exact bytes, and a signature per key id."""

    payload_type: str
    payload: bytes
    signatures: Mapping[str, bytes]


def keyid_of(public: bytes) -> str:
    """Return the id of a public key: the digest of its 32 bytes, so that one key has one id."""
    return digest_bytes(public)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed for a payload of a type (DSSE v1)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload: bytes, keys: Sequence[SigningKey], *, payload_type: str = STATEMENT_TYPE) -> bytes:
    """Return the envelope of `payload`, signed by every one of `keys`."""
    message = pre_authentication_encoding(payload_type, payload)
    return envelope_bytes(Envelope(payload_type, payload, {key.keyid: key.sign(message) for key in keys}))


def add_signatures(envelope: Envelope, keys: Sequence[SigningKey]) -> bytes:
    """Return the envelope with further signatures; a key that signed already signs the same again."""
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    added = {key.keyid: key.sign(message) for key in keys}
    return envelope_bytes(Envelope(envelope.payload_type, envelope.payload, {**envelope.signatures, **added}))


def envelope_bytes(envelope: Envelope) -> bytes:
    """Write an envelope in its one form: canonical JSON, signatures by key id."""
    signatures = [
        {"keyid": keyid, "sig": base64.b64encode(envelope.signatures[keyid]).decode()}
        for keyid in sorted(envelope.signatures)
    ]
    return canonical_bytes(
        {
            "payload": base64.b64encode(envelope.payload).decode(),
            "payloadType": envelope.payload_type,
            "signatures": signatures,
        }
    )


def read_envelope(data: bytes) -> Envelope:
    """Read an envelope from bytes of anyone.

    Raises:
        IntegrityViolation: it is no envelope, or not in its one form: other members, another order or spelling of
            anything, a signature twice, no signature at all.
    """
    envelope = _parse(data)
    if envelope is None or envelope_bytes(envelope) != data:
        raise _refused()
    return envelope


def _parse(data: bytes) -> Envelope | None:
    try:
        document = parse_strict(data)
        signatures = {one["keyid"]: base64.b64decode(one["sig"], validate=True) for one in document["signatures"]}
        payload = base64.b64decode(document["payload"], validate=True)
        kind = document["payloadType"]
    except (NotCanonical, binascii.Error, ValueError, TypeError, LookupError):
        return None
    sound = signatures and all(
        isinstance(keyid, str) and len(signature) == SIGNATURE_LENGTH for keyid, signature in signatures.items()
    )
    return Envelope(kind, payload, signatures) if sound and isinstance(kind, str) else None


def _refused() -> IntegrityViolation:
    return IntegrityViolation(
        "envelope_refused",
        what="this is not a signed envelope in its one form",
        where="a signed statement",
        what_to_do="Get it again from where it was published; an altered spelling is refused like an altered word.",
    )


def signed_by(envelope: Envelope, public_keys: Mapping[str, bytes]) -> frozenset[str]:
    """Return the ids of those of these keys that signed the envelope.

    Args:
        envelope: What was read.
        public_keys: Public keys (32 bytes) by key id. A key under an id that is not its own never counts; signatures
            by other keys are ignored.
    """
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    return frozenset(
        keyid
        for keyid, signature in envelope.signatures.items()
        if keyid in public_keys
        and keyid_of(public_keys[keyid]) == keyid
        and verifies(public_keys[keyid], signature, message)
    )


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether `signature` over exactly `message` is by this public key; what is no key or signature is not."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
