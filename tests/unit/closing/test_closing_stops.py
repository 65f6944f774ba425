"""What is not as it was announced stops, touches nothing, and becomes a follow-up with the evidence."""

import json
import logging
from collections.abc import Callable, Mapping
from random import SystemRandom

import msgspec
import pytest
import sqlalchemy as sa

from dagster_project.application.closing import MOST_BYTES
from dagster_project.application.closing_commands import ClosureAct
from dagster_project.application.closing_verifying import claim_event, stored_event, verify_admitted
from dagster_project.closure.disposition import ArchiveReference, DispositionEvent
from dagster_project.closure.follow_ups import KIND_OF
from dagster_project.closure.targets import OutcomeUnknown, TargetRequest
from dagster_project.closure.verification import standing_of, verify_event, verify_plan
from dagster_project.errors import UnsafeOrRejected
from dagster_project.store import closures
from tests.support.closure_bench import ClosureBench
from tests.support.closure_targets import (
    ARCHIVE,
    CASE,
    LEDGER,
    NOTE,
    PACKET,
    QUEUE,
    TRACKER,
    SupportSystems,
    event,
    make_support_systems,
)
from tests.support.trusted_people import code_of

NOTHING = {
    "archive_attachments": 0,
    "escalation_tracker": 0,
    "case_ledger": 0,
    "review_queue": 0,
    "coordinator_notices": 0,
}
OTHER = ArchiveReference("archive/packets/999", "sha256:" + "c" * 64)
CANARY = "the customer was promised a credit of 500"


def _archive_replaced(support: SupportSystems) -> None:
    support.documents[PACKET.reference] = OTHER.digest


def _archive_emptied(support: SupportSystems) -> None:
    del support.documents[NOTE.reference]


CHANGES: dict[str, tuple[Callable[[SupportSystems], None], str, str]] = {
    "reopened": (lambda s: s.change(state="reopened"), "reopened", "stale_disposition"),
    "not final": (lambda s: s.change(state="in_review"), "not_final", "stale_disposition"),
    "superseded": (lambda s: s.change(disposition_version=4), "superseded", "stale_disposition"),
    "a version that the record never had": (
        lambda s: s.change(disposition_version=2),
        "version_unknown",
        "mismapped_disposition",
    ),
    "another escalation": (lambda s: s.change(escalation="ESC-78"), "other_escalation", "mismapped_disposition"),
    "another episode": (lambda s: s.change(episode="EP-2"), "other_episode", "mismapped_disposition"),
    "another case": (lambda s: s.change(case="CASE-1"), "other_case", "mismapped_disposition"),
    "no tracker record": (lambda s: s.change(tracker_record=None), "mapping_missing", "mismapped_disposition"),
    "no coordinator": (lambda s: s.change(coordinator=None), "mapping_missing", "mismapped_disposition"),
    "another packet": (lambda s: s.change(closure_packet=OTHER), "reference_changed", "mismapped_disposition"),
    "another note": (
        lambda s: s.change(internal_review_note=ArchiveReference(NOTE.reference, OTHER.digest)),
        "reference_changed",
        "mismapped_disposition",
    ),
    "the archive holds another packet": (_archive_replaced, "archive_differs", "mismapped_disposition"),
    "the archive holds no note": (_archive_emptied, "archive_differs", "mismapped_disposition"),
    "an instant that is none": (
        lambda s: s.change(closed_at="yesterday"),
        "record_unreadable",
        "mismapped_disposition",
    ),
    "an instant to the microsecond": (
        lambda s: s.change(closed_at="2026-03-04T09:30:00.123456Z"),
        "record_unreadable",
        "mismapped_disposition",
    ),
    "a mapping that is a sentence": (
        lambda s: s.change(queue_item=CANARY),
        "record_unreadable",
        "mismapped_disposition",
    ),
    "no record at all": (lambda s: s.records.clear(), "record_missing", "mismapped_disposition"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_difference_is_found_in_an_event_and_in_a_plan(change: str) -> None:
    alter, difference, kind = CHANGES[change]
    support = make_support_systems()
    pinned, announced = support.records[CASE], msgspec.json.decode(event(), type=DispositionEvent)
    assert not verify_event(announced, pinned, support.documents)
    assert not verify_plan(pinned, pinned, support.documents)
    alter(support)
    for findings in (
        verify_event(announced, support.records.get(CASE), support.documents),
        verify_plan(pinned, support.records.get(CASE), support.documents),
    ):
        assert difference in {one.difference for one in findings}
        assert KIND_OF[standing_of(findings)] == kind
        assert CANARY not in str(findings)


@pytest.mark.parametrize("change", ["reopened", "another episode", "no tracker record", "a mapping that is a sentence"])
def test_an_event_that_does_not_agree_with_the_record_is_stopped(quick: ClosureBench, change: str) -> None:
    alter, difference, kind = CHANGES[change]
    alter(quick.support)
    quick.admit()
    quick.work()
    assert quick.support.effects == NOTHING
    (follow_up,) = quick.open_follow_ups()
    assert follow_up.kind == kind
    assert difference in [one["difference"] for one in follow_up.evidence["findings"]]
    assert CANARY not in json.dumps(follow_up.evidence)
    assert quick.overview().events[0].state == "stopped"


@pytest.mark.parametrize(
    "change", ["superseded", "another escalation", "the archive holds no note", "no record at all"]
)
def test_a_difference_in_mid_plan_stops_the_rest_and_undoes_nothing(quick: ClosureBench, change: str) -> None:
    alter, difference, kind = CHANGES[change]
    ledger = quick.support.targets[LEDGER]
    ledger.after = lambda _request: alter(quick.support)
    quick.admit()
    quick.work_on(2)
    assert quick.support.effects == {**NOTHING, ARCHIVE: 1, TRACKER: 1, LEDGER: 1}
    assert quick.plan().state == "stopped"
    (follow_up,) = quick.open_follow_ups()
    assert follow_up.kind == kind
    assert difference in [one["difference"] for one in follow_up.evidence["findings"]]
    applied = [one["step"] for one in follow_up.evidence["steps"] if one["reference"]]
    assert applied == ["archive_attached", "ledger_marked", "tracker_synchronized"]


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"queue_item": "Q-2"}, "mapping_changed"),
        ({"coordinator": "somebody-else"}, "mapping_changed"),
        ({"closed_at": "2026-03-04T09:30:01Z"}, "instant_changed"),
    ],
)
def test_what_the_plan_was_made_of_may_not_change_under_it(
    quick: ClosureBench, changed: dict[str, str], difference: str
) -> None:
    quick.admit()
    quick.support.change(**changed)
    quick.work()
    assert quick.support.effects == NOTHING
    (finding,) = quick.open_follow_ups()[0].evidence["findings"]
    assert finding["difference"] == difference


def test_a_retry_after_an_outage_reads_the_authority_again_and_stops(bench: ClosureBench) -> None:
    bench.support.targets[QUEUE].is_down = True
    bench.admit()
    bench.work()
    bench.support.targets[QUEUE].is_down = False
    bench.support.change(state="reopened")
    bench.work_on(2)
    assert bench.plan().state == "stopped"
    assert bench.support.effects[QUEUE] == 0
    assert bench.kinds == ["stale_disposition"]


def test_a_step_with_an_unknown_outcome_is_settled_by_a_probe_also_once_the_plan_is_stopped(
    quick: ClosureBench,
) -> None:
    ledger = quick.support.targets[LEDGER]
    ledger.loses_answers = True
    ledger.after = lambda _request: quick.support.change(state="reopened")
    quick.admit()
    quick.work()
    assert quick.plan().state == "stopped"
    assert quick.states()["ledger_marked"] == "unknown"
    quick.work_on(2)
    assert quick.states()["ledger_marked"] == "done"
    assert quick.states()["queue_closed"] == "pending"
    assert quick.plan().state == "stopped"


def test_a_plan_that_is_stopped_writes_nothing_more_even_if_the_record_agrees_again(quick: ClosureBench) -> None:
    """Only a person lets it go on; what was begun is found to have had no effect."""
    ledger = quick.support.targets[LEDGER]

    def lose(_request: TargetRequest) -> None:
        quick.support.change(state="reopened")
        raise OutcomeUnknown("read_timeout")

    ledger.before = lose
    quick.admit()
    quick.work()
    assert quick.states()["ledger_marked"] == "unknown"
    quick.support.change(state="closure_approved")
    ledger.before = lambda _request: None
    quick.work_on(2)
    assert quick.plan().state == "stopped"
    assert quick.states()["ledger_marked"] == "pending"
    assert quick.support.effects[LEDGER] == 0


def test_an_event_that_another_worker_stopped_makes_no_plan(quick: ClosureBench) -> None:
    quick.support.authority_is_down = True
    quick.admit()
    quick.support.authority_is_down = False
    with quick.workspace.store.read() as transaction:
        (row,) = closures.events_of(transaction)
    quick.support.change(state="reopened")
    about = (row, stored_event(quick.workspace, row), SystemRandom())
    assert verify_admitted(quick.workspace, quick.support.systems, *about) == "event_stale"
    quick.support.change(state="closure_approved")
    assert verify_admitted(quick.workspace, quick.support.systems, *about) == "event_overtaken"
    assert claim_event(quick.workspace, row) is None
    assert not quick.overview().plans


def test_a_record_that_the_tracker_does_not_have_stops_the_plan(quick: ClosureBench) -> None:
    quick.support.targets[TRACKER].subjects.clear()
    quick.admit()
    quick.work()
    assert quick.support.effects[TRACKER] == 0
    assert [one["difference"] for one in quick.open_follow_ups()[0].evidence["findings"]] == ["subject_missing"]


def test_a_tracker_record_that_says_it_is_another_episodes_is_not_written(quick: ClosureBench) -> None:
    quick.support.targets[TRACKER].shows = {"episode": "EP-9"}
    quick.admit()
    quick.work()
    assert quick.support.effects[TRACKER] == 0
    assert [one["difference"] for one in quick.open_follow_ups()[0].evidence["findings"]] == ["subject_of_another"]


@pytest.mark.parametrize("step", ["send_customer_update", "authorize_credit", "dispatch_remediation"])
def test_a_requested_step_outside_the_five_stops(quick: ClosureBench, step: str) -> None:
    quick.admit(event(requested_steps=("queue_closed", step)))
    quick.work()
    assert quick.support.effects == NOTHING
    assert quick.kinds == ["step_out_of_bounds"]


def test_one_id_with_two_contents_is_a_mismatch_and_only_the_first_is_taken(bench: ClosureBench) -> None:
    bench.admit()
    assert bench.admit(event(episode="EP-2")).outcome == "mismatch"
    bench.admit(event(episode="EP-2"))
    bench.work()
    assert bench.plan().state == "complete"
    assert bench.kinds == ["event_mismatch"]
    assert bench.overview().deliveries == {"admitted": 1, "mismatch": 2}


def test_another_spelling_of_the_same_event_is_a_duplicate(quick: ClosureBench) -> None:
    quick.admit()
    assert quick.admit(json.dumps(json.loads(event()), indent=3).encode()).outcome == "duplicate"


def _with(**members: object) -> bytes:
    return msgspec.json.encode({**json.loads(event()), **members})


HOSTILE = {
    "no JSON": b"{" + CANARY.encode(),
    "no text": b"\xff\xfe" + CANARY.encode(),
    "nothing": b"",
    "an array": msgspec.json.encode([json.loads(event())]),
    "an extra field": _with(transcript=CANARY),
    "a nested object": _with(episode={"text": CANARY}),
    "deeply nested": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "a sentence as an id": _with(case=CANARY),
    "a sentence as a step": _with(requested_steps=[CANARY]),
    "an extra field within": _with(closure_packet={"reference": "a", "digest": PACKET.digest, "note": CANARY}),
    "a digest that is none": _with(closure_packet={"reference": "a", "digest": CANARY}),
    "a version that is text": _with(disposition_version="3"),
    "version true": _with(disposition_version=True),
    "a line end after an id": _with(case=f"{CASE}\n"),
    "a missing field": msgspec.json.encode({"event_id": "evt-1", "note": CANARY}),
    "a key twice": event()[:-1] + b',"case":"' + CANARY.encode() + b'"}',
    "ten megabytes": _with(transcript=CANARY * (10_000_000 // len(CANARY))),
    "too long by a byte": b" " * (MOST_BYTES + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_event_is_refused_and_nothing_of_its_text_is_kept(
    quick: ClosureBench, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(UnsafeOrRejected) as refused:
        quick.admit(HOSTILE[name])
    assert CANARY not in str(refused.value) + caplog.text
    assert refused.value.__cause__ is None
    assert (refused.value.code == "event_too_large") is (len(HOSTILE[name]) > MOST_BYTES)
    assert quick.overview().deliveries == {"refused": 1}
    assert not quick.overview().events
    for file in quick.workspace.settings.home.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes()
    with quick.workspace.store.read() as transaction:
        (row,) = transaction.connection.execute(sa.text("SELECT digest, length FROM closure_deliveries"))
    assert row.digest.startswith("sha256:")
    assert row.length == len(HOSTILE[name])


def test_a_stopped_event_goes_on_once_the_record_itself_carries_what_was_missing(bench: ClosureBench) -> None:
    bench.support.change(queue_item=None)
    bench.admit()
    bench.work()
    event_number = bench.overview().events[0].event
    bench.command(ClosureAct.RETRY, event=event_number)
    bench.work()
    assert bench.kinds == ["mismapped_disposition"], "a retry alone supplies nothing"
    bench.support.change(queue_item=f"Q-{CASE}")
    bench.command(ClosureAct.RETRY, event=event_number)
    bench.work()
    assert bench.plan().state == "complete"
    assert not bench.open_follow_ups()
    assert [one.resolved_by for one in bench.overview().follow_ups] == ["sam", "sam"]


def test_only_an_event_that_was_stopped_is_verified_again(quick: ClosureBench) -> None:
    quick.admit()
    number = quick.overview().events[0].event
    assert code_of(lambda: quick.command(ClosureAct.RETRY, event=number)) == "event_not_stopped"
    assert code_of(lambda: quick.command(ClosureAct.RETRY, event=number + 1)) == "event_not_stopped"
    quick.work()
    assert quick.plan().state == "complete"


def test_resolving_a_follow_up_begins_nothing(quick: ClosureBench) -> None:
    quick.support.change(queue_item=None)
    quick.admit()
    (follow_up,) = quick.open_follow_ups()
    quick.command(ClosureAct.RESOLVE, follow_up=follow_up.follow_up)
    quick.work_on(2)
    assert quick.support.effects == NOTHING
    assert not quick.open_follow_ups()
    assert not quick.overview().plans


def test_a_stopped_plan_goes_on_after_a_retry_only_if_the_record_agrees_again(quick: ClosureBench) -> None:
    quick.admit()
    quick.support.change(state="reopened")
    quick.work()
    quick.command(ClosureAct.RETRY, plan=quick.plan().plan)
    quick.work()
    assert quick.plan().state == "stopped"
    quick.support.change(state="closure_approved")
    quick.command(ClosureAct.RETRY, plan=quick.plan().plan)
    quick.work()
    assert quick.plan().state == "complete"
    assert not quick.open_follow_ups()


def test_nothing_but_listed_fields_ever_reaches_a_target(quick: ClosureBench) -> None:
    seen: list[Mapping[str, object]] = []
    for target in quick.support.targets.values():
        target.before = lambda request: seen.append(request.values)
    quick.admit()
    quick.work()
    fields = {name for values in seen for name in values}
    assert not fields & {"state", "transcript", "reason", "priority", "credit"}
    assert len(seen) == 5
