"""The conformance suite of targets: what every adapter must do, as sentences that know nothing of how it does it.

A sentence takes a bench: a target, a way to have a subject there, values to write, and two ways to look at the other
system from behind (how often a key had an effect, what the system's own columns hold). It asserts.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest
from sqlalchemy.engine import Engine

from dagster_project.closure.targets import SubjectChanged, SubjectState, Target, TargetRefused, TargetRequest
from dagster_project.connections.targets import support_systems
from dagster_project.connections.targets.forms import (
    ARCHIVE,
    FENCE_SUPERSEDED,
    FIELD_NOT_ALLOWED,
    FORMS,
    KEY_REUSED,
    LEDGER,
    NOTICES,
    QUEUE,
    TRACKER,
    VALUE_NOT_ALLOWED,
)

_DIGEST: Final = "sha256:" + "0" * 64
_REFERENCES: Final = {
    "closure_packet": "archive/packets/1",
    "closure_packet_digest": _DIGEST,
    "internal_review_note": "archive/notes/1",
    "internal_review_note_digest": _DIGEST,
}
_WHOSE: Final = {"case": "CASE-1", "escalation": "ESC-1", "episode": "EP-1"}
_CLOSED: Final = {"disposition_version": 3, "closed_at": "2026-03-04T10:00:00Z"}
_NOTICE: Final = {"coordinator": "coordination-desk", "notice": "incomplete", "skipped": ["case_ledger"]}
VALUES: Final[Mapping[str, Mapping[str, object]]] = {
    ARCHIVE: {**_REFERENCES, **_CLOSED},
    TRACKER: {"review_state": "review_complete", **_REFERENCES, **_CLOSED},
    LEDGER: {"review_marker": "review_complete", **_CLOSED},
    QUEUE: {"queue_state": "closed", **_CLOSED},
    NOTICES: {**_NOTICE, **_WHOSE, **_CLOSED},
}
# What a record holds before a completion, where the other system has it already.
BEFORE: Final[Mapping[str, Mapping[str, object]]] = {
    TRACKER: {"review_state": "in_review", "state": "mitigated"},
    LEDGER: {"state": "resolved"},
    QUEUE: {"queue_state": "open"},
}


@dataclass(frozen=True)
class Bench:
    """One target under test, over the support-systems database that it writes to in the end."""

    target: Target
    engine: Engine

    @property
    def values(self) -> Mapping[str, object]:
        """Return what a step would write."""
        return VALUES[self.target.name]

    def subject(self) -> str:
        """Return a subject that no other sentence uses, opened where the other system must have it."""
        subject = f"subject/{secrets.token_hex(6)}"
        if not FORMS[self.target.name].opens_subjects:
            support_systems.open_subject(self.engine, self.target.name, subject, BEFORE[self.target.name])
        return subject

    def request(
        self,
        subject: str,
        *,
        key: str | None = None,
        values: Mapping[str, object] | None = None,
        version: str | None = None,
        fence: int = 1,
    ) -> TargetRequest:
        """Return a request with a key of its own, unless another is given."""
        return TargetRequest(
            key=key or f"event/{secrets.token_hex(6)}/step",
            subject=subject,
            values=self.values if values is None else values,
            expected_version=version,
            fence=fence,
        )

    def effects(self, key: str) -> int:
        """Return how often a key had an effect, as the other system counts."""
        return support_systems.count_effects(self.engine).get((self.target.name, key), 0)

    def row(self, subject: str) -> Mapping[str, object]:
        """Return all that the other system holds of a subject, its own columns included."""
        return support_systems.row_of(self.engine, self.target.name, subject)

    def written(self, state: SubjectState) -> dict[str, object]:
        """Return the fields of a subject that may be written, without those that say whose it is."""
        assert set(FORMS[self.target.name].fields) <= set(state.values)
        return {name: state.values[name] for name in FORMS[self.target.name].fields}

    def state(self, subject: str) -> SubjectState:
        """Return what the target reads of a subject that must be there."""
        state = self.target.read(subject)
        assert state is not None
        return state


def a_key_twice_gives_one_effect_and_one_receipt(bench: Bench) -> None:
    request = bench.request(bench.subject())
    first = bench.target.apply(request)
    later = bench.target.apply(bench.request(request.subject, version=first.version))
    assert later.version != first.version
    # Also after somebody else wrote, and under an older fence: nothing is written, so nothing can go wrong.
    assert bench.target.apply(request) == first
    assert (first.key, first.subject) == (request.key, request.subject)
    assert bench.effects(request.key) == 1
    assert bench.state(request.subject).version == later.version


def other_values_under_a_known_key_are_refused(bench: Bench) -> None:
    request = bench.request(bench.subject())
    bench.target.apply(request)
    other = {**bench.values, "closed_at": "2026-03-05T10:00:00Z"}
    for reused in (
        bench.request(request.subject, key=request.key, values=other),
        bench.request(bench.subject(), key=request.key),
    ):
        with pytest.raises(TargetRefused) as caught:
            bench.target.apply(reused)
        assert caught.value.code == KEY_REUSED
    assert bench.effects(request.key) == 1
    assert bench.state(request.subject).values["closed_at"] == bench.values["closed_at"]


def an_older_fence_is_refused(bench: Bench) -> None:
    subject = bench.subject()
    bench.target.apply(bench.request(subject, fence=5))
    bench.target.apply(bench.request(subject, fence=5))
    before, late = bench.row(subject), bench.request(subject, fence=4)
    with pytest.raises(TargetRefused) as caught:
        bench.target.apply(late)
    assert caught.value.code == FENCE_SUPERSEDED
    assert bench.row(subject) == before
    assert bench.effects(late.key) == 0
    # Another subject has another lease.
    bench.target.apply(bench.request(bench.subject(), fence=1))


def a_refused_request_raises_the_fence_all_the_same(bench: Bench) -> None:
    subject = bench.subject()
    bench.target.apply(bench.request(subject, fence=1))
    with pytest.raises(SubjectChanged):
        bench.target.apply(bench.request(subject, version="no-version", fence=9))
    with pytest.raises(TargetRefused):
        bench.target.apply(bench.request(subject, fence=8))


def a_fence_alone_keeps_out_what_is_on_its_way(bench: Bench) -> None:
    """Also where the target has no such subject yet; and a lower one after it changes nothing."""
    subject = bench.subject()
    bench.target.raise_fence(subject, 7)
    bench.target.raise_fence(subject, 6)
    late = bench.request(subject, fence=6)
    with pytest.raises(TargetRefused) as caught:
        bench.target.apply(late)
    assert caught.value.code == FENCE_SUPERSEDED
    assert bench.target.probe(late.key) is None
    assert bench.effects(late.key) == 0
    bench.target.apply(bench.request(subject, fence=7))


def a_version_that_is_gone_changes_nothing(bench: Bench) -> None:
    subject = bench.subject()
    seen = bench.target.apply(bench.request(subject)).version
    bench.target.apply(bench.request(subject, version=seen))
    before, late = bench.row(subject), bench.request(subject, version=seen)
    with pytest.raises(SubjectChanged):
        bench.target.apply(late)
    assert bench.row(subject) == before
    assert bench.effects(late.key) == 0
    assert bench.target.probe(late.key) is None


def an_edit_by_a_person_moves_the_version_on(bench: Bench) -> None:
    subject = bench.subject()
    seen = bench.target.apply(bench.request(subject)).version
    support_systems.edit_subject(bench.engine, bench.target.name, subject, {"closed_at": None})
    assert bench.state(subject).version != seen
    with pytest.raises(SubjectChanged):
        bench.target.apply(bench.request(subject, version=seen))


def a_probe_tells_of_an_effect_and_of_none(bench: Bench) -> None:
    request = bench.request(bench.subject())
    assert bench.target.probe(request.key) is None
    receipt = bench.target.apply(request)
    assert bench.target.probe(request.key) == receipt
    assert bench.target.probe(request.key + "x") is None


def what_is_read_back_is_what_was_written(bench: Bench) -> None:
    subject = bench.subject()
    receipt = bench.target.apply(bench.request(subject))
    state = bench.state(subject)
    assert (state.subject, state.version) == (subject, receipt.version)
    assert bench.written(state) == bench.values
    # Of what a request does not name, nothing changes.
    bench.target.apply(bench.request(subject, values={"closed_at": "2026-03-05T10:00:00Z"}))
    assert bench.written(bench.state(subject)) == {**bench.values, "closed_at": "2026-03-05T10:00:00Z"}


def an_unknown_subject_reads_as_none(bench: Bench) -> None:
    assert bench.target.read(f"subject/{secrets.token_hex(6)}") is None


def every_step_can_be_undone(bench: Bench) -> None:
    """What stood there can be read before, and written back; of a notice, which is out, a correction can follow."""
    subject = bench.subject()
    before = bench.target.read(subject)
    written = bench.target.apply(bench.request(subject, version=before.version if before is not None else None))
    fields = FORMS[bench.target.name].fields
    # A subject that was not there goes back to one that holds nothing: what was opened stays open.
    prior = bench.written(before) if before is not None else dict.fromkeys(fields)
    assert set(prior) == set(fields)
    if bench.target.name == NOTICES:
        prior = {**bench.values, "notice": "correction", "skipped": []}
    undo = bench.request(subject, values=prior, version=written.version, fence=2)
    receipt = bench.target.apply(undo)
    assert bench.written(bench.state(subject)) == prior
    assert bench.target.apply(undo) == receipt == bench.target.probe(undo.key)
    assert bench.effects(undo.key) == 1


def no_other_field_can_be_written(bench: Bench) -> None:
    subject = bench.subject()
    bench.target.apply(bench.request(subject))
    before = bench.row(subject)
    whose = FORMS[bench.target.name].identity
    assert set(whose) <= set(bench.state(subject).values)
    for field in (*whose, "state", "subject", "version", "priority", "credit", "message", "closed_at "):
        request = bench.request(subject, values={**bench.values, "closed_at": "2026-03-05T10:00:00Z", field: "2"})
        with pytest.raises(TargetRefused) as caught:
            bench.target.apply(request)
        assert caught.value.code == FIELD_NOT_ALLOWED
        assert bench.row(subject) == before
        assert bench.effects(request.key) == 0


def no_other_kind_of_value_can_be_written(bench: Bench) -> None:
    subject = bench.subject()
    bench.target.apply(bench.request(subject))
    before = bench.row(subject)
    texts = ({"note": "nested"}, [["nested"]], 1.5, True, "x" * 513, "two\nlines", b"bytes", 7)
    numbers = (True, 1.5, "3", 2**53, {"number": 3})
    wrong = [("closed_at", value) for value in texts] + [("disposition_version", value) for value in numbers]
    for field, value in wrong:
        request = bench.request(subject, values={**bench.values, field: value})
        with pytest.raises(TargetRefused) as caught:
            bench.target.apply(request)
        assert caught.value.code == VALUE_NOT_ALLOWED
        assert bench.row(subject) == before
        assert bench.effects(request.key) == 0


SENTENCES: Final[Mapping[str, Callable[[Bench], None]]] = {
    sentence.__name__: sentence
    for sentence in (
        a_key_twice_gives_one_effect_and_one_receipt,
        other_values_under_a_known_key_are_refused,
        an_older_fence_is_refused,
        a_refused_request_raises_the_fence_all_the_same,
        a_fence_alone_keeps_out_what_is_on_its_way,
        a_version_that_is_gone_changes_nothing,
        an_edit_by_a_person_moves_the_version_on,
        a_probe_tells_of_an_effect_and_of_none,
        what_is_read_back_is_what_was_written,
        an_unknown_subject_reads_as_none,
        every_step_can_be_undone,
        no_other_field_can_be_written,
        no_other_kind_of_value_can_be_written,
    )
}
