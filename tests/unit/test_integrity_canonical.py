"""What the strict reader and the canonical writer refuse, and what their refusals say."""

from collections import OrderedDict
from enum import StrEnum

import pytest

from dagster_project.integrity.canonical import MAX_DEPTH, NotCanonical, canonical_bytes, parse_strict

_VENDOR = "orchid-vendor"


class _Label(StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    ("data", "reason", "pointer"),
    [
        (b'{"a":{"b":1,"b":1}}', "duplicate_key", "/a"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key", ""),
        (b'{"a":[NaN]}', "not_a_number", "/a/0"),
        (b"[Infinity]", "not_a_number", "/0"),
        (b"[-Infinity]", "not_a_number", "/0"),
        (b"[1.0]", "float", "/0"),
        (b"[1e3]", "float", "/0"),
        (b"[9007199254740992]", "unsafe_integer", "/0"),
        (b"[-9007199254740992]", "unsafe_integer", "/0"),
        (b"[" + b"9" * 10_000 + b"]", "unsafe_integer", "/0"),
        (b"[-0]", "negative_zero", "/0"),
        (b'["\xff"]', "invalid_utf8", ""),
        (b'["\xed\xa0\x80"]', "invalid_utf8", ""),
        (b'["\\ud800"]', "lone_surrogate", "/0"),
        ('["e\u0301"]'.encode(), "string_not_nfc", "/0"),
        (b'["e\\u0301"]', "string_not_nfc", "/0"),
        ('{"a":{"é":1}}'.encode(), "key_not_ascii", "/a"),
        (b'{"a/b":{"c~d":[1,2.5]}}', "float", "/a~1b/c~0d/1"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep", ""),
        (b"", "not_json", ""),
        (b"\xef\xbb\xbf{}", "not_json", ""),
        (b"{} {}", "not_json", ""),
        (b'["\x01"]', "not_json", ""),
        (b"<html></html>", "not_json", ""),
        ("{}".encode("utf-16"), "invalid_utf8", ""),
    ],
)
def test_the_reader_refuses_with_the_rule_and_the_place(data: bytes, reason: str, pointer: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        parse_strict(data)
    assert (caught.value.reason, caught.value.pointer) == (reason, pointer)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((1, 2), "type_not_allowed"),
        ({1: "a"}, "key_not_text"),
        ({_Label.ONE: "a"}, "key_not_text"),
        (_Label.ONE, "type_not_allowed"),
        (OrderedDict(a=1), "type_not_allowed"),
        (b"a", "type_not_allowed"),
        ({1, 2}, "type_not_allowed"),
        (1.5, "float"),
        (float("nan"), "float"),
        ("\ud800", "lone_surrogate"),
    ],
)
def test_the_writer_coerces_nothing(value: object, reason: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        canonical_bytes(value)
    assert caught.value.reason == reason


def test_nesting_is_allowed_up_to_the_limit_and_refused_beyond() -> None:
    assert parse_strict(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(NotCanonical, match="too_deep"):
        parse_strict(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("document", ['{"a":["%s\\ud800"]}', '{"a":"%s", "a":1}', '["%s"', '["%s", 1.5]'])
def test_a_refusal_carries_nothing_of_the_document(document: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        parse_strict((document % _VENDOR).encode())
    assert _VENDOR not in str(caught.value)
    assert caught.value.__context__ is None
