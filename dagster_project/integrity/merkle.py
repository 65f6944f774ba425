"""Merkle trees as in RFC 6962: one hash that stands for a whole log, and short proofs about it.

Belongs here: hashing, the compact range by which a log grows, and proofs of inclusion and consistency with their
verification (RFC 9162, section 2.1, says how). What a leaf says is `audit_entries`; who signs a root is `checkpoints`.
Pure.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

HASH_LENGTH: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf. Its prefix differs from that of nodes, so neither can be shown as the other."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class CompactRange:
    """A log of `size` leaves as the roots of its perfect subtrees, the largest first: all that appending needs.

    Raises:
        ValueError: not as many hashes, of 32 bytes each, as a log of this size has perfect subtrees.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no log has."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError("a log has one perfect subtree for each bit of its size")
        if any(len(one) != HASH_LENGTH for one in self.hashes):
            raise ValueError(f"every hash has {HASH_LENGTH} bytes")

    def appended(self, leaves: Iterable[bytes]) -> "CompactRange":
        """Return the log after leaves of these hashes were appended; two hashes a leaf on average."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            hashes.append(leaf)
            size += 1
            lowest_bit = size & -size
            for _level in range(lowest_bit.bit_length() - 1):
                right = hashes.pop()
                hashes[-1] = node_hash(hashes[-1], right)
        return CompactRange(size, tuple(hashes))

    @property
    def root(self) -> bytes:
        """The Merkle tree hash of the log."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the Merkle tree hash over leaves of these hashes."""
    return CompactRange().appended(leaves).root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the proof that the leaf at `index` (from 0) is in the log of these leaf hashes.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    proof: list[bytes] = []
    first, last = 0, len(leaves)
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            proof.append(root_of(leaves[middle:last]))
            last = middle
        else:
            proof.append(root_of(leaves[first:middle]))
            first = middle
    return tuple(reversed(proof))


def verify_inclusion(leaf: bytes, index: int, *, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `proof` shows that the leaf is at `index` in the log of this size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, found = index, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node_hash(one, found)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, one)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the proof that the log of the first `old_size` leaves is the beginning of the log of all of them.

    Raises:
        IndexError: the log was never of this size.
    """
    if not 0 <= old_size <= len(leaves):
        raise IndexError(old_size)
    if old_size in {0, len(leaves)}:
        return ()
    proof: list[bytes] = []
    first, last, is_known = 0, len(leaves), True
    while old_size < last:
        middle = first + _split(last - first)
        if old_size <= middle:
            proof.append(root_of(leaves[middle:last]))
            last = middle
        else:
            proof.append(root_of(leaves[first:middle]))
            first, is_known = middle, False
    # The verifier has the old root; where that is the subtree reached here, it need not be told.
    return tuple(reversed(proof if is_known else [*proof, root_of(leaves[first:last])]))


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether `proof` shows that the old log is the beginning of the new one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size < new_size:
        is_trivial = old_root == (EMPTY_ROOT if old_size == 0 else new_root)
        return not proof and 0 <= old_size <= new_size and is_trivial
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_found = new_found = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_found, new_found = node_hash(one, old_found), node_hash(one, new_found)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new_found = node_hash(new_found, one)
        position, last = position >> 1, last >> 1
    return last == 0 and (old_found, new_found) == (old_root, new_root)


def _split(size: int) -> int:
    """Return the largest power of two below `size`, where a tree of more than one leaf is split."""
    return 1 << ((size - 1).bit_length() - 1)
