"""What could be worked out from a package without standing in it: counts, colours, order, instants, sizes, ids.

The table of `docs/derived_leaks.md` names every such leak with its rule; here are the tests that no other module has.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dagster_project.clock import format_instant
from dagster_project.integrity.digests import opaque_code
from dagster_project.packaging import rendering, views
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import leaves
from dagster_project.packaging.profile import Action
from dagster_project.packaging.rendering import render
from dagster_project.packaging.vocabulary import HELD_VALUES
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.source_fields import present_fields
from tests.support.histories import (
    History,
    Leaving,
    after,
    changed,
    head,
    heads,
    leaving,
    make_record,
    relabelled,
    shipped_profile,
    story,
)
from tests.support.mutations import is_valid

BRIDGE = "harbourline"
STEPS = (3, 9, 17, 26)
STATES = ("up", "maintenance", "degraded", "partial", "down", "nobody knows")
RESTRICTED = Classification.RESTRICTED
INTERNAL = Classification.INTERNAL


def page(history: History, bridge: str = BRIDGE) -> Leaving:
    return leaving(history.contexts()[bridge])


def content_of(history: History, bridge: str = BRIDGE) -> dict[str, Any]:
    return render(history.contexts()[bridge]).content


# ---- aggregates -------------------------------------------------------------------------------------------------


def with_reporting(history: History, state: str, label: Classification = Classification.CUSTOMER) -> History:
    """Add a component of a capability that harbourline did not buy, and an earlier version of it that was down."""
    data = {"component": "report-builder", "region": "eu-west-1", "state": state, "since": "2026-03-04T08:00:00Z"}
    at = history.at - timedelta(seconds=5)
    envelope = {"dataclassification": label, "recordedtime": at}
    before = make_record("service-health", "RB-900", data | {"state": "down"}, **envelope)
    return history.adding(before, make_record("service-health", "RB-900", data, recordversion=2, **envelope))


@pytest.mark.parametrize("step", STEPS)
def test_a_component_that_was_not_bought_turns_no_capability_red_or_green(step: int) -> None:
    plain = page(after(step))
    for state in STATES:
        for label in (Classification.CUSTOMER, RESTRICTED):
            assert page(with_reporting(after(step), state, label)) == plain, (state, label)


def test_it_would_show_if_what_was_bought_were_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = frozenset(shipped_profile().capabilities)
    monkeypatch.setattr(RenderingContext, "entitled", property(lambda _context: everything))
    assert page(with_reporting(after(9), "down")) != page(with_reporting(after(9), "up"))


def hidden_component(state: str) -> History:
    record = head(after(3), "service-health", "mx-relay/eu-west-1")
    return after(3).replacing((record, relabelled(changed(record, "/state", state), "internal")))


def test_a_component_for_the_inside_puts_its_capability_on_hold_whatever_its_state() -> None:
    pages = [page(hidden_component(state)) for state in STATES]
    assert len({(one.content, *sorted(one.views.items())) for one in pages}) == 1
    shown = content_of(hidden_component("down"))["affected_capabilities"]["message-delivery"]
    assert shown["capability_status"] == HELD_VALUES["capability_status"]
    assert shown["regions"]["europe"] == HELD_VALUES["region_status"]
    title = re.search(rb"<title>(.*?)</title>", page(hidden_component("down")).views["package.html"], re.DOTALL)
    assert title is not None
    assert b"outage" not in title[1].lower()


def unmapped_region(state: str) -> History:
    """Let one component be in a state somewhere nobody mapped, and everything else be degraded."""
    health = heads(after(3), "service-health")
    elsewhere = [one for one in health if one.recordid == "mx-relay/eu-west-1"]
    pairs = [(one, changed(one, "/state", "degraded")) for one in health if one not in elsewhere]
    pairs += [(one, changed(changed(one, "/region", "moon-1"), "/state", state)) for one in elsewhere]
    return after(3).replacing(*pairs)


def test_a_region_nobody_mapped_turns_its_capability_neither_red_nor_green() -> None:
    assert len({page(unmapped_region(state)).content for state in STATES}) == 1
    shown = content_of(unmapped_region("down"))["affected_capabilities"]["message-delivery"]
    assert shown["capability_status"] == HELD_VALUES["capability_status"]
    assert shown["regions"]["europe"] == "degraded"


# ---- counts -----------------------------------------------------------------------------------------------------


def steps_inside(history: History, many: int) -> History:
    data = {"checkpoint": "detected", "at": "2026-03-04T09:00:00Z", "note": "somebody did something"}
    made = (make_record("bridge-timeline", f"IN-{one}", data, dataclassification=INTERNAL) for one in range(many))
    return history.adding(*made)


def workarounds_inside(history: History, many: int) -> History:
    data = {"readiness": "ready", "verified": True, "applies_to": ["mx-relay"], "reference": "KB-2000"}
    made = (make_record("workaround", f"IN-{one}", data, dataclassification=RESTRICTED) for one in range(many))
    return history.adding(*made)


def dependencies(history: History, many: int) -> History:
    data = {"component": "mx-relay", "vendors": ["Meridian Transit AG"]}
    made = (make_record("dependency", f"IN-{one}", data, dataclassification=RESTRICTED) for one in range(many))
    return history.adding(*made)


def vendors(history: History, many: int) -> History:
    data = {"component": "mx-relay", "vendors": [f"Vendor {one} Ltd" for one in range(many)]}
    return history.adding(make_record("dependency", "IN-0", data, dataclassification=RESTRICTED))


def reviews(history: History, many: int) -> History:
    data = {"review_subject": "dependency/IN-0", "subject_version": 1, "outcome": "not_cleared"}
    data |= {"scope": [], "channels": [], "exploitability_note": "anybody could do that"}
    made = (make_record("security-review", f"IN-{one}", data, dataclassification=RESTRICTED) for one in range(many))
    return dependencies(history, 1).adding(*made)


COUNTED: dict[str, Callable[[History, int], History]] = {
    "steps for the inside": steps_inside,
    "workarounds for the inside": workarounds_inside,
    "dependencies": dependencies,
    "vendors": vendors,
    "reviews with a note": reviews,
}


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("step", STEPS[:3])
def test_the_page_says_that_there_is_something_on_hold_and_never_how_many(step: int, name: str) -> None:
    one, two, many = (COUNTED[name](after(step), number) for number in (1, 2, 12))
    assert page(one) == page(two) == page(many)


@pytest.mark.parametrize("name", ["steps for the inside", "workarounds for the inside"])
def test_the_first_of_them_shows_as_one_hold_and_as_no_entry(name: str) -> None:
    before, now = content_of(after(7)), content_of(COUNTED[name](after(7), 1))
    differing = {one for one in leaves(before).keys() | leaves(now) if leaves(before).get(one) != leaves(now).get(one)}
    assert differing == {"/held/other/fields", "/held/other/slot_state"}
    assert now["held"]["other"]["slot_state"] == "on_hold"


def test_entries_would_be_counted_if_they_were_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    guards = tuple(one for one in rendering.DROP_GUARDS if one.__name__ != "entry_of_the_inside")
    monkeypatch.setattr(rendering, "DROP_GUARDS", guards)
    assert page(steps_inside(after(3), 1)) != page(steps_inside(after(3), 2))


def test_a_workaround_for_the_inside_says_nothing_to_whom_it_does_not_help_or_who_may_not_have_any() -> None:
    data = {"readiness": "ready", "verified": True, "applies_to": ["report-builder"]}
    inside = make_record("workaround", "IN-1", data, dataclassification=INTERNAL)
    assert page(after(3).adding(inside)) == page(after(3))
    # Tidewater's contract permits no workarounds.
    assert page(workarounds_inside(after(6), 1), "tidewater") == page(after(6), "tidewater")


def test_the_set_of_slots_is_the_profiles_whatever_the_records_hold() -> None:
    for history in story():
        for bridge in history.contexts():
            assert set(content_of(history, bridge)["held"]) == set(shipped_profile().slots)


def test_what_security_found_about_something_that_was_not_bought_puts_nothing_on_hold() -> None:
    data = {"component": "report-builder", "vendors": ["Meridian Transit AG"]}
    found = {"review_subject": "dependency/RB", "subject_version": 1, "outcome": "not_cleared", "scope": []}
    found |= {"channels": [], "exploitability_note": "anybody could do that"}
    about_reports = after(2).adding(
        make_record("dependency", "RB", data, dataclassification=RESTRICTED),
        make_record("security-review", "SR-RB", found, dataclassification=RESTRICTED),
    )
    assert page(about_reports) == page(after(2))
    assert content_of(about_reports, "tidewater")["held"]["exploitability"]["slot_state"] == "on_hold"


# ---- order ------------------------------------------------------------------------------------------------------


def test_every_list_of_a_package_stands_in_the_order_of_what_it_shows() -> None:
    lists = [one for history in story() for one in leaves(content_of(history)).values() if isinstance(one, list)]
    assert lists
    assert all(one == sorted(one) for one in lists)


def test_entries_stand_in_the_order_of_codes_and_that_follows_the_key_and_no_id() -> None:
    context = after(26).contexts()[BRIDGE]
    records = heads(after(26), "bridge-timeline")
    orders = set()
    for number in range(12):
        under = replace(context, code_key=number.to_bytes(32, "big"))
        by_code = {under.code(one): one.recordid for one in records}
        stand = [one for one in render(under).content["timeline"] if one in by_code]
        orders.add(tuple(by_code[code] for code in sorted(stand)))
    assert len(orders) == 12
    assert tuple(sorted(one.recordid for one in records)) not in orders


def test_the_order_of_a_view_is_that_of_content_alone() -> None:
    """Under another key the codes are others and sort otherwise; what a reader sees is the same."""
    context = after(26).contexts()[BRIDGE]
    made = [views.text_view(render(replace(context, code_key=bytes([number]) * 32)).content) for number in range(1, 4)]
    timelines = {text[text.index("TIMELINE") :] for text in made}
    assert len(timelines) == 1


# ---- instants ---------------------------------------------------------------------------------------------------


def inside_records(history: History) -> list[Record]:
    kinds = ("dependency", "security-review", "customer-status")
    return [one for kind in kinds for one in heads(history, kind)]


@pytest.mark.parametrize("step", STEPS[1:])
def test_no_instant_of_an_inside_record_shows_in_content_header_or_view(step: int) -> None:
    history = steps_inside(after(step), 2)
    odd = [history.at - timedelta(seconds=number, microseconds=111_111) for number in range(1, 40)]
    pairs = []
    kept_inside = [*inside_records(history), *(one for one in heads(history, "bridge-timeline") if _is_inside(one))]
    for record, at in zip(kept_inside, odd, strict=False):
        moved = msgspec.structs.replace(record, recordedtime=at, time=at)
        moved = changed(moved, "/told_at", format_instant(at)) if "told_at" in record.data else moved
        pairs.append((record, changed(moved, "/at", format_instant(at)) if "at" in record.data else moved))
    assert pairs
    told = page(history.replacing(*pairs))
    assert told == page(history)
    said = b"\n".join((told.content, *told.views.values(), repr((told.as_of, told.valid_until)).encode()))
    assert b"888889" not in said  # the fraction that every one of these instants has


def _is_inside(record: Record) -> bool:
    return record.dataclassification is not Classification.CUSTOMER


def test_a_checkpoint_shows_the_instant_that_its_source_states_to_the_last_digit_and_in_utc() -> None:
    """An instant is not rounded: it is a fact for customers, or it is on hold; nothing lies between."""
    step = head(after(2), "bridge-timeline", "TL-4711-01")
    stated = changed(step, "/at", "2026-03-04T10:01:02.345678+01:00")
    context = after(2).replacing((step, stated)).contexts()[BRIDGE]
    assert render(context).content["timeline"][context.code(step)]["at"] == "2026-03-04T09:01:02.345678Z"


# ---- sizes ------------------------------------------------------------------------------------------------------


def with_texts(history: History, text: str) -> History:
    """Put a text into every field of every record that the profile annexes or ignores and that takes any text."""
    covered = {name for one in shipped_profile().rules for name in one.covers if one.action in _KEPT_BACK}
    pairs = []
    for record in history.snapshot.heads:
        other = record
        for pointer, value in present_fields(record):
            free = isinstance(value, str) and f"{record.type}#{pointer}" in covered and record.type in _FREE_TEXTS
            candidate = changed(other, pointer, text) if free and pointer.endswith(_FREE_TEXTS[record.type]) else other
            other = candidate if is_valid(candidate) else other
        pairs.append((record, other))
    return history.replacing(*pairs)


_KEPT_BACK = (Action.ANNEX, Action.IGNORE)
_FREE_TEXTS: Mapping[str, tuple[str, ...]] = {
    "incident": ("/suspected_cause", "/note", "/comms_channel"),
    "service-health": ("/host", "/note"),
    "dependency": ("/note",),
    "contract": ("/terms",),
    "workaround": ("/note",),
    "bridge-timeline": ("/note",),
    "security-review": ("/exploitability_note", "/reviewer"),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_size_of_no_file_depends_on_how_much_is_kept_inside(step: int) -> None:
    short, long = (page(with_texts(after(step), text)) for text in ("x", "a certificate that lapsed " * 12))
    assert with_texts(after(step), "x").records != after(step).records
    assert {name: len(body) for name, body in short.views.items()} == {
        name: len(body) for name, body in long.views.items()
    }
    assert len(short.content) == len(long.content)


# ---- ids --------------------------------------------------------------------------------------------------------


def texts_of(told: Leaving) -> str:
    return "\n".join(body.decode() for body in (told.content, *told.views.values()))


def internal_ids(history: History) -> Iterator[str]:
    yield history.incident
    for one in (*history.snapshot.heads, *history.snapshot.earlier):
        yield from (one.recordid, one.id, one.source, one.datadigest)


def plain_digests(name: str) -> Iterator[str]:
    for kind in ("md5", "sha1", "sha256", "blake2b"):
        yield hashlib.new(kind, name.encode()).hexdigest()[:10]
    yield opaque_code(b"", name)


@pytest.mark.parametrize("step", STEPS)
def test_no_internal_id_stands_in_a_package_nor_a_digest_of_one_that_anybody_can_make(step: int) -> None:
    for bridge in after(step).contexts():
        said = texts_of(page(after(step), bridge))
        for name in {*internal_ids(after(step))}:
            assert name not in said
            assert not [one for one in plain_digests(name) if one in said]


def codes(context: RenderingContext) -> set[str]:
    content = render(context).content
    return {*content["timeline"], *content["workarounds"]}


def test_codes_are_of_one_deployment_one_bridge_and_one_incident_and_stay_while_records_move_on() -> None:
    contexts = after(6).contexts()
    ours = codes(contexts[BRIDGE])
    assert ours
    assert not ours & codes(contexts["tidewater"])
    assert not ours & codes(replace(contexts[BRIDGE], code_key=b"another key of another deployment"))
    other_incident = msgspec.structs.replace(contexts[BRIDGE].snapshot, incident="INC-4712")
    assert not ours & codes(replace(contexts[BRIDGE], snapshot=other_incident))
    step = head(after(6), "bridge-timeline", "TL-4711-01")
    newer = msgspec.structs.replace(
        step, recordversion=7, id="another", recordedtime=datetime(2026, 3, 4, 9, tzinfo=UTC)
    )
    assert codes(after(6).replacing((step, newer)).contexts()[BRIDGE]) == ours
