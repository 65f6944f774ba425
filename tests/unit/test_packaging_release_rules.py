"""The release check takes nobody's word: not the profile's, not the renderer's, not that input is well-formed."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.lineage import Lineage, lineage_of
from dagster_project.packaging.profile import Profile
from dagster_project.packaging.profile_validation import validate_profile
from dagster_project.packaging.release_check import (
    ReleaseCheck,
    read_release_check,
    release_check,
    release_check_document,
)
from dagster_project.packaging.rendering import render
from dagster_project.packaging.vocabulary import STANDARD_STATE_FLOORS, is_better
from tests.support.histories import History, after, changed, head, rendered, shipped_profile, shipped_tables


def context(step: int, bridge: str = "harbourline", profile: Profile | None = None) -> RenderingContext:
    return after(step).contexts(ProfileTables(profile) if profile else shipped_tables())[bridge]


def candidate(step: int) -> tuple[RenderingContext, dict[str, Any], Lineage]:
    one = context(step)
    rendering = render(one)
    return one, rendering.content, lineage_of(one, rendering)


def with_status_codes(**codes: str) -> Profile:
    shipped = shipped_profile()
    return msgspec.structs.replace(shipped, status_codes=shipped.status_codes | codes)


@pytest.mark.parametrize("flattered", ["operational", "maintenance", "degraded", "partial_outage"])
def test_a_profile_that_calls_an_outage_something_better_does_not_pass(flattered: str) -> None:
    profile = with_status_codes(down=flattered)
    _rendering, check = rendered(context(2, profile=profile))
    assert ("not_better_than_source", "better_than_source") in {(one.rule, one.code) for one in check.reasons}
    assert "better_than_source" in {one.code for one in validate_profile(profile)}


def test_a_profile_that_is_gloomier_than_its_source_passes() -> None:
    _rendering, check = rendered(context(2, profile=with_status_codes(degraded="major_outage")))
    assert check.passed


def test_every_standard_word_has_a_floor_below_operational() -> None:
    assert all(is_better("operational", floor) for floor in STANDARD_STATE_FLOORS.values())
    assert not is_better("under_assessment", "major_outage")


def test_a_confirmed_claim_without_its_confirmation_does_not_pass() -> None:
    """A profile that maps another state to `identified` or `resolved` gains nothing by it."""
    shipped = shipped_profile()
    for word in ("identified", "resolved"):
        profile = msgspec.structs.replace(shipped, incident_states=shipped.incident_states | {"investigating": word})
        rendering, check = rendered(context(2, profile=profile))
        assert rendering.content["incident_status"] != word
        assert check.passed


def test_a_trusted_host_name_is_rendered_and_then_refused() -> None:
    faulty = shipped_profile("customer-bridge-faulty")
    assert "source_text_declared_trusted" in {one.code for one in validate_profile(faulty)}
    for step in (17, 18, 19):
        rendering, check = rendered(context(step, profile=faulty))
        shown = [one["parameters"].get("reference") for one in rendering.content["statements"].values()]
        assert "relay-07.eu.internal" in shown
        assert {(one.rule, one.code) for one in check.reasons} == {("leak", "denied_term")}
        assert not check.passed


@pytest.mark.parametrize(
    "variant",
    [
        "relay-07",
        "on-Relay07",
        "RELAY-07.EU.INTERNAL",
        "relay_07_eu_internal",
        "Relay07EuInternal",
        "x-relay-07.eu.internal-2",
    ],
)
def test_a_host_name_is_recognised_however_it_is_written(variant: str) -> None:
    workaround = head(after(21), "workaround", "WA-31")
    history = after(21).replacing((workaround, changed(workaround, "/reference", variant)))
    rendering, check = rendered(history.contexts(shipped_tables())["harbourline"])
    assert {one.hold.reason for one in rendering.held if one.hold} == {"leak"}
    assert check.passed


def test_a_name_that_only_an_earlier_version_held_is_still_denied() -> None:
    observed = head(after(21), "service-health", "mx-relay/eu-west-1")
    workaround = head(after(21), "workaround", "WA-31")
    earlier = next(one for one in after(21).records if one.identity == observed.identity and one.recordversion == 1)
    history = after(21).replacing(
        (earlier, changed(earlier, "/host", "quayside-44.internal")),
        (workaround, changed(workaround, "/reference", "quayside-44.internal")),
    )
    rendering, _check = rendered(history.contexts(shipped_tables())["harbourline"])
    assert "leak" in {one.hold.reason for one in rendering.held if one.hold}


def test_another_account_is_never_named() -> None:
    workaround = head(after(21), "workaround", "WA-31")
    history = after(21).replacing((workaround, changed(workaround, "/reference", "for-TIDEWATER")))
    held = {name: rendered(one)[0].held for name, one in history.contexts(shipped_tables()).items()}
    assert {one.hold.reason for one in held["harbourline"] if one.hold} == {"leak"}
    assert not [one for one in held["tidewater"] if one.hold and one.hold.reason == "leak"]


@pytest.mark.parametrize("note", ["North", "gate", "no loss", "Northgate"])
def test_a_note_that_resembles_the_profiles_own_words_denies_none_of_them(note: str) -> None:
    """An internal note must not decide whether an approved public name or a closed word may be said."""
    for step in (9, 26):
        incident = head(after(step), "incident", "INC-4711")
        history: History = after(step).replacing((incident, changed(incident, "/note", note)))
        for bridge, one in history.contexts(shipped_tables()).items():
            rendering, check = rendered(one)
            assert check.passed
            assert rendering.content == render(after(step).contexts(shipped_tables())[bridge]).content


@pytest.mark.parametrize(
    "malformed",
    [
        {},
        {"held": None},
        {"held": {"other": {}}},
        {"schema": "channelsafe-package/1", "held": [], "affected_capabilities": 3},
    ],
    ids=str,
)
def test_what_cannot_be_judged_has_not_passed(malformed: dict[str, Any]) -> None:
    one, _content, lineage = candidate(9)
    check = release_check(malformed, lineage, one, predecessor_digest=None)
    assert not check.passed
    assert "cannot_be_judged" in {reason.code for reason in check.reasons}


def test_a_reason_names_places_and_never_values() -> None:
    one, content, lineage = candidate(9)
    tampered = deepcopy(content)
    tampered["severity_code"] = "relay-07.eu.internal"
    check = release_check(tampered, lineage, one, predecessor_digest=None)
    assert not check.passed
    assert b"relay-07" not in msgspec.json.encode(check.reasons)


def test_a_check_holds_until_its_instant_and_not_a_moment_longer() -> None:
    one, content, lineage = candidate(9)
    check = release_check(content, lineage, one, predecessor_digest=None)
    assert check.valid_until is not None
    assert check.holds_at(check.valid_until - check.valid_until.resolution)
    assert not check.holds_at(check.valid_until)
    late = replace(one, evaluation_instant=check.valid_until)
    rendering = render(late)
    assert not release_check(rendering.content, lineage_of(late, rendering), late, predecessor_digest=None).passed


def test_a_stored_passed_is_not_believed() -> None:
    one, content, lineage = candidate(9)
    check = release_check({**content, "severity_code": "severity_4"}, lineage, one, predecessor_digest=None)
    stored = release_check_document(check) | {"passed": True}
    read: ReleaseCheck = read_release_check(stored)
    assert read == check
    assert not read.passed


def test_content_without_a_canonical_form_fails_its_check_and_raises_nothing() -> None:
    one = after(3).contexts()["harbourline"]
    rendered = render(one)
    check = release_check(
        rendered.content | {"severity_code": 1.5}, lineage_of(one, rendered), one, predecessor_digest=None
    )
    assert not check.passed
    assert check.content_digest == "not-canonical"
