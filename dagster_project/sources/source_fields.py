"""Source fields: every field of every record type, with its classification.

Belongs here: what the record schemas declare, enumerated, and how a record's own label combines with theirs.
Objects with declared properties are walked; arrays and free maps are one field.
"""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import msgspec
import orjson

from dagster_project.sources.record import Classification, Record, most_restrictive


class SourceField(msgspec.Struct, frozen=True, order=True):
    """One field of a record type; `str()` gives the form that profiles and lineage use: ``incident#/state``."""

    type: str
    pointer: str
    classification: Classification

    def __str__(self) -> str:
        """Return ``type#/pointer``."""
        return f"{self.type}#{self.pointer}"


@cache
def record_schemas() -> Mapping[str, Mapping[str, Any]]:
    """Return the JSON Schema of every record type, by type."""
    folder = resources.files("dagster_project.sources") / "schemas"
    schemas = (orjson.loads(one.read_bytes()) for one in folder.iterdir() if one.name.endswith(".json"))
    return {schema["title"]: schema for schema in schemas}


def _walk(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Classification]]:
    for name, one in schema["properties"].items():
        pointer = f"{prefix}/{name}"
        if one.get("type") == "object" and "properties" in one:
            yield from _walk(one, pointer)
        else:
            yield pointer, Classification(one["x-classification"])


@cache
def _labels(record_type: str) -> Mapping[str, Classification]:
    schema = record_schemas().get(record_type)
    return dict(_walk(schema, "")) if schema else {}


@cache
def _labels_under(record_type: str, label: Classification) -> Mapping[str, Classification]:
    """Return who may see each field of a record that has a label of its own."""
    return {pointer: most_restrictive(label, own) for pointer, own in _labels(record_type).items()}


@cache
def all_source_fields() -> tuple[SourceField, ...]:
    """Return every source field of every record type, sorted."""
    return tuple(sorted(source_fields_in_schema_order()))


@cache
def source_fields_in_schema_order() -> tuple[SourceField, ...]:
    """Return every source field of every record type, as the schemas name them."""
    return tuple(
        SourceField(record_type, pointer, label)
        for record_type in record_schemas()
        for pointer, label in _labels(record_type).items()
    )


@cache
def _kept_inside(record_type: str, label: Classification) -> tuple[str, ...]:
    labels = _labels_under(record_type, label).items()
    return tuple(pointer for pointer, narrower in labels if narrower is not Classification.CUSTOMER)


def values_kept_inside(record: Record) -> Iterator[Any]:
    """Yield the value of every source field that the record holds and no customer may see."""
    for pointer in _kept_inside(record.type, record.dataclassification):
        value = value_at(record.data, pointer)
        if value is not None:
            yield value


def field_classification(record: Record, pointer: str) -> Classification:
    """Return who may see one field: the narrower of the record's label and the schema's; unknown is restricted."""
    return _labels_under(record.type, record.dataclassification).get(pointer, Classification.RESTRICTED)


def body_classification(record: Record) -> Classification:
    """Return who may see the whole record: the narrowest circle of any field in it."""
    labels = (field_classification(record, pointer) for pointer, _value in present_fields(record))
    return most_restrictive(record.dataclassification, *labels)


def present_fields(record: Record) -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of every source field that the record holds, in schema order."""
    for pointer in _labels(record.type):
        value = value_at(record.data, pointer)
        if value is not None:
            yield pointer, value


def value_at(data: Mapping[str, Any], pointer: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value at a source field's pointer, or None where the record has none."""
    place: Any = data
    for name in _names(pointer):
        if not isinstance(place, dict) or name not in place:
            return None
        place = place[name]
    return place


@lru_cache(maxsize=1024)
def _names(pointer: str) -> tuple[str, ...]:
    return tuple(pointer.split("/")[1:])
