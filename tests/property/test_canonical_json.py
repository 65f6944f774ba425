"""Canonical JSON is RFC 8785 on everything it accepts, and reads back what it wrote."""

import json
import unicodedata
from typing import Any, cast

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from dagster_project.integrity.canonical import MAX_SAFE_INTEGER, NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.documents import typed_bytes

_texts = st.text().map(lambda text: unicodedata.normalize("NFC", text))
_integers = st.integers(min_value=-MAX_SAFE_INTEGER, max_value=MAX_SAFE_INTEGER)
_keys = st.text(alphabet=st.characters(max_codepoint=127))
documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _integers | _texts,
    lambda inner: st.lists(inner) | st.dictionaries(_keys, inner),
    max_leaves=25,
)


@given(documents)
def test_canonical_bytes_equal_the_reference_implementation(document: object) -> None:
    assert canonical_bytes(document) == rfc8785.dumps(cast("Any", document))


@given(documents)
@example("".join(map(chr, range(128))))
def test_the_typed_writer_writes_what_the_guarded_one_writes(document: object) -> None:
    assert typed_bytes(document) == canonical_bytes(document)


def test_the_typed_writer_refuses_text_that_is_not_in_normal_form() -> None:
    with pytest.raises(NotCanonical, match="string_not_nfc"):
        typed_bytes(["e\u0301"])


@given(documents)
def test_what_was_written_is_read_back_equal(document: object) -> None:
    assert parse_strict(canonical_bytes(document)) == document


@given(documents, st.sampled_from([None, 1, 4]))
def test_spacing_and_escapes_of_the_reader_s_input_do_not_matter(document: object, indent: int | None) -> None:
    spelled_otherwise = json.dumps(document, indent=indent, ensure_ascii=True).encode()
    assert canonical_bytes(parse_strict(spelled_otherwise)) == canonical_bytes(document)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:0123456789.eE-+ntrufalse\\ ').map(str.encode))
def test_any_bytes_are_either_read_into_a_canonical_document_or_refused(data: bytes) -> None:
    try:
        document = parse_strict(data)
    except NotCanonical:
        return
    assert canonical_bytes(document) == rfc8785.dumps(document)


@pytest.mark.parametrize("size", [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER])
def test_the_greatest_safe_integers_are_allowed_and_the_next_are_not(size: int) -> None:
    assert parse_strict(canonical_bytes([size])) == [size]
    with pytest.raises(NotCanonical, match="unsafe_integer"):
        canonical_bytes([size + (1 if size > 0 else -1)])
