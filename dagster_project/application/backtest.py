"""Backtest: history replayed under a proposed profile and its review policy, in memory.

Belongs here: from a feed's bytes, account records and profiles to predictions, one process per core. Each incident is
rehearsed by itself, with all account records: nothing that happens to one of them reaches another. The people are
simulated (`rehearsing`), so a prediction says what would arise if everybody decided in time and approved.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from itertools import groupby
from types import MappingProxyType
from typing import Final

import orjson

from dagster_project.application.backtest_figures import (
    BacktestReport,
    FailedCheck,
    IncidentPrediction,
    PredictedVersion,
    pointer_class,
    report_of,
)
from dagster_project.application.rehearsed_bridge import RehearsedBridge, RehearsedCandidate
from dagster_project.application.rehearsed_desk import RehearsedDesk
from dagster_project.application.rehearsed_records import RehearsedRecords
from dagster_project.application.rehearsing import SIMULATED_PEOPLE, Moment, Place, Rehearsed, rehearse
from dagster_project.packaging.context import ProfileTables
from dagster_project.packaging.fields import Field
from dagster_project.packaging.holds import ACCOUNT_TYPES
from dagster_project.packaging.profile import Profile, profile_digest, profile_document, read_profile
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.sources.registry import shipped_registry

EVERY_BRIDGE: Final = ""
# Codes in content stand for ids, and differ from deployment to deployment. Those of a backtest are never shown.
_CODE_KEY: Final = b"backtest"
_FEWEST_PER_PROCESS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What is to be replayed, and under what.

    `against` are the profiles that are compared with, by bridge; `people` are the roles of the simulated people;
    `code_key` makes the opaque codes of content: with a deployment's own, digests are those of its run.
    """

    history: "History"
    profile: Profile
    against: Mapping[str, Profile] = field(default_factory=dict)
    people: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SIMULATED_PEOPLE)
    code_key: bytes = _CODE_KEY


@dataclass(frozen=True)
class History:
    """What sources said: the events of a feed and account records, by the instants at which they were delivered.

    `unit` names the feed.
    """

    unit: str
    moments: tuple[Moment, ...]
    accounts: tuple[Moment, ...] = ()

    @cached_property
    def shared(self) -> tuple[Moment, ...]:
        """What is delivered to every incident: account records, and events of which no subject can be read."""
        every = [(one.at, event) for one in (*self.accounts, *self.moments) for event in one.events]
        return moments_of((at, event) for at, event in every if _subject_of(event) is None)

    def incidents(self) -> Iterator[tuple[str, tuple[Moment, ...]]]:
        """Yield the name of each incident with what is delivered about it, what is shared included."""
        own: dict[str, list[tuple[datetime, bytes]]] = {}
        for moment in (*self.accounts, *self.moments):
            for event in moment.events:
                subject = _subject_of(event)
                if subject is not None:
                    own.setdefault(subject, []).append((moment.at, event))
        shared = [(one.at, event) for one in self.shared for event in one.events]
        for name in sorted(own):
            yield name, moments_of([*shared, *own[name]])


@dataclass(frozen=True)
class _Task:
    """One incident to rehearse; profiles as bytes, so that each process reads each of them once."""

    incident: str
    moments: tuple[Moment, ...]
    unit: str
    profile: bytes
    against: Mapping[str, bytes]
    people: Mapping[str, tuple[str, ...]]
    code_key: bytes


def moments_of(events: Iterable[tuple[datetime, bytes]]) -> tuple[Moment, ...]:
    """Return events with the instants of their delivery as moments, in order of time."""
    ordered = sorted(events, key=lambda one: one[0])
    return tuple(
        Moment(at, tuple(event for _at, event in together)) for at, together in groupby(ordered, key=lambda one: one[0])
    )


def run_backtest(asked: Backtest, *, processes: int | None = None) -> BacktestReport:
    """Replay history and add up what it predicts.

    Args:
        asked: What is replayed, and under what.
        processes: How many processes share the work; None for as many as this one may use cores.
    """
    predictions = predict(asked, processes=processes)
    return report_of(
        predictions,
        profile=(asked.profile.name, profile_digest(asked.profile)),
        against={bridge: profile_digest(one) for bridge, one in sorted(asked.against.items())},
        roles={role for roles in asked.people.values() for role in roles},
        rejected_of_all=_rejected(asked.history),
    )


def predict(asked: Backtest, *, processes: int | None = None) -> list[IncidentPrediction]:
    """Return what is predicted of each incident, by name; arguments are those of `run_backtest`."""
    against = {bridge: _written(one) for bridge, one in asked.against.items()}
    tasks = [
        _Task(name, moments, asked.history.unit, _written(asked.profile), against, dict(asked.people), asked.code_key)
        for name, moments in asked.history.incidents()
    ]
    usable = len(os.sched_getaffinity(0)) if processes is None else processes
    workers = min(usable, len(tasks) // _FEWEST_PER_PROCESS)
    if workers <= 1:
        return [_predict(task) for task in tasks]
    # The longest first, so that no process is left alone with one at the end.
    longest = sorted(tasks, key=lambda one: len(one.moments), reverse=True)
    # Spawned: a forked process would take over locks of threads that it does not have.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return sorted(pool.map(_predict, longest), key=lambda one: one.incident)


def _rejected(history: History) -> Counter[str]:
    """Count what is rejected of what is delivered to every incident, once."""
    records = RehearsedRecords(shipped_registry(), history.unit)
    for one in history.shared:
        records.take_in(one.events, one.at)
    return records.rejected


def _written(profile: Profile) -> bytes:
    return orjson.dumps(profile_document(profile))


@cache
def _tables(written: bytes) -> ProfileTables:
    return ProfileTables(read_profile(orjson.loads(written), where="a profile that was read before"))


def _subject_of(event: bytes) -> str | None:
    """Return the incident that an event is about; None for what concerns every incident, or cannot be read."""
    try:
        read = orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(read, dict) or read.get("type") in ACCOUNT_TYPES:
        return None
    subject = read.get("subject")
    return subject if isinstance(subject, str) else None


def _predict(task: _Task) -> IncidentPrediction:
    seen = _Seen({bridge: _tables(written) for bridge, written in task.against.items()})
    records = RehearsedRecords(shipped_registry(), task.unit)
    desk = RehearsedDesk(records, _tables(task.profile), task.people, task.code_key, seen.take)
    rehearsed = rehearse(desk, task.moments, task.people)
    return _prediction(task, desk, seen, rehearsed)


def _prediction(task: _Task, desk: RehearsedDesk, seen: "_Seen", rehearsed: Rehearsed) -> IncidentPrediction:
    return IncidentPrediction(
        incident=task.incident,
        last_post=rehearsed.last_post.get(task.incident),
        moments=sum(1 for one in task.moments if any(_subject_of(event) for event in one.events)),
        places=tuple(sorted(bridge for _incident, bridge in desk.bridges)),
        refreshes=seen.refreshes,
        contents=seen.contents,
        versions=tuple(version for place in sorted(desk.bridges) for version in _versions(place, desk.bridges[place])),
        answered={answer.value: number for answer, number in sorted(rehearsed.answered.items())},
        source_was_asked=bool(rehearsed.asked),
        refreshes_failed=rehearsed.failed_checks.total(),
        failed=dict(seen.failed),
        differing=seen.differing(),
        rejected=dict(desk.records.rejected),
    )


def _versions(place: Place, bridge: RehearsedBridge) -> Iterator[PredictedVersion]:
    for one in bridge.versions:
        yield PredictedVersion(
            incident=place[0],
            bridge=place[1],
            version=one.version,
            kind=one.kind,
            issued_at=one.issued_at,
            stale_after=one.valid_until,
            content_digest=one.page.digest,
            approved=one.approved,
            decisions=dict(one.decisions),
        )


@dataclass
class _Seen:
    """What the candidates of one incident were, counted as they come."""

    against: Mapping[str, ProfileTables]
    refreshes: int = 0
    contents: int = 0
    failed: Counter[FailedCheck] = field(default_factory=Counter)
    _last: dict[Place, str] = field(default_factory=dict)
    _differing: dict[str, set[tuple[Place, str]]] = field(default_factory=dict)

    def take(self, place: Place, candidate: RehearsedCandidate) -> None:
        """Count one candidate."""
        self.refreshes += 1
        self.contents += self._last.get(place) != candidate.page.digest
        self._last[place] = candidate.page.digest
        if not candidate.passed:
            self.failed.update({*_why_failed(candidate)})
        tables = self.against.get(place[1], self.against.get(EVERY_BRIDGE))
        if tables is not None:
            other = render(replace(candidate.page.context, tables=tables))
            self._compare(place, candidate.page.rendering, other)

    def _compare(self, place: Place, rendering: Rendering, other: Rendering) -> None:
        shown, before = _shown(rendering), _shown(other)
        changed = {name for name in shown.keys() & before.keys() if shown[name].value != before[name].value}
        for how, names in (("gained", shown.keys() - before), ("lost", before.keys() - shown), ("changed", changed)):
            self._differing.setdefault(how, set()).update((place, name) for name in names)

    def differing(self) -> dict[tuple[str, str], int]:
        """Return how many leaves of each pointer class differed at any moment, by how."""
        return dict(Counter((pointer_class(name), how) for how, found in self._differing.items() for _, name in found))


def _shown(rendering: Rendering) -> Mapping[str, Field]:
    return MappingProxyType({one.pointer: one for one in rendering.fields if one.hold is None})


def _why_failed(candidate: RehearsedCandidate) -> Iterator[FailedCheck]:
    check = candidate.page.check
    for reason in check.reasons:
        for name in sorted({pointer_class(one) for one in reason.pointers}) or [""]:
            yield FailedCheck(reason.rule, reason.code, name)
    if check.passed:
        yield FailedCheck("validity", "lapsed_before_its_instant", "")
