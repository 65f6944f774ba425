"""A state machine over sources, people and the clock, against a small model of what people really approved.

The model keeps, leaf by leaf, who approved which value since the leaf last took it, and knows roles by person alone. It
shares no code with `review`: what a released version shows that is new must have had the people whom it needs.
"""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dagster_project.application.drafting_decisions import (
    current_version,
    holds_in_force,
    shown_fields,
    staged_page,
    versions_of_incident,
)
from dagster_project.application.overview import one_candidate
from dagster_project.application.releasing import release, release_in
from dagster_project.application.review_state import ReviewState
from dagster_project.application.version_verification import verify_version
from dagster_project.errors import ChannelsafeError, UsageError
from dagster_project.integrity.documents import read_document
from dagster_project.integrity.trust_changes import revoke_key
from dagster_project.packaging.fields import leaves
from dagster_project.review.decisions import Act
from dagster_project.store.versions import VersionRow
from tests.support.histories import FULL
from tests.support.moving_sources import BRIDGE, INCIDENT, pass_time, say, speak_of
from tests.support.review_people import PEOPLE, make_bench
from tests.support.workspaces import make_workspace, play_scenario

EUROPE = "/affected_capabilities/message-delivery/regions/europe"
STATUSES = ("operational", "maintenance", "degraded", "partial_outage", "major_outage")
SEVERITIES = ("severity_4", "severity_3", "severity_2", "severity_1")
STAND_INS: tuple[Any, ...] = (None, "on_hold", "under_assessment", [])
REVIEWERS = st.sampled_from(sorted(PEOPLE))
# What the machine watches: leaves for which the model can say by itself whether people had to be asked.
WATCHED = (EUROPE, "/affected_capabilities/message-delivery/capability_status", "/severity_code", "/incident_status")


class _Crash(Exception):
    """Stands for the death of a process inside its transaction."""


def worsens(chain: tuple[str, ...], old: object, new: object) -> bool:
    return old in chain and new in chain and chain.index(str(old)) < chain.index(str(new))


def needs(pointer: str, old: object, new: object) -> frozenset[str]:
    """Return the roles that a new value needs, as the table of the design has them; nothing for a listed worsening."""
    chain = SEVERITIES[::1] if pointer == "/severity_code" else STATUSES
    if pointer != "/incident_status" and worsens(chain, old, new) and new != "maintenance" and old != "maintenance":
        return frozenset()
    found = {"incident_command"}
    if new == "identified":
        found.add("security")
    if pointer != "/incident_status" and worsens(chain, new, old):
        found.add("support_leadership")
    return frozenset(found)


class ReviewMachine(RuleBasedStateMachine):
    """One bridge, its sources, and six people."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.workspace = make_workspace(Path(self.folder.name))
        play_scenario(self.workspace, until_step=2)
        self.bench = make_bench(self.workspace)
        self.revoked: set[str] = set()
        self.regions = 0
        # By leaf: the value that the sources call for, and who approved it since they do.
        self.due: dict[str, tuple[Any, set[str]]] = {}
        self.bytes_of: dict[int, tuple[str, str]] = {}
        self.told: dict[str, Any] = {}
        self.looked_at = 0
        self._sources_spoke()
        for person in ("ines", "selma", "ada"):
            self._approves(person)
        release(self.workspace, INCIDENT, BRIDGE)
        self.told = self._content(self._versions()[-1])
        self.looked_at = 1

    def teardown(self) -> None:
        if hasattr(self, "workspace"):
            self.workspace.store.engine.dispose()
            self.folder.cleanup()

    # ---- what happens --------------------------------------------------------------------------------------

    @rule(state=st.sampled_from(["degraded", "partial", "down", "up", "odd"]))
    def health_changes(self, state: str) -> None:
        for recordid in ("mx-relay/eu-west-1", "outbound-gateway/eu-west-1"):
            say(self.workspace, "service-health", recordid, {"/state": state})
            self._sources_spoke()

    @rule(state=st.sampled_from(["investigating", "mitigating", "monitoring", "identified"]), confirmed=st.booleans())
    def incident_changes(self, state: str, *, confirmed: bool) -> None:
        say(self.workspace, "incident", INCIDENT, {"/state": state, "/cause_confirmed": confirmed})
        self._sources_spoke()

    @rule(severity=st.sampled_from(["SEV1", "SEV2", "SEV3"]))
    def severity_changes(self, severity: str) -> None:
        say(self.workspace, "incident", INCIDENT, {"/severity": severity})
        self._sources_spoke()

    @precondition(lambda self: self.regions == 0)
    @rule()
    def a_region_is_hit(self) -> None:
        self.regions = 1
        data = {"component": "mx-relay", "region": "us-east-1", "state": "down", "since": "2026-03-04T09:10:00Z"}
        speak_of(
            self.workspace, "service-health", "mx-relay/us-east-1", data, source="//status.example/health-us"
        )  # fmt: skip
        self._sources_spoke()

    @rule(person=REVIEWERS)
    def somebody_approves(self, person: str) -> None:
        if person not in self.revoked:
            pass_time(self.workspace, 0.1)
            self._approves(person)

    @rule(person=REVIEWERS, pointer=st.sampled_from(WATCHED))
    def somebody_rejects(self, person: str, pointer: str) -> None:
        state = self._state()
        waiting = {one.pointer for one in state.changes} if state else set()
        if person not in self.revoked and pointer in waiting:
            pass_time(self.workspace, 0.1)
            self.bench.reject(person, INCIDENT, BRIDGE, [pointer])

    @rule()
    def a_hold_comes_or_goes(self) -> None:
        pass_time(self.workspace, 0.1)
        held = holds_in_force(self.workspace, INCIDENT, BRIDGE)
        if held:
            self.bench.act("leo", Act.LIFT, INCIDENT, BRIDGE, refers_to=held[0].row.decision_digest, role="legal")
        else:
            self.bench.act("leo", Act.HOLD, INCIDENT, BRIDGE, role="legal", reason="x")

    @precondition(lambda self: not self.revoked)
    @rule()
    def a_key_is_revoked(self) -> None:
        now = self.workspace.clock.now()
        self.bench.change_trust(lambda trust: revoke_key(trust, "ines", self.bench.keys["ines"].keyid, now))
        self.revoked.add("ines")

    @rule(pointer=st.sampled_from(WATCHED))
    def a_field_is_pulled(self, pointer: str) -> None:
        current = current_version(self.workspace, INCIDENT, BRIDGE)
        if pointer in shown_fields(self.workspace, current):
            pass_time(self.workspace, 0.1)
            self.bench.act("leo", Act.PULL, INCIDENT, BRIDGE, version=current.version, fields=[pointer], reason="x")

    @rule(pointer=st.sampled_from(WATCHED))
    def a_pulled_field_is_restored(self, pointer: str) -> None:
        state = self._state()
        if state and pointer in state.pulled:
            pass_time(self.workspace, 0.1)
            number = current_version(self.workspace, INCIDENT, BRIDGE).version
            self.bench.act("sam", Act.RESTORE, INCIDENT, BRIDGE, version=number, fields=[pointer])

    @rule(minutes=st.sampled_from([1, 40, 300]))
    def time_passes(self, minutes: int) -> None:
        pass_time(self.workspace, minutes)

    @rule()
    def somebody_asks_for_a_release(self) -> None:
        held = bool(holds_in_force(self.workspace, INCIDENT, BRIDGE))
        before = len(self._versions())
        try:
            release(self.workspace, INCIDENT, BRIDGE)
        except ChannelsafeError:
            assert len(self._versions()) == before
        else:
            assert not held

    @rule()
    def a_release_dies_in_its_transaction(self) -> None:
        before = self._versions()
        try:
            with self.workspace.store.begin() as transaction:
                release_in(self.workspace, transaction, INCIDENT, BRIDGE)
                self._die()
        except (_Crash, ChannelsafeError):
            assert self._versions() == before

    def _die(self) -> None:
        raise _Crash

    # ---- the model -----------------------------------------------------------------------------------------

    def _sources_spoke(self) -> None:
        """Drop what was approved of leaves that the sources call something else now."""
        content = leaves(one_candidate(self.workspace, INCIDENT, BRIDGE).content)
        for pointer in WATCHED:
            value = content.get(pointer)
            if self.due.get(pointer, (object(), set()))[0] != value:
                self.due[pointer] = (value, set())

    def _approves(self, person: str) -> None:
        try:
            self.bench.approve(person, INCIDENT, BRIDGE)
        except ChannelsafeError:
            return
        for pointer in WATCHED:
            self.due[pointer][1].add(person)

    def _versions(self) -> list[VersionRow]:
        return [one for one in versions_of_incident(self.workspace, INCIDENT) if one.bridge == BRIDGE]

    def _state(self) -> ReviewState | None:
        """Return where the page stands, or None while the latest candidate is too old to pass its check."""
        try:
            return staged_page(self.workspace, INCIDENT, BRIDGE).state
        except UsageError:
            return None

    def _content(self, row: VersionRow) -> dict[str, Any]:
        with self.workspace.store.read() as transaction:
            return leaves(read_document(transaction.get_sealed(row.content_digest)))

    @invariant()
    def nothing_new_is_told_without_the_people_whom_it_needs(self) -> None:
        for row in self._versions()[self.looked_at :] if hasattr(self, "workspace") else ():
            content = self._content(row)
            for pointer in WATCHED:
                old, new = self.told.get(pointer), content.get(pointer)
                if new == old or new in STAND_INS:
                    continue
                value, people = self.due[pointer]
                roles = {role for one in people - self.revoked for role in PEOPLE[one]}
                asked = needs(pointer, old, new) if old not in STAND_INS else frozenset({"incident_command"})
                assert value == new, "a version says what the sources do not call for"
                assert asked <= roles, "a version says what nobody entitled to it approved"
                assert len(asked) <= len(people - self.revoked), "one person counted twice"
            self.told, self.looked_at = content, row.version

    @invariant()
    def versions_are_gapless_and_published_bytes_never_change(self) -> None:
        rows = self._versions() if hasattr(self, "workspace") else []
        assert [one.version for one in rows] == list(range(1, len(rows) + 1))
        assert sum(one.state == "released" for one in rows) <= 1
        for row in rows:
            known = self.bytes_of.setdefault(row.version, (row.payload_digest, row.statement_digest))
            assert known == (row.payload_digest, row.statement_digest)
        if rows:
            with self.workspace.store.read() as transaction:
                verify_version(self.workspace, transaction, rows[-1], rows[:-1])


ReviewMachine.TestCase.settings = settings(
    max_examples=150 if FULL else 10,
    stateful_step_count=30 if FULL else 14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_what_leaves_is_what_people_decided = ReviewMachine.TestCase
