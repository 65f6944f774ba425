"""Signed envelopes and statements: one spelling each, nothing confused with anything, and others read them as we do."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import Key, SSlibKey  # the package does not mark what it exports for type checkers

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.signatures import (
    STATEMENT_TYPE,
    Envelope,
    SigningKey,
    add_signatures,
    envelope_bytes,
    keyid_of,
    pre_authentication_encoding,
    read_envelope,
    sign_envelope,
    signed_by,
)
from dagster_project.integrity.statements import Statement, read_statement, statement_bytes
from tests.support.trusted_people import key

RELEASE = "https://channelsafe.example/release/v1"
INDEX = "https://channelsafe.example/index/v1"
STATEMENT = Statement(RELEASE, {"v1/a.json": "sha256:" + "a" * 64, "v1/b.txt": "sha256:" + "b" * 64}, {"version": 1})
PUBLICS = {key(1).keyid: key(1).public, key(2).keyid: key(2).public}
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.fixture(scope="module")
def signed() -> bytes:
    return sign_envelope(statement_bytes(STATEMENT), [key(1), key(2)])


def refused(data: bytes) -> bool:
    """Whether the bytes are no envelope, or one that nobody known signed."""
    try:
        return not signed_by(read_envelope(data), PUBLICS)
    except IntegrityViolation as violation:
        return violation.code == "envelope_refused"


def respelled(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(data)
    change(document)
    return canonical_bytes(document)


# ---- what is sound is read ------------------------------------------------------------------------------------------


def test_an_envelope_is_read_back_with_its_exact_payload_and_who_signed_it(signed: bytes) -> None:
    envelope = read_envelope(signed)
    assert envelope.payload == statement_bytes(STATEMENT)
    assert signed_by(envelope, PUBLICS) == set(PUBLICS)
    assert read_statement(envelope, RELEASE) == STATEMENT
    assert envelope_bytes(envelope) == signed


def test_another_implementation_encodes_what_is_signed_as_we_do(signed: bytes) -> None:
    for kind, payload in [(STATEMENT_TYPE, b"{}"), ("", b""), ("a b", b"\x00\xff"), ("ä", "é".encode())]:
        other = OtherEnvelope(payload=payload, payload_type=kind, signatures={})
        assert pre_authentication_encoding(kind, payload) == other.pae()
    other = OtherEnvelope.from_dict(json.loads(signed))
    assert pre_authentication_encoding(STATEMENT_TYPE, statement_bytes(STATEMENT)) == other.pae()


def test_another_implementation_verifies_what_we_signed_and_refuses_it_altered(signed: bytes) -> None:
    others: list[Key] = [
        SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(one), keyid) for keyid, one in PUBLICS.items()
    ]
    assert set(OtherEnvelope.from_dict(json.loads(signed)).verify(others, len(others))) == set(PUBLICS)
    altered = respelled(signed, lambda one: one.update(payload=base64.b64encode(b"{}").decode()))
    with pytest.raises(VerificationError, match="Found: 0, Expected 1"):
        OtherEnvelope.from_dict(json.loads(altered)).verify(others, 1)


def test_an_independent_parser_reads_the_statement_and_writes_the_same_bytes(signed: bytes) -> None:
    payload = base64.b64decode(json.loads(signed)["payload"])
    document = json.loads(payload)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["subject"] == [
        {"name": "v1/a.json", "digest": {"sha256": "a" * 64}},
        {"name": "v1/b.txt", "digest": {"sha256": "b" * 64}},
    ]
    assert (document["predicateType"], document["predicate"]) == (RELEASE, {"version": 1})
    assert rfc8785.dumps(document) == payload
    assert rfc8785.dumps(json.loads(signed)) == signed


# ---- one spelling ---------------------------------------------------------------------------------------------------


def test_every_byte_of_an_envelope_flipped_in_every_bit_is_refused() -> None:
    one = sign_envelope(statement_bytes(STATEMENT), [key(1)])
    for place in range(len(one)):
        for bit in range(8):
            altered = one[:place] + bytes([one[place] ^ 1 << bit]) + one[place + 1 :]
            assert refused(altered), f"bit {bit} of byte {place}"
    assert not refused(one)


def test_every_truncation_is_refused(signed: bytes) -> None:
    assert all(refused(signed[:length]) for length in range(len(signed)))


@pytest.mark.parametrize("tail", [b"\n", b" ", b"\x00", b"{}", b"null", b"//"])
def test_bytes_before_or_after_an_envelope_are_refused(signed: bytes, tail: bytes) -> None:
    assert refused(signed + tail)
    assert refused(tail + signed)


def base64_variants(text: str) -> Iterator[str]:
    """Yield other spellings that lenient decoders read as the same bytes."""
    yield text.rstrip("=")
    yield text + "="
    yield text + "===="
    yield text[:8] + "\n" + text[8:]
    yield " " + text
    yield text.replace("+", "-").replace("/", "_")
    if text.endswith("="):
        stripped = text.rstrip("=")
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        # The bits of the last character that decoding drops.
        yield stripped[:-1] + alphabet[alphabet.index(stripped[-1]) ^ 1] + "=" * (len(text) - len(stripped))


def test_every_other_spelling_of_base64_is_refused() -> None:
    # A payload whose length leaves padding, and whose text has both characters that URLs spell differently.
    payload = b"\xff\xfe\xfb\xef"
    sound = sign_envelope(payload, [key(1)], payload_type="application/octet-stream")
    assert not refused(sound)
    document = json.loads(sound)
    for variant in set(base64_variants(document["payload"])) - {document["payload"]}:
        assert refused(canonical_bytes({**document, "payload": variant})), variant
    signature = document["signatures"][0]
    for variant in set(base64_variants(signature["sig"])) - {signature["sig"]}:
        assert refused(canonical_bytes({**document, "signatures": [{**signature, "sig": variant}]})), variant


def test_members_in_another_order_or_with_blanks_are_refused(signed: bytes) -> None:
    document = json.loads(signed)
    backwards = dict(reversed(document.items()))
    assert refused(json.dumps(backwards, separators=(",", ":")).encode())
    assert refused(json.dumps(document, sort_keys=True).encode())
    assert json.dumps(document, sort_keys=True, separators=(",", ":")).encode() == signed


def test_signatures_in_another_order_are_refused(signed: bytes) -> None:
    assert refused(respelled(signed, lambda one: one["signatures"].reverse()))


def test_a_signature_that_stands_twice_is_refused(signed: bytes) -> None:
    assert refused(respelled(signed, lambda one: one["signatures"].append(one["signatures"][0])))
    assert refused(respelled(signed, lambda one: one["signatures"].append(one["signatures"][-1])))


@pytest.mark.parametrize("member", ["payload", "payloadType", "signatures"])
def test_a_member_twice_is_refused_whichever_comes_first(signed: bytes, member: str) -> None:
    again = json.dumps({member: json.loads(signed)[member]}, separators=(",", ":")).encode()[1:-1]
    assert refused(b"{" + again + b"," + signed[1:])
    assert refused(signed[:-1] + b"," + again + b"}")


def test_a_member_that_is_missing_unknown_or_of_another_type_is_refused(signed: bytes) -> None:
    document = json.loads(signed)
    for member in document:
        assert refused(canonical_bytes({name: value for name, value in document.items() if name != member}))
        assert refused(canonical_bytes({**document, member: None}))
        assert refused(canonical_bytes({**document, member: [document[member]]}))
    assert refused(canonical_bytes({**document, "note": "x"}))
    for index, one in enumerate(document["signatures"]):
        for changed in ({**one, "note": "x"}, {"keyid": one["keyid"]}, {"sig": one["sig"]}, {**one, "sig": ""}, "x"):
            signatures = [*document["signatures"][:index], changed, *document["signatures"][index + 1 :]]
            assert refused(canonical_bytes({**document, "signatures": signatures}))


def test_an_envelope_without_any_signature_is_refused(signed: bytes) -> None:
    assert refused(respelled(signed, lambda one: one.update(signatures=[])))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'"x"', b"{}", b"\xff", b"\xef\xbb\xbf{}", b"1"])
def test_what_is_no_envelope_at_all_is_refused(data: bytes) -> None:
    assert refused(data)


# ---- whose signature counts -----------------------------------------------------------------------------------------


def resigned(signatures: Mapping[str, bytes], payload: bytes = b"{}", kind: str = STATEMENT_TYPE) -> Envelope:
    return read_envelope(envelope_bytes(Envelope(kind, payload, signatures)))


def signature_of(signer: SigningKey, payload: bytes = b"{}", kind: str = STATEMENT_TYPE) -> bytes:
    return signer.sign(pre_authentication_encoding(kind, payload))


def test_a_signature_by_an_unknown_key_is_ignored_beside_one_that_counts() -> None:
    envelope = resigned({one.keyid: signature_of(one) for one in (key(1), key(9))})
    assert signed_by(envelope, PUBLICS) == {key(1).keyid}


def test_a_signature_under_the_id_of_another_key_does_not_count() -> None:
    envelope = resigned({key(2).keyid: signature_of(key(1))})
    assert signed_by(envelope, PUBLICS) == set()


def test_one_key_under_two_ids_counts_once() -> None:
    other_id = "sha256:" + "0" * 64
    envelope = resigned({key(1).keyid: signature_of(key(1)), other_id: signature_of(key(1))})
    assert signed_by(envelope, {**PUBLICS, other_id: key(1).public}) == {key(1).keyid}


def test_a_signature_over_another_payload_or_payload_type_does_not_count() -> None:
    for kind, payload in [(STATEMENT_TYPE, b"[]"), ("application/vnd.channelsafe.trust+json", b"{}")]:
        assert signed_by(resigned({key(1).keyid: signature_of(key(1))}, payload, kind), PUBLICS) == set()
    assert signed_by(resigned({key(1).keyid: signature_of(key(1))}), PUBLICS) == {key(1).keyid}


def test_bytes_moved_between_payload_type_and_payload_do_not_count() -> None:
    moved = resigned({key(1).keyid: signature_of(key(1), b"bc", "a")}, b"c", "ab")
    assert signed_by(moved, PUBLICS) == set()


def test_a_signature_written_in_its_second_form_does_not_count() -> None:
    signature = signature_of(key(1))
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    second = signature[:32] + scalar.to_bytes(32, "little")
    assert signed_by(resigned({key(1).keyid: second}), PUBLICS) == set()
    assert signed_by(resigned({key(1).keyid: signature}), PUBLICS) == {key(1).keyid}


def test_further_signatures_leave_payload_and_earlier_signatures_as_they_are() -> None:
    first = read_envelope(sign_envelope(b"{}", [key(1)]))
    both = read_envelope(add_signatures(first, [key(2), key(1)]))
    assert signed_by(both, PUBLICS) == set(PUBLICS)
    assert (both.payload, both.signatures[key(1).keyid]) == (first.payload, first.signatures[key(1).keyid])
    assert envelope_bytes(both) == sign_envelope(b"{}", [key(2), key(1)])


def test_a_signing_key_shows_its_id_and_never_its_seed() -> None:
    assert str(key(1)) == f"SigningKey({keyid_of(key(1).public)})"
    assert key(1).seed.hex() not in repr(key(1))
    for length in (0, 31, 33, 64):
        with pytest.raises(ValueError, match="32 bytes"):
            SigningKey(bytes(length))


# ---- statements -----------------------------------------------------------------------------------------------------


def statement_refused(payload: bytes, *, kind: str = STATEMENT_TYPE, predicate_type: str = RELEASE) -> bool:
    """Whether a payload, signed soundly, is no statement of this type."""
    envelope = read_envelope(sign_envelope(payload, [key(1)], payload_type=kind))
    assert signed_by(envelope, PUBLICS) == {key(1).keyid}
    try:
        read_statement(envelope, predicate_type)
    except IntegrityViolation as violation:
        return violation.code == "statement_refused"
    return False


def test_a_statement_is_refused_as_one_of_another_type() -> None:
    payload = statement_bytes(STATEMENT)
    assert not statement_refused(payload)
    assert statement_refused(payload, predicate_type=INDEX)
    assert statement_refused(payload, predicate_type=RELEASE + "/")


@pytest.mark.parametrize("kind", ["application/json", "", STATEMENT_TYPE + " ", "APPLICATION/vnd.in-toto+json"])
def test_a_statement_under_another_payload_type_is_refused(kind: str) -> None:
    assert statement_refused(statement_bytes(STATEMENT), kind=kind)


def changed_statement(change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(statement_bytes(STATEMENT))
    change(document)
    return canonical_bytes(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda one: one.pop("_type"),
        lambda one: one.update(note="x"),
        lambda one: one["subject"].reverse(),
        lambda one: one["subject"].append(one["subject"][0]),
        lambda one: one["subject"][0].update(note="x"),
        lambda one: one["subject"][0]["digest"].update(sha512="x"),
        lambda one: one["subject"][0].update(digest={}),
        lambda one: one["subject"][0].update(digest="a"),
        lambda one: one.update(subject={}),
        lambda one: one.update(subject=None),
        lambda one: one.update(predicate=None),
        lambda one: one.update(predicate=[["version", 1]]),
        lambda one: one.pop("predicate"),
        lambda one: one.pop("predicateType"),
        lambda one: one.update(predicateType=None),
    ],
)
def test_a_signed_statement_in_another_form_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    assert statement_refused(changed_statement(change))


@pytest.mark.parametrize("member", ["_type", "subject", "predicateType", "predicate"])
def test_a_signed_statement_with_a_member_twice_is_refused(member: str) -> None:
    payload = statement_bytes(STATEMENT)
    again = json.dumps({member: json.loads(payload)[member]}, separators=(",", ":")).encode()[1:-1]
    assert statement_refused(b"{" + again + b"," + payload[1:])
    assert statement_refused(payload[:-1] + b"," + again + b"}")


def test_a_signed_statement_with_blanks_or_trailing_bytes_is_refused() -> None:
    payload = statement_bytes(STATEMENT)
    for altered in (payload + b"\n", b" " + payload, payload.replace(b",", b", ", 1), payload + b"{}", b"", b"null"):
        assert statement_refused(altered)
