"""The key ring: the secrets of one deployment, and the text of the file that holds them.

Belongs here: the ring and the format. Reading and writing the file, and judging its mode, is
`store.key_files`. Each key serves one purpose and is random: nothing is derived from anything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from dagster_project.errors import Unavailable
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import opaque_code

KEY_LENGTH: Final = 32
_FORMAT: Final = "channelsafe-keys-1"
# While a rotation is under way, the file holds the former body key too.
_FORMAT_WHILE_ROTATING: Final = "channelsafe-keys-2"
_FORMER: Final = "former_body_encryption"
_ID_LENGTH: Final = 16


@dataclass(frozen=True, repr=False)
class KeyRing:
    """The keys of one deployment, 32 bytes each. Its repr shows none of them.

    Args:
        body_encryption: Encrypts bodies that are not for customers.
        digest: Keys the digests of restricted content that are shown outside the store, and names of blobs.
        opaque_codes: Makes the ids that appear in packages.
        former_body_encryption: Opens the bodies that a rotation did not reach yet; None where none is under way.

    Raises:
        ValueError: a key has not 32 bytes, or two keys are the same.
    """

    body_encryption: bytes
    digest: bytes
    opaque_codes: bytes
    former_body_encryption: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse a ring that could not keep its promises."""
        keys = list(_members(self).values())
        if any(len(key) != KEY_LENGTH for key in keys):
            raise ValueError(f"every key has {KEY_LENGTH} bytes")
        if len(set(keys)) != len(keys):
            raise ValueError("every key serves one purpose: two are the same")

    def __repr__(self) -> str:
        return "KeyRing(<secret>)"

    @property
    def body_keys(self) -> Mapping[str, bytes]:
        """The keys that open bodies, by id; the one that seals first."""
        keys = (self.body_encryption, self.former_body_encryption)
        return {body_key_id(key): key for key in keys if key is not None}

    def rotated(self, fresh: bytes) -> "KeyRing":
        """Return the ring in which `fresh` seals and the key before it still opens.

        Raises:
            ValueError: a rotation is under way already, or `fresh` is no fresh key.
        """
        if self.former_body_encryption is not None:
            raise ValueError("the former key is still there")
        return replace(self, body_encryption=fresh, former_body_encryption=self.body_encryption)

    def without_former(self) -> "KeyRing":
        """Return the ring that no longer opens what only the former key opens."""
        return replace(self, former_body_encryption=None)


def body_key_id(key: bytes) -> str:
    """Return the id by which stored bodies name the key that sealed them; it says nothing of the key."""
    return opaque_code(key, "body key", length=_ID_LENGTH)


def format_keys(keys: KeyRing) -> bytes:
    """Return the content of a key file: canonical JSON with hexadecimal keys, and a final newline."""
    members = {name: key.hex() for name, key in _members(keys).items()}
    kind = _FORMAT_WHILE_ROTATING if _FORMER in members else _FORMAT
    return canonical_bytes({"format": kind, **members}) + b"\n"


def parse_keys(content: bytes) -> KeyRing:
    """Read the content of a key file.

    Raises:
        Unavailable: not a key file of this format. The text never repeats the content.
    """
    # Raised after the handlers, so that no context carries the content along.
    try:
        members = parse_strict(content)
        if isinstance(members, dict):
            kind = _FORMAT_WHILE_ROTATING if _FORMER in members else _FORMAT
            if members.pop("format", None) == kind:
                return KeyRing(**{name: bytes.fromhex(text) for name, text in members.items()})
    except (NotCanonical, ValueError, TypeError):
        pass
    raise Unavailable(
        "keys_unreadable",
        what="this is not a key file of a format that is known here",
        where="the key file",
        what_to_do="Restore the key file from its backup, or make new keys with `channelsafe keys create`.",
    )


def _members(keys: KeyRing) -> dict[str, bytes]:
    found = {field.name: getattr(keys, field.name) for field in fields(keys)}
    return {name: key for name, key in found.items() if key is not None}
