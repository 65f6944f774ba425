"""Variants: other readings of a text under which something might hide, each with a map back to the text.

Belongs here: folding (compatibility forms, homoglyphs, digits of other scripts, invisible characters, tags), JSON and
URL escapes, HTML entities, base64, text that is shown backwards. A reading holds the lines that decoding changed, and
for every character the span of the original that it came from. What would have to be decoded more often than is done
here is told as unread, never passed over.
"""

import base64
import binascii
import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, TypeAlias

from dagster_project.scanning.plain_bytes import one_byte_each

DEPTH: Final = 5
# All readings of one text together hold at most this many times its characters: decoding cannot be made to run on.
_LARGEST: Final = 16
_SMALL: Final = 4096

# (text, start, end): what stands for a span.
Piece: TypeAlias = tuple[str, int, int]
Base64Starts: TypeAlias = Callable[[bytes], Iterable[int]]

_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")
# Shown as nothing, though Unicode does not count them as format characters.
_SHOWN_AS_NOTHING: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_VARIATION: Final = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_TAGS: Final = range(0xE0020, 0xE007F)
_HOMOGLYPHS: Final = str.maketrans(
    "аеорсухіјѕԁһкмтвнгпАЕОРСХІЈЅКМТВНУӏѵѡԛοανικρτυχςγΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɑɡɩʋոօսցհҽ‐‑‒–—−․。‚’‘“”⁄∕∶ꓸ·İ",  # noqa: RUF001 - that is what they are
    "aeopcyxijsdhkmtbhrnAEOPCXIJSKMTBHYlvwqoavikptuxcyABEZHIKMNOPTYXiagivnoughe------..,''\"\"//:..I",
)
_JSON: Final = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|[ux]((?<=u)[0-9a-fA-F]{4}|(?<=x)[0-9a-fA-F]{2})"
    r"|([\"'\\/bfnrt]))"
)
_JSON_PLAIN: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_URL: Final = re.compile(r"%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*")
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BACKWARDS: Final = re.compile("\u202e([^\u202a-\u202e\u2066-\u2069\n]+)")

# Four characters of base64 hold three bytes. What their first three can be where the bytes are text in UTF-8, by what
# each byte is: A for ASCII that is shown, L for the first byte of a longer character, C for a later one.
_FIRST_OF: Final = {"A": "CDI-Za-f", "L": "w-z0-9", "C": "g-v"}
_SECOND_OF: Final = {"A": "AC-HQS-Xgi-nwy-z0-3", "L": "M-Pc-fs-v89+/_-", "C": "I-LY-Za-bo-r4-7"}
_THIRD_OF: Final = {"A": "ABEFIJMNQRUVYZcdghklopstwx014589", "L": "DHLPTXbfjnrvz37/_", "C": "CGKOSWaeimquy26+-"}
_FOLLOWS: Final = {"A": "AL", "L": "C", "C": "ALC"}


def _quartets(first: str) -> str:
    forms = ((a, b, c) for a in first for b in _FOLLOWS[a] for c in _FOLLOWS[b])
    return "|".join(f"[{_FIRST_OF[a]}][{_SECOND_OF[b]}][{_THIRD_OF[c]}]" for a, b, c in forms)


# The first twelve characters of text in base64, for both engines.
BASE64_LENGTH: Final = 12
BASE64_HEAD: Final = rf"(?:{_quartets('AL')})[A-Za-z0-9+/_-]" + rf"(?:(?:{_quartets('ALC')})[A-Za-z0-9+/_-])" * 2
_BASE64_STARTS: Final = re.compile(rf"(?<![A-Za-z0-9])(?={BASE64_HEAD})".encode())
# What may be one encoded text: wrapped at a column; both alphabets; one of them; letters and digits alone.
_BASE64_RUNS: Final = tuple(
    (re.compile(form), re.compile(head))
    for form, head in (
        (r"(?:[A-Za-z0-9+/]{48,256}\r?\n[ \t]{0,16})+[A-Za-z0-9+/]+={0,2}", r"[A-Za-z0-9+/]+"),
        *(
            (rf"{one}={{0,2}}", one)
            for one in (r"[A-Za-z0-9+/_-]+", r"[A-Za-z0-9+/]+", r"[A-Za-z0-9_-]+", r"[A-Za-z0-9]+")
        ),
    )
)
_HEAD: Final = 64
_SPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True)
class Reading:
    """A text as it may be read: pieces at `places`, each from a span of the original, unchanged or standing for it."""

    text: str
    places: list[int]
    spans: list[tuple[int, int, bool]]

    @cached_property
    def raw(self) -> bytes:
        """One byte for each code point of the text."""
        return one_byte_each(self.text)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original behind a span of this reading."""
        if len(self.places) == 1 and self.spans[0][2]:
            return self.spans[0][0] + start, self.spans[0][0] + end
        first, last = bisect_right(self.places, start) - 1, bisect_right(self.places, end - 1) - 1
        begin, stop, unchanged = self.spans[first]
        begin += start - self.places[first] if unchanged else 0
        for number in range(first + 1, last + 1):  # pieces may stand backwards in the original
            begin, stop = min(begin, self.spans[number][0]), max(stop, self.spans[number][1])
        last_start, last_stop, unchanged = self.spans[last]
        if unchanged and last_stop == stop:
            stop = last_start + end - self.places[last]
        return begin, stop


@dataclass(frozen=True)
class Unread:
    """A span of the original that was not decoded to its end, and the rule that says why."""

    rule: str
    start: int
    end: int


def plain_reading(text: str) -> Reading:
    """Return the text as it stands."""
    return Reading(text, [0], [(0, len(text), True)])


class _Rewriting:
    """Copies spans of a reading and replaces others, keeping the map."""

    def __init__(self, parent: Reading) -> None:
        self._parent = parent
        self._parts: list[str] = []
        self._places: list[int] = []
        self._spans: list[tuple[int, int, bool]] = []
        self._length = 0

    def _add(self, text: str, span: tuple[int, int, bool]) -> None:
        if text:
            self._parts.append(text)
            self._places.append(self._length)
            self._spans.append(span)
            self._length += len(text)

    def keep(self, start: int, end: int) -> None:
        """Copy a span as it is."""
        parent = self._parent
        number = bisect_right(parent.places, start) - 1
        while start < end:
            place, (first, last, unchanged) = parent.places[number], parent.spans[number]
            number += 1
            stop = min(end, parent.places[number] if number < len(parent.places) else len(parent.text))
            self._add(
                parent.text[start:stop],
                (first + start - place, first + stop - place, True) if unchanged else (first, last, False),
            )
            start = stop

    def put(self, text: str, start: int, end: int) -> None:
        """Let `text` stand for a span."""
        self._add(text, (*self._parent.span(start, end), False))

    def reading(self) -> Reading:
        """Return what was made."""
        return Reading("".join(self._parts), self._places or [0], self._spans or [(0, 0, True)])


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _rewritten(parent: Reading, pieces: Iterable[Piece]) -> Reading | None:
    """Replace spans of a reading, given in order; lines without any are left out. None where there are no spans."""
    made, text, done, some = _Rewriting(parent), parent.text, 0, False
    for piece, start, end in pieces:
        line = text.rfind("\n", done, start) + 1  # from `done`: a text may be one very long line
        if not some:
            done = line
        elif line > done:
            stop = _line_end(text, done)
            made.keep(done, stop)
            done = max(stop, line)
        made.keep(done, start)
        made.put(piece, start, end)
        done, some = max(done, end), True  # pieces that are turned come in order of reading
    if not some:
        return None
    made.keep(done, _line_end(text, done))
    return made.reading()


@lru_cache(maxsize=4096)
def _folded(one: str) -> str:
    """Return the ASCII that a character looks like or stands for, nothing for one that is not seen, else its NFKC."""
    code = ord(one)
    if code in _TAGS:
        return chr(code - _TAGS.start + 0x20)
    if unicodedata.category(one) == "Cf" or one in _SHOWN_AS_NOTHING or any(code in some for some in _VARIATION):
        return ""
    digit = unicodedata.decimal(one, None)
    return str(digit) if digit is not None else unicodedata.normalize("NFKC", one).translate(_HOMOGLYPHS)


def folded(text: str) -> str:
    """Return a text with what looks alike, stands for something else or is not seen folded."""
    return text if text.isascii() else "".join(one if one.isascii() else _folded(one) for one in text)


def _folding(text: str) -> Iterator[Piece]:
    for found in _BEYOND_ASCII.finditer(text):
        other = _folded(found[0])
        if other != found[0]:
            yield other, *found.span()


def _unescaping(text: str) -> Iterator[Piece]:
    for found in _JSON.finditer(text):
        high, low, code, plain = found.groups()
        if high:
            yield chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF)), *found.span()
        else:
            yield (chr(int(code, 16)) if code else _JSON_PLAIN.get(plain, plain)), *found.span()


def _url_decoding(text: str) -> Iterator[Piece]:
    for found in _URL.finditer(text):
        decoded = bytes.fromhex(found[0].replace("%", "")).decode(errors="replace")
        if not decoded.isascii():
            yield decoded, *found.span()
            continue
        for place, one in enumerate(decoded):
            yield one, found.start() + 3 * place, found.start() + 3 * place + 3


def _entities(text: str) -> Iterator[Piece]:
    for found in _ENTITY.finditer(text):
        decoded = html.unescape(found[0])
        if decoded != found[0]:
            yield decoded, *found.span()


def _unwrapping(reading: Reading) -> Iterator[Piece]:
    """Yield everything that stands for something else, base64 apart; of two that overlap the first counts."""
    text = reading.text
    pieces: list[Piece] = []
    if not text.isascii():
        pieces += _folding(text)
    for sign, decode in (("\\", _unescaping), ("%", _url_decoding), ("&", _entities)):
        if sign in text:
            pieces += decode(text)
    done = 0
    for piece in sorted(pieces, key=lambda one: one[1]):
        if piece[1] >= done:
            yield piece
            done = piece[2]


def _turning(reading: Reading) -> Iterator[Piece]:
    if "\u202e" in reading.text:
        for found in _BACKWARDS.finditer(reading.text):
            first, last = found.span(1)
            yield "", first - 1, first
            for place in range(last - 1, first - 1, -1):
                yield reading.text[place], place, place + 1


def base64_starts(raw: bytes) -> Iterator[int]:
    """Yield where text in base64 may start, in a text given with one byte for each code point."""
    return (one.start() for one in _BASE64_STARTS.finditer(raw))


def _decoded_text(run: str) -> str | None:
    data = _SPACE.sub("", run).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(data + "=" * (-len(data) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    printable = all(one.isprintable() or one in "\r\n\t" or not _folded(one) for one in decoded)
    return decoded if printable and decoded else None


def _begins_as_text(text: str, start: int, head: re.Pattern[str]) -> bool:
    """Tell whether a run may be text, from its first characters: a run may be long, and what is no text has many."""
    begun = head.match(text, start, start + _HEAD)
    data = "" if begun is None else begun[0].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        base64.b64decode(data[: len(data) // 4 * 4]).decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return len(data) >= BASE64_LENGTH


def _in_threes(decoded: str, run: re.Match[str]) -> Iterator[Piece]:
    if not decoded.isascii():
        yield decoded, *run.span()
        return
    places: range | list[int] = range(*run.span())
    if "\n" in run[0]:
        places = [place for place in places if not run.string[place].isspace()]
    for number, first in enumerate(range(0, len(decoded), 3)):
        last = min(4 * number + 3, len(places) - 1)
        yield decoded[first : first + 3], places[4 * number], places[last] + 1


def _base64_decoding(reading: Reading, starts: Iterable[int]) -> Iterator[Piece]:
    done = 0
    for start in starts:
        for form, head in _BASE64_RUNS if start >= done else ():
            if not _begins_as_text(reading.text, start, head):
                continue
            run = form.match(reading.text, start)
            decoded = _decoded_text(run[0]) if run is not None else None
            if run is not None and decoded is not None:
                yield from _in_threes(decoded, run)
                done = run.end()
                break


def _other_readings(reading: Reading, starts: Base64Starts) -> Iterator[Reading]:
    ways = (_unwrapping(reading), _base64_decoding(reading, starts(reading.raw)), _turning(reading))
    return (other for other in (_rewritten(reading, pieces) for pieces in ways) if other is not None)


def _unread(rule: str, other: Reading) -> Unread:
    changed = [(start, end) for start, end, unchanged in other.spans if not unchanged]
    if not changed:  # characters that are not seen stood there and nothing else
        return Unread(rule, *other.span(0, max(1, len(other.text))))
    return Unread(rule, min(start for start, _ in changed), max(end for _, end in changed))


def readings_of(text: str, starts: Base64Starts = base64_starts) -> Iterator[Reading | Unread]:
    """Yield the text, its other readings, decoded up to `DEPTH` times, and what was left undecoded.

    `starts` says where text in base64 may start; engines may know it faster than `base64_starts`.
    """
    level, seen, spent = [plain_reading(text)], {text}, 0
    yield level[0]
    for _depth in range(DEPTH):
        following: list[Reading] = []
        for reading in level:
            for other in _other_readings(reading, starts):
                if other.text in seen:
                    continue
                if spent + len(other.text) > _LARGEST * len(text) + _SMALL:
                    yield _unread("unreadable_growth", other)
                    continue
                seen.add(other.text)
                spent += len(other.text)
                following.append(other)
                yield other
        level = following
    for reading in level:
        yield from (
            _unread("unreadable_depth", one) for one in _other_readings(reading, starts) if one.text not in seen
        )
