"""One byte for each code point, so that engines that search bytes speak of places in the text itself.

Belongs here: that form of a text, and the letters and digits alone (how terms are compared). Does not belong here:
what is searched for. ASCII stays as it is; any other letter or digit becomes one of 127 bytes that stand for many, so
what is found by them is a candidate; every other character becomes the byte 0x80.
"""

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Final

_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_OTHER: Final = "\x80"
_FIRST: Final = 0x81
_STAND_INS: Final = 0x7F
_SEPARATORS: Final = bytes(one for one in range(256) if not chr(one).isalnum() and one < 0x80) + b"\x80"  # noqa: PLR2004 - ASCII
_LOWER: Final = bytes(range(256)).lower()
_KEPT: Final = re.compile(rb"[0-9A-Za-z\x81-\xff]+")
_COARSE: Final = 8192
_FINE: Final = 128


def _stand_in(found: re.Match[str]) -> str:
    one = found[0].lower()[0]
    return chr(_FIRST + ord(one) % _STAND_INS) if one.isalnum() else _OTHER


def one_byte_each(text: str) -> bytes:
    """Return as many bytes as `text` has code points; ASCII is unchanged, nothing else becomes ASCII."""
    if text.isascii():
        return text.encode()
    return _BEYOND_ASCII.sub(_stand_in, text).encode("latin-1")


def letters_and_digits(raw: bytes) -> bytes:
    """Return the letters and digits of `raw` alone, in lower case."""
    return raw.translate(_LOWER, _SEPARATORS)


class Places:
    """The letters and digits of `raw`, in lower case, and where in `raw` each of them stands."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        parts = [letters_and_digits(raw[start : start + _COARSE]) for start in range(0, len(raw), _COARSE)]
        self._coarse = list(accumulate(map(len, parts)))
        self._fine: dict[int, list[int]] = {}
        self.flat: Final = b"".join(parts)

    def of(self, place: int) -> int:
        """Return the place in `raw` of the letter or digit number `place`."""
        if place >= len(self.flat):
            raise IndexError("there are fewer letters and digits")
        first, place = self._block(self._coarse, place, _COARSE)
        if first not in self._fine:
            parts = (self._raw[start : start + _FINE] for start in range(first, first + _COARSE, _FINE))
            self._fine[first] = list(accumulate(len(part.translate(None, _SEPARATORS)) for part in parts))
        inner, place = self._block(self._fine[first], place, _FINE)
        start = first + inner
        for found in _KEPT.finditer(self._raw, start):
            start, length = found.start(), found.end() - found.start()
            if place < length:
                break
            place -= length
        return start + place

    @staticmethod
    def _block(counts: list[int], place: int, step: int) -> tuple[int, int]:
        block = bisect_right(counts, place)
        return block * step, place - (counts[block - 1] if block else 0)
