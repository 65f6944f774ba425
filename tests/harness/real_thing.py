"""The real thing: mutations through the store, a Dagster run, the command line and the published folder.

A stage is a scenario that was delivered, reviewed and released but for its last delivery. Of that delivery there is a
plain one, in which every source says once more what it said, and mutants of it. Each is played on a copy of the stage:
the lines are ingested by the command line, a Dagster run refreshes, people approve, the versions are released and
published, and every question is asked. Of a mutant that must not be noticed all that came about must be equal, byte for
byte, but for what `MAY_DIFFER` names. Whatever is mutated, the candidate must be what the pure path makes of the same
lines: so what holds there holds here.
"""

import io
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import dagster as dg
import msgspec
from dagster import serialize_value

from assets.packages import package_lineage, release_manifest, service_state_package, source_snapshot
from checks.safety import release_check
from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.policy_releases import release_after_refresh
from dagster_project.application.profiles import assign_profile, load_profile
from dagster_project.application.profiles import shipped_profile as profile_file
from dagster_project.application.projecting import project
from dagster_project.application.refresh import refresh
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock, SystemClock
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.signatures import SigningKey
from dagster_project.packaging.rendering import render
from dagster_project.partitions import INCIDENTS
from dagster_project.settings import Settings
from dagster_project.sources.admission import record_bytes
from dagster_project.sources.record import Record
from dagster_project.sources.source_fields import present_fields
from resources.workspace import OpenedWorkspace
from tests.fixtures.keys import TEST_KEYS
from tests.harness.bases import Base
from tests.harness.figures import Figures
from tests.harness.permitted import change_of_a_fact
from tests.harness.restricted import PROPOSALS, Proposal
from tests.harness.scenarios import ACCOUNTS, OURS, Delivery, Scenario, make_scenario
from tests.support.command_line import command_line_of
from tests.support.histories import History, histories_of, shipped_tables
from tests.support.mutations import seeded
from tests.support.review_people import Bench, make_bench
from tests.support.two_bridges import WEIGHED
from tests.support.workspaces import make_workspace

PER_STAGE: Final = 25
_TRIES: Final = 30
_MINUTE: Final = timedelta(minutes=1)
_SEEN_INSIDE: Final = ("severity", "bridge", "component")
_SHOWN: Final = 40
_REVIEWERS: Final = ("ines", "sam", "ada", "selma")
# What two plays may differ in, outside of the published folder, and why. There nothing may differ.
MAY_DIFFER: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    # Numbers first: the digits behind a point may look like a digest, or like the beginning of an id.
    "durations in Dagster's data": (re.compile(r'"duration_ms": [0-9.e+-]+'), "DURATION"),
    "Dagster reads the system's clock": (
        re.compile(r"\b1[0-9]{9}\.[0-9]+\b|^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} [+]0000", re.MULTILINE),
        "INSTANT",
    ),
    "a run has a random id": (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "RUN"),
    "Dagster names a run by the beginning of its id": (re.compile(r"\b[0-9a-f]{8}\b"), "RUN"),
    "digests of the inside are keyed or stay inside; what they are of may differ": (
        re.compile(r"\b[0-9a-f]{12,64}\b"),
        "DIGEST",
    ),
    "Dagster gives a captured log a random key": (re.compile(r'"(log_key|file_key)": "[a-z]{8}"'), "KEY"),
    "durations": (re.compile(r"\b(?:[0-9]+(?:h|m))*[0-9.]+ ?(ms|s|milliseconds|seconds)\b"), "DURATION"),
    "a process has a number": (re.compile(r'(pid:? |"pid": )[0-9]+|Process for run.*?pid: [0-9]+'), "PID"),
    "each play lies in a folder of its own": (re.compile(r"/[^\s\"']*channelsafe-play-[^/\s\"']*"), "FOLDER"),
    "Python names objects by where they lie": (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    "explain, which is for people inside, repeats no source value that is a name kept inside": (
        re.compile(r"^(  <- .*?) (?:= .*?|\(value kept inside\))  (?=[A-Z]+/)", re.MULTILINE),
        r"\1 VALUE  ",
    ),
    "Dagster stores values in a folder of its own": (re.compile(r"/[a-z]+/tmp[a-z0-9_]{8}\b"), "FOLDER"),
}  # fmt: skip


def normalised(text: str) -> str:
    """Return a text without what two plays may differ in."""
    for pattern, word in MAY_DIFFER.values():
        text = pattern.sub(word, text)
    return text


@dataclass(frozen=True)
class Came:
    """What came about in one play: published files by path, the candidates' contents, and all that was said."""

    published: Mapping[str, bytes]
    contents: Mapping[str, bytes]
    said: Mapping[str, str]

    def differences(self, other: "Came") -> list[str]:
        """Name what differs: paths of published files, contents by bridge, what was said by who said it."""
        pairs = ((self.published, other.published), (self.contents, other.contents), (self.said, other.said))
        return [
            name for one, two in pairs for name in sorted(one.keys() | two.keys()) if one.get(name) != two.get(name)
        ]

    def first_difference(self, other: "Came") -> str:
        """Return where what was said first differs, of either side a little; nothing where files alone differ."""
        for name in sorted(self.said.keys() & other.said.keys()):
            for one, two in zip_longest(self.said[name].splitlines(), other.said[name].splitlines(), fillvalue=""):
                if one != two:
                    equal = next((n for n, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), 0)
                    begins = max(0, equal - _SHOWN)
                    return f"{one[begins : begins + 2 * _SHOWN]!r} and {two[begins : begins + 2 * _SHOWN]!r}"
        return "files alone"


@dataclass(frozen=True)
class Stage:
    """A scenario played up to its last delivery, in a folder to copy from."""

    scenario: Scenario
    folder: Path
    keys: Mapping[str, SigningKey]
    at: datetime
    plain: History

    @cached_property
    def base(self) -> Base:
        """The plain last delivery as a base of mutations."""
        return Base(self.scenario.seed, self.plain, shipped_tables())

    @cached_property
    def agreements(self) -> Mapping[str, dict[str, Any]]:
        """What each bridge of the incident may notice, those included of which the mutations know nothing."""
        return self.agreements_of(self.plain, self.plain.contexts(self.base.tables))

    def agreements_of(self, history: History, bridges: Iterable[str]) -> dict[str, dict[str, Any]]:
        return {one: self.base.premises_of(history, one).agreement() for one in bridges}

    @cached_property
    def came(self) -> Came:
        """What comes about where every source says once more what it said."""
        return self.play(self.plain)

    def play(self, history: History) -> Came:
        """Play a history's last delivery on a copy of the stage."""
        with tempfile.TemporaryDirectory(prefix="channelsafe-play-") as name:
            folder = Path(name)
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)
            settings = Settings(home=folder / "home", keys=folder / "workspace-keys")
            file = folder / "last.ndjson"
            file.write_bytes(b"".join(record_bytes(one) + b"\n" for one in self._last(history)))
            return _play(settings, self.keys, self.at, self.scenario.incident, file)

    def _last(self, history: History) -> list[Record]:
        """Return the records of the last delivery: those that a history shares with no earlier one."""
        earlier = {one.version_identity for one in self.scenario.histories()[-1].records}
        return [one for one in history.records if one.version_identity not in earlier]

    def contents(self, history: History) -> dict[str, bytes]:
        """Return what the pure path makes of a history, by bridge."""
        contexts = self.base.contexts(history)
        keyed = {name: replace(one, code_key=TEST_KEYS.opaque_codes) for name, one in contexts.items()}
        return {name: canonical_bytes(render(one).content) for name, one in keyed.items()}


@contextmanager
def stage(seed: str) -> Iterator[Stage]:
    """Make the stage of a seed, in a folder that is gone afterwards."""
    scenario = make_scenario(seed)
    with tempfile.TemporaryDirectory(prefix="channelsafe-stage-") as name:
        folder = Path(name)
        clock = FixedClock(scenario.deliveries[0].at)
        workspace = make_workspace(folder, clock)
        bench = make_bench(workspace)
        digest = load_profile(workspace, profile_file("customer_bridge"))
        for number, delivery in enumerate(scenario.deliveries):
            clock.set(delivery.at)
            admit(workspace, _units(delivery))
            for bridge in ACCOUNTS if number == 0 else ():
                assign_profile(workspace, digest, bridge=bridge)
            refresh(workspace, scenario.incident)
            review_and_publish(bench, scenario.incident)
        workspace.store.engine.dispose()
        at = scenario.deliveries[-1].at + _MINUTE
        yield Stage(scenario, folder, bench.keys, at, _said_again(scenario, at))


def _units(delivery: Delivery) -> list[DeliveredUnit]:
    return [DeliveredUnit("deliveries", f"line {number}", line) for number, line in enumerate(delivery.lines, 1)]


def _said_again(scenario: Scenario, at: datetime) -> History:
    """Return the history in which every source says once more what it said of each object, as a newer version."""
    told = [(one.at, one.lines) for one in scenario.deliveries]
    heads = histories_of(told, scenario.incident)[-1].snapshot.heads
    newer = [
        msgspec.structs.replace(
            one,
            recordversion=one.recordversion + 1,
            id=f"{one.id}+",
            recordedtime=at - timedelta(seconds=30),
            time=at - timedelta(seconds=30),
        )
        for one in heads
    ]
    history = histories_of([*told, (at, [record_bytes(one) for one in newer])], scenario.incident)[-1]
    distinct = {one.reference: one for one in history.records}
    return replace(history, records=tuple(distinct.values()))


def review_and_publish(bench: Bench, incident: str) -> None:
    """Have people approve what they can, release it, and publish."""
    failed = release_after_refresh(bench.workspace, [incident])
    assert not failed, failed
    for bridge in OURS:
        for person in _REVIEWERS:
            with suppress(*WEIGHED):
                bench.approve(person, incident, bridge)
        with suppress(*WEIGHED):
            release(bench.workspace, incident, bridge)
    project(bench.workspace)


# ---- one play ----------------------------------------------------------------------------------------------------


def _play(settings: Settings, keys: Mapping[str, SigningKey], at: datetime, incident: str, file: Path) -> Came:
    said: dict[str, str] = {}
    command = command_line_of(settings)
    workspace = open_workspace(settings, clock=FixedClock(at))
    try:
        with listening() as heard, patch.object(SystemClock, "now", lambda _self: at):
            said["ingest"] = command("ingest", "landing", str(file)).everything
            said["Dagster's events"] = _run_dagster(workspace, incident)
            review_and_publish(Bench(workspace, keys), incident)
            for question in questions(incident):
                said[" ".join(question)] = command(*question).everything
            contents = {bridge: _content(command("show", incident, bridge, "--json").out) for bridge in OURS}
        said["logs"] = heard.getvalue()
    finally:
        workspace.store.engine.dispose()
    published = {
        str(path.relative_to(settings.published)): path.read_bytes()
        for path in sorted(settings.published.rglob("*"))
        if path.is_file()
    }
    return Came(published, contents, {name: normalised(text) for name, text in said.items()})


def questions(incident: str) -> list[tuple[str, ...]]:
    questions: list[tuple[str, ...]] = [("status",), ("status", "--json"), ("history", incident), ("review", "list")]
    for bridge in OURS:
        questions += [("show", incident, bridge, "--view", view) for view in ("html", "markdown", "text")]
        questions += [("explain", incident, bridge), ("review", "show", incident, bridge)]
    return questions


def _content(answer: str) -> bytes:
    """Return the content in an answer as canonical bytes; nothing where a bridge has no candidate."""
    try:
        found = json.loads(answer)
    except ValueError:
        return b""
    return canonical_bytes(found["candidate"]["content"]) if "candidate" in found else b""


def _run_dagster(workspace: Workspace, incident: str) -> str:
    """Refresh by a run of Dagster; return everything that its instance keeps of it, as text."""
    assets = [source_snapshot, service_state_package, release_manifest, package_lineage, release_check]
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(INCIDENTS, [incident])
        result = dg.materialize(
            assets,
            instance=instance,
            partition_key=incident,
            resources={"channelsafe": OpenedWorkspace(workspace)},
            raise_on_error=False,
        )
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        kept = [serialize_value(one) for one in instance.all_logs(result.run_id)]
        return "\n".join([*kept, json.dumps([run.tags, run.run_config, run.job_name, str(run.status)])])


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """Collect all that any logger says and all that is printed."""
    heard = io.StringIO()
    handler, root = logging.StreamHandler(heard), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            yield heard
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


# ---- mutations ---------------------------------------------------------------------------------------------------


def run_stage(seed: str, times: int = PER_STAGE) -> Figures:
    """Make a stage and play `times` mutants on it, every second one of a permitted fact."""
    figures, random = Figures(stages=1), seeded(f"stage {seed}")
    with stage(seed) as there:
        if there.came.contents != {bridge: there.contents(there.plain).get(bridge, b"") for bridge in OURS}:
            figures.interferences.append(f"the pure path makes another candidate than the real one in {seed}")
        for number in range(times):
            (_permitted if number % 2 else _restricted)(there, random, figures)
    return figures


def _restricted(there: Stage, random: Random, figures: Figures) -> None:
    for _attempt in range(_TRIES):
        proposal = random.choice(PROPOSALS)(there.base, random)
        mutant = None if proposal is None else _to_deliver(there, proposal)
        if proposal is not None and mutant is not None and _must_not_show(there, mutant, proposal[2]):
            _compare(there, mutant, proposal, figures)
            return


def _to_deliver(there: Stage, proposal: Proposal) -> History | None:
    """Return a mutant that differs in the last delivery alone, as admission takes it in."""
    mutant = there.base.admitted(proposal[1])
    ours = {id(one) for one in there.plain.records}
    new = () if mutant is None else [one for one in mutant.records if id(one) not in ours]
    replaced = {one.version_identity: one for one in there._last(there.plain)}
    return mutant if new and all(_says_as_much(one, replaced.get(one.version_identity)) for one in new) else None


def _says_as_much(new: Record, old: Record | None) -> bool:
    """Tell whether a record has the fields of another: how many values stay inside is counted for people inside.

    They also see in lineage on which bridges a record counts, and from ingestion what was refreshed at once.
    """
    if old is None or any(old.data.get(name) != new.data.get(name) for name in _SEEN_INSIDE):
        return False
    return dict(present_fields(new)).keys() == dict(present_fields(old)).keys()


def _must_not_show(there: Stage, mutant: History, bridges: tuple[str, ...]) -> bool:
    """Tell whether no bridge may notice: a refresh is of an incident, so what one is told moves what is said of all."""
    agreements = there.agreements_of(mutant, there.agreements)
    return {*bridges} == {*there.base.bridges} and agreements == there.agreements


def _compare(there: Stage, mutant: History, proposal: Proposal, figures: Figures) -> None:
    came = there.play(mutant)
    figures.restricted += 1
    figures.real += 1
    figures.kept[f"{proposal[0]}, through the real thing"] += 1
    figures.published += len(came.published)
    differing = there.came.differences(came)
    if differing:
        found = f"{proposal[0]} changes {', '.join(differing[:4])} ({there.came.first_difference(came)})"
        figures.interferences.append(f"{found} in {there.scenario.seed}, through the real thing")


def _permitted(there: Stage, random: Random, figures: Figures) -> None:
    """Change a fact: what the pure path shows of it is judged there; here the candidate must be the same."""
    for _attempt in range(_TRIES):
        mutant = change_of_a_fact(there.base, random)
        if mutant is None or _to_deliver(there, ("", mutant, ())) is None:
            continue
        came = there.play(mutant)
        figures.permitted += 1
        figures.real += 1
        figures.published += len(came.published)
        expected = there.contents(mutant)
        # Of a bridge that no contract opens any more the last candidate stays the last.
        silent = [bridge for bridge in expected if came.contents[bridge] != expected[bridge]]
        figures.verdicts["as on the pure path, through the real thing" if not silent else "SILENT"] += 1
        figures.omissions += [f"{bridge} has another candidate in {there.scenario.seed}" for bridge in silent]
        return
