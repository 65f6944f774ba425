"""The list of restricted values is complete: tests that search for leaks search for everything there is."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from dagster_project.demo.scenario import InsideValue, load_scenario, restricted_values, shared_words
from dagster_project.sources.source_fields import all_source_fields

PLANTED_HOST = "relay-07.eu.internal"
LABELS = {str(one): one.classification.value for one in all_source_fields()}


def _fields(record_type: str, data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk data down to what the schema calls a field; a field unknown to the schema is one too."""
    for name, value in data.items():
        field = f"{record_type}#{prefix}/{name}"
        is_group = any(known.startswith(f"{field}/") for known in LABELS)
        if is_group:
            yield from _fields(record_type, value, f"{prefix}/{name}")
        else:
            yield field, value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            # The keys of an edge are the schema's own words; no other map is restricted.
            assert key in {"from", "to"} or key in load_scenario().bridges or key == "incidents"
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def _values() -> Iterator[tuple[bool, InsideValue]]:
    """Yield every value of every line, the refused one included, and whether customers may see its field."""
    for step in load_scenario().steps:
        for line in step.body.splitlines():
            event = json.loads(line)
            for field, value in _fields(event["type"], event["data"]):
                open_field = event["dataclassification"] == LABELS.get(field, "restricted") == "customer"
                yield from ((open_field, InsideValue(text, field)) for text in _texts(value))


def test_the_lists_hold_every_restricted_value_and_nothing_else() -> None:
    inside = {value for is_open, value in _values() if not is_open}
    listed = [*restricted_values(), *(InsideValue(one.value, one.where) for one in shared_words())]
    assert max(Counter(listed).values()) == 1
    assert set(listed) == inside


def test_no_restricted_value_stands_in_a_customer_field_but_the_planted_host() -> None:
    customer = {value for is_open, value in _values() if is_open}
    found = {
        (inside.value, shown.where)
        for inside in restricted_values()
        for shown in customer
        if inside.value.casefold() in shown.value.casefold()
    }
    assert found == {(PLANTED_HOST, "workaround#/reference")}


def test_what_is_left_out_of_the_search_is_a_word_of_the_product_and_no_name() -> None:
    public = {value.value for is_open, value in _values() if is_open}
    vocabulary = {"cleared", "in_review", "not_cleared", "narrowed", "customer_bridge", "/vendors", "1"}
    assert {one.value for one in shared_words()} - public <= vocabulary
    assert all(one.why for one in shared_words())


def test_restricted_values_look_real_so_no_prefix_finds_them() -> None:
    values = {one.value for one in restricted_values()}
    prefixes = Counter(value[:4].casefold() for value in values)
    assert prefixes.most_common(1)[0][1] <= len(values) // 10
    assert min(map(len, values)) >= 8
