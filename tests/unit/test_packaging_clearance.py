"""Clearance: each single thing that is missing keeps the vendor's name in."""

from typing import Any

import msgspec
import pytest

from dagster_project.packaging.rendering import render
from dagster_project.packaging.snapshot import RejectedInput
from dagster_project.sources.record import Classification
from tests.support.histories import History, after, changed, head, make_record, shipped_tables, with_data

DEPENDENCY = "dependency"


def package(history: History) -> dict[str, Any]:
    return render(history.contexts(shipped_tables())["harbourline"]).content


def names(content: dict[str, Any]) -> list[Any]:
    return [one["parameters"].get("public_names") for one in content["statements"].values()]


def assert_kept_in(history: History, state: str = "on_hold") -> None:
    content = package(history)
    assert ["Northgate"] not in names(content)
    assert content["held"][DEPENDENCY]["slot_state"] == state


def with_review(**data: object) -> History:
    """Return the step after the clearance with other values in the review; None takes one away."""
    review = head(after(9), "security-review", "SR-77")
    values = {name: value for name, value in (review.data | data).items() if value is not None}
    return after(9).replacing((review, with_data(review, values)))


def second_review(**data: object) -> History:
    review = head(after(9), "security-review", "SR-77")
    return after(9).adding(
        make_record("security-review", "SR-78", review.data | data, dataclassification=Classification.RESTRICTED)
    )


def test_a_clearance_for_version_field_and_channel_lets_the_public_name_out() -> None:
    content = package(after(9))
    assert names(content).count(["Northgate"]) == 1
    assert content["held"][DEPENDENCY]["slot_state"] == "cleared"


@pytest.mark.parametrize(
    "data",
    [
        {"outcome": "not_cleared"},
        {"outcome": "cleared, I think"},
        {"scope": []},
        {"scope": ["/edges"]},
        {"channels": []},
        {"channels": ["public_page"]},
        {"expires": None},
        {"expires": "2026-03-04T09:46:00Z"},
        {"subject_version": 2},
        {"review_subject": "dependency/DEP-205"},
        {"review_subject": "workaround/DEP-204"},
    ],
    ids=str,
)
def test_a_review_that_says_less_clears_nothing(data: dict[str, Any]) -> None:
    assert_kept_in(with_review(**data))


def test_a_review_that_is_under_way_says_so() -> None:
    assert_kept_in(with_review(outcome="in_review"), state="in_review")


def test_without_any_review_nothing_is_cleared() -> None:
    assert_kept_in(after(9).without(*(one for one in after(9).records if one.type == "security-review")))


def test_the_most_restrictive_of_several_reviews_wins() -> None:
    assert_kept_in(second_review(outcome="not_cleared"))
    assert_kept_in(second_review(outcome="in_review"), state="in_review")
    assert ["Northgate"] in names(package(second_review(outcome="narrowed")))


def test_a_newer_version_of_the_record_is_not_covered() -> None:
    dependency = head(after(9), DEPENDENCY, "DEP-204")
    newer = msgspec.structs.replace(dependency, recordversion=2, id=f"{dependency.id}:2")
    assert_kept_in(after(9).adding(newer))


def test_a_record_or_review_in_conflict_is_not_cleared() -> None:
    for record in (head(after(9), DEPENDENCY, "DEP-204"), head(after(9), "security-review", "SR-77")):
        pointer = "/note" if record.type == DEPENDENCY else "/reviewer"
        assert_kept_in(after(9).adding(changed(record, pointer, "another copy")))


def test_a_rejected_review_of_the_same_origin_casts_doubt_on_the_clearance() -> None:
    review = head(after(9), "security-review", "SR-77")
    refused = RejectedInput(
        source=review.source,
        type=review.type,
        subject=review.subject,
        reason_code="field_unknown",
        body_digest=review.datadigest,
    )
    assert_kept_in(History(after(9).at, after(9).records, (refused,)))


def test_where_two_sources_use_one_record_id_a_review_clears_neither() -> None:
    dependency = head(after(9), DEPENDENCY, "DEP-204")
    namesake = make_record(
        DEPENDENCY, "DEP-204", dependency.data, dataclassification=Classification.RESTRICTED, recordedtime=after(3).at
    )
    assert_kept_in(after(9).adding(namesake))


def test_a_vendor_without_a_public_name_keeps_all_of_them_in() -> None:
    dependency = head(after(9), DEPENDENCY, "DEP-204")
    vendors = [*dependency.data["vendors"], "Meridian Transit AG"]
    history = after(9).replacing((dependency, changed(dependency, "/vendors", vendors)))
    content = package(history)
    assert names(content).count("on_hold") == 1
    assert content["held"][DEPENDENCY]["slot_state"] == "on_hold"


def test_a_narrowed_clearance_takes_the_name_back() -> None:
    assert ["Northgate"] in names(package(after(21)))
    assert_kept_in(after(22))
