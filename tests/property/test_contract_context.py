"""What a contract permits and requires, on any history: nothing else is shown; what is required shows or is on hold.

The premises are read from the contract record, not from what the renderer keeps of it.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.packaging import absences, rendering
from dagster_project.packaging.rendering import Rendering, render
from tests.support.histories import FULL, History, after, changed, heads, shipped_tables
from tests.support.strategies import varied_histories

CLASSES = (
    "capability_status", "region_status", "incident_status", "severity", "workaround_readiness", "checkpoint",
    "template_parameter",
)  # fmt: skip
BRIDGE, ACCOUNT = "harbourline", "HARBOURLINE"
# Where a required class would stand: what a reader finds on hold where it cannot be said.
PLACES = {
    "capability_status": "/affected_capabilities",
    "region_status": "/affected_capabilities",
    "incident_status": "/incident_status",
    "severity": "/severity_code",
    "workaround_readiness": "/workarounds",
    "checkpoint": "/timeline",
    "template_parameter": "/statements",
}
EXAMPLES = settings(max_examples=1500 if FULL else 60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def contracted(draw: st.DrawFn) -> tuple[History, frozenset[str], frozenset[str]]:
    """Draw a history with a contract of its own, and what that permits and requires."""
    history = draw(varied_histories())
    permitted, required = (sorted(draw(st.frozensets(st.sampled_from(CLASSES)))) for _ in range(2))
    for record in [one for one in heads(history, "contract") if one.data["account"] == ACCOUNT]:
        other = changed(changed(record, "/permitted_fields", permitted), "/required_fields", required)
        history = history.replacing((record, other))
    return history, frozenset(permitted), frozenset(required)


def page(history: History) -> Rendering:
    return render(history.contexts(shipped_tables())[BRIDGE])


def not_permitted(rendered: Rendering, permitted: frozenset[str]) -> set[str]:
    """Return what is shown, or held back, of classes that the contract does not permit."""
    return {
        one.pointer
        for one in rendered.fields
        if one.draft.field_class in set(CLASSES) - permitted and one.pointer != "/document_status"
    }


def silent(rendered: Rendering, required: frozenset[str]) -> set[str]:
    """Return the required classes of which the page says nothing, and not that it holds something back either."""
    there = {one.draft.field_class for one in rendered.fields if one.pointer != "/document_status"}
    held = {place for slot in rendered.content["held"].values() for place in slot["fields"]}
    return {one for one in required - there if PLACES[one] not in held}


@EXAMPLES
@given(contracted())
def test_a_page_shows_no_class_that_the_contract_does_not_permit(
    drawn: tuple[History, frozenset[str], frozenset[str]],
) -> None:
    history, permitted, _required = drawn
    assert not_permitted(page(history), permitted) == set()


@EXAMPLES
@given(contracted())
def test_what_the_contract_requires_is_on_the_page_or_explicitly_on_hold(
    drawn: tuple[History, frozenset[str], frozenset[str]],
) -> None:
    history, _permitted, required = drawn
    assert silent(page(history), required) == set()


def test_each_of_them_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    record = next(one for one in heads(after(2), "contract") if one.data["account"] == ACCOUNT)
    narrow = changed(changed(record, "/permitted_fields", ["severity"]), "/required_fields", ["checkpoint"])
    history = after(2).replacing((record, narrow))
    monkeypatch.setattr(rendering, "DROP_GUARDS", ())
    assert not_permitted(page(history), frozenset({"severity"})) != set()
    monkeypatch.undo()
    monkeypatch.setattr(absences, "ABSENCE_GUARDS", ())
    assert silent(page(history), frozenset({"checkpoint"})) == {"checkpoint"}
