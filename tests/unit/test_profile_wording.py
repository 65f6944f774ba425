"""The texts of a profile that customers read are judged by the writing rules before anything is rendered with them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from dagster_project.application.profiles import load_profile, shipped_profile, shipped_profile_names
from dagster_project.application.workspace import Workspace
from dagster_project.application.writing import judge_profile
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.profile import Capability, Lexicons, Profile, RegionBucket, Slot, Template
from dagster_project.packaging.profile_validation import ERROR, WARNING
from dagster_project.packaging.profile_wording import shown_texts
from tests.support.command_line import fresh_command_line
from tests.support.workspaces import make_workspace

SHIPPED = shipped_profile("customer_bridge")
PROMISE = "It will be fixed within the hour"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def edited(**parts: Any) -> Profile:  # noqa: ANN401 - any part of a profile
    return msgspec.structs.replace(SHIPPED, **parts)


def with_template(text: str, **parameters: str) -> Profile:
    return edited(templates=SHIPPED.templates | {"data_integrity": Template(text, parameters)})


def found(profile: Profile) -> set[tuple[str, str, str]]:
    return {(one.level, one.code, one.where) for one in judge_profile(profile) if one.code.startswith("writing_rule")}


@pytest.mark.parametrize("name", shipped_profile_names())
def test_the_shipped_profiles_break_no_writing_rule(name: str) -> None:
    assert found(shipped_profile(name)) == set()


@pytest.mark.parametrize(
    ("text", "code", "level"),
    [
        (PROMISE, "writing_rule_n4", ERROR),
        ("This was caused by load.", "writing_rule_n6", ERROR),
        ("There is no sign of an exploit.", "writing_rule_n7", ERROR),
        ("You will get service credits.", "writing_rule_n8", ERROR),
        ("Write to ines@example.org.", "writing_rule_n9", ERROR),
        ("The relay is relay-07.eu.internal.", "writing_rule_n1", ERROR),
        ("We take security very seriously.", "writing_rule_n11", WARNING),
    ],
)
def test_a_text_that_breaks_a_rule_is_an_error_of_the_profile_and_filler_a_warning(
    text: str, code: str, level: str
) -> None:
    # writing rule M3: what the templates say is judged, and so plain language is more than a wish.
    assert found(with_template(text)) == {(level, code, "templates/data_integrity/text")}


@pytest.mark.parametrize(
    ("profile", "where"),
    [
        (
            edited(capabilities=SHIPPED.capabilities | {"inbox-api": Capability(PROMISE, ("inbox-api",))}),
            "capabilities/inbox-api/name",
        ),
        (
            edited(region_buckets=SHIPPED.region_buckets | {"europe": RegionBucket(PROMISE, ("eu-west-1",))}),
            "region_buckets/europe/name",
        ),
        (
            edited(lexicons=Lexicons({"Fernweh Hosting": "Fernweh", "Northgate Carrier Services": PROMISE})),
            "lexicons/approved_public_names/2",
        ),
        (
            edited(slots=SHIPPED.slots | {"later": Slot("fixed_within_the_hour", "legal")}),
            "slots/later/category",
        ),
    ],
    ids=["capability", "region", "public name", "slot"],
)
def test_every_place_where_a_profile_has_words_of_its_own_is_judged(profile: Profile, where: str) -> None:
    assert found(profile) == {(ERROR, "writing_rule_n4", where)}


def test_every_text_of_the_shipped_profile_is_judged() -> None:
    texts = {one.where: one.text for one in shown_texts(SHIPPED)}
    assert len(texts) == len(SHIPPED.templates) + len(SHIPPED.capabilities) + len(SHIPPED.region_buckets) + 1


def test_a_parameter_does_not_hide_a_promise() -> None:
    assert found(with_template("It will be fixed in {minutes} minutes.", minutes="minutes")) == {
        (ERROR, "writing_rule_n4", "templates/data_integrity/text")
    }
    assert found(with_template("There is an update every {minutes} minutes.", minutes="minutes")) == set()


@pytest.mark.parametrize("text", ["The mx-relay is slow.", "Mails wait in MX Relay.", "Outbound_Gateway is slow."])
def test_a_sentence_may_not_use_the_name_of_a_component(text: str) -> None:
    assert found(with_template(text)) == {(ERROR, "writing_rule_n2", "templates/data_integrity/text")}


def test_a_component_whose_name_is_public_may_be_named() -> None:
    assert "inbox-api" in SHIPPED.capabilities["inbox-api"].components
    assert found(with_template("The Inbox API is slow.")) == set()


def test_a_vendor_may_be_named_by_its_public_name_alone() -> None:
    assert found(with_template("Services of Northgate are slow.")) == set()
    assert found(with_template("Services of Northgate Carrier Services are slow.")) == {
        (ERROR, "writing_rule_n3", "templates/data_integrity/text")
    }


def test_a_term_that_the_profile_denies_is_denied_in_its_own_texts() -> None:
    profile = edited(lexicons=msgspec.structs.replace(SHIPPED.lexicons, denied_terms=("green", "Inbox")))
    assert (ERROR, "writing_rule_n2", "capabilities/inbox-api/name") in found(profile)
    assert found(edited(lexicons=msgspec.structs.replace(SHIPPED.lexicons, denied_terms=("green",)))) == set()


def test_a_profile_that_promises_a_time_is_not_loaded_and_one_with_filler_is(workspace: Workspace) -> None:
    def saying(text: str) -> Profile:
        return edited(templates=SHIPPED.templates | {"fast_acknowledgement": Template(text, {})})

    with pytest.raises(UnsafeOrRejected, match="writing_rule_n4") as refused:
        load_profile(workspace, saying(f"{PROMISE}."))
    assert "fixed" not in str(refused.value)
    load_profile(workspace, saying("We take this very seriously and are working on it."))


def test_profile_validate_names_rule_and_place_and_does_not_repeat_the_text(tmp_path: Path) -> None:
    run = fresh_command_line(tmp_path)
    document = msgspec.to_builtins(with_template(f"{PROMISE}: {{data_integrity}}.", data_integrity="data_integrity"))
    file = tmp_path / "profile.yaml"
    file.write_text(yaml.safe_dump(document))
    told = run("profile", "validate", str(file))
    assert told.code == 1
    assert "error: writing_rule_n4: templates/data_integrity/text" in told.out
    assert "fixed" not in told.everything
    answer = run("profile", "validate", str(file), "--json")
    assert [one["code"] for one in answer.json if one["level"] == "error"] == ["writing_rule_n4"]
