"""Hypothesis strategies: histories that the scenario could have been."""

from typing import Any

from hypothesis import strategies as st

from dagster_project.packaging.snapshot import RejectedInput
from dagster_project.sources.record import Record
from tests.support.histories import History, changed, relabelled, story
from tests.support.mutations import BY_FIELD, INSTANTS, is_valid

WORDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "service-health": {
        "/state": ("up", "degraded", "partial", "down", "maintenance", "brownout"),
        "/region": ("eu-west-1", "us-east-1", "ap-southeast-1", "moon-1"),
        "/component": ("mx-relay", "inbox-api", "report-builder", "nobody-knows"),
        "/since": INSTANTS,
    },
    "incident": {
        "/state": (*BY_FIELD["incident#/state"], "merged", "false_alarm"),
        "/severity": BY_FIELD["incident#/severity"],
        "/cause_confirmed": (True, False),
        "/data_integrity": ("no_loss", "under_review", "perhaps"),
    },
    "workaround": {
        "/readiness": ("ready", *BY_FIELD["workaround#/readiness"]),
        "/verified": (True, False),
        "/reference": ("KB-1", "relay-07.eu.internal", "not a number at all"),
        "/applies_to": (["mx-relay"], ["report-builder", "nobody-knows"]),
    },
    "bridge-timeline": {"/checkpoint": BY_FIELD["bridge-timeline#/checkpoint"]},
    "customer-status": {"/incident_status": BY_FIELD["customer-status#/incident_status"]},
    "security-review": {"/outcome": ("cleared", "not_cleared", "in_review", "narrowed"), "/scope": (["/vendors"], [])},
    "dependency": {"/vendors": (["Northgate Carrier Services"], ["Meridian Transit AG"])},
}


@st.composite
def varied_histories(draw: st.DrawFn, most_changes: int = 5) -> History:
    """Draw a step of the scenario with some records changed, relabelled or lost, and perhaps one rejected."""
    history = draw(st.sampled_from(story()))
    able = [one for one in history.records if one.type in WORDS]
    for record in draw(st.lists(st.sampled_from(able), max_size=most_changes, unique_by=id)):
        history = _vary(draw, history, record)
    if draw(st.booleans()):
        origin = draw(st.sampled_from(history.records))
        refused = RejectedInput(
            source=origin.source,
            type=origin.type,
            subject=origin.subject,
            reason_code="field_unknown",
            body_digest=origin.datadigest,
        )
        history = History(history.at, history.records, (refused,))
    return history


def _vary(draw: st.DrawFn, history: History, record: Record) -> History:
    how = draw(st.sampled_from(("value", "value", "value", "label", "lost", "copy")))
    if how == "label":
        return history.replacing((record, relabelled(record, draw(st.sampled_from(("internal", "restricted"))))))
    if how == "lost" and record.type != "incident":
        return history.without(record)
    fields = WORDS[record.type]
    pointer = draw(st.sampled_from(sorted(fields)))
    mutant = changed(record, pointer, draw(st.sampled_from(fields[pointer])))
    if not is_valid(mutant):
        return history
    return history.adding(mutant) if how == "copy" else history.replacing((record, mutant))
