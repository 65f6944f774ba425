"""Canaries: values like real ones, made up for one run, planted wherever a record can hold what must stay inside.

No two share six characters in a row with each other or with anything else, and no scanner knows their form: whatever
finds one outside finds a leak. They are sought as they are and decoded: in any case, JSON-escaped, URL-encoded, in hex,
in base64 wherever it begins, and inside zlib and gzip streams.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final
from urllib.parse import quote

from dagster_project.sources.record import Classification
from dagster_project.sources.source_fields import record_schemas
from tests.harness.scenarios import Delivery, Scenario, make_scenario

_CONSONANTS: Final = "bcdfghjklmnprstvwz"
_VOWELS: Final = "aeiouäøé"
_RUN: Final = 6
_STREAMS: Final = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
# How a value of each kind looks; a kind is the source field, or what else of an event it stands in.
_FORMS: Final[Mapping[str, str]] = {
    "/host": "{}-07.rack.lan",
    "/commander/contact": "{}@ops.lan",
    "/links": "https://{}.lan/t/1",
    "/comms_channel": "#{}",
    "/terms": "credit of {} on the fee",
    "/vendors": "{} Networks GmbH",
    "/account": "{}",
}


@dataclass(frozen=True)
class Canary:
    """A planted word and where it was planted: ``dependency#/edges``, ``incident: recordedby``, ``file name``."""

    word: str
    where: str
    is_identifier: bool = False

    @property
    def forms(self) -> Iterator[bytes]:
        """Every spelling in which it may lie in a file whose ASCII letters were made small."""
        for spelt in (self.word, self.word.upper()):
            yield spelt.encode().lower()
            yield json.dumps(spelt)[1:-1].encode().lower()
            yield quote(spelt).encode().lower()
            yield spelt.encode().hex().encode()

    @property
    def base64_cores(self) -> Iterator[bytes]:
        """What shows of it in base64, as it is and escaped as in JSON."""
        for spelt in (self.word.encode(), json.dumps(self.word)[1:-1].encode()):
            yield from _cores(spelt)


class Aviary:
    """Makes canaries that share no substring, and remembers them."""

    def __init__(self, random: Random) -> None:
        self.canaries: list[Canary] = []
        self._random, self._runs = random, set[str]()

    def word(self, where: str, *, is_identifier: bool = False) -> str:
        """Return a new word; an identifier has ASCII letters only."""
        while True:
            vowels = _VOWELS[:5] if is_identifier else _VOWELS
            pairs = (self._random.choice(_CONSONANTS) + self._random.choice(vowels) for _ in range(7))
            made = "".join(pairs)
            runs = {made[at : at + _RUN] for at in range(len(made) - _RUN + 1)}
            if not runs & self._runs:
                self._runs |= runs
                self.canaries.append(Canary(made, where, is_identifier))
                return made


def found_in(blob: bytes, canaries: Iterable[Canary]) -> set[str]:
    """Return where the canaries were planted that lie in a file, however they are written in it."""
    return {where for part in _decoded(blob) for where in _written_in(part, canaries)}


def _decoded(blob: bytes) -> Iterator[bytes]:
    """Yield the bytes, and what every zlib or gzip stream in them unpacks to."""
    yield blob
    for begin in _STREAMS.finditer(blob):
        unpacker = zlib.decompressobj(wbits=47)
        try:
            yield unpacker.decompress(blob[begin.start() :], 1 << 20)
        except zlib.error:
            continue


def _written_in(blob: bytes, canaries: Iterable[Canary]) -> Iterator[str]:
    low = blob.lower()
    for one in canaries:
        if any(form in low for form in one.forms) or any(core in blob for core in one.base64_cores):
            yield one.where


def _cores(word: bytes) -> Iterator[bytes]:
    """Yield what of a word's base64 does not depend on its neighbours, for each place at which it may begin."""
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + word)
            first = -(-offset * 8 // 6)
            yield encoded[first : (offset + len(word)) * 8 // 6]


# ---- planting ----------------------------------------------------------------------------------------------------


def plant(seed: str, aviary: Aviary) -> Scenario:
    """Return a generated scenario with canaries in every place of its records that is not for customers."""
    scenario = make_scenario(seed)
    return replace(scenario, deliveries=tuple(_planted(one, aviary) for one in scenario.deliveries))


def _planted(delivery: Delivery, aviary: Aviary) -> Delivery:
    lines = []
    for line in delivery.lines:
        event = json.loads(line)
        kind = event["type"]
        _fill(event["data"], record_schemas()[kind], f"{kind}#", aviary)
        event["recordedby"] = aviary.word(f"{kind}: recordedby", is_identifier=True)
        event["causationid"] = aviary.word(f"{kind}: causationid", is_identifier=True)
        if kind == "contract":
            bridge = aviary.word("contract: bridge of another incident", is_identifier=True)
            event["data"]["bridges"][bridge] = {"incidents": [aviary.word("contract: incident", is_identifier=True)]}
        lines.append(json.dumps(event, ensure_ascii=aviary.canaries[-1].is_identifier).encode())
    return Delivery(delivery.at, tuple(lines))


def _fill(data: dict[str, Any], schema: Mapping[str, Any], where: str, aviary: Aviary) -> None:
    """Put a canary into every field of the schema that is not for customers and may hold a text."""
    for name, one in schema["properties"].items():
        place = f"{where}/{name}"
        if "properties" in one and one.get("type") == "object":
            _fill(data.setdefault(name, {}), one, place, aviary)
        elif one.get("x-classification", "customer") != Classification.CUSTOMER and place not in _DECIDING:
            made = _value(one, place, aviary)
            if made is not None:
                data[name] = made


# These decide what is cleared and which bridges a dependency concerns: a word that nobody knows would undo that.
_DECIDING: Final = frozenset(
    {
        "dependency#/component",
        "security-review#/review_subject",
        "security-review#/outcome",
        "security-review#/scope",
        "security-review#/channels",
    }
)


def _value(schema: Mapping[str, Any], place: str, aviary: Aviary) -> object:
    if schema["type"] == "array":
        return [_value(schema["items"], place, aviary) for _ in range(2)]
    if schema["type"] == "object":
        return {name: _value(one, place, aviary) for name, one in schema["properties"].items()}
    if schema["type"] == "string" and schema.get("format") != "date-time":
        return _FORMS.get(place.partition("#")[2], "{}").format(aviary.word(place))
    return None
