"""Views are total: whatever the contract allows has every view, with every value in it; anything else is refused."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.clock import parse_instant
from dagster_project.errors import ChannelsafeError, UnsafeOrRejected
from dagster_project.packaging import view_wording as words
from dagster_project.packaging.content_schema import content_schema, schema_violations
from dagster_project.packaging.fields import leaves, pointer_tokens
from dagster_project.packaging.rendering import render
from dagster_project.packaging.view_page import clean
from dagster_project.packaging.views import views_of
from tests.support.histories import FULL, History
from tests.support.package_content import allowed_contents, example_content
from tests.support.schema_strategy import values_of
from tests.support.shown_words import shown_words
from tests.support.strategies import varied_histories

Content = dict[str, Any]

EXAMPLES = settings(
    max_examples=2000 if FULL else 150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
VENDOR = "Northgate Carrier Services"
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 1.5, float("nan"), "", " ", "on_hold", VENDOR, "\ud800", "9999-12-31T23:59:59-01:00",
    [], [VENDOR], [None], [[]], {}, {VENDOR: VENDOR}, {1: 2}, {VENDOR}, b"",
)  # fmt: skip


def facts_of(content: Content) -> Iterator[str]:
    """Yield, in the words of the tables, every value that a reader must find in a view."""
    held = {pointer for slot in content["held"].values() for pointer in slot["fields"]}
    names = {key: clean(name) for key, name in content["names"].items()}
    yield content["tlp"]
    yield words.SHARING_LABELS[content["tlp"]]
    for part, labels in (
        ("incident_status", words.INCIDENT_STATUS_LABELS),
        ("severity_code", words.SEVERITY_LABELS),
        ("document_status", words.DOCUMENT_STATUS_LABELS),
    ):
        if part in content:
            yield labels[content[part]]
    for key, stated in content["affected_capabilities"].items():
        yield names.get(key, key)
        yield from _capability_facts(stated, f"/affected_capabilities/{key}", held, names)
    for key, code in content["not_affected"].items():
        yield f"{names.get(key, key)}"
        yield words.CAPABILITY_STATUS_LABELS[code]
    for key, stated in content["workarounds"].items():
        yield words.READINESS_LABELS[stated["readiness"]]
        if stated["applies_to"] is not None and f"/workarounds/{key}/applies_to" not in held:
            yield from (names.get(one, one) for one in stated["applies_to"])
    for key, step in content["timeline"].items():
        yield words.CHECKPOINT_LABELS[step["checkpoint"]]
        yield _moment(step["at"], f"/timeline/{key}/at", held)
    for key, stated in content["statements"].items():
        yield from _statement_facts(stated, f"/statements/{key}/parameters", held)
    yield from _slot_facts(content, names)


def _capability_facts(stated: Content, place: str, held: set[str], names: dict[str, str]) -> Iterator[str]:
    if "capability_status" in stated:
        code = stated["capability_status"]
        well = code == "operational" and f"{place}/capability_status" not in held
        yield words.RECOVERED if well else words.CAPABILITY_STATUS_LABELS[code]
    if "since" in stated:
        yield _moment(stated["since"], f"{place}/since", held)
    for region, code in stated.get("regions", {}).items():
        yield names.get(region, region)
        yield words.CAPABILITY_STATUS_LABELS[code]


def _moment(instant: str | None, pointer: str, held: set[str]) -> str:
    if instant is None or pointer in held:
        return words.TIME_ON_HOLD
    read = parse_instant(instant)
    return f"{read:%H:%M} UTC, {read.day} {words.month_name(read.month)} {read.year}"


def _statement_facts(stated: Content, place: str, held: set[str]) -> Iterator[str]:
    for name, value in stated["parameters"].items():
        if value == "on_hold" or f"{place}/{name}" in held:
            yield words.VALUE_ON_HOLD
        elif name == "data_integrity":
            yield words.DATA_INTEGRITY_LABELS[value]
        else:
            yield from (clean(str(one)) for one in (value if isinstance(value, list) else [value]))
    opening = clean(stated["text"]).partition("{")[0].strip()
    if opening:
        yield opening


def _slot_facts(content: Content, names: dict[str, str]) -> Iterator[str]:
    for slot in content["held"].values():
        yield words.SLOT_LABELS.get(slot["category"], " ".join(slot["category"].replace("_", " ").split()))
        if slot["fields"] or slot["slot_state"] in {"on_hold", "in_review"}:
            yield words.SLOT_STATE_LABELS[slot["slot_state"]]
            yield f"{words.REVIEW_ROLE_LABELS[slot['review_role']]} decides"
        for pointer in slot["fields"]:
            match pointer_tokens(pointer):
                case ["affected_capabilities", key] | ["not_affected", key] | ["affected_capabilities", key, "regions"]:
                    yield names.get(key, key)
                case ["affected_capabilities", key, "regions", region]:
                    yield f"{names.get(key, key)} in {names.get(region, region)}"
                case [part]:
                    yield words.FIELD_LABELS.get(part, words.SOME_FIELD)
                case _:
                    pass


def turned(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return an equal value with the keys of every map in another order."""
    return {key: turned(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


@EXAMPLES
@given(allowed_contents())
def test_whatever_the_contract_allows_has_every_view_with_every_value_in_it(content: Content) -> None:
    assert schema_violations(content) == []
    before = copy.deepcopy(content)
    views = views_of(content)
    assert content == before
    assert views == views_of(turned(content))
    for kind, shown in shown_words(views).items():
        missing = [fact for fact in facts_of(content) if not fact or fact.casefold() not in shown.casefold()]
        assert missing == [], kind


def test_a_key_that_no_page_has_is_refused_without_being_quoted() -> None:
    content = example_content()
    content["not_affected"] = {VENDOR: VENDOR}
    error = refusal_of(content)
    assert error is not None
    assert VENDOR not in f"{error}{error.__cause__}"


@EXAMPLES
@given(st.data())
def test_content_that_was_changed_at_any_place_has_views_or_is_refused_by_an_error_that_quotes_nothing(
    data: st.DataObject,
) -> None:
    content = copy.deepcopy(data.draw(st.one_of(st.builds(example_content), allowed_contents())))
    place = data.draw(st.sampled_from(sorted({*leaves(content), *(f"/{part}" for part in content)})))
    _change(content, place, data.draw(st.sampled_from(JUNK)), gone=data.draw(st.booleans()))
    error = refusal_of(content)
    if error is not None:
        assert schema_violations(content) != []
        assert VENDOR not in f"{error}{error.__cause__}"


def refusal_of(content: Content) -> ChannelsafeError | None:
    """Return the error of ours with which the views refuse content, or None where it has all of them."""
    try:
        views = views_of(content)
    except ChannelsafeError as error:
        return error
    assert all(views.values())
    return None


def _change(content: Content, pointer: str, value: Any, *, gone: bool) -> None:  # noqa: ANN401 - any value at all
    *parents, last = pointer_tokens(pointer)
    place = content
    for name in parents:
        place = place[name]
    if gone:
        del place[last]
    else:
        place[last] = value


@settings(max_examples=300 if FULL else 40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(varied_histories())
def test_the_contract_refuses_nothing_that_the_renderer_makes(history: History) -> None:
    for context in history.contexts().values():
        assert schema_violations(render(context).content) == []


@pytest.mark.parametrize("value", [None, [], "content", 7, {}])
def test_what_is_no_content_at_all_is_refused(value: Any) -> None:  # noqa: ANN401 - any value at all
    with pytest.raises(UnsafeOrRejected, match="content_unreadable"):
        views_of(value)


REFERENCE = "/statements/k3v9q2m7xa/parameters/reference"
APPLIES_TO = "/workarounds/k3v9q2m7xa/applies_to"
SINCE = "/affected_capabilities/message-delivery/since"
ODD_REFERENCES: tuple[object, ...] = ([], [[]], [None], [7], [""], "", " \n", "\x00", 2**53, -(2**53), 1.5, {})
ODD_LISTS: tuple[list[str], ...] = ([], [""], ["Free text"], ["a", "a"])


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        *((REFERENCE, value) for value in ODD_REFERENCES),
        *((APPLIES_TO, value) for value in ODD_LISTS),
        (APPLIES_TO, "on_hold"),
        *((SINCE, value) for value in ("2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "2026-03-04T10:00:00-00:00")),
        *((SINCE, value) for value in ("9999-12-31T23:59:59-01:00", "2026-03-04T10:00:00+00:00", "2026-03-04", "")),
        ("/names/europe", "\u2028 \x85"),
        ("/held/other/category", "___"),
        *(("/held/other/fields", [value]) for value in ("/Free text", "/a//b", "/a/", "no pointer")),
        ("/statements/k3v9q2m7xa/text", " "),
        ("/statements/k3v9q2m7xa/text", "A sentence that leaves its parameter out."),
        ("/names/europe", "\ud800"),
    ],
)
def test_the_contract_refuses_what_no_view_could_show(pointer: str, value: Any) -> None:  # noqa: ANN401 - JSON
    content = example_content()
    _change(content, pointer, value, gone=False)
    assert schema_violations(content) != []


@pytest.mark.parametrize(("name", "value"), [("data_integrity", "mostly_fine"), ("Name", "x"), ("a b", "x")])
def test_the_contract_refuses_a_parameter_that_has_no_words_or_no_place_in_a_text(name: str, value: str) -> None:
    content = example_content()
    content["statements"]["k3v9q2m7xa"] |= {"text": f"It is {{{name}}}.", "parameters": {name: value}}
    assert schema_violations(content) != []


def test_long_lists_are_shown_whole() -> None:
    content = example_content()
    regions = {f"region-{number}": "degraded" for number in range(40)}
    content["affected_capabilities"] = {
        f"capability-{number}": {"capability_status": "degraded", "regions": regions} for number in range(100)
    }
    content["workarounds"]["k3v9q2m7xa"]["applies_to"] = [f"helped-{number}" for number in range(500)]
    content["statements"]["k3v9q2m7xa"]["parameters"]["reference"] = [f"KB-{number}" for number in range(500)]
    assert schema_violations(content) == []
    for shown in shown_words(views_of(content)).values():
        assert [fact for fact in facts_of(content) if fact.casefold() not in shown.casefold()] == []


def test_no_keyword_of_the_contract_is_passed_over_when_content_is_drawn() -> None:
    slot = content_schema()["properties"]["held"]["additionalProperties"]
    slot["properties"]["fields"]["maxItems"] = 3
    with pytest.raises(NotImplementedError, match="maxItems"):
        values_of(slot)
