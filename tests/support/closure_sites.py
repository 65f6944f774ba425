"""Sites: a deployment on a real database beside support systems behind the adapters that are shipped.

The support systems are SQL tables, reached directly or through the reference server. What a completion did is judged
here by those tables alone, and by figures that are written down by hand.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dagster_project.application.closing_commands import ClosureAct
from dagster_project.application.closing_systems import Systems
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.connections.targets.http import HttpArchive, HttpCaseReviewSystem, http_targets
from dagster_project.connections.targets.http_exchange import HttpSystem
from dagster_project.connections.targets.sql import SqlArchive, SqlCaseReviewSystem, sql_targets
from dagster_project.connections.targets.support_systems import (
    create_support_systems,
    effects,
    enter_disposition,
    file_document,
    open_subject,
    open_support_systems,
    row_of,
)
from dagster_project.settings import Settings
from dagster_project.store.engine import reading
from tests.support.closure_bench import PEOPLE, Closures
from tests.support.closure_targets import ARCHIVE, CLOSED_AT, LEDGER, NOTE, NOTICES, PACKET, QUEUE, TRACKER
from tests.support.closure_targets import disposition as final_disposition
from tests.support.closure_targets import event as event_of
from tests.support.target_server import ARCHIVE_DOCUMENTS, CASE_REVIEW, SupportServer, serving
from tests.support.workspaces import make_workspace

# Longer than a lease, and than every pause that a system is left alone for.
LATER: Final = timedelta(minutes=10)
STEPS: Final = {
    ARCHIVE: "archive_attached",
    TRACKER: "tracker_synchronized",
    LEDGER: "ledger_marked",
    QUEUE: "queue_closed",
    NOTICES: "coordinator_notified",
}
_REFERENCES: Final = {
    "closure_packet": PACKET.reference,
    "closure_packet_digest": PACKET.digest,
    "internal_review_note": NOTE.reference,
    "internal_review_note_digest": NOTE.digest,
}
_WHEN: Final = {"disposition_version": 3, "closed_at": CLOSED_AT}


@dataclass(frozen=True)
class Reach:
    """What a process of its own needs to work here: it can be sent there."""

    settings: Settings
    at: datetime
    support: str | Mapping[str, HttpSystem]

    def workspace(self) -> Workspace:
        return open_workspace(self.settings, clock=FixedClock(self.at))

    def systems(self) -> tuple[Systems, Engine | None]:
        """Return the systems, and the engine where they are tables."""
        if isinstance(self.support, str):
            engine = open_support_systems(self.support)
            return systems_in(engine), engine
        return systems_over(self.support), None


def systems_in(engine: Engine) -> Systems:
    """Return support systems that are reached as tables."""
    return Systems(SqlCaseReviewSystem(engine), SqlArchive(engine), sql_targets(engine))


def systems_over(addresses: Mapping[str, HttpSystem]) -> Systems:
    """Return support systems that are reached over HTTP."""
    case_review, archive = HttpCaseReviewSystem(addresses[CASE_REVIEW]), HttpArchive(addresses[ARCHIVE_DOCUMENTS])
    return Systems(case_review, archive, http_targets(addresses))


@dataclass
class Site(Closures):
    """A deployment and its support systems; `server` where they are reached over HTTP."""

    engine: Engine
    url: str
    server: SupportServer | None
    seconds: float = 10.0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    replaced: Systems | None = None
    # What a round passes with nothing in the way, by direction: looked up often, and always the same.
    points: dict[str, list[str]] = field(default_factory=dict)

    @property
    def systems(self) -> Systems:
        if self.replaced is not None:
            return self.replaced
        if self.server is None:
            return systems_in(self.engine)
        return systems_over(self.server.addresses(seconds=self.seconds))

    @property
    def reach(self) -> Reach:
        support = self.url if self.server is None else self.server.addresses(seconds=self.seconds)
        return Reach(self.workspace.settings, self.workspace.clock.now(), support)

    @property
    def own_engine(self) -> Engine | None:
        """The engine in which a worker here commits its effects itself."""
        return self.engine if self.server is None else None

    def new_case(self, **changed: object) -> str:
        """Have a case be final in the case-review system, and return its name."""
        case = f"CASE-{next(self.numbers)}"
        enter_disposition(self.engine, final_disposition(case, **changed))
        open_subject(
            self.engine,
            TRACKER,
            f"TRK-{case}",
            {"review_state": "in_review", "state": "mitigated", **identity_of(case)[TRACKER]},
        )
        open_subject(self.engine, LEDGER, f"LED-{case}", {"state": "resolved", **identity_of(case)[LEDGER]})
        open_subject(self.engine, QUEUE, f"Q-{case}", {"queue_state": "waiting", **identity_of(case)[QUEUE]})
        return case

    def change(self, case: str, **changed: object) -> None:
        """Change the record of a case, as the case-review system would."""
        enter_disposition(self.engine, final_disposition(case, **changed))

    def body(self, case: str, **changed: object) -> bytes:
        return event_of(f"evt-{case}", case, **changed)

    def announced(self, case: str) -> str:
        """Admit the event of a case and return the case."""
        assert self.admit(self.body(case)).outcome == "admitted"
        return case

    def to_be_taken_back(self, case: str) -> str:
        """Complete a case, have an operator revert it, and return the case."""
        self.announced(case)
        self.work()
        assert self.plan(case).state == "complete", "there is nothing yet that could be taken back"
        self.revert(case)
        return case

    def revert(self, case: str) -> None:
        self.command(ClosureAct.REVERT, case=case, plan=self.plan(case).plan)

    def finish(self, case: str, rounds: int = 12) -> str:
        """Work until a case needs no more, as the deployment would in an hour or two; return where it stands."""
        for _ in range(rounds):
            self.pass_time(LATER)
            self.work()
            state = self.plan(case).state
            if state in {"complete", "reverted", "stopped"}:
                return state
        return self.plan(case).state

    def states_of(self, case: str, direction: str = "apply") -> dict[str, str]:
        return {one.step: one.state for one in self.plan(case).steps if one.direction == direction}

    def effects_of(self, case: str) -> dict[str, int]:
        """Return how many effects each target's own log has of a case, whatever keys they bore."""
        found = Counter(target for target, subject, _key in self.logged() if is_of(case, subject))
        return {target: found[target] for target in STEPS}

    def repeated(self) -> int:
        """Return how many effects there were beyond the first under one key."""
        return sum(number - 1 for number in Counter((target, key) for target, _, key in self.logged()).values())

    def logged(self) -> list[tuple[str, str, str]]:
        """Return target, subject and key of every effect, as the targets logged them."""
        with reading(self.engine) as connection:
            columns = effects.c
            return [tuple(row) for row in connection.execute(sa.select(columns.target, columns.subject, columns.key))]

    def shown(self, case: str) -> dict[str, dict[str, object]]:
        """Return what each target holds of a case, without versions."""
        return {
            target: {name: value for name, value in row_of(self.engine, target, subject).items() if name != "version"}
            for target, subject in subjects_of(case).items()
        }

    def assert_closed_once(self, case: str) -> None:
        """Every effect once, the very values, and the audit row complete."""
        assert self.effects_of(case) == dict.fromkeys(STEPS, 1)
        assert self.repeated() == 0
        assert self.shown(case) == closed(case)
        plan = self.plan(case)
        assert plan.state == "complete"
        assert plan.audit_row == audit_row_of(case)

    def assert_taken_back_once(self, case: str) -> None:
        """Every effect once in either direction, and everything as it was, but for the notice: that is corrected."""
        assert self.plan(case).state == "reverted"
        assert self.effects_of(case) == dict.fromkeys(STEPS, 2)
        assert self.repeated() == 0
        assert self.shown(case) == taken_back(case)


def subjects_of(case: str) -> dict[str, str]:
    return {
        ARCHIVE: f"{case}~EP-1",
        TRACKER: f"TRK-{case}",
        LEDGER: f"LED-{case}",
        QUEUE: f"Q-{case}",
        NOTICES: f"{case}~EP-1~3",
    }


def identity_of(case: str) -> dict[str, dict[str, object]]:
    """What tracker, ledger and queue say of whose a record is: nothing of ours changes it."""
    episode: dict[str, object] = {"escalation": "ESC-77", "episode": "EP-1"}
    return {TRACKER: episode, LEDGER: {"case": case}, QUEUE: {"case": case, **episode}}


def is_of(case: str, subject: str) -> bool:
    """Tell whether a subject is a case's."""
    return subject in {f"TRK-{case}", f"LED-{case}", f"Q-{case}"} or subject.startswith(f"{case}~")


def closed(case: str) -> dict[str, dict[str, object]]:
    """What every target holds once a case is closed, written down by hand."""
    of, kept = subjects_of(case), identity_of(case)
    whose = {"case": case, "escalation": "ESC-77", "episode": "EP-1", "coordinator": "support-ops"}
    return {
        ARCHIVE: {"subject": of[ARCHIVE], **_REFERENCES, **_WHEN},
        TRACKER: {
            "subject": of[TRACKER],
            "review_state": "review_complete",
            "state": "mitigated",
            **_REFERENCES,
            **_WHEN,
            **kept[TRACKER],
        },
        LEDGER: {
            "subject": of[LEDGER],
            "review_marker": "review_complete",
            "state": "resolved",
            **_WHEN,
            **kept[LEDGER],
        },
        QUEUE: {"subject": of[QUEUE], "queue_state": "closed", **_WHEN, **kept[QUEUE]},
        NOTICES: {"subject": of[NOTICES], **whose, "notice": "complete", "skipped": [], **_WHEN},
    }


def taken_back(case: str) -> dict[str, dict[str, object]]:
    """What every target holds once that was taken back."""
    kept = identity_of(case)
    before: dict[str, dict[str, object]] = {
        ARCHIVE: {},
        TRACKER: {"review_state": "in_review", "state": "mitigated", **kept[TRACKER]},
        LEDGER: {"state": "resolved", **kept[LEDGER]},
        QUEUE: {"queue_state": "waiting", **kept[QUEUE]},
    }
    made = closed(case)
    restored = {
        target: {name: made[target]["subject"] if name == "subject" else held.get(name) for name in made[target]}
        for target, held in before.items()
    }
    return {**restored, NOTICES: {**made[NOTICES], "notice": "taken back"}}


def audit_row_of(case: str) -> dict[str, Any]:
    return {
        "source_event_id": f"evt-{case}",
        "verified_disposition_version": 3,
        "queue_item_closed": f"Q-{case}",
        "tracker_records_updated": [f"TRK-{case}", f"LED-{case}"],
        "archive_references_attached": [NOTE.reference, PACKET.reference],
        "notification_target": "support-ops",
        "steps_already_completed": [],
        "steps_skipped": [],
    }


@contextmanager
def site_at(folder: Path, *, database_url: str | None, support_url: str | None, over_http: bool) -> Iterator[Site]:
    """Open a site.

    Args:
        folder: An empty one.
        database_url: The deployment's database; None for a SQLite file.
        support_url: The support systems' database; None for a SQLite file.
        over_http: Whether the worker reaches them through the reference server.
    """
    workspace = make_workspace(folder, database_url=database_url)
    url = support_url or f"sqlite:///{folder / 'support.sqlite3'}"
    engine = create_support_systems(url)
    for document in (PACKET, NOTE):
        file_document(engine, document)
    keys = make_demo_trust(workspace, PEOPLE, demo=False)
    try:
        if over_http:
            with serving(engine) as server:
                yield Site(workspace, keys, engine, url, server)
        else:
            yield Site(workspace, keys, engine, url, None)
    finally:
        engine.dispose()
        workspace.store.engine.dispose()
