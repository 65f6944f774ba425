"""Texts to scan, seeded: log lines of many systems with a known share of lines that hold something to find.

Belongs here: what scanner benchmarks read. No text is real; addresses and people are drawn.
"""

import random
import string
from collections.abc import Sequence
from typing import Final

# Lines in a thousand that hold an address or a machine, and that hold personal data, a secret or a term.
TYPICAL: Final = (60, 4)
DENSE: Final = (400, 40)

_PROSE: Final = """
request served cache miss worker started queue drained shard moved retry later status ok region connection closed
timeout while reading response header from upstream scheduled task finished checkpoint flushed segment compaction
leader elected partition assigned offset committed session expired handshake completed certificate renewed token
bucket refilled key rotated password policy loaded
"""
_WORDS: Final = _PROSE.split()
_LOGGERS: Final = ("org.relay.core.Dispatcher", "http.server", "kernel", "scheduler", "storage.engine", "auth-proxy")

# In these forms # is a digit, ~ a hexadecimal digit, @ a letter, ^ a letter or digit, ! a number below 256, & a name.
_CLOCKS: Final = (
    "2026-11-21T1#:2#:3#Z",
    "2026-11-21 0#:1#:5#,###",
    "Nov 21 1#:4#:0#",
    "[21/Nov/2026:1#:0#:3# +0000]",
    "17########.###",
)
_DETAILS: Final = (
    "ms=### bytes=#######",
    "trace_id=~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ span_id=~~~~~~~~~~~~~~~~",
    "id=~~~~~~~~-~~~~-4~~~-a~~~-~~~~~~~~~~~~",
    "block blk_-#################### size ######",
    "GET /v2/items/######/parts?page=## HTTP/1.1 200",
    "version 4.1#.# (build ######)",
    "version 4.1#.0.# (build ######)",
    "epoch ############# attempt #/10",
)
_MACHINES: Final = ("from 10.!.!.!", "src: /172.16.!.! dest: 192.168.!.9", "peer 87.!.!.!")
_POOL: Final = 500  # logs name the same machines over and over
_PEOPLE: Final = (
    "user @@@@@@.@@@@@@@_AT_@@@@@@@@.example.com",
    "mac ~~:~~:~~:~~:~~:~~",
    "callback +44 20 7### ####",
    "key ghp_^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    "host & unreachable",
    "peer 2001:db8:a~~~::b~~",
)
_ALPHABETS: Final = {
    "#": string.digits,
    "~": "0123456789abcdef",
    "@": string.ascii_lowercase,
    "^": string.ascii_letters + string.digits,
}


def terms(count: int) -> list[str]:
    """Return drawn names of machines and vendors."""
    draw = random.Random(11)  # noqa: S311 - reproducible on purpose
    kinds = ("relay", "db", "gw", "corp")
    words = ("".join(draw.choices(string.ascii_lowercase, k=draw.randint(5, 9))) for _ in range(count))
    return [f"{word}-{draw.choice(kinds)}{draw.randint(1, 99):02d}" for word in words]


class _Lines:
    def __init__(self, seed: int, names: list[str]) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self._names = names
        self._machines = [self._one_of(_MACHINES) for _ in range(_POOL)]

    def _one_of(self, forms: Sequence[str]) -> str:
        drawn = "".join(self._character(one) for one in self._draw.choice(forms))
        return drawn.replace("_AT_", "@")

    def _character(self, one: str) -> str:
        if one in _ALPHABETS:
            return self._draw.choice(_ALPHABETS[one])
        if one == "!":
            return str(self._draw.randint(1, 255))
        return self._draw.choice(self._names) if one == "&" else one

    def line(self, machines: int, people: int) -> str:
        """Return one line that holds an address or more in so many cases of a thousand."""
        draw = self._draw
        words = " ".join(draw.choices(_WORDS, k=draw.randint(4, 12)))
        line = f"{self._one_of(_CLOCKS)} INFO {draw.choice(_LOGGERS)} - {words} {self._one_of(_DETAILS)}"
        if draw.randrange(1000) < machines:
            line += f" {draw.choice(self._machines)}"
        if draw.randrange(1000) < people:
            line += f" {self._one_of(_PEOPLE)}"
        form = draw.randrange(100)
        if form < 4:  # noqa: PLR2004 - one line in 25 is JSON that holds JSON
            return '{"log":"' + line + '","labels":"{\\"app\\":\\"relay\\"}"}'
        if form < 6:  # noqa: PLR2004 - and one in 50 has an encoded URL
            return f"{line} uri=/search%3Fq%3D{draw.choice(_WORDS)}%20{draw.randint(1, 999)}"
        return line


def log_text(size: int, density: tuple[int, int] = TYPICAL, *, seed: int = 7) -> str:
    """Return about `size` characters of log lines."""
    lines, made, length = _Lines(seed, terms(10_000)), [], 0
    while length < size:
        made.append(lines.line(*density))
        length += len(made[-1]) + 1
    return "\n".join(made)
