"""Scripted people: a status feed played under a simulated clock, with everybody who reviews it answering in time.

They approve what is put to them a fixed time after it was put to them, and answer every reminder as it says: policy
reaffirms by itself, a person looks and signs, or, where people looked as often as the profile allows, the source is
asked and says the same again. Nothing here is a rule: everything goes through application functions.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, groupby
from pathlib import Path
from typing import Any, Final

import orjson

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.drafting_decisions import staged_page
from dagster_project.application.google_cloud import SAMPLE_BRIDGE, SAMPLE_PROFILE, ingest_google_cloud
from dagster_project.application.reaffirming import reaffirm_by_policy
from dagster_project.application.refresh import refresh
from dagster_project.application.releasing import NO_PAGE_APPROVAL, StagedPage, release
from dagster_project.application.reminders import Answer, Reminder, next_reminder, reminders_of
from dagster_project.clock import FixedClock, format_instant, parse_instant
from dagster_project.connections.google_cloud import parse_feed, read_feed
from dagster_project.connections.google_cloud_records import feed_records
from dagster_project.errors import UnsafeOrRejected, UsageError
from dagster_project.review.coverage import SECOND_PERSON
from dagster_project.review.decisions import Act
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.workspaces import make_workspace

DELAY: Final = timedelta(minutes=3)
# What the feed posts as the state of things; an edit of a text, days later, states nothing new of any service.
_POSTS: Final = ("incident", "service-health")


@dataclass(frozen=True)
class Answers:
    """Which reminders these people answer: all of them, or some only, to see that it takes the others too."""

    people_look: bool = True
    sources_are_asked: bool = True


@dataclass
class ReviewedFeed:
    """A feed that people reviewed: its deployment, the last post on each incident, and how reminders were answered.

    `asked` are the incidents of which the source was asked to say the same again.
    """

    bench: Bench
    last_post: dict[str, datetime]
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failed_checks: Counter[str] = field(default_factory=Counter)
    asked: set[str] = field(default_factory=set)


def review_feed(location: Path, folder: Path, answers: Answers = Answers()) -> ReviewedFeed:
    """Play a feed to its last event, with people who review it."""
    events = [orjson.loads(one) for one in feed_records(parse_feed(read_feed(str(location))))]
    workspace = make_workspace(folder, FixedClock(_recorded(events[0])))
    bench = make_bench(workspace, SAMPLE_PROFILE)
    ingest_google_cloud(workspace, [])
    last_post = {one["subject"]: _recorded(one) for one in events if one["type"] in _POSTS}
    played = ReviewedFeed(bench, last_post)
    _Days(played, answers).play(events)
    return played


def _recorded(event: dict[str, Any]) -> datetime:
    return parse_instant(event["recordedtime"])


class _Days:
    """What is to happen at which simulated instant, and doing it."""

    def __init__(self, played: ReviewedFeed, answers: Answers) -> None:
        self._played, self._answers = played, answers
        self._bench, self._workspace = played.bench, played.bench.workspace
        self._number = count()
        self._agenda: list[tuple[datetime, int, str, str]] = []
        self._heads: dict[str, dict[str, dict[str, Any]]] = {}

    def play(self, events: list[dict[str, Any]]) -> None:
        for at, moment in groupby(events, key=_recorded):
            self._work_until(at)
            for incident in self._take_in(at, list(moment)):
                if at <= self._played.last_post[incident]:
                    self._remind(incident)
        self._work_until(None)

    def _work_until(self, end: datetime | None) -> None:
        while self._agenda and (end is None or self._agenda[0][0] < end):
            at, _, what, incident = heapq.heappop(self._agenda)
            self._set(at)
            {"decide": self._decide, "remind": self._remind, "answer": self._answer}[what](incident)

    def _set(self, at: datetime) -> None:
        clock = self._workspace.clock
        assert isinstance(clock, FixedClock)
        clock.set(at)

    def _later(self, at: datetime, what: str, incident: str) -> None:
        entry = (at, what, incident)
        if entry not in {(one[0], *one[2:]) for one in self._agenda}:
            heapq.heappush(self._agenda, (at, next(self._number), what, incident))

    def _take_in(self, at: datetime, events: list[dict[str, Any]]) -> list[str]:
        """Admit and refresh; return the incidents whose page did not pass its check."""
        self._set(at)
        failed = []
        for one in events:
            if one["type"] in _POSTS:
                self._heads.setdefault(one["subject"], {})[one["recordid"]] = one
        units = [DeliveredUnit("feed", f"event {number}", orjson.dumps(one)) for number, one in enumerate(events, 1)]
        for incident in admit(self._workspace, units).incidents:
            if not refresh(self._workspace, incident).passed:
                self._played.failed_checks[incident] += 1
                failed.append(incident)
            self._release(incident)
            if (page := self._page(incident)) is not None and _asked(page):
                self._later(at + DELAY, "decide", incident)
        return failed

    def _page(self, incident: str) -> StagedPage | None:
        try:
            return staged_page(self._workspace, incident, SAMPLE_BRIDGE)
        except UsageError:
            return None

    def _release(self, incident: str) -> None:
        """Release what may leave; policy's own approval counts."""
        try:
            release(self._workspace, incident, SAMPLE_BRIDGE)
        except UnsafeOrRejected as refused:
            if refused.code not in {"not_releasable", "nothing_to_release"}:
                raise
        except UsageError:
            return
        self._wait_for_reminder(incident)

    def _decide(self, incident: str) -> None:
        for person, roles in PEOPLE.items():
            page = self._page(incident)
            if page is not None and _asked(page) & {*roles, SECOND_PERSON}:
                self._bench.approve(person, incident, SAMPLE_BRIDGE)
        self._release(incident)

    def _wait_for_reminder(self, incident: str) -> None:
        due = next_reminder(self._workspace, incident, SAMPLE_BRIDGE)
        if due is not None and due < self._played.last_post[incident]:
            self._later(max(due, self._workspace.clock.now()), "remind", incident)

    def _remind(self, incident: str) -> None:
        """Let policy answer a reminder at once; people take their time."""
        for one in reminders_of(self._workspace, incident, SAMPLE_BRIDGE):
            if one.answer is Answer.POLICY:
                self._answer(incident)
            else:
                self._later(self._workspace.clock.now() + DELAY, "answer", incident)

    def _answer(self, incident: str) -> None:
        for one in reminders_of(self._workspace, incident, SAMPLE_BRIDGE):
            if _ANSWERS[one.answer](self, one):
                self._played.answered[one.answer] += 1
                self._wait_for_reminder(incident)

    def _by_policy(self, reminder: Reminder) -> bool:
        return reaffirm_by_policy(self._workspace, reminder.incident, reminder.bridge) is not None

    def _by_person(self, reminder: Reminder) -> bool:
        if not self._answers.people_look:
            return False
        seen = {"version": reminder.version, "fields": reminder.fields}
        try:
            self._bench.act("ines", Act.REAFFIRM, reminder.incident, reminder.bridge, **seen)
        except UnsafeOrRejected as refused:
            self._played.refused[refused.code] += 1
            return False
        return True

    def _by_decision(self, reminder: Reminder) -> bool:
        self._decide(reminder.incident)
        return not reminders_of(self._workspace, reminder.incident, reminder.bridge)

    def _by_source(self, reminder: Reminder) -> bool:
        if not self._answers.sources_are_asked:
            return False
        self._played.asked.add(reminder.incident)
        now = self._workspace.clock.now()
        self._take_in(now, list(_said_again(self._heads[reminder.incident].values(), now)))
        self._by_policy(reminder)
        return not reminders_of(self._workspace, reminder.incident, reminder.bridge)


_ANSWERS: Final = {
    Answer.POLICY: _Days._by_policy,
    Answer.PERSON: _Days._by_person,
    Answer.DECISION: _Days._by_decision,
    Answer.NEW_RECORD: _Days._by_source,
    Answer.FAILED_CHECK: _Days._by_source,
}


def _asked(page: StagedPage) -> frozenset[str]:
    """Return the roles of whom something is asked now: for a change, or for the page as a whole."""
    waiting = {
        role
        for change in page.state.changes
        if change.digest not in page.state.coverage.rejected
        for role in page.state.coverage.missing[change.digest]
    }
    if not waiting and page.is_news and page.missing == (NO_PAGE_APPROVAL,):
        waiting = {role for change in page.carried for role in change.roles}
    return frozenset(waiting)


def _said_again(heads: Iterable[dict[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    """Repeat the source's last words on everything, recorded now, between its last version and its next."""
    for one in heads:
        version = str(int(one["recordversion"]) + 1)
        yield one | {
            "id": f"{one['id'].rpartition('/')[0]}/{version}",
            "recordversion": version,
            "recordedtime": format_instant(now),
        }
