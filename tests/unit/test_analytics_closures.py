"""What analysts find of closures: four measures on the demo's data, worked by hand, and nothing that was written."""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from dagster_project.application import analytics_closure_rows as rows
from dagster_project.application.analytics import publish, read_views
from dagster_project.application.analytics_columns import INTERNAL_FILE, PUBLIC_FILE
from dagster_project.application.analytics_rows import TABLES
from dagster_project.application.closing_commands import ClosureAct
from dagster_project.application.demo_closures import open_demo_support
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.closure.audit_row import audit_row_kind
from dagster_project.closure.follow_ups import FollowUpKind
from dagster_project.closure.states import FINISHED
from dagster_project.closure.steps import STEP_NAMES
from dagster_project.connections.duckdb_columns import Row
from dagster_project.connections.duckdb_files import build_file
from dagster_project.demo.closures import load_closures
from dagster_project.errors import IntegrityViolation
from dagster_project.store import closure_follow_ups
from tests.support.closure_bench import PEOPLE
from tests.support.stored_bodies import flip, stored_body
from tests.support.workspaces import make_workspace

AT = datetime(2026, 3, 5, 10, tzinfo=UTC)
CASE = "hmac-sha256:" + "c" * 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo's closures were played, and published after each moment."""
    folder = tmp_path_factory.mktemp("closures")
    workspace = make_workspace(folder)
    clock = workspace.clock
    assert isinstance(clock, FixedClock)
    with open_demo_support(workspace, make_demo_trust(workspace, PEOPLE, demo=False)) as support:
        for moment in support.moments:
            clock.set(moment.at)
            list(support.play(moment))
            assert publish(workspace).is_new, moment.title
            assert not publish(workspace).is_new, moment.title
    workspace.store.engine.dispose()
    return folder


@pytest.fixture
def workspace(folder: Path) -> Workspace:
    return make_workspace(folder)


def ask(workspace: Workspace, question: str, name: str = INTERNAL_FILE) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(workspace.settings.published_analytics / name), read_only=True) as connection:
        return connection.execute(question).fetchall()


def test_the_share_of_closures_without_repair_is_as_worked_by_hand(workspace: Workspace) -> None:
    # Three dispositions were verified: CASE-2041, CASE-2044 and CASE-2045. All are complete, none is under way. The
    # first two needed nobody; of the third an operator skipped a step: 2 / 3.
    assert ask(workspace, "FROM closures_without_repair") == [(3, 0, 3, 2, 2 / 3)]


def test_events_caught_before_a_write_are_as_worked_by_hand(workspace: Workspace) -> None:
    # One was delivered twice (evt-101), one was stale (evt-102), one named another episode (evt-103). For none of them
    # anything was written: 1 / 1 each.
    assert ask(workspace, "FROM closure_events_caught ORDER BY kind") == [
        ("conflicting", 0, 0, None),
        ("duplicate", 1, 1, 1.0),
        ("mismapped", 1, 1, 1.0),
        ("out_of_bounds", 0, 0, None),
        ("stale", 1, 1, 1.0),
    ]


def test_complete_audit_rows_are_as_worked_by_hand(workspace: Workspace) -> None:
    # Two closures filled every member; the third says that the queue item was skipped, and why: 3 / 3.
    assert ask(workspace, "FROM closure_audit") == [(3, 2, 1, 0, 1.0)]


def test_recovery_after_a_partial_outage_is_as_worked_by_hand(workspace: Workspace) -> None:
    # The tracker was away from 09:20 to 09:32, twelve minutes; archive, ledger and queue went on meanwhile. The queue
    # refused at 09:40 and its step was skipped: never done.
    question = "SELECT plan_id, step, recovered, seconds, done_meanwhile FROM closure_recoveries ORDER BY plan_id"
    assert ask(workspace, question) == [
        (2, "tracker_synchronized", "by_itself", 720, 3),
        (3, "queue_closed", "not_done", None, 3),
    ]


def test_no_identifier_and_no_reason_is_in_the_files_and_nothing_at_all_in_the_public_one(workspace: Workspace) -> None:
    said = "".join(repr(ask(workspace, f"FROM published.{name}")) for name in rows.CLOSURE_TABLES)
    records = load_closures().records.values()
    told = [str(value) for one in records for value in msgspec.to_builtins(one).values() if len(str(value)) > 4]
    assert [word for word in (*told, "locked by an audit", "'sam'") if word in said] == []
    views = ("closures", "closures_without_repair", "closure_events_caught", "closure_audit", "closure_recoveries")
    assert [ask(workspace, f"FROM {view}", PUBLIC_FILE) for view in views] == [[]] * len(views)


def test_a_flipped_byte_of_an_audit_row_stops_the_publication(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    workspace = make_workspace(tmp_path / "copy")
    with workspace.store.read() as transaction:
        digest = closure_follow_ups.audit_row_digest(transaction, 1)
    assert digest is not None
    body = stored_body(workspace.store, digest)
    flip(body.path, body.start + body.length // 2)
    analytics = workspace.settings.published_analytics
    before = (analytics / INTERNAL_FILE).read_bytes()
    (analytics / "publication.json").unlink()
    with pytest.raises(IntegrityViolation):
        publish(workspace)
    assert (analytics / INTERNAL_FILE).read_bytes() == before


def test_the_words_of_the_files_are_those_of_the_protocol() -> None:
    assert rows.STEPS == STEP_NAMES
    assert set(rows.FOLLOW_UP_KINDS) == {kind.value for kind in FollowUpKind}
    assert set(rows.ACTS) == {act.value for act in ClosureAct}
    assert set(rows.STEP_ENDS) == {*map(str, FINISHED), "unfinished"}


def test_an_audit_row_that_lacks_a_member_is_wrong() -> None:
    row = {
        "source_event_id": "evt-1",
        "verified_disposition_version": 1,
        "queue_item_closed": {"skipped": "locked"},
        "tracker_records_updated": ["TRK-1"],
        "archive_references_attached": ["archive/1"],
        "notification_target": "desk",
        "steps_already_completed": [],
        "steps_skipped": [{"step": "queue_closed", "reason": "locked"}],
    }
    assert audit_row_kind(row) == "skipped"
    assert audit_row_kind({**row, "queue_item_closed": "Q-1", "steps_skipped": []}) == "filled"
    assert audit_row_kind({name: value for name, value in row.items() if name != "queue_item_closed"}) == "wrong"


def plan(number: int, state: str = "complete", audit_row: str = "filled") -> rows.ClosurePlanRow:
    return rows.ClosurePlanRow(
        plan_id=number,
        event_number=number,
        case_digest=CASE,
        state=state,
        audit_row=audit_row,
        created_at=AT,
        finished_at=None if state in {"open", "stopped"} else AT,
    )


def follow_up(
    number: int, kind: str, *, ended: str = "open", applied: int = 0, **about: int
) -> rows.ClosureFollowUpRow:
    return rows.ClosureFollowUpRow(
        follow_up_id=number,
        kind=kind,
        case_digest=CASE,
        plan_id=about.get("plan", 0),
        event_number=about.get("event", 0),
        step="",
        owner_role="support_leadership",
        applied_steps=applied,
        ended=ended,
        opened_at=AT,
        resolved_at=None if ended == "open" else AT,
    )


def command(act: str, **about: int) -> rows.ClosureCommandRow:
    return rows.ClosureCommandRow(
        command_digest="hmac-sha256:d",
        act=act,
        case_digest=CASE,
        plan_id=about.get("plan", 0),
        event_number=about.get("event", 0),
        follow_up_id=about.get("follow_up", 0),
        step="",
        decided_by=CASE,
        received_at=AT,
    )


def delivery(number: int, outcome: str) -> rows.ClosureDeliveryRow:
    return rows.ClosureDeliveryRow(delivery_id=number, outcome=outcome, received_at=AT)


def step(name: str, ended: str, minutes: int | None, held_up: int | None = None) -> rows.ClosureStepRow:
    return rows.ClosureStepRow(
        plan_id=1,
        step=name,
        direction="apply",
        ended=ended,
        first_held_up_at=None if held_up is None else AT + timedelta(minutes=held_up),
        finished_at=None if minutes is None else AT + timedelta(minutes=minutes),
    )


def asked(folder: Path, made: Iterable[Row], question: str) -> list[tuple[Any, ...]]:
    built = build_file(folder / INTERNAL_FILE, tables=TABLES, rows=made, statements=tuple(read_views().values()))
    with duckdb.connect(str(built.path), read_only=True) as connection:
        return connection.execute(question).fetchall()


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        ([plan(1)], (False, False)),
        ([plan(1, "open")], (False, False)),
        ([plan(1, "stopped")], (False, True)),
        ([plan(1, "open"), follow_up(1, "target_refused", plan=1)], (False, True)),
        ([plan(1), follow_up(1, "attempts_exhausted", plan=1, ended="by_itself")], (False, False)),
        ([plan(1), command("retry", plan=1)], (True, False)),
        (
            [plan(1), follow_up(1, "stale_disposition", event=1, ended="by_person"), command("retry", event=1)],
            (True, False),
        ),
        ([plan(1), follow_up(1, "target_refused", plan=1), command("resolve", follow_up=1)], (True, True)),
        ([plan(1), follow_up(1, "event_mismatch", event=1), command("resolve", follow_up=1)], (False, False)),
        ([plan(1), command("retry", plan=2)], (False, False)),
        ([plan(1), step("queue_closed", "skipped_by_operator", 1)], (True, False)),
    ],
)
def test_a_closure_is_repaired_by_any_act_of_an_operator_and_by_nothing_else(
    tmp_path: Path, made: list[Row], wanted: tuple[bool, bool]
) -> None:
    assert asked(tmp_path, made, "SELECT repaired, waits_for_people FROM closures") == [wanted]


def test_what_is_under_way_counts_for_and_against_nobody(tmp_path: Path) -> None:
    made = [plan(1), plan(2, "open"), plan(3, "stopped"), plan(4, "reverted"), command("revert", plan=4)]
    assert asked(tmp_path, made, "FROM closures_without_repair") == [(4, 1, 1, 1, 1 / 3)]
    assert asked(tmp_path, [plan(2, "open")], "FROM closures_without_repair") == [(1, 1, 0, 0, None)]


def test_a_complete_closure_without_its_audit_row_lowers_the_share(tmp_path: Path) -> None:
    made = [
        plan(1),
        plan(2, audit_row="skipped"),
        plan(3, audit_row="none"),
        plan(4, audit_row="wrong"),
        plan(5, "open"),
    ]
    assert asked(tmp_path, made, "FROM closure_audit") == [(4, 1, 1, 2, 0.5)]


def test_what_was_stopped_after_a_write_was_caught_too_late(tmp_path: Path) -> None:
    made = [
        delivery(1, "duplicate"),
        delivery(2, "duplicate"),
        follow_up(1, "stale_disposition", event=1),
        # The same event, retried and stopped again, is one event.
        follow_up(2, "stale_disposition", event=1, ended="by_person"),
        follow_up(3, "stale_disposition", plan=2, applied=3),
        follow_up(4, "event_mismatch", event=1),
        follow_up(5, "target_refused", plan=2, applied=3),
    ]
    assert asked(tmp_path, made, "FROM closure_events_caught WHERE caught > 0 ORDER BY kind") == [
        ("conflicting", 1, 1, 1.0),
        ("duplicate", 2, 2, 1.0),
        ("stale", 2, 1, 0.5),
    ]


def test_time_to_recover_runs_until_the_step_was_done(tmp_path: Path) -> None:
    made = [
        plan(1),
        step("archive_attached", "done", 1),
        step("tracker_synchronized", "done", 9, held_up=2),
        step("ledger_marked", "already_completed", 3),
        step("queue_closed", "unfinished", None, held_up=4),
        step("coordinator_notified", "skipped_by_operator", 5),
    ]
    question = "SELECT step, recovered, seconds, done_meanwhile FROM closure_recoveries ORDER BY step DESC"
    assert asked(tmp_path, made, question) == [
        ("tracker_synchronized", "after_a_command", 420, 1),
        ("queue_closed", "not_done", None, 1),
    ]
