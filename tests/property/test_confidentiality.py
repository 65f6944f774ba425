"""I9: no restricted value is in a log, an error or the output of any command. Dagster's events have their own test."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from dagster_project.application.demo_store import MARK
from dagster_project.application.google_cloud import play_google_cloud
from dagster_project.application.overview import candidate_history
from dagster_project.application.verify import verify
from dagster_project.cli import printing
from dagster_project.demo.scenario import load_scenario, restricted_values
from dagster_project.sources import admission
from tests.support.command_line import CommandLine, command_line_of, fresh_command_line
from tests.support.played_stories import BRIDGES, FEED_SAMPLE, INCIDENT, copy_of, played_feed, played_scenario
from tests.support.stored_bodies import flip, stored_bodies
from tests.support.workspaces import make_workspace, play_scenario

LAST = 26
WORDS_IN_A_ROW = 5


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """Collect everything that any logger says, down to DEBUG, and everything written to both outputs."""
    heard = io.StringIO()
    handler, root, database = logging.StreamHandler(heard), logging.getLogger(), logging.getLogger("sqlalchemy.engine")
    before = (root.level, database.level)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    database.setLevel(logging.DEBUG)  # statements and rows: it stays silent unless it is asked by name
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            yield heard
    finally:
        root.setLevel(before[0])
        database.setLevel(before[1])
        root.removeHandler(handler)


def found(heard: str) -> list[str]:
    """Return the source fields of which a restricted value was heard, in plain or in JSON."""
    low = heard.casefold()
    return sorted(
        {
            one.where
            for one in restricted_values()
            if any(form.casefold() in low for form in (one.value, json.dumps(one.value)[1:-1], repr(one.value)[1:-1]))
        }
    )


@cache
def feed_texts() -> frozenset[tuple[str, ...]]:
    """Return every run of five words of every update text of the hand-written feed."""
    feed = json.loads(FEED_SAMPLE.read_bytes())
    texts = [update["text"].casefold().split() for one in feed for update in one["updates"]]
    return frozenset(tuple(words[at : at + WORDS_IN_A_ROW]) for words in texts for at in range(len(words) - 4))


def heard_of_texts(heard: str) -> set[tuple[str, ...]]:
    words = heard.casefold().split()
    return {tuple(words[at : at + WORDS_IN_A_ROW]) for at in range(len(words) - 4)} & feed_texts()


def every_answer(run: CommandLine, incident: str, bridges: tuple[str, ...], ordinals: range) -> str:
    said: list[str] = [run(name).everything for name in ("status", "verify", "refresh")]
    said += [run(*arguments, "--json").everything for arguments in (["status"], ["verify"], ["history", incident])]
    said.append(run("history", incident).everything)
    for bridge in bridges:
        said.append(run("replay", "candidate", incident, bridge).everything)
        said.append(run("explain", incident, bridge, "/no/such/field").everything)
        for ordinal in map(str, ordinals):
            for arguments in (["show"], ["explain"]):
                said.append(run(*arguments, incident, bridge, "--ordinal", ordinal).everything)
                said.append(run(*arguments, incident, bridge, "--ordinal", ordinal, "--json").everything)
            said += [
                run("show", incident, bridge, "--ordinal", ordinal, "--view", view).everything
                for view in ("html", "markdown", "text")
            ]
    return "\n".join(said)


def test_playing_the_scenario_logs_no_restricted_value(tmp_path: Path) -> None:
    with listening() as heard:
        workspace = make_workspace(tmp_path)
        play_scenario(workspace)
        verify(workspace, progress=print)
        workspace.store.engine.dispose()
    assert "INSERT INTO source_records" in heard.getvalue()
    assert f"{INCIDENT} tidewater 26" in heard.getvalue()
    assert found(heard.getvalue()) == []


def test_no_command_shows_a_restricted_value_of_the_scenario(tmp_path: Path) -> None:
    run = command_line_of(copy_of(played_scenario(), tmp_path).settings)
    with listening() as heard:
        said = every_answer(run, INCIDENT, BRIDGES, range(1, LAST + 1))
    assert len(said) > 100_000
    assert "denied_term" in said
    assert found(said) == []
    assert found(heard.getvalue()) == []


def test_ingesting_the_scenario_by_hand_shows_no_restricted_value(tmp_path: Path) -> None:
    run = fresh_command_line(tmp_path)
    with listening() as heard:
        for step in load_scenario().steps:
            file = tmp_path / step.file
            file.write_bytes(step.body + step.body[: len(step.body) // 3])  # the last line broken off
            said = run("ingest", "landing", str(file))
            heard.write(said.everything + run("status").everything)
    assert "kept aside" in heard.getvalue()
    assert found(heard.getvalue()) == []


def test_stating_a_restricted_fact_shows_nothing_of_it(tmp_path: Path) -> None:
    workspace = copy_of(played_scenario(), tmp_path)
    (workspace.settings.home / MARK).touch()
    run = command_line_of(workspace.settings)
    with listening() as heard:
        for one in restricted_values():
            for data in ({"note": one.value}, {one.value: 1}, [one.value]):
                arguments = ["record", one.where.partition("#")[0], INCIDENT, "F-1", "--version", "1"]
                answer = run(*arguments, "--data", json.dumps(data), "--at", "2026-03-04T10:00:00Z")
                assert answer.code in {1, 2}
                heard.write(answer.everything)
    assert found(heard.getvalue()) == []


def test_a_damaged_store_shows_no_restricted_value(tmp_path: Path) -> None:
    workspace = copy_of(played_scenario(), tmp_path)
    run = command_line_of(workspace.settings)
    for body in stored_bodies(workspace.store):
        flip(body.path, body.start + body.length // 2)
    with listening() as heard:
        for arguments in (["verify"], ["show", INCIDENT, "tidewater"], ["explain", INCIDENT, "tidewater"], ["status"]):
            answer = run(*arguments)
            assert answer.code == 4, arguments
            heard.write(answer.everything)
    assert found(heard.getvalue()) == []


def test_no_update_text_of_the_feed_is_in_a_log_or_an_answer(tmp_path: Path) -> None:
    with listening() as heard:
        workspace = make_workspace(tmp_path / "played")
        for _moment in play_google_cloud(workspace, str(FEED_SAMPLE)):
            pass
        run = fresh_command_line(tmp_path)
        for arguments in (["ingest"], ["replay"]):
            heard.write(run(*arguments, "google-cloud", str(FEED_SAMPLE)).everything)
    assert heard_of_texts(heard.getvalue()) == set()
    run = command_line_of(copy_of(played_feed(), tmp_path / "copy").settings)
    for one in run("status", "--json").json["incidents"]:
        ordinals = range(1, len(candidate_history(played_feed(), one["incident"])) + 1)
        said = every_answer(run, one["incident"], ("harbourline",), ordinals)
        assert heard_of_texts(said) == set()


def logs_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = admission.admit_bytes

    def talkative(body: bytes, **options: object) -> object:
        logging.getLogger("channelsafe").debug("judging %s", body.decode(errors="replace"))
        return judged(body, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("dagster_project.application.admit.admit_bytes", talkative)


def prints_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = admission.admit_bytes

    def talkative(body: bytes, **options: object) -> object:
        print(body.decode(errors="replace"))  # noqa: T201 - the mistake that must be noticed
        return judged(body, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("dagster_project.application.admit.admit_bytes", talkative)


@pytest.mark.parametrize("mistake", [logs_bodies, prints_bodies])
def test_a_body_that_is_logged_or_printed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mistake(monkeypatch)
    with listening() as heard:
        workspace = make_workspace(tmp_path / "scenario")
        play_scenario(workspace, until_step=4)
        for _moment in play_google_cloud(make_workspace(tmp_path / "feed"), str(FEED_SAMPLE)):
            pass
    assert "dependency#/vendors" in found(heard.getvalue())
    assert heard_of_texts(heard.getvalue())


def test_an_answer_that_shows_what_is_masked_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "_input_text", lambda one: f"{one.recordid} relay-07.eu.internal")
    run = command_line_of(played_scenario().settings)
    assert found(run("explain", INCIDENT, "tidewater").everything)
