"""Operators retry, skip, resolve and revert by signed commands, and a revert restores only what was written."""

from datetime import timedelta

import pytest

from dagster_project.application.closing_commands import ClosureAct, draft_command, give, take_command
from dagster_project.closure.commands import sign_command
from tests.support.closure_bench import ClosureBench
from tests.support.closure_points import Killed, killed
from tests.support.closure_targets import ARCHIVE, CASE, LEDGER, NOTICES, QUEUE, TRACKER, event
from tests.support.trusted_people import code_of, key

THREAD = f"{CASE}~EP-1~3"
TWICE_EACH = dict.fromkeys((ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES), 2)


def completed(bench: ClosureBench) -> int:
    bench.admit()
    bench.work()
    assert bench.plan().state == "complete"
    return bench.plan().plan


def test_a_skipped_step_is_told_in_the_notice_and_in_the_audit_row(bench: ClosureBench) -> None:
    bench.support.targets[QUEUE].refuses = True
    bench.admit()
    bench.work()
    bench.command(ClosureAct.SKIP, plan=bench.plan().plan, step="queue_closed", reason="closed by hand")
    bench.work()
    plan = bench.plan()
    assert plan.state == "complete"
    assert bench.support.targets[NOTICES].values(THREAD)["notice"] == "incomplete, skipped: queue_closed"
    assert plan.audit_row is not None
    assert plan.audit_row["queue_item_closed"] == {"skipped": "closed by hand"}
    assert plan.audit_row["steps_skipped"] == [{"step": "queue_closed", "reason": "closed by hand"}]
    assert plan.audit_row["steps_already_completed"] == []
    assert not bench.open_follow_ups()


def test_a_skipped_notice_completes_the_plan_with_a_typed_audit_row(quick: ClosureBench) -> None:
    quick.support.targets[NOTICES].refuses = True
    quick.admit()
    quick.work()
    quick.command(ClosureAct.SKIP, plan=quick.plan().plan, step="coordinator_notified", reason="told by phone")
    plan = quick.plan()
    assert plan.state == "complete"
    assert plan.audit_row is not None
    assert plan.audit_row["notification_target"] == {"skipped": "told by phone"}


def test_both_tracker_and_ledger_skipped_are_told_as_skipped(quick: ClosureBench) -> None:
    for name in (TRACKER, LEDGER):
        quick.support.targets[name].refuses = True
    quick.admit()
    quick.work()
    for step in ("tracker_synchronized", "ledger_marked"):
        quick.command(ClosureAct.SKIP, plan=quick.plan().plan, step=step, reason="tracker is read-only")
    quick.work()
    audit_row = quick.plan().audit_row
    assert audit_row is not None
    assert audit_row["tracker_records_updated"] == {"skipped": "tracker is read-only"}
    assert quick.support.targets[NOTICES].values(THREAD)["skipped"] == ["tracker_synchronized", "ledger_marked"]


def test_a_retry_of_a_refused_step_is_tried_again_at_once(quick: ClosureBench) -> None:
    quick.support.targets[QUEUE].refuses = True
    quick.admit()
    quick.work()
    quick.support.targets[QUEUE].refuses = False
    quick.command(ClosureAct.RETRY, plan=quick.plan().plan, step="queue_closed")
    quick.work()
    assert quick.plan().state == "complete"
    assert not quick.open_follow_ups()


def test_nothing_is_skipped_or_retried_while_a_worker_is_at_it(quick: ClosureBench) -> None:
    quick.support.targets[QUEUE].before = killed
    quick.admit()
    with pytest.raises(Killed):
        quick.work()
    plan = quick.plan().plan
    skip = code_of(lambda: quick.command(ClosureAct.SKIP, plan=plan, step="queue_closed"))
    assert skip == "plan_in_work"
    assert code_of(lambda: quick.command(ClosureAct.RETRY, plan=plan)) == "plan_in_work"
    quick.pass_time(timedelta(minutes=5))
    assert code_of(lambda: quick.command(ClosureAct.SKIP, plan=plan, step="queue_closed")) == "accepted"


def test_a_revert_restores_what_stood_before_and_corrects_the_notice_in_its_thread(bench: ClosureBench) -> None:
    before = {name: dict(target.subjects) for name, target in bench.support.targets.items()}
    plan = completed(bench)
    bench.command(ClosureAct.REVERT, plan=plan, reason="the wrong disposition")
    bench.work()
    assert bench.plan().state == "reverted"
    assert bench.support.effects == TWICE_EACH
    assert bench.support.duplicated == 0
    for name in (TRACKER, LEDGER, QUEUE):
        target = bench.support.targets[name]
        for subject, (_version, values) in before[name].items():
            assert {k: v for k, v in target.values(subject).items() if v is not None} == values
    assert set(bench.support.targets[ARCHIVE].values(f"{CASE}~EP-1").values()) == {None}
    assert bench.support.targets[NOTICES].values(THREAD)["notice"] == "taken back"


def test_a_revert_needs_no_authority_and_writes_nothing_to_it(quick: ClosureBench) -> None:
    plan = completed(quick)
    quick.support.change(state="reopened")
    quick.support.authority_is_down = True
    record, reads = quick.support.records[CASE], quick.support.reads
    quick.command(ClosureAct.REVERT, plan=plan)
    quick.work()
    assert quick.plan().state == "reverted"
    assert quick.support.records[CASE] is record
    assert quick.support.reads == reads


def test_what_a_person_changed_since_is_not_overwritten_but_handed_over(bench: ClosureBench) -> None:
    plan = completed(bench)
    bench.support.targets[LEDGER].edit(f"LED-{CASE}", review_marker="checked_by_audit")
    bench.command(ClosureAct.REVERT, plan=plan)
    bench.work_on(2)
    assert bench.support.targets[LEDGER].values(f"LED-{CASE}")["review_marker"] == "checked_by_audit"
    assert bench.kinds == ["edited_since"]
    assert sum(bench.support.targets[LEDGER].asked.values()) == 1, "no undo is even asked for"
    assert bench.plan().state == "reverting"
    assert bench.support.effects[NOTICES] == 1
    bench.command(ClosureAct.SKIP, plan=plan, step="ledger_marked", reason="kept as audit wants it")
    bench.work()
    assert bench.plan().state == "reverted"
    told = bench.support.targets[NOTICES].values(THREAD)["notice"]
    assert told == "taken back in part, skipped: ledger_marked"


def test_an_edit_between_look_and_undo_is_not_overwritten(quick: ClosureBench) -> None:
    plan = completed(quick)
    target = quick.support.targets[QUEUE]
    target.before = lambda request: target.edit(request.subject, queue_state="parked")
    quick.command(ClosureAct.REVERT, plan=plan)
    quick.work_on(2)
    assert target.values(f"Q-{CASE}")["queue_state"] == "parked"
    assert quick.kinds == ["edited_since"]


def test_what_was_completed_already_is_not_undone(quick: ClosureBench) -> None:
    quick.admit()
    quick.support.targets[QUEUE].edit(
        f"Q-{CASE}", queue_state="closed", disposition_version=3, closed_at="2026-03-04T09:30:00Z"
    )
    quick.work()
    quick.command(ClosureAct.REVERT, plan=quick.plan().plan)
    quick.work()
    assert quick.plan().state == "reverted"
    assert "queue_closed" not in quick.states("undo")
    assert quick.support.targets[QUEUE].values(f"Q-{CASE}")["queue_state"] == "closed"


def test_a_revert_in_mid_plan_stops_the_rest_and_takes_back_what_was_written(quick: ClosureBench) -> None:
    quick.support.targets[LEDGER].is_down = True
    quick.admit()
    quick.work()
    quick.command(ClosureAct.REVERT, plan=quick.plan().plan)
    quick.support.targets[LEDGER].is_down = False
    quick.work_on(2)
    assert quick.plan().state == "reverted"
    assert set(quick.states("undo")) == {"archive_attached", "tracker_synchronized", "queue_closed"}
    assert quick.support.effects == {ARCHIVE: 2, TRACKER: 2, QUEUE: 2, LEDGER: 0, NOTICES: 0}


@pytest.mark.parametrize("has_effect", [True, False])
def test_a_revert_asks_whether_a_step_with_an_unknown_outcome_wrote_anything(
    quick: ClosureBench, *, has_effect: bool
) -> None:
    target = quick.support.targets[TRACKER]
    setattr(target, "after" if has_effect else "before", killed)
    quick.admit()
    with pytest.raises(Killed):
        quick.work()
    target.after = target.before = lambda _request: None
    quick.command(ClosureAct.REVERT, plan=quick.plan().plan)
    quick.work_on(2)
    assert quick.plan().state == "reverted"
    assert quick.support.effects[TRACKER] == (2 if has_effect else 0)
    assert target.values(f"TRK-{CASE}")["review_state"] == "in_review"


@pytest.mark.parametrize("name", [ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_around_an_undo_leaves_what_the_next_one_finishes_once(
    quick: ClosureBench, name: str, moment: str
) -> None:
    plan = completed(quick)
    quick.command(ClosureAct.REVERT, plan=plan)
    target = quick.support.targets[name]
    setattr(target, moment, killed)
    with pytest.raises(Killed):
        quick.work()
    setattr(target, moment, lambda _request: None)
    quick.work_on(2)
    assert quick.plan().state == "reverted"
    assert quick.support.effects == TWICE_EACH
    assert quick.support.duplicated == 0
    assert set(quick.states("undo").values()) == {"done"}
    assert quick.support.asked_again == (1 if moment == "before" else 0)


def test_a_reverted_disposition_is_not_propagated_again_by_its_event(quick: ClosureBench) -> None:
    plan = completed(quick)
    quick.command(ClosureAct.REVERT, plan=plan)
    quick.work()
    assert quick.admit(event("evt-9")).became == "event_already_planned"
    quick.work()
    assert quick.support.effects == TWICE_EACH
    assert code_of(lambda: quick.command(ClosureAct.RETRY, plan=plan)) == "plan_finished"
    assert code_of(lambda: quick.command(ClosureAct.REVERT, plan=plan)) == "plan_not_revertible"


def test_a_command_is_taken_only_of_someone_who_may_with_a_reason_here_and_now(quick: ClosureBench) -> None:
    plan = completed(quick)

    def revert(person: str = "sam", reason: str = "because", plan: int = plan, case: str = CASE) -> str:
        return code_of(lambda: quick.command(ClosureAct.REVERT, person, reason=reason, plan=plan, case=case))

    assert revert("leo") == "role_missing"
    assert revert(reason=" ") == "reason_missing"
    assert revert(plan=plan + 1) == "no_such_plan"
    assert revert(case="CASE-2") == "no_such_plan"
    command = draft_command(quick.workspace, ClosureAct.REVERT, CASE, plan=plan, reason="because")
    assert code_of(lambda: give(quick.workspace, command, key(9))) == "signer_not_trusted"
    envelope = sign_command(command, quick.keys["sam"])
    quick.pass_time(timedelta(hours=13))
    assert code_of(lambda: take_command(quick.workspace, envelope)) == "command_out_of_time"
    assert quick.plan().state == "complete"


def test_the_very_same_command_is_not_taken_twice(bench: ClosureBench) -> None:
    bench.support.change(state="reopened")
    bench.admit()
    (follow_up,) = bench.open_follow_ups()
    command = draft_command(
        bench.workspace, ClosureAct.RESOLVE, CASE, follow_up=follow_up.follow_up, reason="waits for the new one"
    )
    envelope = sign_command(command, bench.keys["ines"])
    assert code_of(lambda: take_command(bench.workspace, envelope)) == "accepted"
    assert code_of(lambda: take_command(bench.workspace, envelope)) == "command_replayed"
    altered = envelope.replace(b"payload", b"pay1oad")
    assert code_of(lambda: take_command(bench.workspace, altered)) == "envelope_refused"
