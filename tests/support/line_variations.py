"""Deliveries of the story with lines that one bridge must not notice: exchanged values, and records of another account.

Whether our bridge must not notice them is decided by `tests.support.agreement` at every step; what it may notice is
left as it was.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

from dagster_project.clock import format_instant
from dagster_project.sources.admission import Rejection, admit_bytes
from dagster_project.sources.record import Record
from dagster_project.sources.registry import shipped_registry
from tests.support.agreement import Premises
from tests.support.histories import History, after, shipped_profile
from tests.support.mutations import any_value, restricted_fields
from tests.support.two_bridges import OURS, THEIR_ACCOUNT, THEIRS, Lines, Variation, steps

_TRIES: Final = 30
_MINUTE: Final = timedelta(minutes=1)
_THEIR_FIELDS: Final = {
    "contract": ("/permitted_fields", "/required_fields", "/committed_cadence_minutes", "/terms", "/valid_until"),
    "entitlement": ("/capabilities", "/plan", "/valid_until"),
    "customer-status": ("/incident_status", "/told_at", "/told_by", "/note"),
}


def vary_lines(variation: Variation, random: Random, *, many: int) -> Variation:
    """Return the variation with up to `many` more lines exchanged or added that our bridge must not notice."""
    for _ in range(many):
        for _attempt in range(_TRIES):
            proposed = random.choice((_exchange, _exchange, _add))(variation, random)
            if proposed is not None and must_not_be_noticed(proposed):
                variation = proposed
                break
    return variation


def must_not_be_noticed(variation: Variation) -> bool:
    """Tell whether all that our bridge may see agrees with the plain play, at every step and after what is added."""
    return all(
        plain == Premises(history, shipped_profile(), OURS).agreement()
        for plain, history in zip(_plain(), _histories(variation), strict=True)
    )


@cache
def _plain() -> Sequence[dict[str, Any]]:
    return [Premises(one, shipped_profile(), OURS).agreement() for one in _histories(Variation())]


def _histories(variation: Variation) -> Iterator[History]:
    records: list[Record] = []
    for step in steps():
        for at, lines in (
            (step.at, variation.lines(step)),
            (step.at + _MINUTE, variation.added.get(step.number, ())),
        ):
            records += _admitted(lines, at)
            yield History(at, tuple(records))


def _admitted(lines: Lines, at: datetime) -> Iterator[Record]:
    for line in lines:
        judged = admit_bytes(line, received_at=at, registry=shipped_registry())
        if not isinstance(judged, Rejection):
            yield judged


def _exchange(variation: Variation, random: Random) -> Variation | None:
    """Exchange a value that must not show, or one of their account, in a line of any step."""
    step = random.choice(steps())
    place, line = random.choice(list(enumerate(variation.lines(step))))
    document = json.loads(line)
    theirs = document["subject"] == THEIR_ACCOUNT or document["data"].get("bridge") == THEIRS
    kind = document["type"]
    pointers = _THEIR_FIELDS.get(kind, ()) if theirs else _restricted(kind)
    if not pointers or (pointer := random.choice(pointers)).strip("/").partition("/")[0] not in document["data"]:
        return None
    changed = _with_value(document, pointer, any_value(f"{kind}#{pointer}", after(step.number), random))
    if not list(_admitted([changed], step.at)):
        return None
    return replace(variation, exchanged={**variation.exchanged, (step.number, place): changed})


def _add(variation: Variation, random: Random) -> Variation | None:
    """Deliver, between our acts, a newer record of their account."""
    step = random.choice(steps())
    own = [
        document
        for line in steps()[0].body.splitlines()
        if (document := json.loads(line))["subject"] == THEIR_ACCOUNT and document["type"] in _THEIR_FIELDS
    ]
    document = random.choice(own)
    pointer = random.choice(_THEIR_FIELDS[document["type"]])
    number = step.number + 1
    document |= {
        "recordversion": str(number),
        "id": f"{document['id']}.{number}",
        "recordedtime": format_instant(step.at),
    }
    line = _with_value(document, pointer, any_value(f"{document['type']}#{pointer}", after(step.number), random))
    if not list(_admitted([line], step.at + _MINUTE)):
        return None
    return replace(variation, added={**variation.added, step.number: (*variation.added.get(step.number, ()), line)})


def _restricted(kind: str) -> Sequence[str]:
    return [one.partition("#")[2] for one in restricted_fields(shipped_profile()) if one.startswith(f"{kind}#")]


def _with_value(document: dict[str, Any], pointer: str, value: object) -> bytes:
    changed = json.loads(json.dumps(document))
    *parents, last = pointer.split("/")[1:]
    place = changed["data"]
    for name in parents:
        place = place[name]
    place[last] = value
    return json.dumps(changed, ensure_ascii=False).encode()
