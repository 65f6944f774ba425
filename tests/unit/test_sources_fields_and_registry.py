"""Source fields, their labels, and the registry of sources."""

from datetime import UTC, datetime

import pytest

from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.digests import digest_of
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.registry import read_registry, shipped_registry
from dagster_project.sources.source_fields import (
    all_source_fields,
    body_classification,
    field_classification,
    present_fields,
    record_schemas,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def health(*, label: Classification = Classification.CUSTOMER, **data: str) -> Record:
    return Record(
        id="e1",
        source="//status.example/a",
        type="service-health",
        subject="INC-1",
        time=NOON,
        recordid="r1",
        recordversion=1,
        recordedtime=NOON,
        data=dict(data),
        datadigest=digest_of(dict(data)),
        dataclassification=label,
    )


def test_objects_are_walked_and_arrays_and_free_maps_are_one_field() -> None:
    names = {str(one) for one in all_source_fields()}
    assert {"incident#/commander/name", "contract#/bridges", "dependency#/edges"} <= names
    assert "incident#/commander" not in names


def test_the_source_fields_are_sorted_and_named_once() -> None:
    names = [(one.type, one.pointer) for one in all_source_fields()]
    assert names == sorted(set(names))
    assert {one.type for one in all_source_fields()} == set(record_schemas())


def test_a_label_can_only_be_narrowed() -> None:
    record = health(label=Classification.INTERNAL, state="up")
    assert field_classification(record, "/state") is Classification.INTERNAL
    assert field_classification(record, "/host") is Classification.RESTRICTED
    assert field_classification(health(state="up", host="h1"), "/state") is Classification.CUSTOMER


def test_a_field_that_no_schema_declares_is_restricted() -> None:
    assert field_classification(health(state="up", host="h1"), "/colour") is Classification.RESTRICTED


def test_a_body_is_as_restricted_as_its_narrowest_field() -> None:
    assert body_classification(health(state="up", host="h1")) is Classification.RESTRICTED
    assert body_classification(health(state="up")) is Classification.CUSTOMER
    assert body_classification(health(state="up", note="seen")) is Classification.INTERNAL


def test_the_present_fields_are_those_the_record_holds() -> None:
    assert dict(present_fields(health(state="up", note="seen"))) == {"/state": "up", "/note": "seen"}


def test_the_shipped_registry_lets_each_source_state_its_own_types_only() -> None:
    registry = shipped_registry()
    assert registry.allows("//incidents.example/command", "incident")
    assert not registry.allows("//incidents.example/command", "service-health")
    assert not registry.knows("//incidents.example/command/")
    assert all(registry.allows("//channelsafe/forms", one) for one in record_schemas())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sources: [{source: //a.example/x}]",
        "sources: [{source: //a.example/x, types: [telepathy]}]",
        "sources: [{source: //a.example/x, types: [incident], trusted: true}]",
        "sources: [{source: //a.example/x, types: [incident]}, {source: //a.example/x, types: [contract]}]",
        "sources: [",
    ],
)
def test_a_malformed_registry_is_refused(text: str) -> None:
    with pytest.raises(UnsafeOrRejected, match="source_registry_malformed"):
        read_registry(text, where="a test")
