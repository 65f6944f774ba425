"""Exposure and history: who had which value from when to when, and nothing of it inferred. On both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.application.drafting_decisions import shown_fields
from dagster_project.application.exposure import ExposedSpan, exposure, joined
from dagster_project.application.projecting import project
from dagster_project.application.receipts import VersionName, record_receipt
from dagster_project.application.releasing import release
from dagster_project.application.version_history import VersionOverview, version_history
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.errors import UsageError
from dagster_project.review.decisions import Act
from tests.support.command_line import command_line_of
from tests.support.review_people import Bench, make_bench
from tests.support.trusted_people import code_of
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT, BRIDGE, OTHER = "INC-4711", "harbourline", "tidewater"
SEVERITY, STATUS = "/severity_code", "/incident_status"
NEW_REGION = "/affected_capabilities/message-delivery/regions/north-america"
LEAD = "Harbourline's bridge lead"


def at(minute: int) -> datetime:
    """Return an instant of the story; it begins at 09:09."""
    return datetime(2026, 3, 4, 9, minute, tzinfo=UTC)


def to(bench: Bench, minute: int) -> None:
    clock = bench.workspace.clock
    assert isinstance(clock, FixedClock)
    clock.set(at(minute))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One bridge was told: 09:04 the acknowledgement; 09:09 version 2; 09:11 the same, reaffirmed; 09:13 a pull."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    workspace = make_workspace(tmp_path, database_url=url)
    made = make_bench(workspace)
    play_scenario(workspace, until_step=1)
    made.act("ines", Act.ACKNOWLEDGE, INCIDENT, BRIDGE)
    project(workspace)
    play_scenario(workspace, from_step=2, until_step=2)
    for person in ("ines", "selma", "ada"):
        made.approve(person, INCIDENT, BRIDGE)
    row = release(workspace, INCIDENT, BRIDGE)
    to(made, 10)
    record_receipt(workspace, VersionName(INCIDENT, BRIDGE, 2), "handed_off", recipient=LEAD, at=at(10))
    to(made, 11)
    made.act("sam", Act.REAFFIRM, INCIDENT, BRIDGE, version=2, fields=shown_fields(workspace, row))
    project(workspace)
    to(made, 13)
    made.act("leo", Act.PULL, INCIDENT, BRIDGE, version=2, fields=(SEVERITY,), reason="argued about")
    to(made, 15)
    yield made
    workspace.store.engine.dispose()


def version(workspace: Workspace, number: int) -> VersionOverview:
    return version_history(workspace, INCIDENT, BRIDGE).versions[number - 1]


def spans(bench: Bench, pointer: str, bridge: str | None = None) -> list[ExposedSpan]:
    return list(exposure(bench.workspace, INCIDENT, pointer, bridge))


# ---- exposure -------------------------------------------------------------------------------------------------------


def test_a_pulled_value_is_said_to_have_been_there_from_when_to_when_and_not_said_again(bench: Bench) -> None:
    had, held = spans(bench, SEVERITY)
    assert (had.versions, had.since, had.until, had.taken_back_at) == ((2, 3), at(9), at(13), at(13))
    assert (had.pulled, had.on_hold, had.value) == (True, False, None)
    assert had.value_digest is not None
    assert [(one.kind, one.recipient) for one in had.receipts] == [("handed_off", LEAD)]
    assert (held.versions, held.since, held.until, held.on_hold, held.value) == ((4,), at(13), None, True, None)


def test_a_value_that_others_say_goes_on_through_versions_that_were_taken_back(bench: Bench) -> None:
    (one,) = spans(bench, STATUS)
    assert (one.versions, one.value, one.pulled) == ((2, 3, 4), "investigating", False)
    assert (one.since, one.until, one.taken_back_at) == (at(9), None, None)


def test_a_value_that_changed_ends_where_the_next_version_began(bench: Bench) -> None:
    play_scenario(bench.workspace, from_step=3, until_step=10)
    for person in ("selma", "sam", "ivan", "ines"):
        bench.approve(person, INCIDENT, BRIDGE)
    new = release(bench.workspace, INCIDENT, BRIDGE)
    assert [(one.versions, one.value, one.since, one.until) for one in spans(bench, STATUS)] == [
        ((2, 3, 4), "investigating", at(9), new.issued_at),
        ((5,), "mitigating", new.issued_at, None),
    ]


def test_a_value_that_was_away_for_a_version_was_there_twice() -> None:
    def span(number: int) -> ExposedSpan:
        return ExposedSpan(
            bridge=BRIDGE,
            versions=(number,),
            on_hold=False,
            pulled=False,
            value="degraded",
            value_digest="hmac-sha256:00",
            since=at(number),
            until=at(number + 1),
            taken_back_at=None,
            receipts=(),
        )

    found = joined([span(1), span(2), span(4)])
    assert [(one.versions, one.since, one.until) for one in found] == [((1, 2), at(1), at(3)), ((4,), at(4), at(5))]


def test_nothing_is_said_of_a_field_that_no_version_ever_had(bench: Bench) -> None:
    for pointer, bridge in (("/no/such/field", None), (SEVERITY, OTHER)):
        with pytest.raises(UsageError) as refused:
            exposure(bench.workspace, INCIDENT, pointer, bridge)
        assert refused.value.code == "field_never_told"
    assert code_of(lambda: exposure(bench.workspace, "INC-404", SEVERITY)) == "incident_unknown"


def test_the_command_names_who_is_known_to_have_had_it_and_no_value_that_was_taken_back(bench: Bench) -> None:
    run = command_line_of(bench.workspace.settings)
    told = run("exposure", INCIDENT, SEVERITY, "--json")
    assert (told.code, [one["value"] for one in told.json]) == (0, [None, None])
    text = run("exposure", INCIDENT.lower(), SEVERITY).out
    assert LEAD in text
    assert "on hold, no value" in text
    assert "severity_1" not in text + told.out
    known = run("exposure", INCIDENT, "/statements/committed-cadence/parameters/minutes", "--bridge", BRIDGE).out
    assert LEAD in known


def test_who_had_a_value_is_unknown_where_nobody_recorded_it(bench: Bench) -> None:
    run = command_line_of(bench.workspace.settings)
    bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, OTHER)
    text = run("exposure", INCIDENT, "/channel", "--bridge", OTHER).out
    assert "unknown: no receipt is recorded" in text


# ---- history --------------------------------------------------------------------------------------------------------


def test_every_version_says_its_kind_and_state_and_since_when(bench: Bench) -> None:
    versions = version_history(bench.workspace, INCIDENT).versions
    told = [(one.kind, one.state, one.state_since, one.issued_at) for one in versions]
    assert told == [
        ("acknowledgement", "superseded", at(9), at(4)),
        ("release", "suspended", at(13), at(9)),
        ("reaffirmation", "suspended", at(13), at(11)),
        ("pull", "released", at(13), at(13)),
    ]


def test_being_released_is_not_inferred_to_be_published_or_handed_off(bench: Bench) -> None:
    assert version(bench.workspace, 1).in_folder_since == at(4)
    assert version(bench.workspace, 4).in_folder_since is None  # its publication is pending
    assert [one.kind for one in version(bench.workspace, 2).receipts] == ["handed_off"]
    assert version(bench.workspace, 3).receipts == ()
    project(bench.workspace)
    assert version(bench.workspace, 4).in_folder_since == at(15)


def test_the_withheld_annexes_are_those_of_the_versions_own_manifest(bench: Bench) -> None:
    assert version(bench.workspace, 1).withheld is None  # an acknowledgement is made of the profile alone
    withheld = version(bench.workspace, 2).withheld
    assert withheld is not None
    assert withheld["legal"] == 1
    play_scenario(bench.workspace, from_step=3, until_step=7)
    for person in ("selma", "ivan", "sam", "ines"):
        bench.approve(person, INCIDENT, BRIDGE)
    later = release(bench.workspace, INCIDENT, BRIDGE).version
    newest = version(bench.workspace, later).withheld
    assert newest is not None
    assert sum(newest.values()) > sum(withheld.values())
    assert version(bench.workspace, 2).withheld == withheld


def test_every_decision_is_listed_with_person_act_instant_and_fields(bench: Bench) -> None:
    decided = version_history(bench.workspace, INCIDENT, BRIDGE).decisions
    assert [(one.person, one.act) for one in decided] == [
        ("ines", "acknowledge"),
        ("ines", "approve"),
        ("selma", "approve"),
        ("ada", "approve"),
        ("sam", "reaffirm"),
        ("leo", "pull"),
    ]
    assert (decided[-1].received_at, decided[-1].version, decided[-1].fields) == (at(13), 2, (SEVERITY,))
    assert SEVERITY in decided[1].fields
    assert version_history(bench.workspace, INCIDENT, OTHER).decisions == ()


def test_who_approved_a_version_is_read_from_its_manifest(bench: Bench) -> None:
    approvals = version(bench.workspace, 2).approvals
    assert approvals is not None
    assert [one.person for one in approvals] == ["ines", "selma", "ada"]
    assert all(SEVERITY in one.fields for one in approvals)
    assert version(bench.workspace, 2).standing_fields == ("/held/contract/slot_state",)
    assert version(bench.workspace, 4).approvals is None  # a pull carries no change out


def test_a_rejection_names_how_many_changes_no_version_carried_out(bench: Bench) -> None:
    play_scenario(bench.workspace, from_step=3, until_step=7)
    bench.reject("sam", INCIDENT, BRIDGE, [NEW_REGION])
    last = version_history(bench.workspace, INCIDENT, BRIDGE).decisions[-1]
    assert (last.act, last.fields, last.other_changes) == ("reject", (), 1)


def test_the_command_prints_what_is_unknown_as_unknown(bench: Bench) -> None:
    run = command_line_of(bench.workspace.settings)
    text = run("history", INCIDENT, "--bridge", BRIDGE).out
    assert "version 4 (pull): released since 2026-03-04 09:13:00 UTC" in text
    assert "in the published folder: not yet" in text
    assert "annexes withheld: unknown" in text
    assert "whether it was read is unknown" in text
    told = run("history", INCIDENT, "--bridge", BRIDGE, "--json").json
    assert (len(told["versions"]), len(told["decisions"])) == (4, 6)
    assert told["versions"][0]["withheld"] is None
    assert run("history", INCIDENT, "--bridge", OTHER, "--json").json["versions"] == []
