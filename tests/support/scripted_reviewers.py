"""Scripted people over a real store: history played under a simulated clock, with everybody who reviews it answering.

Who acts when is `application.rehearsing`, which the backtest plays too; here is what each act does to a real
deployment, through application functions alone. Nothing here is a rule.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.backtest import moments_of
from dagster_project.application.drafting_decisions import staged_page
from dagster_project.application.feeds import recorded_at
from dagster_project.application.google_cloud import SAMPLE_PROFILE, ingest_google_cloud
from dagster_project.application.reaffirming import reaffirm_by_policy
from dagster_project.application.refresh import refresh
from dagster_project.application.rehearsing import EVERY_REMINDER, Answers, Moment, Place, Rehearsed, rehearse
from dagster_project.application.releasing import StagedPage, release
from dagster_project.application.reminders import Answer, next_reminder, reminders_of
from dagster_project.clock import FixedClock
from dagster_project.connections.google_cloud import parse_feed, read_feed
from dagster_project.connections.google_cloud_records import feed_records
from dagster_project.errors import UnsafeOrRejected, UsageError
from dagster_project.review.decisions import Act
from dagster_project.review.leaving import NO_PAGE_APPROVAL, roles_asked
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.workspaces import make_workspace

__all__ = ["Answers", "Event", "ReviewedFeed", "StoreDesk", "feed_moments", "review_feed"]

_NOTHING_LEAVES: Final = ("not_releasable", "nothing_to_release")
Event: TypeAlias = dict[str, Any]
Around = Callable[[list[Event]], list[Event]]


@dataclass
class StoreDesk:
    """A `rehearsing.Desk` over a real deployment. `refused` are the looks that were refused, by code."""

    bench: Bench
    refused: Counter[str] = field(default_factory=Counter)

    def set(self, at: datetime) -> None:
        clock = self.bench.workspace.clock
        assert isinstance(clock, FixedClock)
        clock.set(at)

    def take_in(self, events: Sequence[bytes]) -> Mapping[Place, bool]:
        units = [DeliveredUnit("feed", f"event {number}", one) for number, one in enumerate(events, 1)]
        passed = {}
        for incident in admit(self.bench.workspace, units).incidents:
            for one in refresh(self.bench.workspace, incident).checked:
                passed[incident, one.row.bridge] = one.manifest_digest is not None
        return passed

    def release(self, place: Place) -> bool:
        try:
            release(self.bench.workspace, *place)
        except UnsafeOrRejected as refused:
            if refused.code not in _NOTHING_LEAVES:
                raise
        except UsageError:
            return False
        return True

    def asked(self, place: Place) -> frozenset[str]:
        try:
            page = staged_page(self.bench.workspace, *place)
        except UsageError:
            return frozenset()
        return _asked(page)

    def approve(self, place: Place, person: str) -> None:
        self.bench.approve(person, *place)

    def due(self, place: Place) -> datetime | None:
        return next_reminder(self.bench.workspace, *place)

    def reminder(self, place: Place) -> Answer | None:
        return next((one.answer for one in reminders_of(self.bench.workspace, *place)), None)

    def reaffirm(self, place: Place) -> bool:
        return reaffirm_by_policy(self.bench.workspace, *place) is not None

    def look(self, place: Place, person: str) -> bool:
        (reminder,) = reminders_of(self.bench.workspace, *place)
        try:
            self.bench.act(person, Act.REAFFIRM, *place, version=reminder.version, fields=reminder.fields)
        except UnsafeOrRejected as refused:
            self.refused[refused.code] += 1
            return False
        return True


def _asked(page: StagedPage) -> frozenset[str]:
    state = page.state
    waits = page.is_news and page.missing == (NO_PAGE_APPROVAL,)
    return roles_asked(state.changes, state.coverage, page.carried, only_the_page_waits=waits)


@dataclass
class ReviewedFeed:
    """A feed that people reviewed: where it lies, its deployment, what came of it, and the looks that were refused."""

    feed: Path
    bench: Bench
    rehearsed: Rehearsed
    refused: Counter[str]

    @property
    def last_post(self) -> Mapping[str, datetime]:
        """The last post on each incident."""
        return self.rehearsed.last_post

    @property
    def answered(self) -> Counter[Answer]:
        """How reminders were answered."""
        return self.rehearsed.answered

    @property
    def failed_checks(self) -> Counter[str]:
        """The refreshes whose page did not pass its check, by incident."""
        return Counter({incident: count for (incident, _bridge), count in self.rehearsed.failed_checks.items()})

    @property
    def asked(self) -> set[str]:
        """The incidents of which the source was asked to say the same again."""
        return self.rehearsed.asked


def review_feed(location: Path, folder: Path, answers: Answers = EVERY_REMINDER, around: Around = list) -> ReviewedFeed:
    """Play a feed to its last event, with people who review it.

    Args:
        location: The feed.
        folder: Where its deployment is made.
        answers: Which reminders people answer.
        around: What is played instead of the feed's events: those with others around them, in any order.
    """
    moments = feed_moments(location, around)
    bench = make_bench(make_workspace(folder, FixedClock(moments[0].at)), SAMPLE_PROFILE)
    ingest_google_cloud(bench.workspace, [])
    desk = StoreDesk(bench)
    return ReviewedFeed(location, bench, rehearse(desk, moments, PEOPLE, answers), desk.refused)


def feed_moments(location: Path, around: Around = list) -> tuple[Moment, ...]:
    """Return what a Google Cloud feed says, with what is played around it, by the instants of recording."""
    told = [orjson.loads(one) for one in feed_records(parse_feed(read_feed(str(location))))]
    events = [orjson.dumps(one) for one in around(told)]
    return moments_of((recorded_at(one), one) for one in events)
