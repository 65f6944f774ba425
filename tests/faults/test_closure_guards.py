"""Every guard of the completion protocol is switched off once: what it keeps from happening then happens.

Of each there is a judge that passes while the guard is on. Switching off is done in the modules that use the guard.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from dagster_project.application import closing_effects, closing_forward, closing_undo
from dagster_project.application.closing_commands import ClosureAct
from dagster_project.closure import steps
from dagster_project.closure.targets import Target, TargetReceipt, TargetRequest
from dagster_project.store import closure_leases
from dagster_project.store.store import DATABASE_FILE_NAME
from tests.support.closure_bench import ClosureBench, make_closure_bench
from tests.support.closure_points import Killed, killed
from tests.support.closure_targets import ARCHIVE, CASE, LEDGER, NOTICES, QUEUE, TRACKER

ONCE_EACH: Final = dict.fromkeys((ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES), 1)
TRANSCRIPT: Final = "caller said the account number is 4711"
Patch = pytest.MonkeyPatch


@pytest.fixture
def bench(tmp_path: Path, sqlite_template: Path) -> ClosureBench:
    """A deployment with one final case."""
    assert sqlite_template.name == DATABASE_FILE_NAME
    return make_closure_bench(tmp_path, template=sqlite_template)


def nothing(_request: TargetRequest) -> None:
    """Let it pass."""


def no_request_after_the_lease_was_lost(bench: ClosureBench) -> None:
    """A worker freezes after it looked at a subject; meanwhile another one has the plan, and is slow."""
    bench.admit()
    ledger, sent = bench.support.targets[LEDGER], list[TargetRequest]()

    def freeze() -> None:
        ledger.looked_at = lambda: None
        bench.pass_time(timedelta(minutes=5))
        with bench.workspace.store.begin() as transaction:
            assert closure_leases.acquire(transaction, bench.plan().plan, now=bench.workspace.clock.now(), seconds=120)
        ledger.before = sent.append

    ledger.looked_at = freeze
    bench.work()
    assert not sent, "it wrote without a lease"


def an_unknown_effect_is_found_and_has_its_receipt(bench: ClosureBench) -> None:
    ledger = bench.support.targets[LEDGER]
    ledger.after = killed
    bench.admit()
    with pytest.raises(Killed):
        bench.work()
    ledger.after = nothing
    bench.work_on(2)
    assert bench.states()["ledger_marked"] == "done"
    row = bench.plan().audit_row
    assert row is not None
    assert row["steps_already_completed"] == []


def an_effect_that_a_probe_did_not_find_can_come_no_more(bench: ClosureBench) -> None:
    """A worker freezes with its request on the way; meanwhile the plan is taken back."""
    bench.admit()
    ledger = bench.support.targets[LEDGER]

    def freeze(_request: TargetRequest) -> None:
        ledger.before = nothing
        bench.pass_time(timedelta(minutes=5))
        bench.command(ClosureAct.REVERT, plan=bench.plan().plan)
        bench.work()
        assert bench.plan().state == "reverted"

    ledger.before = freeze
    bench.work()
    assert "review_marker" not in ledger.values(f"LED-{CASE}")


def nothing_is_written_after_the_case_was_reopened(bench: ClosureBench) -> None:
    bench.support.targets[LEDGER].before = lambda _request: bench.support.change(state="reopened")
    bench.admit()
    bench.work_on(2)
    assert bench.support.effects == {**ONCE_EACH, QUEUE: 0, NOTICES: 0}


def what_reads_otherwise_is_not_done(bench: ClosureBench) -> None:
    bench.support.targets[LEDGER].shows = {"review_marker": "none"}
    bench.admit()
    bench.work()
    assert bench.states()["ledger_marked"] == "unknown"
    assert bench.support.effects[NOTICES] == 0


def the_notice_is_last(bench: ClosureBench) -> None:
    bench.support.targets[QUEUE].is_down = True
    bench.admit()
    bench.work_on(2)
    assert bench.support.effects[NOTICES] == 0


def nothing_but_what_is_listed_reaches_a_target(bench: ClosureBench) -> None:
    """The faulty program of another day would write what was said into a field that is listed."""
    built = steps._all_values
    steps._all_values = lambda disposition: {**built(disposition), "closure_packet": TRANSCRIPT}
    sent: list[TargetRequest] = []
    for target in bench.support.targets.values():
        target.before = sent.append
    try:
        bench.admit()
        bench.work()
    finally:
        steps._all_values = built
    assert TRANSCRIPT.encode() not in msgspec.json.encode([request.values for request in sent])


def what_a_person_edited_is_not_overwritten(bench: ClosureBench) -> None:
    bench.admit()
    bench.work()
    queue = bench.support.targets[QUEUE]
    queue.edit(f"Q-{CASE}", queue_state="parked")
    bench.command(ClosureAct.REVERT, plan=bench.plan().plan)
    bench.work_on(2)
    assert queue.values(f"Q-{CASE}")["queue_state"] == "parked"


def _leases_are_not_looked_at(patch: Patch) -> None:
    patch.setattr(closure_leases, "renew", lambda *_given, **_named: True)


def _nobody_probes(patch: Patch) -> None:
    patch.setattr(closing_forward, "settle_by_probe", lambda *_given: None)


def _probes_tell_of_now_alone(patch: Patch) -> None:
    def probe(_working: object, step: Any, target: Target) -> TargetReceipt | None:  # noqa: ANN401 - a row
        return target.probe(step.key)

    for module in (closing_effects, closing_undo):
        patch.setattr(module, "probe_for_good", probe)


def _the_authority_is_believed_for_ever(patch: Patch) -> None:
    patch.setattr(closing_forward, "verify_plan", lambda *_given: ())


def _whatever_is_shown_is_right(patch: Patch) -> None:
    patch.setattr(closing_effects, "_shown", lambda _working, step, _found: step.request_digest)


def _no_step_is_last(patch: Patch) -> None:
    first_come = tuple(msgspec.structs.replace(one, is_last=False) for one in steps.STEPS[1])
    patch.setitem(steps.STEPS, 1, first_come)


def _anything_may_be_written(patch: Patch) -> None:
    patch.setattr(steps, "may_be_written", lambda _target, _values: True)


def _whose_version_it_is_does_not_matter(patch: Patch) -> None:
    def unconditional(working: Any, step: Any, target: Target, prepared: Any) -> str:  # noqa: ANN401 - as they come
        return closing_effects.begin(
            working, step, target, closing_effects.Prepared(prepared.values, None, prepared.prior)
        )

    def newest(_working: object, forward: Any, target: Target) -> str | None:  # noqa: ANN401 - a row
        found = target.read(forward.subject)
        return None if found is None else found.version

    patch.setattr(closing_undo, "begin", unconditional)
    patch.setattr(closing_undo, "_version_written", newest)


GUARDS: Final[dict[str, tuple[Callable[[ClosureBench], None], Callable[[Patch], None]]]] = {
    "the fence of the lease": (no_request_after_the_lease_was_lost, _leases_are_not_looked_at),
    "the probe before a resend": (an_unknown_effect_is_found_and_has_its_receipt, _nobody_probes),
    "the fence of a probe": (an_effect_that_a_probe_did_not_find_can_come_no_more, _probes_tell_of_now_alone),
    "the authority read again": (nothing_is_written_after_the_case_was_reopened, _the_authority_is_believed_for_ever),
    "the read-back": (what_reads_otherwise_is_not_done, _whatever_is_shown_is_right),
    "the notice last": (the_notice_is_last, _no_step_is_last),
    "the allow-list": (nothing_but_what_is_listed_reaches_a_target, _anything_may_be_written),
    "the version of an undo": (what_a_person_edited_is_not_overwritten, _whose_version_it_is_does_not_matter),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_that_is_on_keeps_it_from_happening(bench: ClosureBench, guard: str) -> None:
    judge, _off = GUARDS[guard]
    judge(bench)


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_that_is_off_is_found_out(bench: ClosureBench, guard: str, monkeypatch: Patch) -> None:
    judge, off = GUARDS[guard]
    off(monkeypatch)
    with pytest.raises(AssertionError):
        judge(bench)
