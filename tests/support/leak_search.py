"""Searching bytes that leave for words that must not: as they stand, and as any form that hides them decodes to.

Forms are: any case, any separators between the letters, compatibility characters, JSON escapes, HTML entities, URL
encoding, and base64 wherever it begins, one inside the other to a depth of two.
"""

import base64
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_SEPARATORS = re.compile(r"[^0-9a-z]+")
_LONGEST_LINE = 4096
_DEPTH = 2


@dataclass
class LeakSearch:
    """Looks for tokens, all of one length, in whatever it is shown; what it saw before it does not look at again."""

    tokens: frozenset[str]
    searched: int = 0
    _seen: set[str] = field(default_factory=set)

    def found_in(self, body: bytes) -> frozenset[str]:
        """Return the tokens that stand in these bytes in any form."""
        self.searched += len(body)
        (length,) = {len(one) for one in self.tokens}
        found: set[str] = set()
        for text in forms(body):
            for line in _lines(text):
                if line not in self._seen:
                    self._seen.add(line)
                    found |= {line[at : at + length] for at in range(len(line) - length + 1)} & self.tokens
        # A leak is told of wherever it stands, not at its first place alone.
        self._seen -= {line for line in self._seen if any(one in line for one in found)} if found else set()
        return frozenset(found)


def forms(body: bytes, depth: int = _DEPTH) -> Iterator[str]:
    """Yield bytes as text, and as every text that decoding them gives."""
    text = body.decode(errors="replace")
    yield text
    if depth == 0:
        return
    plainer = {_without_escapes(text), html.unescape(text), unquote_to_bytes(text).decode(errors="replace")} - {text}
    for one in plainer:
        yield from forms(one.encode(errors="replace"), depth - 1)
    for decoded in _decoded(text):
        yield from forms(decoded, depth - 1)


def _without_escapes(text: str) -> str:
    return _ESCAPED.sub(lambda one: chr(int(one[1], 16)), text)


def _decoded(text: str) -> Iterator[bytes]:
    for run in _ENCODED.findall(text):
        standard = run.replace("-", "+").replace("_", "/")
        for begin in range(4):
            whole = standard[begin : begin + (len(standard) - begin) // 4 * 4]
            yield base64.b64decode(whole)


def _lines(text: str) -> Iterator[str]:
    """Yield the letters and digits of each line, a long one in pieces that overlap."""
    for line in unicodedata.normalize("NFKC", text).casefold().splitlines():
        flat = _SEPARATORS.sub("", line)
        for begin in range(0, max(1, len(flat)), _LONGEST_LINE):
            yield flat[begin : begin + _LONGEST_LINE + 64]
