"""The closures of the demo: support systems of its own, and what becomes of the dispositions that they announce.

Belongs here: making those systems, playing `demo.closures` through the application, and a line of text for each act.
It adds no rule. The systems are the tables of the embedded default; here some are away for a moment.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import Final

from sqlalchemy.engine import Engine

from dagster_project.application.closing import admit_event
from dagster_project.application.closing_commands import ClosureAct, draft_command, give
from dagster_project.application.closing_overview import newest_plan
from dagster_project.application.closing_systems import Systems, open_systems
from dagster_project.application.closing_work import work
from dagster_project.application.workspace import Workspace
from dagster_project.closure.disposition import Disposition
from dagster_project.closure.targets import (
    SubjectState,
    Target,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
    TargetUnavailable,
)
from dagster_project.connections.targets.forms import LEDGER, QUEUE, TRACKER
from dagster_project.connections.targets.support_systems import (
    count_effects,
    create_support_systems,
    enter_disposition,
    file_document,
    open_subject,
)
from dagster_project.demo.closures import ClosureMoment, DemoClosures, DemoSkip, event_of, load_closures
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.integrity.signatures import SigningKey

FILE: Final = "support_systems.sqlite3"
_MOST_PLANS: Final = 10
Keys = Mapping[str, SigningKey]


@dataclass
class _Away:
    """Which systems are out of reach, and which refuse, at this moment."""

    unreachable: tuple[str, ...] = ()
    refusing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _DemoTarget:
    """A target that is away whenever the story says so."""

    target: Target
    away: _Away

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.name

    def read(self, subject: str) -> SubjectState | None:
        """As the target, where it can be reached."""
        self._reach()
        return self.target.read(subject)

    def probe(self, key: str) -> TargetReceipt | None:
        """As the target, where it can be reached."""
        self._reach()
        return self.target.probe(key)

    def raise_fence(self, subject: str, fence: int) -> None:
        """As the target, where it can be reached."""
        self._reach()
        self.target.raise_fence(subject, fence)

    def apply(self, request: TargetRequest) -> TargetReceipt:
        """As the target, where it can be reached and does not refuse."""
        self._reach()
        if self.name in self.away.refusing:
            raise TargetRefused("item_locked")
        return self.target.apply(request)

    def _reach(self) -> None:
        if self.name in self.away.unreachable:
            raise TargetUnavailable("connection_refused")


@dataclass(frozen=True)
class DemoSupport:
    """The demo's support systems, the people who decide, and the story to be played on them."""

    workspace: Workspace
    keys: Keys
    story: DemoClosures
    engine: Engine
    systems: Systems
    away: _Away

    @property
    def moments(self) -> tuple[ClosureMoment, ...]:
        """The moments of the story, in their order; the caller sets the clock to each before it is played."""
        return self.story.moments

    def play(self, moment: ClosureMoment) -> Iterator[str]:
        """Play a moment, and one round of the worker after it; yield a line for each thing that came of it."""
        self.away.unreachable, self.away.refusing = moment.unreachable, moment.refusing
        if moment.event:
            yield self._admit(moment)
        if moment.skip is not None:
            yield self._skip(moment.skip)
        report = work(self.workspace, self.systems, at_most=_MOST_PLANS, chance=SystemRandom())
        if report.outcomes:
            yield "steps: " + ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.items())

    def effects(self) -> tuple[int, int]:
        """Return how many effects the systems count themselves, and how many of them are of a key that had one."""
        counted = count_effects(self.engine).values()
        return sum(counted), sum(count - 1 for count in counted)

    def _admit(self, moment: ClosureMoment) -> str:
        event = event_of(self.story, moment)
        found = admit_event(self.workspace, self.systems, canonical_bytes(document_of(event)), chance=SystemRandom())
        became = (
            ", nothing is done again" if found.outcome == "duplicate" else f", {found.became.removeprefix('event_')}"
        )
        return f"event {found.event_id} of {found.case_id}: {found.outcome}{became}"

    def _skip(self, skip: DemoSkip) -> str:
        plan = newest_plan(self.workspace, skip.case)
        command = draft_command(
            self.workspace, ClosureAct.SKIP, skip.case, plan=plan, step=skip.step, reason=skip.reason
        )
        taken = give(self.workspace, command, self.keys[skip.person])
        return f"{taken.person} decides: {taken.act} {skip.step} of {taken.case_id}"


@contextmanager
def open_demo_support(workspace: Workspace, keys: Keys) -> Iterator[DemoSupport]:
    """Make the support systems of the demo in its own store, with everything that their people would have there."""
    url = f"sqlite:///{workspace.settings.home / FILE}"
    story = load_closures()
    engine = create_support_systems(url)
    try:
        for record in story.records.values():
            _enter(engine, record)
        opened, away = open_systems(replace(workspace.settings, support_systems=url)), _Away()
        targets = {name: _DemoTarget(one, away) for name, one in opened.targets.items()}
        yield DemoSupport(workspace, keys, story, engine, replace(opened, targets=targets), away)
    finally:
        engine.dispose()


def _enter(engine: Engine, record: Disposition) -> None:
    enter_disposition(engine, record)
    for document in (record.closure_packet, record.internal_review_note):
        file_document(engine, document)
    open_subject(engine, TRACKER, record.tracker_record or "", {"review_state": "in_review", "state": "resolved"})
    open_subject(engine, LEDGER, record.ledger_record or "", {"state": "resolved"})
    open_subject(engine, QUEUE, record.queue_item or "", {"queue_state": "open"})
