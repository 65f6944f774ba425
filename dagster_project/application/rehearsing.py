"""Rehearsing: history played under a simulated clock with people who review it, as a policy of acting and nothing more.

Belongs here: who acts at which instant. The people approve what is put to them a fixed time after it was put to them,
and answer every reminder as it says: policy reaffirms by itself, a person looks, or, where people looked as often as
the profile allows, the source is asked and says the same again. What an act does is a `Desk`'s business: the backtest
has one in memory, tests have one over a real store, and both are played by this module. No rule is here.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from types import MappingProxyType
from typing import Any, Final, Protocol

import orjson

from dagster_project.application.reminders import Answer
from dagster_project.clock import format_instant
from dagster_project.review.coverage import SECOND_PERSON

DELAY: Final = timedelta(minutes=3)
# One person of each role that a policy can ask, in the order in which they decide, and a second one who can join in
# where the source does not say who recorded something.
SIMULATED_PEOPLE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "simulated-incident-command": ("incident_command",),
        "simulated-support-leadership": ("support_leadership",),
        "simulated-account-leadership": ("account_leadership",),
        "simulated-security": ("security",),
        "simulated-legal": ("legal",),
        "simulated-incident-command-2": ("incident_command",),
    }
)
# What a source states of the state of things; an edit of a text, days later, states nothing new of any service.
_POSTS: Final = ("incident", "service-health")

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)

# An incident and one of its bridges.
Place = tuple[str, str]


@dataclass(frozen=True)
class Moment:
    """What is delivered at one instant: events as bytes, in order."""

    at: datetime
    events: tuple[bytes, ...]


@dataclass(frozen=True)
class Answers:
    """Which reminders these people answer: all of them, or some only, to see that it takes the others too."""

    people_look: bool = True
    sources_are_asked: bool = True


EVERY_REMINDER: Final = Answers()


class Desk(Protocol):
    """Where people act on the bridges of incidents; time is what was set last."""

    def set(self, at: datetime) -> None:
        """Let it be this instant."""
        ...

    def take_in(self, events: Sequence[bytes]) -> Mapping[Place, bool]:
        """Admit events and refresh what they move; return the bridges refreshed, and whether each passed its check."""
        ...

    def release(self, place: Place) -> bool:
        """Release what may leave, if anything; tell whether there is a candidate that passed its check at all."""
        ...

    def asked(self, place: Place) -> frozenset[str]:
        """Return the roles of whom something is asked now."""
        ...

    def approve(self, place: Place, person: str) -> None:
        """Let a person approve all that they are asked for, and the page that then leaves."""
        ...

    def due(self, place: Place) -> datetime | None:
        """Return from when on the page is to be reaffirmed, or None where none can be."""
        ...

    def reminder(self, place: Place) -> Answer | None:
        """Return what answers the reminder that stands now, or None where none does."""
        ...

    def reaffirm(self, place: Place) -> bool:
        """Let policy reaffirm; tell whether it did."""
        ...

    def look(self, place: Place, person: str) -> bool:
        """Let a person see the page to be still so; tell whether that was accepted."""
        ...


@dataclass
class Rehearsed:
    """What came of a rehearsal besides versions.

    `last_post` are the instants of the last post on each incident; `answered` are reminders by what answered them;
    `failed_checks` are refreshes whose page did not pass; `asked` are the incidents whose source was asked.
    """

    last_post: Mapping[str, datetime]
    answered: Counter[Answer] = field(default_factory=Counter)
    failed_checks: Counter[Place] = field(default_factory=Counter)
    asked: set[str] = field(default_factory=set)


def rehearse(
    desk: Desk,
    moments: Sequence[Moment],
    people: Mapping[str, tuple[str, ...]] = SIMULATED_PEOPLE,
    answers: Answers = EVERY_REMINDER,
) -> Rehearsed:
    """Play history to its end on a desk, with people who review it.

    Args:
        desk: Where they act.
        moments: What is delivered, in order of time.
        people: The roles of every person, in the order in which they decide. The first of incident command looks.
        answers: Which reminders are answered.
    """
    rehearsed = Rehearsed(_last_posts(moments))
    _Days(desk, rehearsed, people, answers).play(moments)
    return rehearsed


def posted(event: bytes) -> dict[str, Any] | None:
    """Return an event that states the state of things, or None; what cannot be read states nothing."""
    try:
        read = orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(read, dict) or read.get("type") not in _POSTS:
        return None
    named = (read.get(name) for name in ("subject", "source", "recordid", "recordversion"))
    return read if all(isinstance(one, str) for one in named) and read["recordversion"].isdigit() else None


def _last_posts(moments: Iterable[Moment]) -> dict[str, datetime]:
    read = ((one.at, posted(event)) for one in moments for event in one.events)
    return {event["subject"]: at for at, event in read if event is not None}


class _Days:
    """What is to happen at which simulated instant, and doing it."""

    def __init__(
        self, desk: Desk, rehearsed: Rehearsed, people: Mapping[str, tuple[str, ...]], answers: Answers
    ) -> None:
        self._desk, self._rehearsed, self._people, self._answers = desk, rehearsed, people, answers
        self._now = BEGINNING
        self._number = count()
        self._agenda: list[tuple[datetime, int, str, Place]] = []
        self._heads: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def play(self, moments: Iterable[Moment]) -> None:
        """Play moments to their end, and what follows from them."""
        for moment in moments:
            self._work_until(moment.at)
            for place in self._take_in(moment.at, moment.events):
                if self._is_followed(place, moment.at):
                    self._remind(place)
        self._work_until(None)

    def _work_until(self, end: datetime | None) -> None:
        acts: Mapping[str, Callable[[Place], None]] = {
            "decide": self._decide,
            "remind": self._remind,
            "answer": self._answer,
        }
        while self._agenda and (end is None or self._agenda[0][0] < end):
            at, _, what, place = heapq.heappop(self._agenda)
            self._set(at)
            acts[what](place)

    def _set(self, at: datetime) -> None:
        self._now = at
        self._desk.set(at)

    def _later(self, at: datetime, what: str, place: Place) -> None:
        entry = (at, what, place)
        if entry not in {(one[0], *one[2:]) for one in self._agenda}:
            heapq.heappush(self._agenda, (at, next(self._number), what, place))

    def _is_followed(self, place: Place, at: datetime) -> bool:
        last = self._rehearsed.last_post.get(place[0])
        return last is not None and at <= last

    def _take_in(self, at: datetime, events: Sequence[bytes]) -> list[Place]:
        """Take events in; return the bridges whose page did not pass its check."""
        self._set(at)
        for one in filter(None, map(posted, events)):
            self._remember(one)
        failed = []
        for place, passed in self._desk.take_in(events).items():
            if not passed:
                self._rehearsed.failed_checks[place] += 1
                failed.append(place)
            self._release(place)
            if self._desk.asked(place):
                self._later(at + DELAY, "decide", place)
        return failed

    def _remember(self, event: dict[str, Any]) -> None:
        heads = self._heads.setdefault(event["subject"], {})
        name = (event["source"], event["recordid"])
        if name not in heads or int(heads[name]["recordversion"]) <= int(event["recordversion"]):
            heads[name] = event

    def _release(self, place: Place) -> None:
        """Release what may leave; policy's own approval counts."""
        if self._desk.release(place):
            self._wait_for_reminder(place)

    def _decide(self, place: Place) -> None:
        for person, roles in self._people.items():
            if self._desk.asked(place) & {*roles, SECOND_PERSON}:
                self._desk.approve(place, person)
        self._release(place)

    def _wait_for_reminder(self, place: Place) -> None:
        due, last = self._desk.due(place), self._rehearsed.last_post.get(place[0])
        if due is not None and last is not None and due < last:
            self._later(max(due, self._now), "remind", place)

    def _remind(self, place: Place) -> None:
        """Let policy answer a reminder at once; people take their time."""
        answer = self._desk.reminder(place)
        if answer is Answer.POLICY:
            self._answer(place)
        elif answer is not None:
            self._later(self._now + DELAY, "answer", place)

    def _answer(self, place: Place) -> None:
        answer = self._desk.reminder(place)
        acts: Mapping[Answer, Callable[[Place], bool]] = {
            Answer.POLICY: self._desk.reaffirm,
            Answer.PERSON: self._by_person,
            Answer.DECISION: self._by_decision,
            Answer.NEW_RECORD: self._by_source,
            Answer.FAILED_CHECK: self._by_source,
        }
        if answer is not None and acts[answer](place):
            self._rehearsed.answered[answer] += 1
            self._wait_for_reminder(place)

    def _by_person(self, place: Place) -> bool:
        looks = next(person for person, roles in self._people.items() if "incident_command" in roles)
        return self._answers.people_look and self._desk.look(place, looks)

    def _by_decision(self, place: Place) -> bool:
        self._decide(place)
        return self._desk.reminder(place) is None

    def _by_source(self, place: Place) -> bool:
        if not self._answers.sources_are_asked:
            return False
        self._rehearsed.asked.add(place[0])
        self._take_in(self._now, list(_said_again(self._heads[place[0]].values(), self._now)))
        self._desk.reaffirm(place)
        return self._desk.reminder(place) is None


def _said_again(heads: Iterable[dict[str, Any]], now: datetime) -> Iterator[bytes]:
    """Repeat a source's last words on everything, recorded now, between its last version and its next."""
    for one in heads:
        version = str(int(one["recordversion"]) + 1)
        again = {
            "id": f"{one['type']}/{one['recordid']}/{version}",
            "recordversion": version,
            "recordedtime": format_instant(now),
        }
        yield orjson.dumps(one | again)
