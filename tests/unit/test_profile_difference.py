"""Two profiles compared: every difference in words, stricter or looser, and what the current packages would say."""

from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dagster_project.application.profile_effect import (
    ABSENT,
    NOT_SHOWN,
    ON_HOLD,
    BridgeEffect,
    compare_profiles,
    compare_words,
)
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.refresh import refresh
from dagster_project.application.workspace import Workspace
from dagster_project.cli.profile_printing import difference_lines
from dagster_project.demo.scenario import restricted_values
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.profile import (
    Action,
    Capability,
    Profile,
    RegionBucket,
    Rule,
    Slot,
    Template,
    profile_digest,
)
from dagster_project.packaging.review_policy import Materiality
from dagster_project.review.profile_difference import Verdict, differences_of, verdict_on
from dagster_project.store.candidates import latest_candidates
from dagster_project.store.versions import all_versions
from tests.support.command_line import command_line_of, fresh_command_line
from tests.support.workspaces import make_workspace, play_scenario

SHIPPED = shipped_profile("customer_bridge")
FAULTY = shipped_profile("customer_bridge_faulty")
POLICY = SHIPPED.review_policy
INCIDENT = "INC-4711"


def with_parts(**parts: Any) -> Profile:  # noqa: ANN401 - any part of a profile
    return msgspec.structs.replace(SHIPPED, **parts)


def with_policy(**parts: Any) -> Profile:  # noqa: ANN401 - any part of a policy
    return with_parts(review_policy=msgspec.structs.replace(POLICY, **parts))


def with_lexicons(**parts: Any) -> Profile:  # noqa: ANN401 - any part of the lexicons
    return with_parts(lexicons=msgspec.structs.replace(SHIPPED.lexicons, **parts))


def with_action(rule_id: str, action: Action) -> Profile:
    """Return the shipped profile with another action over all that a rule covers."""
    return with_parts(
        rules=tuple(
            msgspec.structs.replace(one, action=action, audience=one.audience or "security")
            if one.id == rule_id
            else one
            for one in SHIPPED.rules
        )
    )


NEW_ROW = Materiality(field_class="slot", old="*", new="*", material=False)
EDITS: list[tuple[str, str, str, Profile]] = [
    ("profile", "name", "changed", with_parts(name="other")),
    ("profile", "channel", "changed", with_parts(channel="public_page")),
    ("profile", "label", "changed", with_parts(label="TLP:RED")),
    ("profile", "expires", "changed", with_parts(expires=SHIPPED.expires + timedelta(days=1))),
    ("freshness_minutes", "incident", "changed", with_parts(freshness_minutes={"incident": 61})),
    (
        "capabilities",
        "fax",
        "added",
        with_parts(capabilities=SHIPPED.capabilities | {"fax": Capability("Fax", ("f",))}),
    ),
    ("region_buckets", "moon", "added", with_parts(region_buckets={"moon": RegionBucket("Moon", ("m",))})),
    ("status_codes", "up", "removed", with_parts(status_codes={"down": "major_outage"})),
    ("incident_states", "declared", "changed", with_parts(incident_states={"declared": "investigating"})),
    ("severities", "SEV1", "changed", with_parts(severities={"SEV1": "severity_2"})),
    ("readiness_codes", "ready", "removed", with_parts(readiness_codes={})),
    ("checkpoint_kinds", "detected", "changed", with_parts(checkpoint_kinds={"detected": "engaged"})),
    ("slots", "other", "changed", with_parts(slots=SHIPPED.slots | {"other": Slot("other", "legal")})),
    ("rules", "severity", "changed", with_action("severity", Action.HOLD)),
    ("source_fields", "incident#/severity", "changed", with_action("severity", Action.HOLD)),
    ("rules", "severity", "removed", with_parts(rules=SHIPPED.rules[1:])),
    ("rules", "more", "added", with_parts(rules=(*SHIPPED.rules, Rule("more", (), Action.IGNORE)))),
    ("templates", "poem", "added", with_parts(templates=SHIPPED.templates | {"poem": Template("A poem.", {})})),
    ("lexicons", "denied_terms", "added", with_lexicons(denied_terms=("relay-07",))),
    ("lexicons", "approved_public_names", "removed", with_lexicons(approved_public_names={})),
    ("review_policy", "standing", "changed", with_policy(standing=("inserted_hold",))),
    ("review_policy", "reaffirmations", "changed", with_policy(reaffirmations=9)),
    ("review_policy", "reaffirm_before_minutes", "changed", with_policy(reaffirm_before_minutes=9)),
    ("review_policy", "fast_acknowledgement", "changed", with_policy(fast_acknowledgement="data_integrity")),
    ("review_policy/requirements", "removal", "removed", with_policy(requirements={})),
    ("review_policy/orders", "severity", "removed", with_policy(orders={})),
    ("review_policy/listed_worsenings", "severity", "removed", with_policy(listed_worsenings={})),
    (
        "review_policy/materiality",
        "checkpoint: * to *",
        "removed",
        with_policy(materiality=POLICY.materiality[1:]),
    ),
    ("review_policy", "materiality", "changed", with_policy(materiality=POLICY.materiality[::-1])),
    (
        "review_policy/materiality",
        "slot: * to *",
        "added",
        with_policy(
            materiality=(*POLICY.materiality, Materiality(field_class="slot", old="*", new="*", material=False))
        ),
    ),
]


@pytest.mark.parametrize(("part", "where", "kind", "new"), EDITS, ids=[f"{one[0]} {one[1]} {one[2]}" for one in EDITS])
def test_an_edit_of_any_part_is_named_and_the_way_back_too(part: str, where: str, kind: str, new: Profile) -> None:
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}[kind]
    there, back = differences_of(SHIPPED, new), differences_of(new, SHIPPED)
    assert (part, where, kind) in {(one.part, one.where, one.kind) for one in there}
    assert (part, where, opposite) in {(one.part, one.where, one.kind) for one in back}
    assert [(one.old, one.new) for one in there] == [(one.new, one.old) for one in back]


def test_every_part_of_a_profile_is_compared() -> None:
    parts = {part.partition("/")[0] for part, *_ in EDITS} | {where for part, where, *_ in EDITS if part == "profile"}
    assert parts >= {*Profile.__struct_fields__}
    inner = {where if part == "review_policy" else part.partition("/")[2] for part, where, *_ in EDITS}
    assert inner >= {*type(POLICY).__struct_fields__}
    assert {where for part, where, *_ in EDITS if part == "lexicons"} == {*type(SHIPPED.lexicons).__struct_fields__}


def test_equal_profiles_have_no_difference() -> None:
    assert differences_of(SHIPPED, with_parts(name="customer-bridge")) == ()
    assert verdict_on(SHIPPED, SHIPPED) is Verdict.SAME


def test_what_only_holds_more_is_stricter_the_way_back_is_looser_and_anything_else_is_neither() -> None:
    held = with_action("severity", Action.HOLD)
    assert (verdict_on(SHIPPED, held), verdict_on(held, SHIPPED)) == (Verdict.STRICTER, Verdict.LOOSER)
    both = with_parts(rules=held.rules, label="TLP:RED")
    assert (verdict_on(SHIPPED, both), verdict_on(both, SHIPPED)) == (Verdict.OTHER, Verdict.OTHER)
    (field,) = [one for one in differences_of(SHIPPED, held) if one.part == "source_fields"]
    assert (field.old, field.new, field.direction) == ("render", "hold", "stricter")
    (field,) = [one for one in differences_of(held, SHIPPED) if one.part == "source_fields"]
    assert field.direction == "looser"


def test_a_field_that_moves_to_another_rule_and_fares_the_same_is_no_change_of_the_field() -> None:
    moved = with_parts(
        rules=tuple(msgspec.structs.replace(one, id="sev") if one.id == "severity" else one for one in SHIPPED.rules)
    )
    assert {(one.part, one.where, one.kind) for one in differences_of(SHIPPED, moved)} == {
        ("rules", "severity", "removed"),
        ("rules", "sev", "added"),
    }


def test_internal_names_of_the_lexicons_are_counted_and_not_repeated() -> None:
    new = with_lexicons(denied_terms=("relay-07",), approved_public_names={"Secret Vendor": "Public"})
    words = "\n".join(difference_lines(compare_words(SHIPPED, new)))
    assert "lexicons denied_terms is added: 1 of 1" in words
    assert not any(name in words for name in ("relay-07", "Secret Vendor", "Northgate Carrier"))


# ---- by effect --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The story up to a workaround whose article is a host name: two bridges, one incident."""
    made = make_workspace(tmp_path_factory.mktemp("effect"))
    play_scenario(made, until_step=17)
    return made


def effect(workspace: Workspace, old: Profile, new: Profile, bridge: str = "harbourline") -> BridgeEffect:
    found = {one.bridge: one for one in compare_profiles(workspace, old, new).bridges or ()}
    return found[bridge]


def says(workspace: Workspace, old: Profile, new: Profile) -> dict[str, tuple[str, str]]:
    return {one.pointer: (one.old, one.new) for one in effect(workspace, old, new).changes}


def test_the_same_profile_changes_nothing(workspace: Workspace) -> None:
    found = compare_profiles(workspace, SHIPPED, SHIPPED)
    assert [(one.bridge, one.rendered_with_old, one.changes) for one in found.bridges or ()] == [
        ("harbourline", True, ()),
        ("tidewater", True, ()),
    ]


def test_a_field_that_both_render_shows_both_values(workspace: Workspace) -> None:
    new = with_parts(severities=SHIPPED.severities | {"SEV1": "severity_2"})
    assert says(workspace, SHIPPED, new) == {"/severity_code": ("severity_1", "severity_2")}


def test_what_the_new_one_holds_reads_on_hold_and_its_value_is_not_shown(workspace: Workspace) -> None:
    found = says(workspace, SHIPPED, with_action("severity", Action.HOLD))
    assert found["/severity_code"] == (NOT_SHOWN, ON_HOLD)
    assert says(workspace, with_action("severity", Action.HOLD), SHIPPED)["/severity_code"] == (ON_HOLD, NOT_SHOWN)


@pytest.mark.parametrize("action", [Action.ANNEX, Action.IGNORE])
def test_a_value_that_one_of_them_keeps_inside_is_not_shown_by_the_other(workspace: Workspace, action: Action) -> None:
    kept = with_action("checkpoint", action)
    found = says(workspace, kept, SHIPPED)
    added = {pointer: pair for pointer, pair in found.items() if pointer.startswith("/timeline/")}
    assert added
    assert {*added.values()} == {(ABSENT, NOT_SHOWN)}
    assert {pair for pointer, pair in says(workspace, SHIPPED, kept).items() if pointer in added} == {
        (NOT_SHOWN, ABSENT)
    }


def test_a_page_that_would_not_pass_its_check_shows_no_value_and_says_why(workspace: Workspace) -> None:
    found = effect(workspace, SHIPPED, FAULTY)
    assert (found.old_reasons, found.new_reasons) == ((), ("leak: denied_term",))
    assert {one.new for one in found.changes} <= {NOT_SHOWN, ON_HOLD, ABSENT}
    assert any(one.pointer.startswith("/statements/") and one.new == NOT_SHOWN for one in found.changes)


def test_no_restricted_value_of_the_story_shows_whatever_is_compared(workspace: Workspace) -> None:
    values = {one.value for one in restricted_values()}
    loose = with_parts(rules=tuple(msgspec.structs.replace(one, action=Action.RENDER) for one in SHIPPED.rules))
    tight = with_parts(
        rules=tuple(msgspec.structs.replace(one, action=Action.HOLD, audience="security") for one in SHIPPED.rules)
    )
    for old, new in ((SHIPPED, loose), (loose, SHIPPED), (SHIPPED, tight), (tight, loose), (SHIPPED, FAULTY)):
        found = compare_profiles(workspace, old, new)
        words = "\n".join(difference_lines(found))
        assert not [one for one in values if one in words]


def test_only_the_bridges_that_the_old_one_renders_are_compared_and_else_every_bridge(tmp_path: Path) -> None:
    made = make_workspace(tmp_path)
    play_scenario(made, until_step=2)
    other = with_parts(label="TLP:AMBER")
    assign_profile(made, load_profile(made, other), bridge="tidewater")
    refresh(made, INCIDENT)
    bridges = {name: compare_profiles(made, old, FAULTY).bridges or () for name, old in (("o", other), ("s", SHIPPED))}
    assert [one.bridge for one in bridges["o"]] == ["tidewater"]
    assert [one.bridge for one in bridges["s"]] == ["harbourline"]
    nobody = compare_profiles(made, with_parts(label="TLP:RED"), FAULTY).bridges or ()
    assert [(one.bridge, one.rendered_with_old) for one in nobody] == [("harbourline", False), ("tidewater", False)]


def test_comparing_stores_nothing(workspace: Workspace) -> None:
    def stored() -> list[object]:
        with workspace.store.read() as transaction:
            return [latest_candidates(transaction, [INCIDENT]), all_versions(transaction)]

    before = stored()
    compare_profiles(workspace, SHIPPED, FAULTY)
    assert stored() == before


def test_a_profile_with_errors_is_not_compared(workspace: Workspace) -> None:
    holed = with_parts(rules=SHIPPED.rules[1:])
    for old, new in ((SHIPPED, holed), (holed, SHIPPED)):
        with pytest.raises(UnsafeOrRejected) as caught:
            compare_profiles(workspace, old, new)
        assert caught.value.code == "profile_invalid"


# ---- the command ------------------------------------------------------------------------------------------------


def test_the_command_compares_files_names_and_digests_in_a_stable_order(workspace: Workspace, tmp_path: Path) -> None:
    run = command_line_of(workspace.settings)
    text = files("dagster_project.packaging").joinpath("profiles", "customer_bridge.yaml").read_text(encoding="utf-8")
    file = tmp_path / "new.yaml"
    file.write_text(text.replace("SEV1: severity_1", "SEV1: severity_2"), encoding="utf-8")
    by_name = run("profile", "diff", "customer_bridge", str(file), "--json")
    by_digest = run("profile", "diff", profile_digest(SHIPPED), str(file), "--json")
    assert (by_name.code, by_name.out) == (0, by_digest.out)
    assert by_name.out == run("profile", "diff", "customer_bridge", str(file), "--json").out
    printed = run("profile", "diff", "customer_bridge", str(file))
    assert "severities SEV1 changes: severity_1 -> severity_2" in printed.out
    assert f"{INCIDENT} harbourline: 1 field would read otherwise" in printed.out
    assert "/severity_code: severity_1 -> severity_2" in printed.out
    file.write_text(text.replace("label: TLP:AMBER+STRICT", "label: TLP:BEIGE"), encoding="utf-8")
    invalid = run("profile", "diff", "customer_bridge", str(file))
    assert (invalid.code, "profile_invalid" in invalid.err) == (1, True)
    assert run("profile", "diff", "sha256:" + "0" * 64, str(file)).code == 2


def test_words_alone_need_no_deployment(tmp_path: Path) -> None:
    run = fresh_command_line(tmp_path)
    answer = run("profile", "diff", "customer_bridge", "customer_bridge_faulty", "--words", "--json")
    assert (answer.code, answer.json["bridges"], answer.json["verdict"]) == (0, None, "neither")
    assert not run.home.exists()
    assert run("profile", "diff", "customer_bridge", "customer_bridge_faulty").code == 3
