"""One incident, two bridges, played from the same keys: ours does the same every time, theirs does as a test likes.

Everything that may differ between two plays is a `Variation`: what is done at their bridge between our acts, records of
their account alone, and values that must not show. Our acts, the clock at our acts, and the instants at which the
deployment does its round are the same in every play.
"""

import atexit
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.drafting_decisions import (
    holds_in_force,
    shown_fields,
    staged_page,
    versions_of_incident,
)
from dagster_project.application.policy_releases import keep_published, release_after_refresh
from dagster_project.application.profiles import assign_profile, load_profile
from dagster_project.application.profiles import shipped_profile as profile_file
from dagster_project.application.projecting import project
from dagster_project.application.refresh import refresh
from dagster_project.application.releasing import release
from dagster_project.application.workspace import open_workspace
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import ScenarioStep, load_scenario
from dagster_project.errors import UnsafeOrRejected, UsageError
from dagster_project.integrity.signatures import SigningKey
from dagster_project.review.decisions import Act
from dagster_project.settings import Settings
from dagster_project.store.versions import VersionRow
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.workspaces import make_workspace

INCIDENT: Final = "INC-4711"
OURS: Final = "harbourline"
THEIRS: Final = "tidewater"
THEIR_ACCOUNT: Final = "TIDEWATER"
STEPS: Final = 12
_MINUTE: Final = timedelta(minutes=1)
# The refusals that a person may meet who decides about what is not there; anything else is a fault.
WEIGHED: Final = (UnsafeOrRejected, UsageError)
Lines = Sequence[bytes]


@dataclass(frozen=True)
class TheirAct:
    """Something that a person does at their bridge after a step."""

    step: int
    name: str
    person: str


@dataclass(frozen=True)
class Variation:
    """What differs from the plain play: acts, lines exchanged by step and place, and lines delivered after a step."""

    acts: Sequence[TheirAct] = ()
    exchanged: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    added: Mapping[int, Lines] = field(default_factory=dict)

    def lines(self, step: ScenarioStep) -> list[bytes]:
        return [self.exchanged.get((step.number, place), line) for place, line in enumerate(step.body.splitlines())]


@dataclass
class Played:
    """What lies in the folders of both packages at the end, and which of their acts were taken."""

    ours: Mapping[str, bytes]
    theirs: Mapping[str, bytes]
    taken: Counter[str]


@dataclass(frozen=True)
class _Beginning:
    home: Path
    keys: Path
    people: Mapping[str, SigningKey]


@cache
def _beginning() -> _Beginning:
    """Make trust and a profile in force once: every play starts from the same keys."""
    folder = Path(tempfile.mkdtemp(prefix="channelsafe-bridges-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    workspace = make_workspace(folder)
    bench = make_bench(workspace)
    workspace.store.engine.dispose()
    return _Beginning(workspace.settings.home, workspace.settings.keys, bench.keys)


def steps() -> Sequence[ScenarioStep]:
    """Return the steps of the story that are played."""
    return load_scenario().steps[:STEPS]


def play(variation: Variation, *, until: int = STEPS) -> Played:
    """Play the story up to a step, with a variation."""
    start = _beginning()
    folder = Path(tempfile.mkdtemp(prefix="channelsafe-play-"))
    shutil.copytree(start.home, folder / "home")
    shutil.copytree(start.keys, folder / "keys")
    clock = FixedClock(steps()[0].at)
    workspace = open_workspace(Settings(home=folder / "home", keys=folder / "keys"), clock=clock)
    try:
        return _Play(Bench(workspace, start.people), clock, variation).until(until)
    finally:
        workspace.store.engine.dispose()
        shutil.rmtree(folder)


class _Play:
    def __init__(self, bench: Bench, clock: FixedClock, variation: Variation) -> None:
        self._bench, self._clock, self._variation = bench, clock, variation
        self._workspace = bench.workspace
        self._taken: Counter[str] = Counter()

    def until(self, last: int) -> Played:
        profile = load_profile(self._workspace, profile_file("customer_bridge"))
        for step in steps()[:last]:
            self._clock.set(step.at)
            self._deliver(step.file, self._variation.lines(step))
            if step.number == 1:
                for bridge in (OURS, THEIRS):
                    assign_profile(self._workspace, profile, bridge=bridge)
            self._refresh()
            for name, person in OUR_ACTS.get(step.number, ()):
                self._attempt(name, person, OURS)
            project(self._workspace)
            self._happen_there(step)
            self._clock.set(step.at + 3 * _MINUTE)
            kept = keep_published(self._workspace, at_most=_MINUTE)
            assert not kept.failed, kept.failed
        return Played(self._folder(OURS), self._folder(THEIRS), self._taken)

    def _deliver(self, name: str, lines: Lines) -> None:
        admit(self._workspace, [DeliveredUnit(name, f"line {number}", one) for number, one in enumerate(lines, 1)])

    def _refresh(self) -> None:
        refresh(self._workspace, INCIDENT)
        failed = release_after_refresh(self._workspace, [INCIDENT])
        assert not failed, failed

    def _happen_there(self, step: ScenarioStep) -> None:
        self._clock.set(step.at + _MINUTE)
        if step.number in self._variation.added:
            self._deliver("theirs", self._variation.added[step.number])
            self._refresh()
        for one in self._variation.acts:
            if one.step == step.number:
                self._attempt(one.name, one.person, THEIRS)
                project(self._workspace)

    def _attempt(self, name: str, person: str, bridge: str) -> None:
        with suppress(*WEIGHED):
            ACTS[name](self._bench, person, bridge)
            self._taken[f"{name} at {bridge}"] += 1

    def _folder(self, bridge: str) -> Mapping[str, bytes]:
        rows = _versions(self._bench, bridge)
        if not rows:
            return {}
        folder = self._workspace.settings.published / rows[0].package_id
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _versions(bench: Bench, bridge: str) -> list[VersionRow]:
    return [one for one in versions_of_incident(bench.workspace, INCIDENT) if one.bridge == bridge]


def _newest(bench: Bench, bridge: str) -> VersionRow:
    rows = _versions(bench, bridge)
    if not rows:
        raise UsageError("nothing_told", what="no version is there", where=bridge, what_to_do="Release one.")
    return rows[-1]


def _statuses(bench: Bench, bridge: str) -> tuple[str, ...]:
    shown = shown_fields(bench.workspace, _newest(bench, bridge))
    return tuple(one for one in shown if one.endswith("capability_status"))[:1]


def _acknowledge(bench: Bench, person: str, bridge: str) -> None:
    bench.act(person, Act.ACKNOWLEDGE, INCIDENT, bridge)


def _approve(bench: Bench, person: str, bridge: str) -> None:
    bench.approve(person, INCIDENT, bridge)


def _reject(bench: Bench, person: str, bridge: str) -> None:
    changes = staged_page(bench.workspace, INCIDENT, bridge).state.changes
    bench.reject(person, INCIDENT, bridge, [one.pointer for one in changes][:1])


def _release(bench: Bench, _person: str, bridge: str) -> None:
    release(bench.workspace, INCIDENT, bridge)


def _release_approved(bench: Bench, _person: str, bridge: str) -> None:
    for one in PEOPLE:
        with suppress(*WEIGHED):
            bench.approve(one, INCIDENT, bridge)
    release(bench.workspace, INCIDENT, bridge)


def _hold(bench: Bench, person: str, bridge: str) -> None:
    bench.act(person, Act.HOLD, INCIDENT, bridge, role=PEOPLE[person][0], reason="wait")


def _lift(bench: Bench, _person: str, bridge: str) -> None:
    for one in holds_in_force(bench.workspace, INCIDENT, bridge):
        bench.act(one.row.person, Act.LIFT, INCIDENT, bridge, refers_to=one.row.decision_digest, role=one.decision.role)


def _pull(bench: Bench, person: str, bridge: str) -> None:
    fields, version = _statuses(bench, bridge), _newest(bench, bridge).version
    bench.act(person, Act.PULL, INCIDENT, bridge, version=version, fields=fields, reason="not so")


def _restore(bench: Bench, person: str, bridge: str) -> None:
    pulled = staged_page(bench.workspace, INCIDENT, bridge).state.taken
    fields = [name for one in pulled if one.decision.act is Act.PULL for name in one.decision.fields]
    bench.act(person, Act.RESTORE, INCIDENT, bridge, version=_newest(bench, bridge).version, fields=fields[-1:])


def _withdraw(bench: Bench, person: str, bridge: str) -> None:
    version = _newest(bench, bridge).version
    bench.act(person, Act.WITHDRAW, INCIDENT, bridge, version=version, reason="never so")


def _confirm(bench: Bench, person: str, bridge: str) -> None:
    suspended = [one.version for one in _versions(bench, bridge) if one.state == "suspended"]
    bench.act(person, Act.CONFIRM, INCIDENT, bridge, version=suspended[-1] if suspended else 1)


def _reaffirm(bench: Bench, person: str, bridge: str) -> None:
    row = _newest(bench, bridge)
    fields = shown_fields(bench.workspace, row)
    bench.act(person, Act.REAFFIRM, INCIDENT, bridge, version=row.version, fields=fields)


ACTS: Final[Mapping[str, Callable[[Bench, str, str], None]]] = {
    "acknowledge": _acknowledge,
    "approve": _approve,
    "reject": _reject,
    "release": _release,
    "release what all approved": _release_approved,
    "hold": _hold,
    "lift": _lift,
    "pull": _pull,
    "restore": _restore,
    "withdraw": _withdraw,
    "confirm": _confirm,
    "reaffirm": _reaffirm,
}
OUR_ACTS: Final[Mapping[int, Sequence[tuple[str, str]]]] = {
    1: [("acknowledge", "ines")],
    2: [("release what all approved", "ines")],
    4: [("release what all approved", "ines"), ("reaffirm", "sam")],
    6: [("hold", "leo")],
    7: [("lift", "leo"), ("release what all approved", "ines")],
    8: [("pull", "selma")],
    9: [("restore", "ines"), ("release what all approved", "ines")],
    11: [("withdraw", "ada"), ("confirm", "ines")],
    12: [("release what all approved", "ines")],
}
