"""Digests: the one way in which Channelsafe names bytes.

Belongs here: plain digests (content addresses), keyed digests (where content is restricted and the digest is
shown outside the store: a plain one could be guessed back), and opaque codes. Keys come from `keys.KeyRing`.
"""

import base64
import hashlib
import hmac
from typing import Final

from dagster_project.integrity.canonical import canonical_bytes

_LONGEST_CODE: Final = 52  # base32 characters in 32 bytes


def digest_bytes(data: bytes) -> str:
    """Return ``sha256:<64 hex>`` of exactly these bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: object) -> str:
    """Return the digest of the canonical bytes of `value`.

    Raises:
        NotCanonical: `value` has no canonical form.
    """
    return digest_bytes(canonical_bytes(value))


def keyed_digest(key: bytes, data: bytes) -> str:
    """Return ``hmac-sha256:<64 hex>`` of `data`: equal within a deployment, unguessable without its `key`."""
    return "hmac-sha256:" + hmac.digest(key, data, "sha256").hex()


def opaque_code(key: bytes, *parts: str, length: int = 10) -> str:
    """Return a code that stands for `parts` and says nothing of them.

    Args:
        key: The ring's key for opaque codes.
        parts: What the code stands for; joined with length prefixes, so ("ab", "c") and ("a", "bc") differ.
        length: Characters of lower-case base32, five bits each; 1 to 52.

    Raises:
        ValueError: `length` is out of range.
    """
    if not 1 <= length <= _LONGEST_CODE:
        raise ValueError(f"a code has 1 to {_LONGEST_CODE} characters")
    encoded = (part.encode() for part in parts)
    message = b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
    # Encoding no more than what is asked for is several times as fast, and base32 takes eight characters at a time.
    bits = hmac.digest(key, message, "sha256")[: -(-length * 5 // 8)]
    return base64.b32encode(bits).decode().lower()[:length]
