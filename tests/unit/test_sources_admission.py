"""Admission: what becomes a record, what is rejected, and that a rejection names places and never content."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_of
from dagster_project.sources.admission import LARGEST_RECORD, Rejection, admit_bytes, record_bytes
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.registry import shipped_registry

RECEIVED = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
PLANTED = "vault-kestrel-77"


def event(**changes: object) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": "health-eu/mx-relay/7",
        "source": "//status.example/health-eu",
        "type": "service-health",
        "subject": "INC-2041",
        "time": "2026-03-04T10:00:00Z",
        "recordid": "mx-relay",
        "recordversion": "7",
        "recordedtime": "2026-03-04T11:01:00+01:00",
        "dataclassification": "customer",
        "data": {
            "component": "mx-relay",
            "region": "eu-west-1",
            "state": "down",
            "since": "2026-03-04T09:58:00Z",
            "host": PLANTED,
        },
    }
    attributes.update(changes)
    return {name: value for name, value in attributes.items() if value is not ...}


def with_data(**changes: object) -> dict[str, Any]:
    data = {**event()["data"], **changes}
    return event(data={name: value for name, value in data.items() if value is not ...})


def admit(line: bytes) -> Record | Rejection:
    return admit_bytes(line, received_at=RECEIVED, registry=shipped_registry())


def rejected(document: object) -> Rejection:
    outcome = admit(document if isinstance(document, bytes) else json.dumps(document).encode())
    assert isinstance(outcome, Rejection)
    assert PLANTED not in repr(outcome)
    return outcome


def admitted(document: object) -> Record:
    outcome = admit(json.dumps(document).encode())
    assert isinstance(outcome, Record), outcome
    return outcome


def test_a_well_formed_event_becomes_a_record_with_its_digest() -> None:
    record = admitted(event())
    assert record.version_identity == ("//status.example/health-eu", "mx-relay", 7)
    assert record.recordedtime == datetime(2026, 3, 4, 10, 1, tzinfo=UTC)
    assert record.datadigest == digest_of(event()["data"])


def test_a_stored_record_is_admitted_again_as_the_same_record() -> None:
    fullest = event(recordedby="Noor Åkesson", causationid="c/1", subject="inc-2041", time="2026-03-04T10:00:00.5Z")
    for document in (event(), fullest, event(dataclassification=...)):
        record = admitted(document)
        assert admit(record_bytes(record)) == record
        assert record_bytes(record) == canonical_bytes(json.loads(record_bytes(record)))


def test_a_record_without_a_label_is_restricted() -> None:
    assert admitted(event(dataclassification=...)).dataclassification is Classification.RESTRICTED


def test_the_subject_is_upper_cased() -> None:
    assert admitted(event(subject="inc-2041.b")).subject == "INC-2041.B"


@pytest.mark.parametrize(
    ("document", "reason_code", "where"),
    [
        (event(extra=PLANTED), "attribute_unknown", "/extra"),
        (event(**{f"a {PLANTED}": 1}), "attribute_unknown", "/?"),
        (event(id=...), "attribute_missing", "/id"),
        (event(data=...), "attribute_missing", "/data"),
        (event(specversion="0.3"), "specversion_unknown", "/specversion"),
        (event(datacontenttype="text/xml"), "datacontenttype_unknown", "/datacontenttype"),
        (event(id=""), "identifier_malformed", "/id"),
        (event(id="a\x07"), "identifier_malformed", "/id"),
        (event(id="å"), "identifier_malformed", "/id"),
        (event(id=7), "identifier_malformed", "/id"),
        (event(recordid="../x"), "identifier_malformed", "/recordid"),
        (event(recordid="mx-relay\n"), "identifier_malformed", "/recordid"),
        (event(subject="INC 2041"), "subject_malformed", "/subject"),
        (event(subject="-INC"), "subject_malformed", "/subject"),
        (event(subject="stra\u00dfe"), "subject_malformed", "/subject"),
        (event(subject="I" * 64), "subject_malformed", "/subject"),
        (event(subject="INC-1\n"), "subject_malformed", "/subject"),
        (event(recordversion="+7"), "recordversion_malformed", "/recordversion"),
        (event(recordversion="07"), "recordversion_malformed", "/recordversion"),
        (event(recordversion="-1"), "recordversion_malformed", "/recordversion"),
        (event(recordversion="\u0667"), "recordversion_malformed", "/recordversion"),
        (event(recordversion=7), "recordversion_malformed", "/recordversion"),
        (event(recordversion="9007199254740992"), "recordversion_malformed", "/recordversion"),
        (event(time="2026-03-04T10:00:00 PST"), "instant_malformed", "/time"),
        (event(time="2026-03-04T10:00:00"), "instant_malformed", "/time"),
        (event(time="2026-03-04T10:00:00-00:00"), "instant_malformed", "/time"),
        (event(time="2026-W10-3T10:00:00Z"), "instant_malformed", "/time"),
        (event(time="2026-02-30T10:00:00Z"), "instant_malformed", "/time"),
        (event(time="0001-01-01T00:00:00+14:00"), "instant_malformed", "/time"),
        (event(recordedtime=1772618400), "instant_malformed", "/recordedtime"),
        (event(recordedby="a\nb"), "recordedby_malformed", "/recordedby"),
        (event(recordedby=None), "recordedby_malformed", "/recordedby"),
        (event(dataclassification="public"), "classification_unknown", "/dataclassification"),
        (event(dataclassification=["customer"]), "classification_unknown", "/dataclassification"),
        (event(dataclassification=None), "classification_unknown", "/dataclassification"),
        (event(source="//elsewhere.example/x"), "source_unknown", "/source"),
        (event(type="telepathy"), "type_unknown", "/type"),
        (event(type="incident"), "type_not_of_this_source", "/type"),
        (with_data(colour=PLANTED), "field_unknown", "/data/colour"),
        (with_data(**{f"x {PLANTED}": 1}), "field_unknown", "/data/?"),
        (with_data(state=...), "field_missing", "/data/state"),
        (with_data(state=""), "field_malformed", "/data/state"),
        (with_data(state=None), "field_malformed", "/data/state"),
        (with_data(since="2026-03-04T10:00:00"), "field_malformed", "/data/since"),
        (with_data(since="2026-03-04T10:00:00-00:00"), "field_malformed", "/data/since"),
        (event(data=[PLANTED]), "field_malformed", "/data"),
        (event(datadigest="sha256:" + "0" * 64), "datadigest_differs", "/datadigest"),
        (event(datadigest=None), "datadigest_differs", "/datadigest"),
        (event(recordedtime="2026-03-04T10:35:01Z"), "recorded_in_the_future", "/recordedtime"),
        ([event()], "not_an_object", "envelope"),
        (b"\xff{}", "invalid_utf8", "envelope"),
        (b"<html>down</html>", "not_json", "envelope"),
        (b"", "not_json", "envelope"),
        (with_data(note=2**53), "unsafe_integer", "/data/note"),
        (with_data(note=1.5), "float", "/data/note"),
        (with_data(note=float("nan")), "not_a_number", "/data/note"),
    ],
)
def test_bad_input_is_rejected_with_its_rule_and_place(document: object, reason_code: str, where: str) -> None:
    outcome = rejected(document)
    assert (outcome.reason_code, outcome.where) == (reason_code, where)


def test_a_record_at_the_edge_of_the_clock_tolerance_is_admitted() -> None:
    assert admitted(event(recordedtime="2026-03-04T10:35:00Z")).recordedtime == RECEIVED + timedelta(minutes=5)


def test_a_rejection_says_for_whom_it_speaks_so_that_what_it_feeds_can_go_on_hold() -> None:
    outcome = rejected(with_data(colour="red"))
    assert outcome.source == "//status.example/health-eu"
    assert (outcome.type, outcome.subject) == ("service-health", "INC-2041")
    assert (outcome.recordid, outcome.recordversion) == ("mx-relay", 7)


def test_a_rejection_keeps_only_the_parts_that_are_well_formed_by_themselves() -> None:
    outcome = rejected(event(subject=f"not a subject {PLANTED}", recordversion="x"))
    assert (outcome.source, outcome.subject, outcome.recordversion) == ("//status.example/health-eu", None, None)


def test_an_event_with_a_float_or_a_double_key_still_says_for_whom_it_speaks() -> None:
    assert rejected(with_data(note=1.5)).subject == "INC-2041"
    doubled = json.dumps(event()).replace('"data": {', '"data": {"state": "up", ')
    outcome = rejected(doubled.encode())
    assert (outcome.reason_code, outcome.where, outcome.subject) == ("duplicate_key", "/data", "INC-2041")


def test_an_attribute_that_comes_twice_says_nothing() -> None:
    outcome = rejected(json.dumps(event()).replace("{", '{"subject": "INC-1", ', 1).encode())
    assert (outcome.reason_code, outcome.subject, outcome.type) == ("duplicate_key", None, "service-health")


def test_a_body_of_ten_megabytes_is_refused_and_still_says_for_whom_it_speaks() -> None:
    outcome = rejected(with_data(note="x" * 10_000_000))
    assert (outcome.reason_code, outcome.where) == ("record_too_large", "envelope")
    assert (outcome.type, outcome.subject) == ("service-health", "INC-2041")


def test_what_is_admitted_just_under_the_size_limit_can_be_admitted_again() -> None:
    stuffed = event(source="//channelsafe/forms", type="contract", dataclassification=..., data={})
    stuffed["data"] = {
        "account": "A",
        "bridges": {f"b{n:03}": {"incidents": [f"{n:03}{k:05}" + "x" * 180 for k in range(27)]} for n in range(200)},
        "permitted_fields": [],
        "required_fields": [],
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2027-01-01T00:00:00Z",
    }
    compact = json.dumps(stuffed, separators=(",", ":")).encode()
    assert LARGEST_RECORD * 0.9 < len(compact) <= LARGEST_RECORD - 200
    for size in range(LARGEST_RECORD - 300, LARGEST_RECORD + 1, 20):
        padded = {**stuffed, "data": {**stuffed["data"], "terms": "x"}}
        missing = size - len(json.dumps(padded, separators=(",", ":")).encode())
        padded["data"]["terms"] = "x" * (missing + 1)
        line = json.dumps(padded, separators=(",", ":")).encode()
        outcome = admit(line)
        assert len(line) == size
        if isinstance(outcome, Record):
            assert admit(record_bytes(outcome)) == outcome
        else:
            assert outcome.reason_code == "record_too_large"
