"""Variants: other readings of a text under which something might hide, each with a map back to the text.

Belongs here: folding (compatibility forms, homoglyphs, invisible characters), JSON escapes, URL encoding, base64.
Each reading keeps, for every character, the span of the original that it came from.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

DEPTH: Final = 3
# Readings of one text never hold more than this many times its characters: decoding cannot be made to run on.
_LARGEST: Final = 8
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
_HOMOGLYPHS: Final = str.maketrans(
    "аеорсухіјѕԁһкмтвнАЕОРСХІЈЅКМТВНУοανικρτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‐‑‒–—−․。‚’‘“”",  # noqa: RUF001 - that is what they are
    "aeopcyxijsdhkmtbhAEOPCXIJSKMTBHYoavikptuxABEZHIKMNOPTYX------..,''\"\"",
)
_JSON: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_JSON_PLAIN: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_URL: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/=_-])")


@dataclass(frozen=True)
class Reading:
    """A text as it may be read; `starts[i]` and `ends[i]` are where character i stands in the original."""

    text: str
    starts: range | list[int]
    ends: range | list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original behind a span of this reading."""
        return self.starts[start], self.ends[end - 1]


def plain_reading(text: str) -> Reading:
    """Return the text as it stands."""
    return Reading(text, range(len(text)), range(1, len(text) + 1))


def _rewritten(reading: Reading, pieces: Iterator[tuple[str, int, int]]) -> Reading | None:
    """Replace spans of a reading; each piece is (text, start, end). None when there is nothing to replace."""
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    place = 0
    for piece, start, end in pieces:
        parts += (reading.text[place:start], piece)
        starts += (*reading.starts[place:start], *([reading.starts[start]] * len(piece)))
        ends += (*reading.ends[place:start], *([reading.ends[end - 1]] * len(piece)))
        place = end
    if not parts:
        return None
    parts.append(reading.text[place:])
    return Reading("".join(parts), [*starts, *reading.starts[place:]], [*ends, *reading.ends[place:]])


def _folded(reading: Reading) -> Reading | None:
    if reading.text.isascii():
        return None

    def pieces() -> Iterator[tuple[str, int, int]]:
        for place, one in enumerate(reading.text):
            if one.isascii():
                continue
            folded = "" if _INVISIBLE.match(one) else unicodedata.normalize("NFKC", one).translate(_HOMOGLYPHS)
            if folded != one:
                yield folded, place, place + 1

    return _rewritten(reading, pieces())


def _unescaped(reading: Reading) -> Reading | None:
    if "\\" not in reading.text:
        return None
    found = _JSON.finditer(reading.text)
    return _rewritten(
        reading,
        ((chr(int(one[1], 16)) if one[1] else _JSON_PLAIN.get(one[2], one[2]), *one.span()) for one in found),
    )


def _url_decoded(reading: Reading) -> Reading | None:
    if "%" not in reading.text:
        return None

    def pieces() -> Iterator[tuple[str, int, int]]:
        for one in _URL.finditer(reading.text):
            decoded = bytes.fromhex(one[0].replace("%", "")).decode(errors="replace")
            if decoded.isascii():
                for place, character in enumerate(decoded):
                    yield character, one.start() + 3 * place, one.start() + 3 * place + 3
            else:
                yield decoded, *one.span()

    return _rewritten(reading, pieces())


def _decoded_text(run: str) -> str | None:
    data = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(data + "=" * (-len(data) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    printable = all(one.isprintable() or one in "\r\n\t" for one in decoded)
    return decoded if printable and decoded else None


def _base64_decoded(reading: Reading) -> Reading | None:
    def pieces() -> Iterator[tuple[str, int, int]]:
        for one in _BASE64.finditer(reading.text):
            decoded = _decoded_text(one[0])
            if decoded is None:
                continue
            if not decoded.isascii():
                yield decoded, *one.span()
                continue
            for place in range(0, len(decoded), 3):
                start = one.start() + place // 3 * 4
                yield decoded[place : place + 3], start, min(start + 4, one.end())

    return _rewritten(reading, pieces())


_DECODERS: Final[tuple[Callable[[Reading], Reading | None], ...]] = (_folded, _unescaped, _url_decoded, _base64_decoded)


def readings_of(text: str) -> Iterator[Reading]:
    """Yield the text and then its other readings, decoded up to `DEPTH` times in any order."""
    level, seen, spent = [plain_reading(text)], {text}, 0
    yield level[0]
    for _depth in range(DEPTH):
        following: list[Reading] = []
        for reading in level:
            for decoder in _DECODERS:
                other = decoder(reading)
                if other is None or other.text in seen or spent + len(other.text) > _LARGEST * len(text) + 1024:
                    continue
                seen.add(other.text)
                spent += len(other.text)
                following.append(other)
                yield other
        level = following
