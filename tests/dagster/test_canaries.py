"""I9 and the published folder: canaries planted in every container are in nothing that leaves, and in nothing said.

A whole run: ingested by the command line, refreshed by Dagster on an instance of its own, reviewed, released,
published, asked about by every question, with the analysts' files published. Words that a record is named by
(identifiers) are known inside: they may be in what operators are told and in the database, never in what leaves.
"""

import base64
import json
import logging
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

import pytest

from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import PUBLIC_FILE
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.workspace import Workspace
from dagster_project.cli.development import seed_dagster_home
from dagster_project.clock import FixedClock, SystemClock
from dagster_project.jobs import demo_runner
from dagster_project.sources import admission
from tests.harness.real_thing import listening, questions, review_and_publish
from tests.harness.scenarios import ACCOUNTS
from tests.support.canaries import Aviary, Canary, found_in, plant
from tests.support.command_line import command_line_of, fresh_command_line
from tests.support.histories import FULL
from tests.support.mutations import seeded
from tests.support.review_people import make_bench
from tests.support.workspaces import make_workspace

_DELIVERIES = 2
_VALUES = 50


@dataclass(frozen=True)
class WholeRun:
    """Everything that a run left behind, by what it is."""

    seed: str
    canaries: list[Canary]
    leaves: dict[str, bytes]
    said: dict[str, bytes]
    kept: dict[str, bytes]

    @property
    def size(self) -> int:
        return sum(len(body) for part in (self.leaves, self.said, self.kept) for body in part.values())


def whole_run(folder: Path, seed: str) -> WholeRun:
    aviary = Aviary(seeded(f"canaries {seed}"))
    scenario = plant(seed, aviary)
    clock = FixedClock(scenario.deliveries[0].at)
    workspace = make_workspace(folder, clock)
    bench, command = make_bench(workspace), command_line_of(workspace.settings)
    digest = load_profile(workspace, shipped_profile("customer_bridge"))
    for bridge in ACCOUNTS:
        assign_profile(workspace, digest, bridge=bridge)
    seed_dagster_home(workspace.settings)
    said: dict[str, bytes] = {}
    with (
        listening() as heard,
        demo_runner(workspace) as run,
        patch.object(SystemClock, "now", lambda _self: clock.now()),
    ):
        for number, delivery in enumerate(scenario.deliveries):
            clock.set(delivery.at)
            name = aviary.word("file name", is_identifier=True)
            file = folder / f"{name}.ndjson"
            broken = delivery.lines[0][: len(delivery.lines[0]) // 2]
            file.write_bytes(b"\n".join([*delivery.lines, broken]) + b"\n")
            said[f"ingest {number}"] = command("ingest", "landing", str(file)).everything.encode()
            file.unlink()
            assert run(scenario.incident).success
            review_and_publish(bench, scenario.incident)
        publish(workspace)
        for question in [*questions(scenario.incident), ("verify",), ("health",)]:
            said[" ".join(question)] = command(*question).everything.encode()
    said["logs"] = heard.getvalue().encode()
    workspace.store.engine.dispose()
    return _left(workspace, seed, aviary.canaries, said)


def _left(workspace: Workspace, seed: str, canaries: list[Canary], said: dict[str, bytes]) -> WholeRun:
    settings = workspace.settings
    files = {path: path.read_bytes() for path in settings.home.rglob("*") if path.is_file()}
    public = settings.published_analytics / PUBLIC_FILE
    outside = {str(path): body for path, body in files.items() if path.is_relative_to(settings.published)}
    outside |= {str(path): str(path).encode() for path in files if path.is_relative_to(settings.published)}
    outside[str(public)] = files[public]
    dagster = {str(path): body for path, body in files.items() if path.is_relative_to(settings.dagster_home)}
    # What sources delivered lies as they wrote it where they put it; it is no copy of ours.
    delivered = {str(path) for path in files if path.is_relative_to(settings.landing)}
    rest = {str(path): body for path, body in files.items() if str(path) not in {*outside, *dagster, *delivered}}
    return WholeRun(seed, canaries, outside, said | dagster, rest)


def _seen(files: dict[str, bytes], canaries: list[Canary]) -> dict[str, set[str]]:
    return {name: found for name, body in files.items() if (found := found_in(body, canaries))}


@pytest.fixture(scope="module", params=range(5 if FULL else 1))
def left(tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    return whole_run(tmp_path_factory.mktemp("canaries"), _seed())


def _seed() -> str:
    """Draw a seed of a scenario that is short, since a long one takes much time, and that has enough to look at."""
    while True:
        seed, aviary = secrets.token_hex(4), Aviary(seeded("counted"))
        few = len(plant(seed, aviary).deliveries) == _DELIVERIES
        if few and sum(not one.is_identifier for one in aviary.canaries) > _VALUES:
            return seed


def test_no_canary_leaves(left: WholeRun, announce: Callable[[str], None]) -> None:
    announce(f"canaries (seed {left.seed}): {len(left.canaries)} planted, sought in {left.size} bytes")
    assert len(left.leaves) > 4
    assert _seen(left.leaves, left.canaries) == {}


def test_no_restricted_canary_is_said_or_kept_in_the_clear(left: WholeRun) -> None:
    values = [one for one in left.canaries if not one.is_identifier]
    assert len(values) > _VALUES
    assert _seen(left.said, values) == {}
    assert _seen(left.kept, values) == {}


@pytest.mark.parametrize(
    "written",
    [
        lambda word: word.encode(),
        lambda word: word.upper().encode(),
        lambda word: json.dumps(word).encode(),
        lambda word: quote(word).encode(),
        lambda word: base64.b64encode(b"the host is " + word.encode() + b"!"),
        lambda word: base64.urlsafe_b64encode(b"x" + word.encode()),
        lambda word: word.encode().hex().encode(),
        lambda word: b"before" + zlib.compress(b"inside " + word.encode()) + b"after",
    ],
)
def test_a_canary_is_found_however_it_is_written(written: Callable[[str], bytes]) -> None:
    aviary = Aviary(seeded("written"))
    word = aviary.word("service-health#/host")
    aviary.word("elsewhere")
    assert found_in(b"some text " + written(word) + b" more", aviary.canaries) == {"service-health#/host"}


def test_a_log_line_that_holds_a_body_in_base64_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = admission.admit_bytes

    def talkative(body: bytes, **options: object) -> object:
        logging.getLogger("channelsafe").debug("judging %s", base64.b64encode(body).decode())
        return judged(body, **options)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr("dagster_project.application.admit.admit_bytes", talkative)
    aviary = Aviary(seeded("talkative"))
    delivery = plant("talkative", aviary).deliveries[0]
    file = tmp_path / "delivery.ndjson"
    file.write_bytes(b"\n".join(delivery.lines))
    with listening() as heard:
        fresh_command_line(tmp_path)("ingest", "landing", str(file))
    assert "service-health#/host" in found_in(heard.getvalue().encode(), aviary.canaries)
