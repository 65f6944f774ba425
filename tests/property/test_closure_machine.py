"""Whatever happens to closures, in any order: I4 and I7, against a model that shares no code with them.

The model knows what the case-review system holds, what operators decided and who wrote last to each subject. It judges
every request at the moment at which a target receives it, and in the end, when all is up again, what became of all.
"""

import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dagster_project.application.closing_commands import ClosureAct
from dagster_project.closure.targets import TargetRequest
from dagster_project.store import closures
from dagster_project.store.engine import create_engine_for
from dagster_project.store.migrate import migrate
from tests.faults.test_closure_guards import GUARDS
from tests.support.closure_bench import ClosureBench, make_closure_bench
from tests.support.closure_points import Killed
from tests.support.closure_targets import (
    ARCHIVE,
    CLOSED_AT,
    LEDGER,
    NOTICES,
    PACKET,
    QUEUE,
    TRACKER,
    event,
)
from tests.support.histories import FULL
from tests.support.trusted_people import code_of

TARGETS: Final = (ARCHIVE, TRACKER, LEDGER, QUEUE, NOTICES)
STEP_OF: Final = {
    ARCHIVE: "archive_attached",
    TRACKER: "tracker_synchronized",
    LEDGER: "ledger_marked",
    QUEUE: "queue_closed",
    NOTICES: "coordinator_notified",
}
CASES: Final = ("CASE-A", "CASE-B")
A_CASE: Final = st.sampled_from(CASES)
A_TARGET: Final = st.sampled_from(TARGETS)
PAUSES: Final = st.sampled_from([0, 1, 10])


@dataclass(frozen=True)
class Truth:
    """What the case-review system and the archive hold of a case."""

    version: int = 3
    is_final: bool = True
    episode: str = "EP-1"
    is_mapped: bool = True


@dataclass
class Model:
    """All that a careful person would note down. A disposition is (case, episode, version)."""

    truths: dict[str, Truth] = field(default_factory=lambda: dict.fromkeys(CASES, Truth()))
    is_archived: bool = True
    planned: set[tuple[str, str, int]] = field(default_factory=set)
    skipped: set[tuple[int, str, str]] = field(default_factory=set)
    reverted: set[int] = field(default_factory=set)
    resolved: set[str] = field(default_factory=set)
    effects: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    writers: dict[tuple[str, str], int | None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def becomes(self, case: str, episode: str, version: int) -> str:
        """What must become of an event that is new, as things are."""
        truth = self.truths[case]
        if not truth.is_final or version < truth.version:
            return "event_stale"
        is_right = version == truth.version and episode == truth.episode and truth.is_mapped and self.is_archived
        if not is_right:
            return "event_mismapped"
        return "event_already_planned" if (case, episode, version) in self.planned else "event_planned"

    def agrees(self, case: str, episode: str, version: int) -> bool:
        """Whether a disposition is still what the case-review system holds."""
        truth = self.truths[case]
        return truth == Truth(version, episode=episode) and self.is_archived


@cache
def template() -> Path:
    """A migrated, empty database to begin with."""
    path = Path(tempfile.mkdtemp(prefix="channelsafe-closures-")) / "empty.sqlite3"
    engine = create_engine_for(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


class ClosureMachine(RuleBasedStateMachine):
    """Two cases, five targets, the case-review system, and an operator."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.bench: ClosureBench = make_closure_bench(Path(self.folder.name), *CASES, template=template())
        self.model = Model()
        self.sent: dict[str, bytes] = {}
        self.dies: tuple[str, str] | None = None
        for target in self.bench.support.targets.values():
            target.before = lambda request, name=target.name: self._received(name, request)  # type: ignore[misc]
            target.after = lambda request, name=target.name: self._applied(name, request)  # type: ignore[misc]
        # One case is closed and one is announced: most of what can go wrong begins there.
        for case in CASES:
            self.bench.work()
            assert self.bench.admit(self._event(case, 0, "EP-1", 3)).became == "event_planned"
        self._note_plans()

    def _event(self, case: str, name: int, episode: str, version: int) -> bytes:
        event_id = f"evt-{case}-{name}"
        body = event(event_id, case, episode=episode, disposition_version=version)
        self.known = self.sent.setdefault(event_id, body)
        return body

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            try:
                self._everything_is_up_again()
            finally:
                self.bench.workspace.store.engine.dispose()
                self.folder.cleanup()

    # ---- what a target sees ----------------------------------------------------------------------------------

    def _plan_of(self, name: str, request: TargetRequest) -> Any:  # noqa: ANN401 - an overview
        """Return the plan of whose step a stored intent bears the key that the target was told, and its direction."""
        for plan in self.bench.overview().plans:
            with self.bench.workspace.store.read() as transaction:
                steps = closures.steps_of(transaction, plan.plan)
            for step in steps:
                is_meant = (step.key, step.target, step.subject) == (request.key, name, request.subject)
                if is_meant and step.state == "intent":
                    return plan, step.direction
        self.model.faults.append(f"{name} received a request of which no intent is stored")
        raise AssertionError(self.model.faults)

    def _received(self, name: str, request: TargetRequest) -> None:
        plan, direction = self._plan_of(name, request)
        self._judge(name, request, plan, direction)
        if self.dies == (name, "before"):
            raise Killed

    def _applied(self, name: str, request: TargetRequest) -> None:
        if not self.model.faults and self.bench.support.targets[name].effects[request.key] == 1:
            plan, direction = self._plan_of(name, request)
            self.model.effects[plan.plan, name, direction] += 1
            self.model.writers[name, request.subject] = plan.plan
        if self.dies == (name, "after"):
            raise Killed

    def _judge(self, name: str, request: TargetRequest, plan: Any, direction: str) -> None:  # noqa: ANN401
        model, step = self.model, STEP_OF[name]
        expect = self._expect
        expect((plan.plan, step, direction) not in model.skipped, "a skipped step was done")
        if direction == "undo":
            expect(plan.plan in model.reverted, "something was taken back that nobody reverted")
            whose = model.writers.get((name, request.subject))
            expect(name == NOTICES or whose == plan.plan, "an undo wrote over what somebody else wrote")
            return
        disposition = plan.case, plan.episode, plan.disposition_version
        expect(model.agrees(*disposition), "something was written that the source record does not say")
        expect(not self.bench.support.authority_is_down, "something was written unverified")
        expect(plan.plan not in model.reverted, "a reverted plan went on")
        expect(request.values["closed_at"] == CLOSED_AT, "another instant was written")
        expect(request.values["disposition_version"] == plan.disposition_version, "another version was written")
        if name == NOTICES:
            states = {one.target: one.state for one in plan.steps if one.direction == "apply"}
            rest = [states[one] for one in TARGETS if one != NOTICES]
            expect(set(rest) <= {"done", "already_completed", "skipped_by_operator"}, "the notice was not last")
            told = [STEP_OF[one] for one in TARGETS if (plan.plan, STEP_OF[one], "apply") in model.skipped]
            expect(request.values["skipped"] == told, "the notice does not say what was skipped")

    def _expect(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a condition
        if not holds:
            self.model.faults.append(otherwise)

    # ---- what happens ----------------------------------------------------------------------------------------

    @rule(case=A_CASE, name=st.integers(0, 4), older=st.sampled_from([0, 0, 0, 1, -1]), same=st.booleans())
    def an_event_comes(self, case: str, name: int, older: int, *, same: bool) -> None:
        truth = self.model.truths[case]
        episode, version = truth.episode if same or name > 1 else "EP-9", max(1, truth.version - older)
        body = self._event(case, name, episode, version)
        known, expected = self.known, self.model.becomes(case, episode, version)
        found = self.bench.admit(body)
        if known is not body:
            assert found.outcome == ("duplicate" if known == body else "mismatch")
            return
        assert found.outcome == "admitted"
        assert found.became == ("event_postponed" if self.bench.support.authority_is_down else expected)
        if found.became == "event_planned":
            self.model.planned.add((case, episode, version))

    @rule(case=A_CASE)
    def a_case_is_reopened(self, case: str) -> None:
        self._say(case, is_final=False)

    @rule(case=A_CASE, more=st.integers(0, 1))
    def a_case_is_closed_again(self, case: str, more: int) -> None:
        self._say(case, is_final=True, version=self.model.truths[case].version + more)

    @rule(case=A_CASE, is_mapped=st.booleans())
    def the_queue_item_is_lost_or_found(self, case: str, *, is_mapped: bool) -> None:
        self._say(case, is_mapped=is_mapped)

    @rule(case=A_CASE, episode=st.sampled_from(["EP-1", "EP-2"]))
    def a_case_is_mapped_to_an_episode(self, case: str, episode: str) -> None:
        self._say(case, episode=episode)

    def _say(self, case: str, **changed: Any) -> None:  # noqa: ANN401 - members of a truth
        truth = replace(self.model.truths[case], **changed)
        self.model.truths[case] = truth
        self.bench.support.change(
            case,
            state="closure_approved" if truth.is_final else "reopened",
            disposition_version=truth.version,
            episode=truth.episode,
            queue_item=f"Q-{case}" if truth.is_mapped else None,
        )

    @rule(is_right=st.booleans())
    def the_archive_holds_the_packet_or_another(self, *, is_right: bool) -> None:
        self.model.is_archived = is_right
        self.bench.support.documents[PACKET.reference] = PACKET.digest if is_right else "sha256:" + "e" * 64

    @rule(which_one=A_TARGET, is_down=st.booleans())
    def a_target_goes_down_or_up(self, which_one: str, *, is_down: bool) -> None:
        self.bench.support.targets[which_one].is_down = is_down

    @rule(which_one=A_TARGET, loses=st.booleans())
    def a_target_loses_answers_or_not(self, which_one: str, *, loses: bool) -> None:
        self.bench.support.targets[which_one].loses_answers = loses

    @rule(which_one=A_TARGET, refuses=st.booleans())
    def a_target_refuses_or_not(self, which_one: str, *, refuses: bool) -> None:
        self.bench.support.targets[which_one].refuses = refuses

    @rule(is_down=st.booleans())
    def the_authority_goes_down_or_up(self, *, is_down: bool) -> None:
        self.bench.support.authority_is_down = is_down

    @rule(case=A_CASE, is_complete=st.booleans())
    def a_person_edits_the_queue(self, case: str, *, is_complete: bool) -> None:
        """They park the item, or close it just as the completion would."""
        done = {"queue_state": "closed", "disposition_version": self.model.truths[case].version, "closed_at": CLOSED_AT}
        self.bench.support.targets[QUEUE].edit(f"Q-{case}", **(done if is_complete else {"queue_state": "parked"}))
        self.model.writers[QUEUE, f"Q-{case}"] = None

    @rule(minutes=PAUSES)
    def a_worker_works(self, minutes: int) -> None:
        self.bench.work()
        self._note_plans()
        self.bench.pass_time(timedelta(minutes=minutes))

    @rule(which_one=A_TARGET, moment=st.sampled_from(["before", "after"]), minutes=PAUSES)
    def a_worker_is_killed(self, which_one: str, moment: str, minutes: int) -> None:
        self.dies = which_one, moment
        try:
            self.bench.work()
        except Killed:
            pass
        finally:
            self.dies = None
        self._note_plans()
        self.bench.pass_time(timedelta(minutes=minutes))

    def _note_plans(self) -> None:
        """Events that waited for the authority may be planned now: whether they should is judged by their effects."""
        self.model.planned |= {(one.case, one.episode, one.disposition_version) for one in self.bench.overview().plans}

    # ---- what an operator does -------------------------------------------------------------------------------

    def _is_taken(self, act: ClosureAct, case: str, **about: Any) -> bool:  # noqa: ANN401 - what an act is about
        return code_of(lambda: self.bench.command(act, case=case, **about)) == "accepted"

    @rule(which=st.integers(0, 3))
    def an_operator_retries(self, which: int) -> None:
        plans = self.bench.overview().plans
        if which < len(plans):
            self._is_taken(ClosureAct.RETRY, plans[which].case, plan=plans[which].plan)

    @rule(which=st.integers(0, 5))
    def an_operator_retries_an_event(self, which: int) -> None:
        events = self.bench.overview().events
        if which < len(events):
            self._is_taken(ClosureAct.RETRY, events[which].case, event=events[which].event)

    @rule(which=st.integers(0, 3), which_one=A_TARGET)
    def an_operator_skips(self, which: int, which_one: str) -> None:
        plans = self.bench.overview().plans
        if which < len(plans):
            plan = plans[which]
            direction = "undo" if plan.plan in self.model.reverted else "apply"
            if self._is_taken(ClosureAct.SKIP, plan.case, plan=plan.plan, step=STEP_OF[which_one]):
                self.model.skipped.add((plan.plan, STEP_OF[which_one], direction))

    @rule(which=st.integers(0, 3))
    def an_operator_reverts(self, which: int) -> None:
        plans = self.bench.overview().plans
        is_there = which < len(plans)
        if is_there and self._is_taken(ClosureAct.REVERT, plans[which].case, plan=plans[which].plan):
            self.model.reverted.add(plans[which].plan)

    @rule(which=st.integers(0, 3))
    def an_operator_resolves(self, which: int) -> None:
        found = self.bench.open_follow_ups()
        if which < len(found) and self._is_taken(
            ClosureAct.RESOLVE, found[which].case, follow_up=found[which].follow_up
        ):
            self.model.resolved.add(found[which].case)

    # ---- what always holds -----------------------------------------------------------------------------------

    @invariant()
    def no_request_was_wrong_and_no_effect_came_twice(self) -> None:
        if hasattr(self, "model"):
            assert self.model.faults == []
            assert self.bench.support.duplicated == 0
            assert set(self.model.effects.values()) <= {1}

    def _everything_is_up_again(self) -> None:
        support = self.bench.support
        support.authority_is_down = False
        for target in support.targets.values():
            target.is_down = target.loses_answers = target.refuses = False
        self.bench.work_on(8)
        self.no_request_was_wrong_and_no_effect_came_twice()
        found = self.bench.overview()
        for one in found.events:
            assert one.state in {"planned", "already_planned", "stopped"}, "an event was left lying"
        open_for = {one.case for one in self.bench.open_follow_ups()} | self.model.resolved
        stopped = [one for one in found.events if one.state == "stopped"]
        unfinished = [one for one in found.plans if one.state not in {"complete", "reverted"}]
        waiting = {one.case for one in stopped} | {one.case for one in unfinished}
        assert waiting <= open_for, "something stopped, and nobody was told"
        for plan in found.plans:
            self._ended_well(plan)

    def _ended_well(self, plan: Any) -> None:  # noqa: ANN401 - an overview
        assert plan.state != "open" or any(one.state == "refused" for one in plan.steps), "a plan was left lying"
        assert (plan.audit_row is not None) >= (plan.state == "complete")
        for step in plan.steps:
            count = self.model.effects[plan.plan, step.target, step.direction]
            assert step.state != "done" or count == 1, "something is called done that was not done once"
            assert step.state not in {"pending", "already_completed"} or count == 0, "an effect was lost sight of"
            if step.state in {"intent", "unknown"} and plan.state != "stopped":
                assert step.direction == "apply", "an outcome was left unknown"
                assert self._undo_says_or_waits(plan, step), "it was left unknown"

    @staticmethod
    def _undo_says_or_waits(plan: Any, step: Any) -> bool:  # noqa: ANN401 - an overview, and a step of it
        """Tell whether the undo of what a revert found begun says what became of it, or waits for people.

        The notice is taken back last: while another undo is refused, it waits, and the follow-up of that one is open.
        """
        undone = {one.step: one.state for one in plan.steps if one.direction == "undo"}
        if undone.get(step.step) == "pending" and step.step == STEP_OF[NOTICES]:
            return "refused" in undone.values()
        return undone.get(step.step) in {"done", "already_completed", "refused", "skipped_by_operator"}


ClosureMachine.TestCase.settings = settings(
    max_examples=400 if FULL else 8,
    stateful_step_count=50 if FULL else 18,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_every_effect_happens_once_and_every_event_ends_in_one_way = ClosureMachine.TestCase


@pytest.mark.skipif(
    not FULL, reason="takes a minute; the fault tests find each of these guards out by a case of its own"
)
@pytest.mark.parametrize(
    "guard", ["the authority read again", "the notice last", "the probe before a resend", "the version of an undo"]
)
def test_the_model_finds_out_a_guard_that_is_off(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    GUARDS[guard][1](monkeypatch)
    found = settings(ClosureMachine.TestCase.settings, max_examples=400, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(ClosureMachine, settings=found)
