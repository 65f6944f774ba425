"""Publishing again and again, and questions that change nothing, by the command line."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.application.releasing import release
from dagster_project.application.workspace import open_workspace
from dagster_project.demo.scenario import restricted_values
from dagster_project.packaging.vocabulary import REVIEW_ROLES
from dagster_project.settings import HOME_VARIABLE, KEYS_VARIABLE, Settings
from tests.support.command_line import fresh_command_line
from tests.support.review_answers import OTHER, SEVERITY, published, refused
from tests.support.review_room import BRIDGE, FIRST, INCIDENT, ReviewRoom

FORMS: tuple[tuple[str, ...], ...] = ((), ("--json",))


def test_nobody_decides_where_nobody_is_trusted(tmp_path: Path) -> None:
    run = fresh_command_line(tmp_path)
    run("keys", "create")
    run("keys", "person", "ines", "--out", str(tmp_path / "ines.key"))
    for arguments in (
        ["review", "list"],
        ["profile", "propose", "customer_bridge", "--key", str(tmp_path / "ines.key")],
    ):
        assert refused(run(*arguments), "no_trust", 3)


def test_every_round_of_publishing_is_safe_to_repeat(after: ReviewRoom) -> None:
    files = published(after)
    for _round in range(2):
        answer = after.run("publish", "--once", "--json")
        assert (answer.code, answer.json["failed"]) == (0, {})
    assert published(after) == files
    assert after.run("publish", "--once", "--every", "5").code == 2


def test_a_watch_publishes_what_a_process_that_died_left_pending(before: ReviewRoom) -> None:
    for person in FIRST:
        before.decide(person, "approve", BRIDGE)
    release(open_workspace(Settings(home=before.run.home, keys=before.run.keys)), INCIDENT, BRIDGE)
    assert published(before) == set()
    environment = {HOME_VARIABLE: str(before.run.home), KEYS_VARIABLE: str(before.run.keys)}
    watch = subprocess.Popen(
        [str(Path(sys.executable).parent / "channelsafe"), "publish", "--every", "0.1", "--json"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
    )
    try:
        assert watch.stdout is not None
        first, second = (json.loads(watch.stdout.readline()) for _round in range(2))
        assert {"v000001/package.json", "index.dsse.json"} <= published(before)
        assert (first["failed"], second["failed"]) == ({}, {})
    finally:
        # A worker in which Dagster ran may ignore softer signals, and so may its children.
        watch.kill()
        assert watch.wait(timeout=60) == -signal.SIGKILL


Question = Callable[[ReviewRoom], list[str]]
QUESTIONS: dict[str, Question] = {
    "list": lambda _room: ["review", "list"],
    "show": lambda _room: ["review", "show", INCIDENT, BRIDGE],
    "profile": lambda _room: ["profile", "show"],
    "history": lambda _room: ["history", INCIDENT],
    "exposure": lambda _room: ["exposure", INCIDENT, SEVERITY],
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_questions_answer_people_and_programs_and_change_nothing(released: ReviewRoom, what: str) -> None:
    arguments = QUESTIONS[what](released)
    text, answer = released.run(*arguments), released.run(*arguments, "--json")
    assert (text.code, text.err, answer.code, answer.err) == (0, "", 0, "")
    assert not text.out.startswith(("{", "["))
    assert answer.out == json.dumps(answer.json, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert released.run(*arguments, "--json").out == answer.out


def test_no_restricted_value_is_in_any_answer(before: ReviewRoom) -> None:
    before.deliver(3, 4, 5, 6)
    before.release_first()
    before.deliver(7, 8, 9, 10)
    said = [before.ask("ines", "approve", BRIDGE, "--preview").everything]
    for bridge in (BRIDGE, OTHER):
        fields = [one["pointer"] for one in before.shown(bridge)["changes"]]
        said += [before.run("review", "show", INCIDENT, bridge, *json_or_not).everything for json_or_not in FORMS]
        said += [before.run("exposure", INCIDENT, field).everything for field in (*fields, SEVERITY)]
    said.append(before.decide("leo", "pull", BRIDGE, "1", SEVERITY, "--reason", "x")["decision_digest"])
    for arguments in (["history", INCIDENT], ["review", "list"], ["profile", "show"], ["exposure", INCIDENT, SEVERITY]):
        said += [before.run(*arguments, *json_or_not).everything for json_or_not in FORMS]
    heard = "\n".join(said).casefold()
    assert len(heard) > 10_000
    assert [one.where for one in restricted_values() if one.value.casefold() in heard] == []


def test_holds_are_made_in_any_role_that_reviews(before: ReviewRoom) -> None:
    for role in REVIEW_ROLES:
        assert role in before.run("review", "hold", "--help").out
