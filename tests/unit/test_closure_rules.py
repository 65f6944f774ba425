"""The rules of closures: what may be written at all, what is written, and what people are told."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dagster_project.application.closing_pauses import FIRST_PAUSE, LONGEST_NAMED_PAUSE, LONGEST_PAUSE, named_pause
from dagster_project.application.closing_records import known_code
from dagster_project.closure.audit_row import AUDIT_ROW_SCHEMA, fill_audit_row
from dagster_project.closure.commands import MAY, ClosureAct, ClosureCommand
from dagster_project.closure.follow_ups import GUIDES, KIND_OF, FollowUpKind
from dagster_project.closure.plan import idempotency_key, make_plan, next_steps, plan_bytes, read_plan
from dagster_project.closure.schemas import TARGET_FIELDS, may_be_restored, may_be_written, restore_schema, write_schema
from dagster_project.closure.states import Direction
from dagster_project.closure.steps import (
    STEP_NAMES,
    STEPS,
    ValuesRefused,
    correction_values,
    notice_values,
    planned_steps,
    restored_values,
)
from dagster_project.closure.verification import Difference, Finding, Standing, standing_of
from dagster_project.connections.targets.forms import FORMS
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from tests.support.closure_targets import disposition

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
FINISHED = ["done", "already_completed", "skipped_by_operator"]
PLAN = make_plan("case-review", "evt-1", disposition())
STATES = dict.fromkeys(STEP_NAMES, "done")
# What no target of a closure has a place for.
BEYOND = ("state", "priority", "credit", "refund", "transcript", "message", "reason", "responder", "remediation")


@dataclass(frozen=True)
class Row:
    """The row of a step, as far as rules look at one."""

    name: str
    direction: str
    state: str
    next_at: datetime | None
    receipt_version: str | None


def test_the_five_steps_stand_in_their_order_and_the_coordinator_is_last() -> None:
    assert [one.name for one in PLAN.steps] == [
        "archive_attached",
        "tracker_synchronized",
        "ledger_marked",
        "queue_closed",
        "coordinator_notified",
    ]
    assert [one.is_last for one in STEPS[1]] == [False, False, False, False, True]


@pytest.mark.parametrize("target", TARGET_FIELDS)
def test_every_target_takes_listed_fields_alone_all_of_them_and_in_their_form(target: str) -> None:
    (values,) = (one.values for one in PLAN.steps if one.target == target)
    assert may_be_written(target, values)
    for name in BEYOND:
        assert name not in write_schema(target)["properties"]
        assert not may_be_written(target, {**values, name: "x"})
        assert not may_be_restored(target, {**values, name: "x"})
    for name in values:
        assert not may_be_written(target, {other: value for other, value in values.items() if other != name})
        assert not may_be_written(target, {**values, name: {"nested": "x"}})
        assert not may_be_written(target, {**values, name: "a sentence of the customer's"})
    assert write_schema(target)["additionalProperties"] is False
    assert restore_schema(target)["additionalProperties"] is False


def test_the_allow_lists_are_what_the_adapters_take() -> None:
    assert {name: set(form.fields) for name, form in FORMS.items()} == {n: set(f) for n, f in TARGET_FIELDS.items()}


@pytest.mark.parametrize(
    "changed",
    [
        {"coordinator": "tell the customer that all is well"},
        {"closed_at": "2026-03-04T09:30:00+01:00"},
        {"disposition_version": 0},
        {"escalation": "ESC-77\nX-Header: 1"},
    ],
)
def test_a_record_that_holds_what_may_not_be_written_makes_no_plan(changed: dict[str, Any]) -> None:
    with pytest.raises(ValuesRefused):
        planned_steps(disposition(**changed), 1)


def test_a_plan_made_again_a_day_later_is_the_same_to_the_byte() -> None:
    assert plan_bytes(make_plan("case-review", "evt-1", disposition())) == plan_bytes(PLAN)
    assert read_plan(plan_bytes(PLAN)) == PLAN


def test_every_step_of_every_disposition_has_a_key_of_its_own() -> None:
    plans = [
        PLAN,
        make_plan("case-review", "evt-2", disposition("CASE-2")),
        make_plan("case-review", "evt-3", disposition(episode="EP-2")),
        make_plan("case-review", "evt-4", disposition(disposition_version=4)),
    ]
    keys = [idempotency_key(plan, name, one) for plan in plans for name in STEP_NAMES for one in Direction]
    assert len(set(keys)) == len(keys) == 40
    assert idempotency_key(make_plan("other", "evt-9", disposition()), "queue_closed", Direction.APPLY) in keys


def _row(name: str, state: str, next_at: datetime | None = AT, direction: str = "apply") -> Row:
    return Row(name=name, direction=direction, state=state, next_at=next_at, receipt_version=None)


def test_the_notice_is_never_next_before_the_other_four_are_finished() -> None:
    notice = _row("coordinator_notified", "pending")
    for state in ("pending", "intent", "unknown", "refused"):
        others = [_row(name, "done") for name in STEP_NAMES[:3]] + [_row("queue_closed", state, None)]
        assert not next_steps(PLAN, "open", [notice, *others], AT)
    others = [_row(name, state) for name, state in zip(STEP_NAMES, FINISHED * 2, strict=False)][:4]
    assert next_steps(PLAN, "open", [notice, *others], AT) == (notice,)


def test_what_is_next_follows_from_the_plan_and_from_where_it_stands() -> None:
    rows = [_row("queue_closed", "unknown"), _row("ledger_marked", "pending"), _row("archive_attached", "refused")]
    later = _row("tracker_synchronized", "pending", AT + timedelta(seconds=1))
    back = _row("ledger_marked", "pending", direction="undo")
    every = [*rows, later, back]
    assert next_steps(PLAN, "open", every, AT) == (rows[1], rows[0])
    assert next_steps(PLAN, "open", every, AT + timedelta(seconds=1)) == (later, rows[1], rows[0])
    assert next_steps(PLAN, "stopped", every, AT) == (rows[0],)
    assert next_steps(PLAN, "reverting", every, AT) == (back,)
    assert not next_steps(PLAN, "complete", every, AT)
    assert not next_steps(PLAN, "reverted", every, AT)


def test_only_what_an_operator_skipped_makes_a_notice_incomplete() -> None:
    notice = PLAN.step("coordinator_notified")
    assert notice_values(notice, [])["notice"] == "complete"
    assert notice_values(notice, ["ledger_marked", "queue_closed"])["notice"] == (
        "incomplete, skipped: ledger_marked, queue_closed"
    )
    assert correction_values(notice, [])["notice"] == "taken back"
    with pytest.raises(ValuesRefused):
        notice_values(notice, ["call the customer"])


def test_what_stood_before_is_restored_in_written_fields_alone() -> None:
    values = restored_values("review_queue", PLAN.step("queue_closed").values, {"queue_state": "waiting", "state": "x"})
    assert values == {"queue_state": "waiting", "disposition_version": None, "closed_at": None}
    for prior in ({"queue_state": {"text": "x"}}, {"queue_state": "x" * 513}, {"queue_state": 1.5}):
        with pytest.raises(ValuesRefused):
            restored_values("review_queue", PLAN.step("queue_closed").values, prior)


def test_the_audit_row_has_exactly_its_members_and_is_not_filled_of_an_unfinished_plan() -> None:
    row = msgspec.to_builtins(fill_audit_row(PLAN, STATES, {}))
    assert set(row) == set(AUDIT_ROW_SCHEMA["required"]) == set(AUDIT_ROW_SCHEMA["properties"])  # type: ignore[call-overload] # a schema
    for state in ("pending", "intent", "unknown", "refused"):
        with pytest.raises(ValueError, match="not finished"):
            fill_audit_row(PLAN, {**STATES, "queue_closed": state}, {})


def test_every_kind_of_follow_up_says_whose_it_is_and_what_resolves_it() -> None:
    assert set(GUIDES) == set(FollowUpKind)
    assert set(KIND_OF) == set(Standing)
    for guide in GUIDES.values():
        assert guide.owner_role in REVIEW_ROLES
        assert guide.look_at.endswith(".")
        assert guide.resolved_by.endswith(".")


def test_no_command_has_a_place_for_a_mapping_a_version_or_a_value() -> None:
    assert set(ClosureCommand.__struct_fields__) == {
        "deployment",
        "act",
        "case",
        "plan",
        "event",
        "step",
        "follow_up",
        "reason",
        "decided_at",
    }
    assert set(MAY) == set(ClosureAct)


def test_what_was_overtaken_is_told_apart_from_what_is_anothers() -> None:
    superseded, other = Finding(Difference.SUPERSEDED, "v"), Finding(Difference.OTHER_EPISODE, "episode")
    assert standing_of((other,)) is Standing.MISMAPPED
    assert standing_of((other, superseded)) is Standing.STALE
    assert standing_of((superseded, Finding(Difference.STEP_OUTSIDE, "steps"))) is Standing.OUT_OF_BOUNDS
    with pytest.raises(ValueError, match="nothing was found"):
        standing_of(())


def test_pauses_stay_within_bounds_whatever_a_target_asks() -> None:
    assert FIRST_PAUSE < LONGEST_PAUSE < LONGEST_NAMED_PAUSE
    assert named_pause(float("inf")) == named_pause(1e300) == LONGEST_NAMED_PAUSE
    assert [named_pause(one) for one in (None, -5.0, float("nan"))] == [timedelta()] * 3


def test_the_text_of_another_systems_failure_is_not_kept() -> None:
    assert known_code("read_timeout") == "read_timeout"
    assert known_code("Customer ACME said no") == "unnamed_failure"
