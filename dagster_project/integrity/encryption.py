"""Encryption of bodies: every body that is not for customers is encrypted wherever it is stored.

Belongs here: the one cipher. AES-SIV (RFC 5297) is deterministic by design, so equal plaintexts give equal
stored bytes and content addressing keeps deduplicating; what it reveals is only that two bodies are equal.
"""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from dagster_project.errors import IntegrityViolation

VERSION: Final = b"\x01"
_TAG_LENGTH: Final = 16


def encrypt(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Encrypt `plaintext` and bind it to `associated`.

    Args:
        key: 32 bytes (AES-128-SIV: half for the tag, half for the cipher).
        plaintext: Any bytes; empty is allowed.
        associated: What the ciphertext belongs to; needed again to decrypt, not stored in it.

    Returns:
        Version byte, 16 byte tag, ciphertext: 17 bytes longer than the plaintext.
    """
    return VERSION + _cipher(key).encrypt(plaintext, [VERSION, associated])


@lru_cache(maxsize=2)
def _cipher(key: bytes) -> AESSIV:
    """Return the cipher of a key; making one costs as much as a small body, and a process has one key."""
    return AESSIV(key)


def decrypt(key: bytes, stored: bytes, associated: bytes) -> bytes:
    """Return the plaintext of `stored`.

    Raises:
        IntegrityViolation: other key, other `associated`, unknown version, or any byte changed.
    """
    if stored[:1] != VERSION or len(stored) < len(VERSION) + _TAG_LENGTH:
        raise _violation()
    try:
        return _cipher(key).decrypt(stored[1:], [VERSION, associated])
    except InvalidTag as error:
        raise _violation() from error


def _violation() -> IntegrityViolation:
    return IntegrityViolation(
        "body_not_authentic",
        what="an encrypted body is not what was stored, or was stored under other keys",
        where="an encrypted body",
        what_to_do="Check CHANNELSAFE_KEYS; if the keys are right, restore the body from a backup.",
    )
