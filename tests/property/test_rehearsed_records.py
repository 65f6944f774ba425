"""The record log in memory ends where the real one does: the same snapshot, whatever is delivered in whatever order.

Deliveries of the sample scenario are shuffled, repeated, and spoiled: for fewer eyes, about something else, unreadable.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import orjson
import pytest

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.gathering import pin
from dagster_project.application.rehearsed_records import RehearsedRecords
from dagster_project.application.workspace import Workspace
from dagster_project.demo.scenario import load_scenario
from dagster_project.packaging.snapshot import Snapshot
from dagster_project.sources.registry import shipped_registry
from tests.support.histories import FULL
from tests.support.workspaces import make_workspace

HISTORIES = 200 if FULL else 8
UNIT = "delivery"
LINES = tuple(line for step in load_scenario().steps for line in step.body.splitlines())
LAST = load_scenario().steps[-1].at


def deliveries(seed: int) -> list[list[bytes]]:
    """Return lines of the story in batches, shuffled, some of them twice, some of them spoiled."""
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated, no secret
    lines = list(LINES)
    chance.shuffle(lines)
    lines += [_spoiled(chance, chance.choice(LINES)) for _ in range(chance.randrange(12))]
    lines += [chance.choice(LINES) for _ in range(chance.randrange(6))]
    head = chance.randrange(len(lines))
    tail = lines[head:]
    chance.shuffle(tail)
    lines[head:] = tail
    batches = []
    while lines:
        size = chance.randrange(1, 40)
        batches.append(lines[:size])
        lines = lines[size:]
    return batches


def _spoiled(chance: random.Random, line: bytes) -> bytes:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    spoiling = {
        "for fewer eyes": {"dataclassification": "restricted"},
        "about something else": {"subject": "INC-4712"},
        "of nobody": {"source": "//nobody.example/knows"},
        "of no type": {"type": "rumour"},
        "of no version": {"recordversion": "nine"},
        "about nothing": {"subject": ""},
        "another body": {"data": {**event["data"], "note": "other"}},
    }
    what = chance.choice([*spoiling, "unreadable"])
    return b"{" if what == "unreadable" else orjson.dumps(event | spoiling[what])


def _without_names_of_bodies(snapshot: Snapshot) -> Snapshot:
    """Rejected bodies are named by keyed digests in a store, by plain ones in memory."""
    rejected = sorted(msgspec.structs.replace(one, body_digest="") for one in snapshot.rejected)
    return msgspec.structs.replace(snapshot, rejected=tuple(rejected))


def _pinned(workspace: Workspace, names: Sequence[str]) -> list[Snapshot]:
    with workspace.store.read() as transaction:
        return [one.snapshot for one in pin(workspace, transaction, names)]


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_the_log_in_memory_ends_where_the_real_one_does(tmp_path: Path, seed: int) -> None:
    workspace = make_workspace(tmp_path)
    workspace.clock.set(LAST)  # type: ignore[attr-defined] # a fixed one
    remembered = RehearsedRecords(shipped_registry(), UNIT)
    for number, batch in enumerate(deliveries(seed)):
        units = [DeliveredUnit(UNIT, f"batch {number}, line {place}", line) for place, line in enumerate(batch)]
        touched = admit(workspace, units).incidents
        assert remembered.take_in(batch, LAST) == touched
        snapshots = [remembered.snapshot_of(name, remembered.known_of(name)) for name in touched]
        assert list(map(_without_names_of_bodies, snapshots)) == [
            _without_names_of_bodies(one) for one in _pinned(workspace, touched)
        ]
