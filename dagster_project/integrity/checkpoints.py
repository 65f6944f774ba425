"""Checkpoints of the audit log: its size and root as one signed note, in the text forms of C2SP.

Belongs here: the text (tlog-checkpoint), its signatures (signed-note, Ed25519), and a checkpoint together with the
compact range that goes with its root. Which checkpoints a log must agree with is `audit_verification`. Pure.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import MAX_SAFE_INTEGER, NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.merkle import HASH_LENGTH, CompactRange
from dagster_project.integrity.signatures import SIGNATURE_LENGTH, SigningKey, verifies

_SIGNATURE_LINE: Final = "\u2014 "
_ED25519: Final = b"\x01"
_KEY_HASH_LENGTH: Final = 4


@dataclass(frozen=True)
class Checkpoint:
    """A log at one size: whose log, how many entries, and the root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True)
class KeptCheckpoint:
    """A note, and the compact range of the log at its size: what the log can be verified on from there.

    Raises:
        IntegrityViolation: the note is none, or the range is not the one that its root stands for.
    """

    note: str
    compact_range: CompactRange

    def __post_init__(self) -> None:
        """Refuse a range that the note says nothing about."""
        checkpoint = self.checkpoint
        if (checkpoint.size, checkpoint.root) != (self.compact_range.size, self.compact_range.root):
            raise _unreadable()

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says."""
        return _read_note(self.note)[0]

    @property
    def size(self) -> int:
        """How many entries it speaks for."""
        return self.compact_range.size

    @property
    def is_signed(self) -> bool:
        """Whether anybody signed it; who is `signed_by`."""
        return bool(_read_note(self.note)[1])

    def signed_by(self, public_keys: Mapping[str, bytes]) -> frozenset[str]:
        """Return the ids of those of these keys (32 bytes, by key id) that signed the note."""
        checkpoint, signatures = _read_note(self.note)
        message = checkpoint.text.encode()
        return frozenset(
            keyid
            for keyid, public in public_keys.items()
            for key_hash, signature in signatures
            if key_hash == _key_hash(checkpoint.origin, public) and verifies(public, signature, message)
        )


class Anchor(Protocol):
    """A place outside the reach of whoever can change the log, where its checkpoints are kept."""

    def newest(self) -> KeptCheckpoint | None:
        """Return the checkpoint that was anchored last; None where nothing was ever anchored there.

        Raises:
            Unavailable: the place cannot be read.
            IntegrityViolation: what it holds is no checkpoint.
        """
        ...

    def checkpoints(self) -> tuple[Sequence[KeptCheckpoint], int]:
        """Return every checkpoint, in the order in which they were anchored, and how many of them are none.

        Raises:
            Unavailable: the place cannot be read.
        """
        ...

    def append(self, checkpoints: Sequence[KeptCheckpoint], *, after: KeptCheckpoint | None) -> bool:
        """Anchor checkpoints durably, if `after` is still the newest; tell whether a torn end was cut off first.

        Raises:
            Unavailable: the place cannot be written, or somebody else anchored meanwhile.
            IntegrityViolation: what it holds is no checkpoint.
        """
        ...


def make_kept(origin: str, compact_range: CompactRange, keys: Sequence[SigningKey]) -> KeptCheckpoint:
    """Return the checkpoint of a log at this range, signed by `keys` under the name of the log itself."""
    checkpoint = Checkpoint(origin, compact_range.size, compact_range.root)
    return KeptCheckpoint(_write_note(checkpoint, [_sign(checkpoint, key) for key in keys]), compact_range)


def kept_document(kept: KeptCheckpoint) -> dict[str, Any]:
    """Return a kept checkpoint as a JSON object."""
    return {"note": kept.note, "hashes": [one.hex() for one in kept.compact_range.hashes]}


def kept_from(document: object) -> KeptCheckpoint:
    """Read such an object, written by anyone.

    Raises:
        IntegrityViolation: it is no kept checkpoint.
    """
    if not isinstance(document, dict) or document.keys() != {"note", "hashes"}:
        raise _unreadable()
    note, hashes = document["note"], document["hashes"]
    if not isinstance(note, str) or not isinstance(hashes, list):
        raise _unreadable()
    try:
        compact_range = CompactRange(_read_note(note)[0].size, tuple(bytes.fromhex(one) for one in hashes))
    except (ValueError, TypeError):
        raise _unreadable() from None
    return KeptCheckpoint(note, compact_range)


def kept_bytes(kept: KeptCheckpoint) -> bytes:
    """Return a kept checkpoint as one line of canonical JSON, without the line's end."""
    return canonical_bytes(kept_document(kept))


def read_kept(line: bytes) -> KeptCheckpoint:
    """Read such a line, written by anyone.

    Raises:
        IntegrityViolation: it is no kept checkpoint in its one form.
    """
    try:
        kept = kept_from(parse_strict(line))
    except NotCanonical:
        raise _unreadable() from None
    if kept_bytes(kept) != line:
        raise _unreadable()
    return kept


def _sign(checkpoint: Checkpoint, key: SigningKey) -> tuple[bytes, bytes]:
    return _key_hash(checkpoint.origin, key.public), key.sign(checkpoint.text.encode())


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_HASH_LENGTH]


def _write_note(checkpoint: Checkpoint, signatures: Sequence[tuple[bytes, bytes]]) -> str:
    lines = [
        f"{_SIGNATURE_LINE}{checkpoint.origin} {base64.b64encode(key_hash + signature).decode()}\n"
        for key_hash, signature in signatures
    ]
    return f"{checkpoint.text}\n{''.join(lines)}"


def _read_note(note: str) -> tuple[Checkpoint, list[tuple[bytes, bytes]]]:
    """Read a note in its one form: written again, it is the same.

    Raises:
        IntegrityViolation: it is none.
    """
    parsed = _parse_note(note)
    if parsed is None or _write_note(*parsed) != note:
        raise _unreadable()
    return parsed


def _parse_note(note: str) -> tuple[Checkpoint, list[tuple[bytes, bytes]]] | None:
    try:
        origin, size, root, _blank, *lines = note.removesuffix("\n").split("\n") if note else []
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
        blobs = [base64.b64decode(line.rpartition(" ")[2], validate=True) for line in lines]
    except (ValueError, AttributeError, binascii.Error):
        return None
    is_sound = origin and 0 <= checkpoint.size <= MAX_SAFE_INTEGER and len(checkpoint.root) == HASH_LENGTH
    if not is_sound or any(len(one) != _KEY_HASH_LENGTH + SIGNATURE_LENGTH for one in blobs):
        return None
    return checkpoint, [(one[:_KEY_HASH_LENGTH], one[_KEY_HASH_LENGTH:]) for one in blobs]


def _unreadable() -> IntegrityViolation:
    return IntegrityViolation(
        "checkpoint_unreadable",
        what="this is not a checkpoint of an audit log in its one form, with the hashes that make its root",
        where="a checkpoint of the audit log",
        what_to_do="Keep a copy of it. `channelsafe audit verify` says which entries can still be trusted.",
    )
