"""The key ring: the secrets of one deployment, and the text of the file that holds them.

Belongs here: the ring and the format. Reading and writing the file, and judging its mode, is
`store.key_files`. Each key serves one purpose and is random: nothing is derived from anything else.
"""

from dataclasses import dataclass, fields
from typing import Final

from dagster_project.errors import Unavailable
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict

KEY_LENGTH: Final = 32
_FORMAT: Final = "channelsafe-keys-1"


@dataclass(frozen=True, repr=False)
class KeyRing:
    """The keys of one deployment, 32 bytes each. Its repr shows none of them.

    Args:
        body_encryption: Encrypts bodies that are not for customers.
        digest: Keys the digests of restricted content that are shown outside the store, and names of blobs.
        opaque_codes: Makes the ids that appear in packages.

    Raises:
        ValueError: a key has not 32 bytes, or two keys are the same.
    """

    body_encryption: bytes
    digest: bytes
    opaque_codes: bytes

    def __post_init__(self) -> None:
        """Refuse a ring that could not keep its promises."""
        keys = [getattr(self, field.name) for field in fields(self)]
        if any(len(key) != KEY_LENGTH for key in keys):
            raise ValueError(f"every key has {KEY_LENGTH} bytes")
        if len(set(keys)) != len(keys):
            raise ValueError("every key serves one purpose: two are the same")

    def __repr__(self) -> str:
        return "KeyRing(<secret>)"


def format_keys(keys: KeyRing) -> bytes:
    """Return the content of a key file: canonical JSON with hexadecimal keys, and a final newline."""
    members = {field.name: getattr(keys, field.name).hex() for field in fields(keys)}
    return canonical_bytes({"format": _FORMAT, **members}) + b"\n"


def parse_keys(content: bytes) -> KeyRing:
    """Read the content of a key file.

    Raises:
        Unavailable: not a key file of this format. The text never repeats the content.
    """
    # Raised after the handlers, so that no context carries the content along.
    try:
        members = parse_strict(content)
        if isinstance(members, dict) and members.pop("format", None) == _FORMAT:
            return KeyRing(**{name: bytes.fromhex(text) for name, text in members.items()})
    except (NotCanonical, ValueError, TypeError):
        pass
    raise Unavailable(
        "keys_unreadable",
        what="this is not a key file of a format that is known here",
        where="the key file",
        what_to_do="Restore the key file from its backup, or make new keys with `channelsafe keys create`.",
    )
