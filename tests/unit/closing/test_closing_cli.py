"""Closures by the command line, over a real support-systems database: what is shown, taken, refused and changed."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.engine import Engine

from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.workspace import open_workspace
from dagster_project.clock import SystemClock
from dagster_project.connections.targets import forms
from dagster_project.connections.targets.support_systems import (
    count_effects,
    create_support_systems,
    edit_subject,
    enter_disposition,
    file_document,
    open_subject,
    row_of,
)
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.settings import SUPPORT_SYSTEMS_VARIABLE, Settings
from dagster_project.store.key_files import write_new_secret
from dagster_project.store.store import DATABASE_FILE_NAME
from tests.fixtures.keys import write_test_keys
from tests.support.closure_targets import CASE, CLOSED_AT, NOTE, PACKET, disposition, event
from tests.support.command_line import Answer, CommandLine


@dataclass(frozen=True)
class Desk:
    """A deployment with an operator's key file, and its support systems."""

    folder: Path
    systems: Engine

    @property
    def run(self) -> CommandLine:
        url = f"sqlite:///{self.folder / 'support.sqlite3'}"
        return CommandLine(self.folder / "home", self.folder / "keys", ((SUPPORT_SYSTEMS_VARIABLE, url),))

    def sign(self, *arguments: str) -> Answer:
        return self.run("closure", *arguments, "--key", str(self.folder / "sam.json"))

    def admit(self, body: bytes | None = None) -> Answer:
        path = self.folder / "event.json"
        path.write_bytes(event() if body is None else body)
        return self.run("closure", "admit", str(path), "--json")

    def show(self) -> Any:  # noqa: ANN401 - a JSON value
        return self.run("closure", "show", CASE, "--json").json

    @property
    def effects(self) -> int:
        return sum(count_effects(self.systems).values())


@pytest.fixture
def desk(tmp_path: Path, sqlite_template: Path) -> Desk:
    (tmp_path / "home").mkdir()
    shutil.copy(sqlite_template, tmp_path / "home" / DATABASE_FILE_NAME)
    settings = Settings(home=tmp_path / "home", keys=write_test_keys(tmp_path / "keys"))
    workspace = open_workspace(settings, clock=SystemClock())
    keys = make_demo_trust(workspace, {"sam": ("support_leadership",), "leo": ("legal",)}, demo=False)
    for person, key in keys.items():
        content = {"format": "channelsafe-person-key/1", "person": person, "seed": key.seed.hex()}
        write_new_secret(tmp_path / f"{person}.json", canonical_bytes(content) + b"\n")
    workspace.store.engine.dispose()
    systems = create_support_systems(f"sqlite:///{tmp_path / 'support.sqlite3'}")
    enter_disposition(systems, disposition())
    for document in (PACKET, NOTE):
        file_document(systems, document)
    whose = {"escalation": disposition().escalation, "episode": "EP-1"}
    open_subject(systems, forms.TRACKER, f"TRK-{CASE}", {"state": "open", "review_state": "in_review", **whose})
    open_subject(systems, forms.LEDGER, f"LED-{CASE}", {"state": "active", "case": CASE})
    open_subject(systems, forms.QUEUE, f"Q-{CASE}", {"queue_state": "waiting", "case": CASE, **whose})
    return Desk(tmp_path, systems)


def test_an_admitted_event_is_propagated_by_one_round_of_work(desk: Desk) -> None:
    assert desk.admit().json["became"] == "event_planned"
    worked = desk.run("closure", "work", "--once")
    assert worked.code == 0
    assert worked.out == "1 plans worked: 5 done\n"
    assert desk.effects == 5
    shown = desk.show()
    assert [one["state"] for one in shown["plans"][0]["steps"]] == ["done"] * 5
    assert shown["plans"][0]["audit_row"]["notification_target"] == "support-ops"
    tracker = row_of(desk.systems, forms.TRACKER, f"TRK-{CASE}")
    assert (tracker["state"], tracker["review_state"], tracker["closed_at"]) == ("open", "review_complete", CLOSED_AT)
    text = desk.run("closure", "list").out
    assert text == f"{CASE} episode EP-1 version 3: complete, 5 of 5 steps finished\n"
    assert "audit queue_item_closed: Q-CASE-1042" in desk.run("closure", "show", CASE).out


def test_a_tracker_record_of_another_episode_stops_the_plan_before_it_is_touched(desk: Desk) -> None:
    edit_subject(desk.systems, forms.TRACKER, f"TRK-{CASE}", {"episode": "EP-2"})
    before = row_of(desk.systems, forms.TRACKER, f"TRK-{CASE}")
    desk.admit()
    desk.run("closure", "work", "--once")
    assert row_of(desk.systems, forms.TRACKER, f"TRK-{CASE}") == before
    shown = desk.run("closure", "list").out
    assert "stopped" in shown
    assert "escalation_tracker.episode expected EP-1" in shown


def test_an_event_that_comes_again_changes_nothing(desk: Desk) -> None:
    desk.admit()
    desk.run("closure", "work", "--once")
    again = desk.admit()
    assert (again.code, again.json["outcome"]) == (0, "duplicate")
    assert desk.run("closure", "work", "--once").out == "0 plans worked: nothing was due\n"
    assert desk.effects == 5


def test_without_support_systems_an_event_is_kept_and_work_says_what_is_missing(desk: Desk) -> None:
    path = desk.folder / "event.json"
    path.write_bytes(event())
    bare = CommandLine(desk.folder / "home", desk.folder / "keys")
    kept = bare("closure", "admit", str(path), "--json")
    assert (kept.code, kept.json["became"]) == (0, "kept")
    assert "support_systems_unavailable" in kept.err
    assert bare("closure", "work", "--once").code == 3
    desk.run("closure", "work", "--once")
    assert desk.effects == 5


def test_a_stopped_event_exits_with_one_and_shows_both_sides(desk: Desk) -> None:
    enter_disposition(desk.systems, disposition(episode="EP-2"))
    stopped = desk.admit()
    assert (stopped.code, stopped.json["became"]) == (1, "event_mismapped")
    shown = desk.run("closure", "list").out
    assert "other_episode: episode expected EP-1, found EP-2" in shown
    assert "to do: Correct the record in the case-review system" in shown
    enter_disposition(desk.systems, disposition())
    assert desk.sign("retry", CASE).code == 0
    desk.run("closure", "work", "--once")
    assert desk.effects == 5
    assert desk.run("closure", "list").out.count("follow-up") == 0


def test_a_hostile_event_exits_with_one_and_its_text_is_not_printed(desk: Desk) -> None:
    document = {**msgspec.json.decode(event()), "transcript": "the customer said"}
    refused = desk.admit(msgspec.json.encode(document))
    assert refused.code == 1
    assert "event_form_refused" in refused.err
    assert "the customer said" not in refused.everything + desk.run("closure", "list", "--json").everything


def test_skip_resolve_and_revert_are_signed_and_take_effect(desk: Desk) -> None:
    desk.admit()
    refused = desk.run(
        "closure", "skip", CASE, "queue_closed", "--reason", "by hand", "--key", str(desk.folder / "leo.json")
    )
    assert (refused.code, "role_missing" in refused.err) == (1, True)
    assert desk.sign("skip", CASE, "queue_closed", "--reason", "closed by hand").code == 0
    desk.run("closure", "work", "--once")
    notice = row_of(desk.systems, forms.NOTICES, f"{CASE}~EP-1~3")
    assert notice["notice"] == "incomplete, skipped: queue_closed"
    edit_subject(desk.systems, forms.LEDGER, f"LED-{CASE}", {"review_marker": "seen"})
    assert desk.sign("revert", CASE, "--reason", "reopened by the board").code == 0
    desk.run("closure", "work", "--once")
    tracker = row_of(desk.systems, forms.TRACKER, f"TRK-{CASE}")
    assert (tracker["review_state"], tracker["state"], tracker["closed_at"]) == ("in_review", "open", None)
    (follow_up,) = [one for one in desk.show()["follow_ups"] if one["resolved_at"] is None]
    assert follow_up["kind"] == "edited_since"
    number = str(follow_up["follow_up"])
    taken = desk.sign("resolve", number, "--reason", "audit keeps its marker", "--json")
    assert taken.json["person"] == "sam"
    assert desk.sign("resolve", number, "--reason", "again").code == 1
    assert desk.sign("skip", CASE, "ledger_marked", "--reason", "audit keeps its marker").code == 0
    desk.run("closure", "work", "--once")
    assert desk.show()["plans"][0]["state"] == "reverted"
    assert row_of(desk.systems, forms.NOTICES, f"{CASE}~EP-1~3")["notice"] == (
        "taken back in part, skipped: ledger_marked"
    )


def test_a_case_that_nobody_told_of_is_a_usage_error(desk: Desk) -> None:
    for arguments in (("show", "CASE-9"), ("list", "CASE-9")):
        assert desk.run("closure", *arguments).code == 2
    assert desk.sign("revert", "CASE-9", "--reason", "none").code == 2
    assert desk.sign("resolve", "99", "--reason", "none").code == 2
