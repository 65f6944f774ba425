"""Terms: names that may not stand in a text, by the thousand, and names that may.

Belongs here: what one list is, which words of a text are a term, and the search in pure Python. Does not belong here:
where terms come from (`deny_list`) and the fast search (`preselection`).

Semantics are those of the custom dictionary of Google's DLP: case does not count, every character that is no letter or
digit counts as a space, and beside a match stands a character of another class ("jen" is in "jen-7" and "jen7", not in
"jennifer"). Beyond it, up to `GAP` separators may stand between any two characters, or none where the term has some:
"mx-relay 07" is in "MX_RELAY07".
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, Self

import msgspec

from dagster_project.scanning.plain_bytes import Places, letters_and_digits, one_byte_each
from dagster_project.scanning.variants import folded

SHORTEST: Final = 3
GAP: Final = 4
_WIDE_GAP: Final = re.compile(rb"[^0-9A-Za-z\x81-\xff]{%d,}" % (GAP + 1))
_PARTS: Final = re.compile(rb"[0-9]+|[A-Za-z\x81-\xff]+")


class TermHit(msgspec.Struct, frozen=True, order=True):
    """A term in a text: code points, half open, and what kind of name it is."""

    start: int
    end: int
    kind: str


class Terms(msgspec.Struct, frozen=True):
    """Denied terms by their letters and digits, each with its kind, and approved names, which end no denial.

    `unsearchable` counts denied texts with fewer than `SHORTEST` letters and digits: they are not searched for, and
    whoever made the list should know. `approved_away` counts derived terms that an approved name took off the list.
    """

    denied: Mapping[str, str] = {}
    approved: frozenset[str] = frozenset()
    unsearchable: int = 0
    approved_away: int = 0

    @classmethod
    def of(
        cls, denied: Mapping[str, Iterable[str]], *, approved: Iterable[str] = (), always: Iterable[str] = ()
    ) -> Self:
        """Make a list of texts by kind; `approved` names come off all of it but what is `always` denied."""
        allowed = {form for name in approved for form in _forms(name)}
        kept: dict[str, str] = {}
        short = away = 0
        for kind, texts in (*sorted(denied.items()), ("term", always)):
            for text in texts:
                for form in _forms(text):
                    if len(form) < SHORTEST:
                        short += 1
                    elif form in allowed and kind != "term":
                        away += 1
                    else:
                        kept.setdefault(form, kind)
        return cls(dict(sorted(kept.items())), frozenset(allowed), short, away)


NO_TERMS: Final = Terms()


def _forms(text: str) -> set[str]:
    """Return a text as it is compared, as it stands and with what looks alike folded."""
    return {key_of(text), key_of(folded(text))}


def key_of(text: str) -> str:
    """Return the letters and digits of a text, in lower case."""
    return "".join(one.lower()[0] for one in text if one.isalnum())


class TermSearch(Protocol):
    """Finds candidates: where among the letters and digits of a text which key of a list may end."""

    def ends(self, raw: bytes, flat: bytes) -> Iterator[tuple[str, int]]:
        """Yield (key, end), the end counted in `flat`, the letters and digits of `raw`."""


class PureTerms:
    """Tries the terms that begin like the text does wherever a word or a number begins."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._by_head: dict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
        for key in keys:
            data = letters_and_digits(one_byte_each(key))
            self._by_head[data[:SHORTEST]].append((data, key))

    def ends(self, raw: bytes, flat: bytes) -> Iterator[tuple[str, int]]:
        """Yield (key, end), the end counted in `flat`, the letters and digits of `raw`."""
        head = 0
        for part in _PARTS.finditer(raw) if self._by_head else ():
            for data, key in self._by_head.get(flat[head : head + SHORTEST], ()):
                if flat.startswith(data, head):
                    yield key, head + len(data)
            head += part.end() - part.start()


def _class(byte: int) -> int:
    if 0x30 <= byte <= 0x39:  # noqa: PLR2004 - 0 to 9
        return 1
    letter = byte > 0x80 or chr(byte | 0x20) in "abcdefghijklmnopqrstuvwxyz"  # noqa: PLR2004 - see plain_bytes
    return 2 if letter else 0


def term_hits(terms: Terms, search: TermSearch, text: str, raw: bytes) -> Iterator[TermHit]:
    """Yield the terms of `text`; `raw` is the same with one byte for each code point."""
    places = Places(raw)
    for key, end in search.ends(raw, places.flat):
        first, last = places.of(end - len(key)), places.of(end - 1)
        if first and _class(raw[first - 1]) == _class(raw[first]):
            continue
        if last + 1 < len(raw) and _class(raw[last + 1]) == _class(raw[last]):
            continue
        if not _WIDE_GAP.search(raw, first, last) and key_of(text[first : last + 1]) == key:
            yield TermHit(first, last + 1, terms.denied[key])
