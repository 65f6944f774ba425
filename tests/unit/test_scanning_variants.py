"""Readings: what a text may also be read as, where its characters stand in the text, and what is told as unread."""

import base64
import html
import json
import random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.scanning.engine import UNREADABLE, Scanner
from dagster_project.scanning.plain_bytes import Places, letters_and_digits, one_byte_each
from dagster_project.scanning.preselection import LiteralPreselector
from dagster_project.scanning.shipped import shipped_rules
from dagster_project.scanning.variants import DEPTH, Reading, Unread, base64_starts, readings_of

SCANNER = Scanner(LiteralPreselector([one for one in shipped_rules() if one.tier != "wording"]), key=b"k" * 32)
ADDRESS = "ana.b@example.org"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "hidden",
    [
        "ana.b@\u200bexample.org",
        "\u202eana.b@example.org",
        "\u202egro.elpmaxe@b.ana\u202c",
        "\u0430n\u0430.b@ex\u0430mple.org",
        "\uff41\uff4e\uff41.b@example.org",
        "".join(chr(0xE0000 + ord(one)) for one in ADDRESS),
        "an\u00ada.b@example.org",
        quote(ADDRESS, safe=""),
        "".join(f"%{ord(one):02x}" for one in ADDRESS),
        json.dumps(ADDRESS.replace("@", "\u200b@"))[1:-1],
        "".join(f"\\u{ord(one):04x}" for one in ADDRESS),
        "".join(f"\\x{ord(one):02x}" for one in ADDRESS),
        html.escape(ADDRESS).replace("@", "&commat;"),
        "".join(f"&#{ord(one)};" for one in ADDRESS),
        "".join(f"&#x{ord(one):x};" for one in ADDRESS),
        encoded(ADDRESS),
        base64.urlsafe_b64encode(f"{ADDRESS}???>>>".encode()).decode(),
        f"/files/{encoded(ADDRESS)}",
        f"part-{encoded(ADDRESS)}",
        encoded(encoded(quote(ADDRESS, safe=""))),
        json.dumps(json.dumps({"to": ADDRESS.replace("@", "\u00ad@")})),
        encoded("\u0430\u0430\u0430\u0430 " + ADDRESS),
        encoded("far away " * 9 + ADDRESS)[:76] + "\n" + encoded("far away " * 9 + ADDRESS)[76:],
    ],
)
def test_an_address_is_found_however_it_is_written_and_placed_where_it_stands(hidden: str) -> None:
    before = "\U0001f600 see "
    found = [one for one in SCANNER.scan(f"{before}{hidden} there") if one.type == "EMAIL_ADDRESS"]
    assert len(found) == 1
    assert len(before) <= found[0].start < found[0].end <= len(before) + len(hidden)


@pytest.mark.parametrize(
    "wrap", [encoded, lambda text: quote(text, safe="").replace("u", "%75")], ids=["base64", "url"]
)
def test_what_is_wrapped_too_often_is_told_as_unread(wrap: object) -> None:
    assert callable(wrap)
    text = ADDRESS
    for _ in range(DEPTH):
        text = wrap(text)
    assert [one.type for one in SCANNER.scan(f"see {text}")] == ["EMAIL_ADDRESS"]
    text = wrap(wrap(text))
    found = [one for one in SCANNER.scan(f"see {text}") if one.type == UNREADABLE]
    assert [one.rule for one in found] == ["unreadable_depth"]
    assert 4 <= found[0].start < found[0].end <= 4 + len(text)


def test_what_would_grow_without_end_is_told_as_unread() -> None:
    # One code point that folds to eighteen characters, over and over.
    found = SCANNER.scan("\ufdfa" * 5000)
    assert [(one.rule, one.type) for one in found] == [("unreadable_growth", UNREADABLE)]


def test_only_lines_that_decoding_changed_are_read_again() -> None:
    first, *others = readings_of("plain\n%41bc\nplain\nd%65f\n")
    assert isinstance(first, Reading)
    assert [one.text for one in others if isinstance(one, Reading)] == ["Abc\ndef\n"]


@given(st.text(st.sampled_from("aA1=%4\\u0&#;+/\n\u0430\u200b\u202e\U0001f600Yx "), max_size=60))
def test_every_span_of_every_reading_lies_in_the_text(text: str) -> None:
    for reading in readings_of(text):
        if isinstance(reading, Unread):
            assert 0 <= reading.start < reading.end <= len(text)
            continue
        spans = [reading.span(place, place + 1) for place in range(len(reading.text))]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        kept = [one for one, (start, end) in zip(reading.text, spans, strict=True) if text[start:end] == one]
        assert len(kept) >= len(reading.text) - sum(not unchanged for *_, unchanged in reading.spans) * len(text)


def test_a_long_run_that_is_no_text_is_not_decoded_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    decode = base64.b64decode

    def counted(data: str) -> bytes:
        decoded.append(len(data))
        return decode(data)

    monkeypatch.setattr(base64, "b64decode", counted)
    noise = base64.urlsafe_b64encode(random.Random(3).randbytes(60_000)).decode()  # noqa: S311 - reproducible
    assert list(readings_of(noise, lambda _raw: range(0, len(noise), 40)))[1:] == []
    assert sum(decoded) < 20 * len(noise)


@given(st.text(max_size=40), st.text(max_size=10), st.text("abc1- \n", max_size=10))
def test_text_in_base64_is_always_a_candidate(text: str, more: str, before: str) -> None:
    data = (text + more).encode(errors="ignore")
    printable = data.decode().isprintable()
    run = base64.b64encode(data).decode().rstrip("=")
    if printable and len(run) >= 12:
        assert len(before) + 1 in list(base64_starts(one_byte_each(f"{before} {run}")))


@given(st.text(st.characters(), max_size=300), st.integers(1, 40))
def test_every_letter_and_digit_is_found_again_by_its_number(text: str, times: int) -> None:
    raw = one_byte_each(text * times)
    assert len(raw) == len(text) * times
    places = Places(raw)
    assert places.flat == letters_and_digits(raw)
    found = [places.of(number) for number in range(0, len(places.flat), 7)]
    assert [letters_and_digits(raw[place : place + 1]) for place in found] == [
        places.flat[number : number + 1] for number in range(0, len(places.flat), 7)
    ]
