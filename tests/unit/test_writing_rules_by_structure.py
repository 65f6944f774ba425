"""The writing rules that hold by construction: a test for each, which cites the id of its rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dagster_project.demo.scenario import restricted_values
from dagster_project.packaging import vocabulary
from dagster_project.packaging.acknowledgement import acknowledgement_content
from dagster_project.packaging.content_schema import content_schema, schema_violations
from dagster_project.packaging.header import Header, package_document
from dagster_project.packaging.lineage import lineage_of
from dagster_project.packaging.release_check import release_check
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.packaging.views import released_views_of, text_view
from tests.support.histories import (
    History,
    after,
    changed,
    head,
    heads,
    leaving,
    rendered,
    shipped_profile,
    shipped_tables,
    story,
    with_data,
)
from tests.support.package_content import example_content

BRIDGE = "harbourline"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def rendering(history: History, bridge: str = BRIDGE) -> Rendering:
    return render(history.contexts(shipped_tables())[bridge])


def content(history: History, bridge: str = BRIDGE) -> dict[str, Any]:
    return rendering(history, bridge).content


def with_values(step: int, record_type: str, recordid: str, **data: object) -> History:
    """Return the scenario with other values in a record; None takes one away."""
    record = head(after(step), record_type, recordid)
    values = {name: value for name, value in (record.data | data).items() if value is not None}
    return after(step).replacing((record, with_data(record, values)))


def header(**parts: Any) -> Header:  # noqa: ANN401 - any part of a header
    given: dict[str, Any] = {
        "package_id": "p" * 20,
        "version": 1,
        "supersedes": None,
        "issued_at": NOON,
        "as_of": NOON,
        "stale_after": NOON + timedelta(minutes=30),
        "reaffirmed_at": None,
        "revision_history": (),
    } | parts
    return Header(**given)


def released_page(**parts: Any) -> str:  # noqa: ANN401 - any part of a header
    return released_views_of(example_content(), header(**parts))["package.txt"].decode()


# ---- N12, N13 ----------------------------------------------------------------------------------------------------


def test_a_text_of_a_timeline_has_no_field_and_changes_nothing() -> None:
    # N12
    step = head(after(6), "bridge-timeline", "TL-4711-01")
    noted = after(6).replacing((step, changed(step, "/note", "The relay fell over and we blame the vendor.")))
    assert leaving(noted.contexts(shipped_tables())[BRIDGE]) == leaving(after(6).contexts(shipped_tables())[BRIDGE])
    package = content(after(6))
    for place in (package, *package["timeline"].values(), *package["workarounds"].values()):
        assert schema_violations(package) == []
        place["note"] = "The relay fell over."
        assert schema_violations(package) != []
        del place["note"]


def test_free_text_in_a_typed_parameter_is_on_hold() -> None:
    # N12
    told = with_values(21, "workaround", "WA-31", reference="Ask the relay people for the steps")
    parameters = [one["parameters"] for one in content(told)["statements"].values()]
    assert {"reference": "on_hold"} in parameters
    assert "relay people" not in str(parameters)


def test_no_value_kept_inside_is_in_the_bytes_of_a_package() -> None:
    # N13: the whole package as it leaves, header and every view, and no page is asked to hide anything.
    inside = {one.value for one in restricted_values()}
    assert len(inside) > 50
    for history in story():
        for context in history.contexts(shipped_tables()).values():
            made, check = rendered(context)
            if check.passed:
                views = released_views_of(made.content, header())
                whole = "\n".join(
                    (str(package_document(header(), made.content)), *(one.decode() for one in views.values()))
                )
                assert sum(one in whole for one in inside) == 0


# ---- what a package states ---------------------------------------------------------------------------------------


def test_an_affected_capability_says_state_beginning_and_regions_under_public_names() -> None:
    # M1
    package = content(after(4))
    stated = package["affected_capabilities"]["message-delivery"]
    assert stated["capability_status"] in vocabulary.CAPABILITY_STATUSES
    assert stated["since"] is not None
    assert set(stated["regions"]) <= set(shipped_profile().region_buckets)
    assert stated["regions"] != {}
    assert package["names"]["message-delivery"] == "Message delivery"
    assert "Message delivery" in text_view(package)
    assert not any(one in text_view(package) for one in shipped_profile().capabilities["message-delivery"].components)


def test_what_a_contract_requires_and_is_missing_is_a_hold() -> None:
    # M1
    missing = [one.pointer for one in rendering(after(1)).absences if one.reason == "required_but_missing"]
    assert missing != []
    assert set(missing) <= {pointer for slot in content(after(1))["held"].values() for pointer in slot["fields"]}


def test_what_works_is_stated_by_name() -> None:
    # M2
    package = content(after(4))
    well = [name for name, status in package["not_affected"].items() if status == "operational"]
    assert well != []
    assert all(package["names"][name] in text_view(package) for name in well)
    assert not set(well) & set(package["affected_capabilities"])


def test_every_sentence_is_a_template_of_the_profile_and_another_one_does_not_pass() -> None:
    # M3
    context = after(26).contexts(shipped_tables())[BRIDGE]
    made, check = rendered(context)
    assert check.passed
    templates = {name: one.text for name, one in shipped_profile().templates.items()}
    stated = made.content["statements"]
    assert stated != {}
    assert all(templates[one["template"]] == one["text"] for one in stated.values())
    lineage = lineage_of(context, made)
    next(iter(stated.values()))["text"] = "All is well: {data_integrity} {minutes} {reference} {public_names}."
    check = release_check(made.content, lineage, context, predecessor_digest=None)
    assert "lineage" in {one.rule for one in check.reasons}


def test_a_cadence_is_stated_only_where_the_contract_commits_to_it() -> None:
    # M5
    (contract,) = [one for one in heads(after(4), "contract") if one.recordid == "CTR-2031"]
    minutes = contract.data["committed_cadence_minutes"]
    assert content(after(4))["statements"]["committed-cadence"]["parameters"] == {"minutes": minutes}
    without = with_values(4, "contract", "CTR-2031", committed_cadence_minutes=None)
    assert "committed-cadence" not in content(without)["statements"]


def test_a_released_page_says_until_when_it_stands_and_promises_no_update() -> None:
    # M4
    page = released_page()
    assert "After 2026-03-04 12:30:00 UTC its data is too old to rely on; this is no promise of an update." in page
    assert "next_update" not in str(content_schema())
    context = after(4).contexts(shipped_tables())[BRIDGE]
    check = rendered(context)[1]
    assert check.valid_until is not None
    assert context.evaluation_instant < check.valid_until
    assert not rendered(replace(context, evaluation_instant=check.valid_until))[1].passed


def test_a_released_page_carries_its_date() -> None:
    # M15
    assert "issued at 2026-03-04 12:00:00 UTC" in released_page()
    assert "issued at 2026-03-05 12:00:00 UTC" in released_page(issued_at=NOON + timedelta(days=1))


# ---- resolved, fixed, workarounds --------------------------------------------------------------------------------


def test_resolved_needs_a_confirmation_and_states_data_integrity() -> None:
    # M7
    resolved = content(after(26))
    assert resolved["incident_status"] == "resolved"
    assert resolved["statements"]["data-integrity"]["parameters"]["data_integrity"] in vocabulary.DATA_INTEGRITY
    for missing in ("resolution_confirmed_by", "data_integrity"):
        assert content(with_values(26, "incident", "INC-4711", **{missing: None}))["incident_status"] == "monitoring"


def test_the_monitoring_period_is_waited_for() -> None:
    # M8
    later = after(26).at + timedelta(seconds=1)
    waiting = with_values(26, "incident", "INC-4711", monitoring_until=later.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert content(waiting)["incident_status"] == "monitoring"
    assert content(replace(waiting, at=later))["incident_status"] == "resolved"


def test_there_is_no_word_for_fixed() -> None:
    # M9
    package = content(after(4))
    assert package["incident_status"] in {"investigating", "mitigating"}
    for word in ("fixed", "solved", "closed"):
        assert schema_violations(package | {"incident_status": word}) == ["/incident_status"]


def test_a_workaround_that_nobody_verified_is_not_offered() -> None:
    # M11
    offered = content(after(21))
    assert "available_verified" in {one["readiness"] for one in offered["workarounds"].values()}
    unverified = content(with_values(21, "workaround", "WA-31", verified=False))
    assert "available_verified" not in {one["readiness"] for one in unverified["workarounds"].values()}
    assert "workaround_article" not in {one["template"] for one in unverified["statements"].values()}


# ---- whom and when -----------------------------------------------------------------------------------------------


def test_each_bridge_of_a_contract_gets_its_own_package() -> None:
    # M13
    contexts = after(4).contexts(shipped_tables())
    assert set(contexts) == {"harbourline", "tidewater"}
    for bridge, context in contexts.items():
        package = render(context).content
        assert {*package["affected_capabilities"], *package["not_affected"]} <= context.entitled
        assert context.bridge.bridge == bridge
    gone = after(4).without(head(after(4), "contract", "CTR-2031"))
    assert set(gone.contexts(shipped_tables())) == {"tidewater"}


def test_what_security_has_not_cleared_is_on_hold_and_visible() -> None:
    # M14
    package = content(after(4))
    assert package["held"]["dependency"]["slot_state"] in {"on_hold", "in_review"}
    assert "Dependency: On hold" in text_view(package)
    vendors = head(after(4), "dependency", "DEP-204").data["vendors"]
    assert not any(one in text_view(package) for one in vendors)


def test_the_acknowledgement_is_made_of_the_profile_alone() -> None:
    # M17
    package = acknowledgement_content(shipped_tables())
    assert schema_violations(package) == []
    assert package["statements"]["acknowledgement"]["text"] == shipped_profile().templates["fast_acknowledgement"].text
    assert package["affected_capabilities"] == package["timeline"] == {}
