"""Hashes, compact ranges and proofs are those of RFC 6962, by its own recursive definition."""

import hashlib
from collections.abc import Sequence
from itertools import chain

import pytest

from dagster_project.integrity.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SIZES = sorted({0, 1, *chain.from_iterable((2**bit - 1, 2**bit, 2**bit + 1) for bit in range(1, 6))})
# The tree of certificate-transparency's own tests: its leaves, and its roots by size.
PUBLISHED_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
PUBLISHED_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def data(size: int) -> list[bytes]:
    return [number.to_bytes(2, "big") for number in range(size)]


def hashes(size: int) -> list[bytes]:
    return [leaf_hash(one) for one in data(size)]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = max(2**bit for bit in range(32) if 2**bit < len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def flipped(one: bytes) -> bytes:
    return bytes([one[0] ^ 1]) + one[1:]


@pytest.mark.parametrize("size", PUBLISHED_ROOTS)
def test_roots_are_the_published_ones(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(one)) for one in PUBLISHED_LEAVES[:size]]
    assert root_of(leaves).hex() == PUBLISHED_ROOTS[size]


@pytest.mark.parametrize("size", SIZES)
def test_a_root_is_the_one_of_the_recursive_definition(size: int) -> None:
    assert root_of(hashes(size)) == naive_root(data(size))


def test_a_log_that_grew_in_any_steps_is_the_same_log() -> None:
    whole = CompactRange().appended(hashes(33))
    for size in range(34):
        begun = CompactRange().appended(hashes(33)[:size])
        assert begun.appended(hashes(33)[size:]) == whole
        assert len(begun.hashes) == size.bit_count()


def test_a_leaf_is_never_taken_for_a_node() -> None:
    left, right = hashes(2)
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_proved_to_be_in_the_log_and_nowhere_else_in_it(size: int) -> None:
    leaves, root = hashes(size), naive_root(data(size))
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(leaves, index)
        assert verify_inclusion(leaf, index, size=size, proof=proof, root=root)
        for other in {index - 1, index + 1, size} - {index}:
            assert not verify_inclusion(leaf, other, size=size, proof=proof, root=root)


@pytest.mark.parametrize("size", [7, 8, 9])
def test_a_proof_of_inclusion_of_anything_else_is_refused(size: int) -> None:
    leaves, root = hashes(size), naive_root(data(size))
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(leaves, index)
        wrong = [proof[:-1], (*proof, root), tuple(reversed((*proof, root)))]
        wrong += [(*proof[:place], flipped(proof[place]), *proof[place + 1 :]) for place in range(len(proof))]
        for one in wrong:
            assert not verify_inclusion(leaf, index, size=size, proof=one, root=root)
        assert not verify_inclusion(flipped(leaf), index, size=size, proof=proof, root=root)
        assert not verify_inclusion(leaf, index, size=size, proof=proof, root=flipped(root))


@pytest.mark.parametrize("size", SIZES)
def test_every_earlier_log_is_proved_to_be_the_beginning(size: int) -> None:
    leaves, root = hashes(size), naive_root(data(size))
    for old in range(size + 1):
        proof = consistency_proof(leaves, old)
        old_root = naive_root(data(size)[:old])
        assert verify_consistency(old_size=old, old_root=old_root, new_size=size, new_root=root, proof=proof)


@pytest.mark.parametrize("size", [5, 8, 9])
def test_a_proof_of_consistency_of_anything_else_is_refused(size: int) -> None:
    leaves, root = hashes(size), naive_root(data(size))
    for old in range(1, size):
        old_root, proof = naive_root(data(size)[:old]), consistency_proof(leaves, old)
        wrong = [proof[:-1], (*proof, root), ()]
        wrong += [(*proof[:place], flipped(proof[place]), *proof[place + 1 :]) for place in range(len(proof))]
        for one in wrong:
            assert not verify_consistency(old_size=old, old_root=old_root, new_size=size, new_root=root, proof=one)
        for roots in ((flipped(old_root), root), (old_root, flipped(root))):
            assert not verify_consistency(
                old_size=old, old_root=roots[0], new_size=size, new_root=roots[1], proof=proof
            )


def test_an_empty_log_begins_every_log_and_a_log_begins_itself_only_with_its_own_root() -> None:
    root, other = naive_root(data(3)), naive_root(data(4)[1:])
    assert verify_consistency(old_size=0, old_root=EMPTY_ROOT, new_size=3, new_root=root, proof=())
    assert verify_consistency(old_size=3, old_root=root, new_size=3, new_root=root, proof=())
    assert not verify_consistency(old_size=0, old_root=other, new_size=3, new_root=root, proof=())
    assert not verify_consistency(old_size=3, old_root=other, new_size=3, new_root=root, proof=())
    assert not verify_consistency(old_size=4, old_root=root, new_size=3, new_root=root, proof=())


@pytest.mark.parametrize(("size", "count"), [(3, 1), (3, 3), (0, 1), (-1, 0)])
def test_a_range_without_one_hash_for_each_perfect_subtree_is_refused(size: int, count: int) -> None:
    with pytest.raises(ValueError, match="perfect subtree"):
        CompactRange(size, (EMPTY_ROOT,) * count)


def test_a_range_of_shorter_hashes_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CompactRange(1, (b"short",))


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_proof_about_what_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof(hashes(3), index)
    with pytest.raises(IndexError):
        consistency_proof(hashes(3), index if index < 0 else 4)
