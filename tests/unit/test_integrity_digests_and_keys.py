"""Digests, opaque codes, the cipher and the key ring."""

import re

import pytest

from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.digests import digest_bytes, digest_of, keyed_digest, opaque_code
from dagster_project.integrity.encryption import decrypt, encrypt
from dagster_project.integrity.keys import KeyRing, body_key_id, format_keys, parse_keys
from tests.fixtures.keys import TEST_KEYS

_KEY = b"k" * 32
_FRESH_KEY = b"\x07" * 32
_OTHER_KEY = b"o" * 32


def test_digests_are_those_that_everybody_computes() -> None:
    assert digest_bytes(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    # RFC 4231, test case 2
    assert keyed_digest(b"Jefe", b"what do ya want for nothing?") == (
        "hmac-sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_equal_documents_have_equal_digests_however_their_keys_are_ordered() -> None:
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1}) == digest_bytes(b'{"a":1,"b":[2]}')


def test_an_opaque_code_depends_on_the_key_and_on_where_its_parts_end() -> None:
    codes = {
        opaque_code(_KEY, "ab", "c"),
        opaque_code(_KEY, "a", "bc"),
        opaque_code(_KEY, "abc"),
        opaque_code(_KEY, "abc", ""),
        opaque_code(_OTHER_KEY, "abc"),
    }
    assert len(codes) == 5
    assert all(re.fullmatch("[a-z2-7]{10}", code) for code in codes)
    assert opaque_code(_KEY, "abc", length=16).startswith(opaque_code(_KEY, "abc"))


@pytest.mark.parametrize("length", range(1, 52))
def test_a_shorter_code_is_the_beginning_of_the_longest(length: int) -> None:
    assert opaque_code(_KEY, "abc", length=length) == opaque_code(_KEY, "abc", length=52)[:length]


@pytest.mark.parametrize("length", [0, -1, 53])
def test_a_code_of_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="characters"):
        opaque_code(_KEY, "a", length=length)


@pytest.mark.parametrize("plaintext", [b"", b"x", b"some words" * 500])
def test_encryption_is_undone_and_equal_plaintexts_stay_equal(plaintext: bytes) -> None:
    stored = encrypt(_KEY, plaintext, b"name")
    assert decrypt(_KEY, stored, b"name") == plaintext
    assert stored == encrypt(_KEY, plaintext, b"name")
    assert not plaintext or plaintext not in stored


def test_every_changed_missing_or_added_byte_of_a_ciphertext_is_detected() -> None:
    stored = encrypt(_KEY, b"some words", b"name")
    flipped = [stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :] for at in range(len(stored))]
    cut = [stored[:length] for length in range(len(stored))]
    for damaged in [*flipped, *cut, stored + b"\x00"]:
        with pytest.raises(IntegrityViolation):
            decrypt(_KEY, damaged, b"name")


@pytest.mark.parametrize(("key", "associated"), [(_OTHER_KEY, b"name"), (_KEY, b"other"), (_KEY, b"")])
def test_a_ciphertext_opens_only_with_its_key_and_in_its_place(key: bytes, associated: bytes) -> None:
    with pytest.raises(IntegrityViolation):
        decrypt(key, encrypt(_KEY, b"some words", b"name"), associated)


def test_a_key_file_is_read_back_as_written() -> None:
    assert parse_keys(format_keys(TEST_KEYS)) == TEST_KEYS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        format_keys(TEST_KEYS).replace(b"01" * 32, b"01" * 31),
        format_keys(TEST_KEYS).replace(b"01" * 32, b"zz" * 32),
        format_keys(TEST_KEYS).replace(b"01" * 32, b"02" * 32),
        format_keys(TEST_KEYS).replace(b"digest", b"digests"),
        format_keys(TEST_KEYS).replace(b"keys-1", b"keys-2"),
        format_keys(TEST_KEYS).replace(b'"' + b"01" * 32 + b'"', b"1"),
    ],
)
def test_what_is_no_key_file_is_refused_without_repeating_it(content: bytes) -> None:
    with pytest.raises(Unavailable, match="keys_unreadable") as caught:
        parse_keys(content)
    assert "02" * 32 not in str(caught.value)


def test_a_key_ring_does_not_show_its_keys() -> None:
    shown = f"{TEST_KEYS} {TEST_KEYS!r}"
    assert not any(spelling in shown for spelling in ("01" * 32, "x01", "\x01"))


def test_a_key_ring_serves_each_purpose_by_a_key_of_its_own() -> None:
    with pytest.raises(ValueError, match="two are the same"):
        KeyRing(body_encryption=_KEY, digest=_KEY, opaque_codes=_OTHER_KEY)


def test_a_rotated_ring_seals_with_the_fresh_key_and_opens_with_both() -> None:
    rotated = TEST_KEYS.rotated(_FRESH_KEY)
    assert list(rotated.body_keys.values()) == [_FRESH_KEY, TEST_KEYS.body_encryption]
    assert parse_keys(format_keys(rotated)) == rotated
    assert (rotated.digest, rotated.opaque_codes) == (TEST_KEYS.digest, TEST_KEYS.opaque_codes)
    assert list(rotated.without_former().body_keys.values()) == [_FRESH_KEY]
    with pytest.raises(ValueError, match="the former key is still there"):
        rotated.rotated(b"\x06" * 32)
    with pytest.raises(ValueError, match="two are the same"):
        TEST_KEYS.rotated(TEST_KEYS.body_encryption)


def test_a_file_says_by_its_format_whether_a_rotation_is_under_way() -> None:
    """A program that knows nothing of rotations must not read such a file, and lose the former key."""
    rotating = format_keys(TEST_KEYS.rotated(_FRESH_KEY))
    assert b"channelsafe-keys-2" in rotating
    with pytest.raises(Unavailable, match="keys_unreadable"):
        parse_keys(rotating.replace(b"keys-2", b"keys-1"))


def test_the_id_of_a_body_key_says_nothing_of_it() -> None:
    assert body_key_id(_KEY) != body_key_id(_OTHER_KEY)
    assert len(body_key_id(_KEY)) == 16
