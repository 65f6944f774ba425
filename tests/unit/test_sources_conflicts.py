"""Heads and conflicts: what they are, and that neither order nor duplication changes them (invariant I5)."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dagster_project.integrity.digests import digest_of
from dagster_project.sources.conflicts import (
    CONFLICTING_COPIES,
    CONFLICTING_COPIES_BELOW_HEAD,
    CONTRADICTING_AUTHORITIES,
    find_conflicts,
    heads_of,
)
from dagster_project.sources.record import Classification, Record, reference_to

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def record(record_type: str, data: dict[str, Any], **changes: Any) -> Record:  # noqa: ANN401 - envelope parts
    parts: dict[str, Any] = {
        "source": "//status.example/a",
        "subject": "INC-1",
        "time": NOON,
        "recordid": "r1",
        "recordversion": 1,
        "recordedtime": NOON,
        "dataclassification": Classification.CUSTOMER,
        **changes,
    }
    identity = f"{parts['source']}/{parts['recordid']}/{parts['recordversion']}"
    return Record(**{"id": identity, **parts}, type=record_type, data=data, datadigest=digest_of(data))


def health(state: str, *, region: str = "eu", since: str = "2026-03-04T11:00:00Z", **changes: object) -> Record:
    return record("service-health", {"component": "relay", "region": region, "state": state, "since": since}, **changes)


def incident(severity: str, state: str, **changes: object) -> Record:
    return record("incident", {"severity": severity, "state": state}, **changes)


def test_the_head_is_the_greatest_version_whatever_the_clock_says() -> None:
    old = health("down", recordversion=9, recordedtime=NOON)
    late = health("up", recordversion=10, recordedtime=datetime(2026, 3, 4, 9, tzinfo=UTC))
    assert heads_of([late, old]) == (late,)
    assert find_conflicts([late, old]) == ()


def test_copies_of_the_head_are_a_conflict_that_names_both_as_a_whole() -> None:
    one, other = health("up"), health("down")
    (conflict,) = find_conflicts([one, other])
    assert (conflict.kind, conflict.source_fields) == (CONFLICTING_COPIES, ())
    assert conflict.references == tuple(sorted([reference_to(one), reference_to(other)]))
    assert heads_of([one, other]) == heads_of([other, one])


def test_what_nobody_outside_may_see_does_not_decide_which_copy_stands_in() -> None:
    def stands_in(host: str) -> str:
        copy = health("down")
        (head,) = heads_of([health("up"), record("service-health", copy.data | {"host": host})])
        return str(head.data["state"])

    assert len({stands_in(f"relay-{number:02}.eu.internal") for number in range(20)}) == 1


def test_copies_below_the_head_are_told_apart() -> None:
    (conflict,) = find_conflicts([health("up"), health("down"), health("down", recordversion=2)])
    assert conflict.kind == CONFLICTING_COPIES_BELOW_HEAD


def test_one_event_id_over_different_versions_with_unequal_data_is_a_conflict() -> None:
    reused = [health("up", id="e1"), health("down", id="e1", recordversion=2)]
    assert [one.kind for one in find_conflicts(reused)] == [CONFLICTING_COPIES]
    assert find_conflicts([health("up", id="e1"), health("up", id="e1", recordversion=2)]) == ()


def test_two_observers_of_one_place_that_differ_contradict_each_other() -> None:
    one, other = health("up"), health("down", source="//status.example/b")
    (conflict,) = find_conflicts([one, other])
    assert conflict.kind == CONTRADICTING_AUTHORITIES
    assert conflict.source_fields == ("service-health#/since", "service-health#/state")


def test_observers_of_other_places_or_of_equal_state_do_not_contradict() -> None:
    elsewhere = health("down", source="//status.example/b", region="us")
    later = health("up", source="//status.example/b", since="2026-03-04T11:30:00Z")
    other_incident = health("down", source="//status.example/b", subject="INC-2")
    assert find_conflicts([health("up"), elsewhere]) == ()
    assert find_conflicts([health("up"), later]) == ()
    assert find_conflicts([health("up"), other_incident]) == ()


def test_the_copy_that_does_not_stand_in_for_the_head_still_contradicts_others() -> None:
    copies = [health("up", region="eu"), health("down", region="us")]
    observers = [health(state, region=region, source="//s.example/c", recordid=region)
                 for state, region in (("up", "us"), ("down", "eu"))]  # fmt: skip
    found = [one for one in find_conflicts([*copies, *observers]) if one.kind == CONTRADICTING_AUTHORITIES]
    named = {side for one in found for side in one.references}
    assert {reference_to(one) for one in observers} <= named


def test_authorities_that_differ_on_severity_contradict_on_severity_only() -> None:
    one = incident("SEV1", "mitigating")
    other = incident("SEV2", "mitigating", source="//status.example/b")
    (conflict,) = find_conflicts([one, other])
    assert conflict.source_fields == ("incident#/severity",)
    assert find_conflicts([one, incident("SEV2", "mitigating", subject="INC-2", recordid="r2")]) == ()


HISTORIES = st.lists(
    st.builds(
        health,
        st.sampled_from(["up", "down"]),
        region=st.sampled_from(["eu", "us"]),
        source=st.sampled_from(["//s.example/a", "//s.example/b"]),
        recordid=st.sampled_from(["r1", "r2"]),
        recordversion=st.integers(1, 3),
        recordedby=st.sampled_from([None, "kim"]),
        dataclassification=st.sampled_from(Classification),
        id=st.sampled_from(["e1", "e2", "e3"]),
    )
    | st.builds(
        incident,
        st.sampled_from(["SEV1", "SEV2"]),
        st.sampled_from(["investigating", "resolved"]),
        source=st.sampled_from(["//s.example/c", "//s.example/d"]),
        recordversion=st.integers(1, 2),
    ),
    max_size=9,
)


@given(history=HISTORIES, data=st.data())
def test_neither_order_nor_duplication_changes_heads_or_conflicts(history: list[Record], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    other_order = data.draw(st.permutations([*history, *again]))
    assert heads_of(other_order) == heads_of(history)
    assert find_conflicts(other_order) == find_conflicts(history)
