"""Open items about what a bridge was told: the materiality table row by row, and the mark on every internal view."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dagster_project.application import material_items
from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import INTERNAL_FILE, PUBLIC_FILE
from dagster_project.application.open_questions import OpenQuestion, open_questions
from dagster_project.application.overview import incident_overviews
from dagster_project.application.policy_releases import release_by_policy
from dagster_project.application.releasing import release
from dagster_project.application.review_desk import review_page, waiting_bridges
from dagster_project.application.version_history import version_history
from dagster_project.application.workspace import Workspace
from dagster_project.packaging.open_items import MATERIAL_CHANGE, MATERIAL_EVIDENCE
from dagster_project.review.decisions import Act
from tests.support.command_line import command_line_of
from tests.support.histories import shipped_profile
from tests.support.moving_sources import BRIDGE, INCIDENT, pass_time, say, speak_of
from tests.support.released_stories import approve_all, current, published_bytes, release_all, told_story
from tests.support.review_people import Bench

PROFILES = Path(__file__).parents[2] / "dagster_project" / "packaging" / "profiles"
POLICY: Mapping[str, Any] = yaml.safe_load((PROFILES / "customer_bridge.yaml").read_text())["review_policy"]
VALUES = {
    "capability_status": ("operational", "degraded", "partial_outage", "major_outage", "under_assessment"),
    "region_status": ("operational", "degraded", "partial_outage", "major_outage", "under_assessment"),
    "incident_status": ("emerging", "investigating", "identified", "mitigating", "monitoring", "resolved", "on_hold"),
    "severity": ("severity_1", "severity_2", "severity_3", "on_hold"),
    "workaround_readiness": ("none_available", "in_preparation", "in_test_do_not_apply", "available_verified"),
    "checkpoint": ("detected", "engaged", "2026-03-04T09:02:00Z"),
    "template_parameter": ("KB-1", "KB-2"),
    "slot": ("none_declared", "on_hold", "cleared"),
}
PAIRS = [(kind, old, new) for kind, words in VALUES.items() for old in words for new in words if old != new]
RELAY, GATEWAY = "mx-relay/eu-west-1", "outbound-gateway/eu-west-1"
SEVERITY = "/severity_code"


def rows_of(kind: str, old: str, new: str) -> Iterator[bool]:
    """Read the table by itself: whether the rows that speak of a change call it material."""
    for row in POLICY["materiality"]:
        if row["field_class"] == kind and {row["old"]} <= {"*", old} and {row["new"]} <= {"*", new}:
            yield row["material"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The first two steps of the story, told to the bridge."""
    return told_story(tmp_path, 2)


def items(bench: Bench, kind: str = MATERIAL_EVIDENCE) -> list[OpenQuestion]:
    return [one for one in open_questions(bench.workspace, INCIDENT, BRIDGE) if one.item.kind == kind]


def fields(bench: Bench, kind: str = MATERIAL_EVIDENCE) -> set[str]:
    return {pointer for one in items(bench, kind) for pointer in one.item.fields}


# ---- the table -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "old", "new"), PAIRS)
def test_a_change_is_material_unless_a_row_of_the_table_says_otherwise(kind: str, old: str, new: str) -> None:
    policy = shipped_profile().review_policy
    assert policy.is_material(kind, old, new) is next(rows_of(kind, old, new), True)


def test_lists_and_nothing_are_compared_as_any_other_value() -> None:
    policy = shipped_profile().review_policy
    assert policy.is_material("workaround_readiness", ["message-delivery"], None)
    assert not policy.is_material("checkpoint", None, ["x"])


Move = Callable[[Workspace], None]


def incident(state: str) -> Move:
    return lambda workspace: say(workspace, "incident", INCIDENT, {"/state": state})


def health(state: str) -> Move:
    def move(workspace: Workspace) -> None:
        for recordid in (RELAY, GATEWAY):
            say(workspace, "service-health", recordid, {"/state": state})

    return move


EUROPE = "/affected_capabilities/message-delivery/regions/europe"
# What the sources said, what they say then, and where: for rows of the table that sources can bring about.
MOVES = {
    "emerging to investigating": (incident("declared"), incident("investigating"), "/incident_status"),
    "investigating to mitigating": (incident("investigating"), incident("mitigating"), "/incident_status"),
    "mitigating to investigating": (incident("mitigating"), incident("investigating"), "/incident_status"),
    "mitigating to monitoring": (incident("mitigating"), incident("monitoring"), "/incident_status"),
    "degraded to partial outage": (health("degraded"), health("partial"), EUROPE),
    "partial outage to degraded": (health("partial"), health("degraded"), EUROPE),
    "degraded to major outage": (health("degraded"), health("down"), EUROPE),
    "major outage to degraded": (health("down"), health("degraded"), EUROPE),
}


def value_at(content: Any, pointer: str) -> Any:  # noqa: ANN401 - any JSON value
    for name in pointer.split("/")[1:]:
        content = content[name]
    return content


@pytest.mark.parametrize("name", MOVES)
def test_new_evidence_opens_an_item_where_the_table_calls_it_material_and_nowhere_else(bench: Bench, name: str) -> None:
    before, move, place = MOVES[name]
    before(bench.workspace)
    approve_all(bench, "ines", "sam")
    if review_page(bench.workspace, INCIDENT, BRIDGE).is_news:
        release(bench.workspace, INCIDENT, BRIDGE)
    assert items(bench) == []
    move(bench.workspace)
    (change,) = [
        one for one in review_page(bench.workspace, INCIDENT, BRIDGE).changes if one.pointer == place
    ]  # fmt: skip
    kind = "region_status" if place == EUROPE else "incident_status"
    assert (place in fields(bench)) is next(rows_of(kind, change.old, change.new), True)


def test_a_new_step_of_the_timeline_puts_nothing_under_review(bench: Bench) -> None:
    say(bench.workspace, "bridge-timeline", "TL-4711-01", {"/at": "2026-03-04T09:01:00Z"})
    assert items(bench) == []


# ---- how items open and resolve --------------------------------------------------------------------------------


def test_an_item_names_the_evidence_of_both_sides_its_owner_and_what_resolves_it(bench: Bench) -> None:
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    (one,) = items(bench)
    assert one.item.fields == (SEVERITY,)
    assert [side.recordid for side in one.item.evidence] == [INCIDENT, INCIDENT]
    assert one.item.owner_role == "support_leadership"
    assert "version" in one.item.resolved_by
    assert one.puts_under_review


def test_evidence_that_goes_back_resolves_its_item(bench: Bench) -> None:
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    assert items(bench) != []
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV1"})
    assert items(bench) == []


def test_a_version_that_says_what_the_sources_say_resolves_the_item(bench: Bench) -> None:
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    release_all(bench, "ines", "sam")
    assert items(bench) == []
    assert not under_review(bench)


def test_what_left_by_policy_stays_under_review_until_support_leadership_approves_a_page(bench: Bench) -> None:
    health("degraded")(bench.workspace)
    release_all(bench, "ines", "sam")
    health("down")(bench.workspace)
    release(bench.workspace, INCIDENT, BRIDGE)
    assert items(bench) == []
    assert EUROPE in fields(bench, MATERIAL_CHANGE)
    assert under_review(bench)
    assert [one.bridge for one in waiting_bridges(bench.workspace, INCIDENT)].count(BRIDGE) == 1
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    approve_all(bench, "ines", "sam")
    release(bench.workspace, INCIDENT, BRIDGE)
    assert items(bench, MATERIAL_CHANGE) == []


def test_a_pull_puts_what_it_takes_back_on_hold_and_so_no_longer_under_review(bench: Bench) -> None:
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    pass_time(bench.workspace)
    bench.act("leo", Act.PULL, INCIDENT, BRIDGE, version=1, fields=[SEVERITY], reason="wrong")
    assert SEVERITY not in fields(bench)


def test_a_disagreement_on_status_timing_is_an_open_item_and_puts_the_version_under_review(bench: Bench) -> None:
    told = {"bridge": BRIDGE, "incident_status": "resolved", "told_at": "2026-03-04T09:09:00Z"}
    speak_of(bench.workspace, "customer-status", "CS-1", told, source="//incidents.example/bridge")
    (one,) = items(bench, "status_timing_disagreement")
    assert {"/incident_status", "/document_status"} == {*one.item.fields}
    assert {side.recordid for side in one.item.evidence} == {"CS-1", INCIDENT}
    assert one.item.owner_role == "support_leadership"
    assert under_review(bench)


def test_dependency_detail_that_is_not_cleared_is_an_open_item_of_security(tmp_path: Path) -> None:
    bench = told_story(tmp_path, 9)
    assert items(bench, "dependency_not_cleared") == []
    say(bench.workspace, "security-review", "SR-77", {"/outcome": "not_cleared"})
    (one,) = items(bench, "dependency_not_cleared")
    assert {side.recordid for side in one.item.evidence} == {"DEP-204", "SR-77"}
    assert one.item.owner_role == "security"
    assert not one.puts_under_review


# ---- the mark --------------------------------------------------------------------------------------------------


def under_review(bench: Bench) -> bool:
    (page,) = [one for one in version_history(bench.workspace, INCIDENT, BRIDGE).versions if one.state == "released"]
    return page.under_review


def in_analytics(bench: Bench) -> bool:
    publish(bench.workspace)
    with duckdb.connect(str(bench.workspace.settings.published_analytics / INTERNAL_FILE), read_only=True) as file:
        answer = file.execute(
            "FROM version_origins SELECT under_review WHERE bridge = ? AND version = ?",
            [BRIDGE, current(bench).version],
        ).fetchone()
    assert answer is not None
    return bool(answer[0])


def said(bench: Bench, *arguments: str) -> str:
    answer = command_line_of(bench.workspace.settings)(*arguments)
    assert answer.code == 0, answer.everything
    return answer.out


VIEWS: Mapping[str, Callable[[Bench], bool]] = {
    "history": under_review,
    "review list": lambda bench: any(
        one.under_review for one in waiting_bridges(bench.workspace, INCIDENT) if one.bridge == BRIDGE
    ),
    "review show": lambda bench: review_page(bench.workspace, INCIDENT, BRIDGE).under_review,
    "status": lambda bench: incident_overviews(bench.workspace)[0].under_review == (BRIDGE,),
    "released_package": lambda bench: any(one.under_review for one in release_by_policy(bench.workspace, INCIDENT)),
    "analytics": in_analytics,
    "history as text": lambda bench: "UNDER REVIEW" in said(bench, "history", INCIDENT),
    "status as text": lambda bench: "UNDER REVIEW" in said(bench, "status"),
    "review list as text": lambda bench: "UNDER REVIEW" in said(bench, "review", "list", INCIDENT),
    "review show as text": lambda bench: "UNDER REVIEW" in said(bench, "review", "show", INCIDENT, BRIDGE),
    "open items": lambda bench: "UNDER REVIEW" in said(bench, "open-items", INCIDENT),
}


def test_every_internal_view_marks_the_version_at_once_and_unmarks_it(bench: Bench) -> None:
    assert {name for name, is_marked in VIEWS.items() if is_marked(bench)} == set()
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    assert {name for name, is_marked in VIEWS.items() if is_marked(bench)} == set(VIEWS)
    release_all(bench, "ines", "sam")
    assert {name for name, is_marked in VIEWS.items() if is_marked(bench)} == set()


def test_a_version_is_not_marked_where_nothing_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material_items, "material_evidence", lambda *_: ())
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    assert {name for name, is_marked in VIEWS.items() if is_marked(bench)} == set()


def test_the_mark_is_on_the_current_version_alone(bench: Bench) -> None:
    health("degraded")(bench.workspace)
    release_all(bench, "ines", "sam")
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    marked = [one.version for one in version_history(bench.workspace, INCIDENT, BRIDGE).versions if one.under_review]
    assert marked == [2]


def test_nothing_that_a_customer_or_the_public_can_see_changes_with_the_mark(bench: Bench) -> None:
    publish(bench.workspace)
    before, page = public_rows(bench), published_bytes(bench.workspace)
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    assert under_review(bench)
    publish(bench.workspace)
    assert public_rows(bench) == before
    assert published_bytes(bench.workspace) == page


def public_rows(bench: Bench) -> Mapping[str, list[str]]:
    with duckdb.connect(str(bench.workspace.settings.published_analytics / PUBLIC_FILE), read_only=True) as file:
        views = [name for (name,) in file.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
        return {name: sorted(map(repr, file.execute(f"FROM {name}").fetchall())) for name in sorted(views)}


def test_the_command_lists_each_item_with_evidence_owner_and_resolution(bench: Bench) -> None:
    say(bench.workspace, "incident", INCIDENT, {"/severity": "SEV2"})
    listed = json.loads(said(bench, "open-items", INCIDENT, "--bridge", BRIDGE, "--json"))
    (one,) = [found for found in listed if found["item"]["kind"] == MATERIAL_EVIDENCE]
    assert one["puts_under_review"] is True
    assert one["item"]["owner_role"] == "support_leadership"
    assert one["item"]["resolved_by"]
    assert [side["recordid"] for side in one["item"]["evidence"]] == [INCIDENT, INCIDENT]
    assert listed == sorted(listed, key=lambda found: (found["item"]["bridge"], found["item"]["kind"]))
    assert json.loads(said(bench, "open-items", "--json")) != []
