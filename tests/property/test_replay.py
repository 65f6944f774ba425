"""I6: every candidate is rebuilt byte for byte from what it pins, in any process and at any time."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.application import contexts, replaying
from dagster_project.application.overview import candidate_history
from dagster_project.application.profiles import profile_for
from dagster_project.application.refresh import known_incidents
from dagster_project.application.replaying import ReplayReport, replay_candidate
from dagster_project.application.workspace import Workspace
from dagster_project.packaging import candidate as candidate_module
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.store.candidates import CandidateRow
from dagster_project.store.profiles import assigned_profiles
from dagster_project.store.transaction import Transaction
from tests.support.command_line import command_line_of
from tests.support.played_stories import INCIDENT, copy_of, played_feed, played_scenario
from tests.support.workspaces import make_workspace, play_scenario

PARTS = {"content", "lineage", "delta", "annex", "views"}
STORIES = {"scenario": played_scenario, "feed": played_feed}
# Replays everything that a home holds and prints what did not come out equal; run as a process of its own.
IN_A_NEW_PROCESS = """
import json, sys
from pathlib import Path
from dagster_project.application.overview import candidate_history
from dagster_project.application.refresh import known_incidents
from dagster_project.application.replaying import replay_candidate
from dagster_project.application.workspace import open_workspace
from dagster_project.settings import Settings
workspace = open_workspace(Settings(home=Path(sys.argv[1]), keys=Path(sys.argv[2])))
reports = [
    replay_candidate(workspace, incident, one.bridge, one.ordinal)
    for incident in known_incidents(workspace)
    for one in candidate_history(workspace, incident)
]
print(json.dumps([(one.bridge, one.ordinal, one.same_renderer, one.equal) for one in reports]))
"""


def replays(workspace: Workspace) -> list[ReplayReport]:
    return [
        replay_candidate(workspace, incident, one.bridge, one.ordinal)
        for incident in known_incidents(workspace)
        for one in candidate_history(workspace, incident)
    ]


@pytest.mark.parametrize(("story", "count"), [("scenario", 52), ("feed", 11)])
def test_every_candidate_is_rebuilt_byte_for_byte(story: str, count: int) -> None:
    reports = replays(STORIES[story]())
    assert len(reports) >= count
    for report in reports:
        assert set(report.equal) == PARTS
        assert report.same_renderer
        assert all(report.equal.values()), (report.incident, report.bridge, report.ordinal, report.equal)


@pytest.mark.parametrize("story", sorted(STORIES))
def test_a_new_process_with_other_hashing_and_another_time_zone_rebuilds_the_same_bytes(story: str) -> None:
    settings = STORIES[story]().settings
    done = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS, str(settings.home), str(settings.keys)],
        env={**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu"},
        check=True,
        capture_output=True,
    )
    told = json.loads(done.stdout)
    assert len(told) == len(replays(STORIES[story]()))
    assert all(same_renderer and set(equal) == PARTS and all(equal.values()) for *_, same_renderer, equal in told)


def made_by_another_renderer(folder: Path) -> Workspace:
    workspace = copy_of(played_scenario(), folder)
    with workspace.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE candidates SET renderer_digest = 'sha256:of-an-earlier-release'")
    return workspace


def test_under_another_renderer_replay_says_so_and_compares_content(tmp_path: Path) -> None:
    workspace = made_by_another_renderer(tmp_path)
    report = replay_candidate(workspace, INCIDENT, "harbourline", 7)
    assert not report.same_renderer
    assert report.reproduced
    run = command_line_of(workspace.settings)
    answer = run("replay", "candidate", INCIDENT, "harbourline", "--ordinal", "7")
    assert (answer.code, "ANOTHER renderer" in answer.out) == (0, True)
    assert "52 candidates were made by another renderer" in run("verify").out


def test_another_time_zone_table_counts_as_another_renderer() -> None:
    workspace = played_scenario()
    later = replace(workspace, renderer=replace(workspace.renderer, tzdata_version="2999.1"))
    assert not replay_candidate(later, INCIDENT, "harbourline", 7).same_renderer


def test_under_another_renderer_other_views_are_expected_and_other_content_is_not(tmp_path: Path) -> None:
    workspace = made_by_another_renderer(tmp_path)
    report = replay_candidate(workspace, INCIDENT, "tidewater", 3)
    assert replace(report, equal=report.equal | {"views": False}).reproduced
    assert not replace(report, equal=report.equal | {"content": False}).reproduced
    assert not replace(report, same_renderer=True, equal=report.equal | {"views": False}).reproduced


def test_rendering_that_reads_a_clock_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reads_the_clock(context: RenderingContext) -> Rendering:
        rendering = render(context)
        return replace(rendering, content=rendering.content | {"rendered_at": datetime.now(UTC).isoformat()})

    monkeypatch.setattr(candidate_module, "render", reads_the_clock)
    workspace = make_workspace(tmp_path)
    play_scenario(workspace, until_step=1)
    assert not any(report.reproduced for report in replays(workspace))


def test_a_profile_that_is_not_pinned_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = contexts.context_of

    def with_the_profile_of_today(
        workspace: Workspace, transaction: Transaction, row: CandidateRow
    ) -> RenderingContext:
        today = profile_for(assigned_profiles(transaction, [row.incident]), incident=row.incident, bridge=row.bridge)
        return pinned(workspace, transaction, replace(row, profile_digest=today))

    monkeypatch.setattr(replaying, "context_of", with_the_profile_of_today)
    differing = {(one.bridge, one.ordinal) for one in replays(played_scenario()) if not one.reproduced}
    assert {("tidewater", 18), ("tidewater", 19)} <= differing
