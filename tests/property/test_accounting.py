"""I4: no delivered unit and no admitted record is ever lost: each ends in exactly one place, and one can say which."""

import json
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_project.application.admit import DeliveredUnit, admit
from dagster_project.application.dispositions import (
    Disposition,
    RecordDisposition,
    disposition_of_delivery,
    incident_dispositions,
)
from dagster_project.application.google_cloud import ingest_google_cloud
from dagster_project.application.overview import incident_overviews
from dagster_project.application.refresh import refresh
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.settings import Settings
from dagster_project.store import incidents, intake
from dagster_project.store.records import Outcome
from dagster_project.store.tables import deliveries
from tests.fixtures.keys import write_test_keys
from tests.support.histories import FULL
from tests.support.played_stories import INCIDENT as STORY
from tests.support.played_stories import played_scenario

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
INCIDENT = "INC-1"
SOURCES = ("//status.example/health-eu", "//status.example/health-us")
STATES = ("up", "degraded", "down")


def health(source: str, recordid: str, version: int, state: str) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"{recordid}/{version}/{state}",
        "source": source,
        "type": "service-health",
        "subject": INCIDENT,
        "time": "2026-03-04T10:00:00Z",
        "datacontenttype": "application/json",
        "recordid": recordid,
        "recordversion": str(version),
        "recordedtime": f"2026-03-04T10:0{version}:00Z",
        "dataclassification": "customer",
        "data": {"component": "mx-relay", "region": recordid, "state": state, "since": "2026-03-04T10:00:00Z"},
    }
    return json.dumps(event).encode()


REFUSED = (b"not json", health(SOURCES[0], "eu-west-1", 9, "up").replace(b'"since"', b'"oncall"'))
units = st.one_of(
    st.sampled_from(REFUSED),
    st.builds(
        health,
        st.sampled_from(SOURCES),
        st.sampled_from(("eu-west-1", "us-east-1")),
        st.integers(1, 4),
        st.sampled_from(STATES),
    ),
)
# Batches as they are delivered; after some of them the incident is refreshed.
histories = st.lists(st.tuples(st.lists(units, min_size=1, max_size=6), st.booleans()), min_size=1, max_size=6)


@dataclass
class Told:
    """What was delivered, as a model without a database keeps it: every unit in order."""

    delivered: list[bytes] = field(default_factory=list)

    def admitted(self) -> list[dict[str, Any]]:
        """Return the records in the order of their first delivery."""
        return [json.loads(one) for one in dict.fromkeys(self.delivered) if one not in REFUSED]

    def expected(self, event: dict[str, Any]) -> Disposition:
        known = self.admitted()
        own = [one for one in known if key(one) == key(event)]
        newest = max(int(one["recordversion"]) for one in own)
        heads = [one for one in own if int(one["recordversion"]) == newest]
        if int(event["recordversion"]) < newest:
            before = own[: own.index(event)]
            is_late = any(int(one["recordversion"]) > int(event["recordversion"]) for one in before)
            return Disposition.STALE if is_late else Disposition.SUPERSEDED
        others = [
            one
            for one in known
            if one["recordid"] == event["recordid"] and one["source"] != event["source"]
            if int(one["recordversion"]) == max(int(two["recordversion"]) for two in known if key(two) == key(one))
        ]
        said = {one["data"]["state"] for one in (*heads, *others)}
        is_disputed = len(heads) > 1 or (bool(others) and len(said) > 1)
        return Disposition.OPEN_ITEM if is_disputed else Disposition.APPLIED


def key(event: dict[str, Any]) -> tuple[str, str]:
    return (event["source"], event["recordid"])


@contextmanager
def workspace() -> Iterator[Workspace]:
    """Open a fresh deployment; bodies lie in memory, so that many examples need no disk."""
    folder = Path(tempfile.mkdtemp())
    try:
        opened = open_workspace(
            Settings(
                home=folder / "home",
                keys=write_test_keys(folder / "keys"),
                blobs_url=f"memory://accounting-{secrets.token_hex(8)}",
            ),
            clock=FixedClock(AT),
        )
        ingest_google_cloud(opened, [])  # contract, entitlement and profile of one bridge
        yield opened
        opened.store.engine.dispose()
    finally:
        shutil.rmtree(folder)


def stored_deliveries(opened: Workspace) -> list[tuple[Outcome, int | None]]:
    with opened.store.read() as transaction:
        statement = sa.select(deliveries.c.outcome, deliveries.c.record_sequence).where(deliveries.c.unit == "test")
        found = transaction.connection.execute(statement.order_by(deliveries.c.delivery_id)).all()
    return [(Outcome(outcome), sequence) for outcome, sequence in found]


def of_incident(opened: Workspace) -> dict[int, RecordDisposition]:
    if INCIDENT not in {one.incident for one in incident_overviews(opened)}:
        return {}
    about = incident_dispositions(opened, INCIDENT)
    return {one.sequence: one for one in about if one.reference.source in SOURCES}


def check_every_unit_ended_once(opened: Workspace, told: Told) -> None:
    outcomes = stored_deliveries(opened)
    assert len(outcomes) == len(told.delivered)
    seen: set[bytes] = set()
    for body, (outcome, sequence) in zip(told.delivered, outcomes, strict=True):
        if body in REFUSED:
            assert (outcome, sequence) == (Outcome.REJECTED, None)
        elif body in seen:
            assert outcome is Outcome.DUPLICATE
        else:
            assert outcome in {Outcome.ADMITTED, Outcome.CONFLICTING_COPY}
        seen.add(body)


def check_every_record_ended_once(opened: Workspace, told: Told) -> None:
    found = of_incident(opened)
    firsts = {
        sequence for outcome, sequence in stored_deliveries(opened) if outcome.name in {"ADMITTED", "CONFLICTING_COPY"}
    }
    assert set(found) == firsts
    assert len(found) == len(told.admitted())
    for event, sequence in zip(told.admitted(), sorted(found), strict=True):
        assert found[sequence].reference.recordid == event["recordid"]
        assert found[sequence].disposition is told.expected(event), event
    for outcome, place in stored_deliveries(opened):
        of_record = None if place is None else found[place].disposition
        ended = disposition_of_delivery(outcome, of_record)
        assert (ended is None) == (outcome is Outcome.REJECTED)


def check_new_records_are_pending(opened: Workspace, before: set[int]) -> None:
    after = of_incident(opened)
    new = set(after) - before
    assert {after[sequence].disposition for sequence in new} <= {Disposition.PENDING}
    if new:
        (overview,) = incident_overviews(opened)
        assert overview.pending


def play(history: list[tuple[list[bytes], bool]]) -> None:
    told = Told()
    with workspace() as opened:
        for batch, then_refresh in [*history, ([], True)]:
            before = set(of_incident(opened))
            admit(opened, [DeliveredUnit("test", f"unit {number}", body) for number, body in enumerate(batch)])
            told.delivered.extend(batch)
            check_every_unit_ended_once(opened, told)
            check_new_records_are_pending(opened, before)
            if then_refresh and told.admitted():
                refresh(opened, INCIDENT)
                check_every_record_ended_once(opened, told)
                assert not incident_overviews(opened)[0].pending


@settings(
    max_examples=150 if FULL else 20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Every example opens a database: making a counterexample smaller would take minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(histories)
def test_every_unit_and_every_record_ends_in_exactly_one_place(history: list[tuple[list[bytes], bool]]) -> None:
    play(history)


SAID = [health(SOURCES[0], "eu-west-1", version, "down") for version in (1, 3, 2)]


def test_a_hand_written_history_has_every_disposition() -> None:
    copies = [health(SOURCES[0], "us-east-1", 1, state) for state in ("up", "down")]
    told = Told()
    with workspace() as opened:
        told.delivered = [*SAID, *copies, SAID[0]]
        admit(opened, [DeliveredUnit("test", str(number), body) for number, body in enumerate(told.delivered)])
        refresh(opened, INCIDENT)
        admit(opened, [DeliveredUnit("test", "new", health(SOURCES[0], "eu-west-1", 4, "up"))])
        outcomes = stored_deliveries(opened)
        found = of_incident(opened)
    ended = [
        disposition_of_delivery(outcome, found[number].disposition if number else None) for outcome, number in outcomes
    ]
    assert ended == [
        Disposition.SUPERSEDED,
        Disposition.APPLIED,
        Disposition.STALE,
        Disposition.OPEN_ITEM,
        Disposition.OPEN_ITEM,
        Disposition.DUPLICATE,
        Disposition.PENDING,
    ]


def test_the_whole_scenario_is_accounted_for() -> None:
    found = Counter(one.disposition for one in incident_dispositions(played_scenario(), STORY))
    assert set(found) == {Disposition.APPLIED, Disposition.SUPERSEDED, Disposition.STALE}
    assert found[Disposition.STALE] == 1  # the late record of step 13
    assert sum(found.values()) == 87


def test_a_revision_that_is_not_raised_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    raised = incidents.raise_revision

    def lost(transaction: Any, names: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        raised(transaction, [one for one in names if incidents.find_incident(transaction, one) is None], **options)

    monkeypatch.setattr(incidents, "raise_revision", lost)
    with pytest.raises(AssertionError):
        play([([SAID[0]], True), ([SAID[1]], True)])


def test_a_delivery_that_is_not_written_down_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    written = intake.record_deliveries

    def dropped(transaction: Any, news: Any) -> None:  # noqa: ANN401 - passed on
        written(transaction, [one for one in news if one.outcome is not Outcome.DUPLICATE])

    monkeypatch.setattr(intake, "record_deliveries", dropped)
    with pytest.raises(AssertionError):
        play([([SAID[0], SAID[0]], True)])
