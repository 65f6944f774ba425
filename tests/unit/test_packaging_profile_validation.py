"""Profile validation names every way in which a profile is partial, contradictory or speaks unknown words."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from dagster_project.application.profiles import load_profile
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.profile import (
    Action,
    Lexicons,
    RegionBucket,
    Rule,
    Slot,
    Template,
    profile_digest,
    read_profile,
    winning_rules,
)
from dagster_project.packaging.profile_validation import ERROR, WARNING, validate_profile
from tests.support.histories import shipped_profile, with_rule
from tests.support.workspaces import make_workspace

SHIPPED = shipped_profile()


def findings(**exchanged: Any) -> set[tuple[str, str, str]]:  # noqa: ANN401 - any part of a profile
    profile = msgspec.structs.replace(SHIPPED, **exchanged)
    return {(one.level, one.code, one.where) for one in validate_profile(profile)}


def rule(**parts: Any) -> Rule:  # noqa: ANN401 - any part of a rule
    given: dict[str, Any] = {"id": "added", "covers": ("incident#/note",), "action": Action.ANNEX} | parts
    return Rule(**({"audience": "security"} | given))


def test_the_shipped_profile_has_no_finding() -> None:
    assert validate_profile(SHIPPED) == ()


def test_a_source_field_that_no_rule_covers_is_an_error() -> None:
    for position, one in enumerate(SHIPPED.rules):
        rest = SHIPPED.rules[:position] + SHIPPED.rules[position + 1 :]
        assert {(ERROR, "source_field_not_covered", name) for name in one.covers} <= findings(rules=rest)


@pytest.mark.parametrize(
    ("added", "finding"),
    [
        (rule(covers=("incident#/mood",)), (ERROR, "no_such_source_field", "incident#/mood")),
        (rule(id="severity"), (ERROR, "rule_id_not_unique", "severity")),
        (rule(id="profile"), (ERROR, "rule_id_not_unique", "profile")),
        (rule(slot="attic"), (ERROR, "no_such_slot", "added")),
        (rule(template="poem"), (ERROR, "no_such_template", "added")),
        (rule(audience=None), (ERROR, "withheld_without_audience", "added")),
        (rule(audience="everybody"), (ERROR, "withheld_without_audience", "added")),
        (rule(trusted=True), (WARNING, "source_text_declared_trusted", "added")),
        (
            rule(action=Action.RENDER, covers=("incident#/note",)),
            (WARNING, "rule_never_fires", "added"),
        ),
        (
            rule(),
            (WARNING, "source_field_covered_twice", "incident#/note: added, incident-actions (incident-actions wins)"),
        ),
    ],
    ids=lambda one: one[1] if isinstance(one, tuple) else "",
)
def test_a_rule_at_odds_with_the_rest_is_found(added: Rule, finding: tuple[str, str, str]) -> None:
    assert finding in findings(rules=(*SHIPPED.rules, added))


@pytest.mark.parametrize(
    ("exchanged", "finding"),
    [
        ({"status_codes": {"up": "fine"}}, (ERROR, "no_such_code", "status_codes/up")),
        ({"incident_states": {"x": "on_hold"}}, (ERROR, "no_such_code", "incident_states/x")),
        ({"readiness_codes": {"x": "soon"}}, (ERROR, "no_such_code", "readiness_codes/x")),
        ({"checkpoint_kinds": {"x": "lunch"}}, (ERROR, "no_such_code", "checkpoint_kinds/x")),
        ({"severities": {"x": "terrible"}}, (ERROR, "no_such_code", "severities/x")),
        ({"label": "TLP:BEIGE"}, (ERROR, "no_such_label", "label")),
        ({"status_codes": {"down": "degraded"}}, (WARNING, "better_than_source", "status_codes/down")),
        (
            {"slots": {key: one for key, one in SHIPPED.slots.items() if key != "other"}},
            (ERROR, "slot_missing", "other"),
        ),
        (
            {"slots": SHIPPED.slots | {"other": Slot("other", "the_public")}},
            (ERROR, "no_such_role", "other"),
        ),
        (
            {"region_buckets": SHIPPED.region_buckets | {"again": RegionBucket("Again", ("eu-west-1",))}},
            (ERROR, "region_mapped_twice", "eu-west-1"),
        ),
        (
            {"templates": SHIPPED.templates | {"free": Template("Say {what}.", {"what": "anything"})}},
            (ERROR, "no_such_parameter_type", "free/what"),
        ),
        (
            {"templates": SHIPPED.templates | {"mute": Template("Nothing.", {"what": "minutes"})}},
            (ERROR, "parameter_not_in_text", "mute/what"),
        ),
    ],
    ids=lambda one: one[1] if isinstance(one, tuple) else "",
)
def test_an_unknown_word_or_a_doubled_name_is_found(exchanged: dict[str, Any], finding: tuple[str, str, str]) -> None:
    assert finding in findings(**exchanged)


SOUTH = SHIPPED.region_buckets | {"south": RegionBucket("South", ("sa-east-1",))}


def test_a_bucket_of_one_region_is_refused_because_it_names_the_region() -> None:
    assert findings(region_buckets=SOUTH) == {(ERROR, "bucket_names_one_region", "region_buckets/south")}
    with_two = SHIPPED.region_buckets | {"south": RegionBucket("South", ("sa-east-1", "sa-west-1"))}
    assert findings(region_buckets=with_two) == set()


@pytest.mark.parametrize(("public_name", "is_refused"), [("South", False), ("Sao Paulo", True)])
def test_a_bucket_of_one_region_may_only_say_the_public_name_of_that_region(
    public_name: str, *, is_refused: bool
) -> None:
    named = Lexicons(approved_public_names={"sa-east-1": public_name})
    assert bool(findings(region_buckets=SOUTH, lexicons=named)) is is_refused


def test_a_profile_whose_bucket_names_one_region_reaches_no_bridge(tmp_path: Path) -> None:
    with pytest.raises(UnsafeOrRejected) as refused:
        load_profile(make_workspace(tmp_path), msgspec.structs.replace(SHIPPED, region_buckets=SOUTH))
    assert refused.value.code == "profile_invalid"
    assert "bucket_names_one_region" in refused.value.what


def test_the_most_restrictive_rule_wins_whatever_the_order() -> None:
    covers = ("incident#/severity",)
    actions = [Action.RENDER, Action.IGNORE, Action.ANNEX, Action.HOLD]
    added = [rule(id=f"x-{action}", covers=covers, action=action) for action in actions]
    for many in range(1, 5):
        for order in (added[:many], added[:many][::-1]):
            assert winning_rules(with_rule(SHIPPED, *order))["incident#/severity"].action is actions[many - 1]


def test_an_edit_makes_another_profile() -> None:
    assert profile_digest(SHIPPED) == profile_digest(shipped_profile())
    assert profile_digest(SHIPPED) != profile_digest(msgspec.structs.replace(SHIPPED, label="TLP:RED"))


def test_an_end_without_a_known_offset_is_refused_because_nobody_could_say_when_it_is() -> None:
    document = msgspec.to_builtins(SHIPPED)
    assert read_profile(document, where="profile.yaml") == SHIPPED
    for unknown in (datetime(2031, 1, 1), "2031-01-01T00:00:00"):  # noqa: DTZ001 - that is what is refused
        with pytest.raises(UnsafeOrRejected):
            read_profile(document | {"expires": unknown}, where="profile.yaml")


@pytest.mark.parametrize("document", [None, [], {"name": "x"}, yaml.safe_load("name: [1]")])
def test_a_document_that_is_no_profile_is_refused_with_what_to_do(document: object) -> None:
    with pytest.raises(UnsafeOrRejected) as refused:
        read_profile(document, where="profile.yaml")
    assert "profile validate" in str(refused.value.what_to_do)
