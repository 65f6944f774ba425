"""Publishing the sample scenario: what analysts find, what they never find, and what happens when things go wrong."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.application.analytics import (
    PublicationReport,
    publish,
    published_position,
)
from dagster_project.application.analytics_columns import INTERNAL_FILE, PUBLIC_FILE, VIEWS
from dagster_project.application.analytics_gate import Gate
from dagster_project.application.candidates import render_candidates
from dagster_project.application.checks import check_candidates
from dagster_project.application.refresh import refresh
from dagster_project.application.snapshots import take_snapshot
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock, format_instant
from dagster_project.demo.scenario import load_scenario, restricted_values
from dagster_project.errors import IntegrityViolation
from dagster_project.store.candidates import CandidateRow, find_candidate, find_snapshot
from dagster_project.store.gates import find_manifest, latest_release_check
from dagster_project.store.transaction import Transaction
from tests.support.stored_bodies import flip, stored_body
from tests.support.workspaces import make_workspace, play_scenario

PLANTED_HOST = "relay-07.eu.internal"
INCIDENT = load_scenario().incident
LAST = load_scenario().steps[-1].at
OTHER_LINEAGE = """UPDATE candidates SET lineage_digest =
    (SELECT lineage_digest FROM candidates WHERE candidate_id = 52) WHERE candidate_id = 36"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the whole scenario played and published; tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("analytics")
    workspace = make_workspace(folder)
    play_scenario(workspace)
    publish(workspace)
    workspace.store.engine.dispose()
    return folder


def opened(folder: Path) -> Workspace:
    settings = make_workspace(folder).settings
    return open_workspace(settings, clock=FixedClock(LAST))


@pytest.fixture
def workspace(played: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(played, tmp_path / "copy")
    return opened(tmp_path / "copy")


@contextmanager
def reader(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(file), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def ask(workspace: Workspace, question: str, *parameters: object, name: str = INTERNAL_FILE) -> list[tuple[Any, ...]]:
    with reader(workspace.settings.published_analytics / name) as connection:
        return connection.execute(question, parameters).fetchall()


def everything(workspace: Workspace, name: str = INTERNAL_FILE) -> dict[str, list[str]]:
    return {view: sorted(map(repr, ask(workspace, f"FROM {view}", name=name))) for view in VIEWS}


def values_in(file: Path) -> Iterator[str]:
    """Yield every value of every column of every table and view as text, instants as the sources write them."""
    with reader(file) as connection:
        named = connection.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
        assert {name for schema, name in named if schema == "main"} == set(VIEWS)
        for schema, name in named:
            for row in connection.execute(f'FROM "{schema}"."{name}"').fetchall():
                for value in row:
                    yield f"{value.isoformat()}Z" if isinstance(value, datetime) else str(value)


def leaked(file: Path) -> set[str]:
    text = "\n".join(values_in(file)).casefold()
    return {one.value for one in restricted_values() if one.value.casefold() in text}


def test_every_view_answers_after_the_sample_scenario(workspace: Workspace) -> None:
    counts = {view: len(rows) for view, rows in everything(workspace).items()}
    # Nobody released or closed anything in this story; that has stories of its own (`test_analytics_releases`,
    # `test_analytics_closures`).
    assert {view for view, count in counts.items() if not count} == {
        "released_versions", "released_fields", "version_origins", "decisions", "receipts", "findings", "acceptance",
        "findings_by_kind", "closures", "closure_steps", "closure_follow_ups", "closures_without_repair",
        "closure_events_caught", "closure_audit", "closure_recoveries",
    }  # fmt: skip
    assert counts["candidates"] == 2 * len(load_scenario().steps)
    assert counts["manifests"] == counts["passed_candidates"] == counts["candidates"] - 2


def test_nothing_falls_between_passed_and_failed_candidates(workspace: Workspace) -> None:
    (both,) = ask(workspace, "SELECT count(*) FROM passed_candidates JOIN failed_candidates USING (candidate_id)")
    (either,) = ask(
        workspace,
        "SELECT count(*) FROM (SELECT candidate_id FROM passed_candidates UNION"
        " SELECT candidate_id FROM failed_candidates)",
    )
    assert (both, either) == ((0,), (2 * len(load_scenario().steps),))


def test_the_unsafe_candidate_is_failed_with_its_rule_and_never_passed(workspace: Workspace) -> None:
    made = "SELECT candidate_id FROM candidates WHERE bridge = $1 AND evaluation_instant = $2"
    at = load_scenario().steps[17].at.replace(tzinfo=None)
    (unsafe,) = ask(workspace, made, "tidewater", at)
    failed = ask(workspace, "SELECT rule, code, pointers FROM failed_candidates WHERE candidate_id = $1", *unsafe)
    assert [(rule, code) for rule, code, _ in failed] == [("leak", "denied_term")]
    assert all("/parameters/" in pointer for _, _, pointers in failed for pointer in pointers)
    assert ask(workspace, "FROM passed_candidates WHERE candidate_id = $1", *unsafe) == []
    assert ask(workspace, "FROM candidates WHERE candidate_id = $1 AND publication_state = 'candidate'", *unsafe) == []
    assert ask(workspace, "FROM manifests WHERE candidate_id = $1", *unsafe) == []
    # The other bridge, in the same refresh, was not kept in the dark.
    (safe,) = ask(workspace, made, "harbourline", at)
    assert len(ask(workspace, "FROM passed_candidates WHERE candidate_id = $1", *safe)) == 1


def test_the_values_of_a_failed_candidate_are_withheld_there_and_in_the_change_that_follows(
    workspace: Workspace,
) -> None:
    assert ask(
        workspace,
        "SELECT count(*), count(value), bool_and(withheld) FROM fields"
        " WHERE candidate_id IN (SELECT candidate_id FROM failed_candidates)",
    )[0][1:] == (0, True)
    assert ask(
        workspace,
        "SELECT count(new_value) FROM changes WHERE candidate_id IN (SELECT candidate_id FROM failed_candidates)",
    ) == [(0,)]
    after = (
        "FROM changes JOIN candidates USING (candidate_id)"
        " WHERE predecessor_id IN (SELECT candidate_id FROM failed_candidates) AND publication_state = 'candidate'"
    )
    assert ask(workspace, f"SELECT count(*) > 0, count(old_value), count(new_value) > 0 {after}") == [(True, 0, True)]


def test_a_field_of_a_candidate_that_passed_reads_as_the_package_does(workspace: Workspace) -> None:
    with workspace.store.read() as transaction:
        row = find_candidate(transaction, 1)
        assert row is not None
        content = json.loads(transaction.get_sealed(row.content_digest))
    fields = dict(ask(workspace, "SELECT pointer, value FROM fields WHERE candidate_id = 1"))
    assert fields["/severity_code"] == content["severity_code"]
    assert json.loads(fields["/held/contract/fields"]) == content["held"]["contract"]["fields"]
    assert ask(workspace, "SELECT slot FROM slots WHERE candidate_id = 1 ORDER BY slot") == [
        (slot,) for slot in sorted(content["held"])
    ]
    (digest,) = ask(workspace, "SELECT content_digest FROM passed_candidates WHERE candidate_id = 1")
    assert digest == (row.content_digest,)


def test_lineage_explains_every_field_and_only_constants_read_nothing(workspace: Workspace) -> None:
    unexplained = ask(
        workspace, "SELECT candidate_id, pointer FROM fields EXCEPT SELECT candidate_id, pointer FROM lineage"
    )
    assert unexplained == []
    constants = ask(workspace, "SELECT DISTINCT transformation FROM lineage WHERE source IS NULL")
    assert {name for (name,) in constants} >= {"profile_constant", "content_schema"}
    assert ask(workspace, "FROM lineage WHERE source IS NOT NULL AND data_digest NOT LIKE 'hmac-sha256:%'") == []


def test_a_plain_digest_names_only_what_may_be_shown(workspace: Workspace) -> None:
    plain = set()
    with reader(workspace.settings.published_analytics / INTERNAL_FILE) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'main' AND column_name LIKE '%digest'"
        ).fetchall()
        for view, column in columns:
            if connection.execute(f"FROM {view} WHERE {column} LIKE 'sha256:%'").fetchall():
                plain.add(column)
        failed = connection.execute(
            "SELECT content_digest FROM candidates WHERE publication_state = 'failed_check'"
            " UNION ALL SELECT content_digest FROM release_checks WHERE NOT passed"
        ).fetchall()
    assert plain == {"content_digest", "profile_digest", "renderer_digest", "rule_digest"}
    assert len(failed) == 4
    assert all(digest.startswith("hmac-sha256:") for (digest,) in failed)


@pytest.mark.parametrize("name", [INTERNAL_FILE, PUBLIC_FILE])
def test_no_restricted_value_is_in_any_column_of_either_file(workspace: Workspace, name: str) -> None:
    file = workspace.settings.published_analytics / name
    assert leaked(file) == set()
    content = file.read_bytes()
    assert not [one.value for one in restricted_values() if one.value.encode() in content]


def test_the_search_finds_the_planted_host_once_failed_candidates_are_taken_for_passed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "passed", property(lambda _gate: True))
    shutil.rmtree(workspace.settings.published_analytics)
    publish(workspace)
    assert leaked(workspace.settings.published_analytics / INTERNAL_FILE) == {PLANTED_HOST}


def test_the_public_file_has_the_same_views_and_not_one_row_while_nothing_is_released(workspace: Workspace) -> None:
    assert everything(workspace, PUBLIC_FILE) == {view: [] for view in VIEWS}
    assert not list(values_in(workspace.settings.published_analytics / PUBLIC_FILE))


def test_a_deleted_projection_is_rebuilt_with_the_same_rows_in_every_view(workspace: Workspace) -> None:
    before = everything(workspace)
    shutil.rmtree(workspace.settings.published_analytics)
    assert publish(workspace).is_new
    assert everything(workspace) == before


def test_with_nothing_new_the_files_stay_and_the_report_says_so(workspace: Workspace) -> None:
    folder = workspace.settings.published_analytics
    before = {file.name: file.stat().st_ino for file in folder.iterdir()}
    report = publish(workspace)
    assert (report.is_new, report.position, report.candidates) == (False, 52, 52)
    assert {file.name: file.stat().st_ino for file in folder.iterdir()} == before
    refresh(workspace, INCIDENT)
    ((fields,),) = ask(workspace, "SELECT count(*) FROM fields")
    again = publish(workspace)
    ((more,),) = ask(workspace, "SELECT count(*) FROM fields")
    assert more > fields == report.fields
    assert again == replace(report, is_new=True, position=54, candidates=54, fields=more)
    assert published_position(workspace) == 54


@pytest.mark.parametrize("damage", ["missing", "altered"])
@pytest.mark.parametrize("name", [INTERNAL_FILE, PUBLIC_FILE, "publication.json"])
def test_a_published_file_that_is_missing_or_altered_is_made_again(
    workspace: Workspace, name: str, damage: str
) -> None:
    file = workspace.settings.published_analytics / name
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"{}" + file.read_bytes()[2:])
    assert [publish(workspace).is_new for _ in range(2)] == [True, False]
    assert everything(workspace)["publication"]


def test_a_reader_keeps_its_contents_while_a_new_publication_lands(workspace: Workspace) -> None:
    file = workspace.settings.published_analytics / INTERNAL_FILE
    count = "SELECT count(*) FROM candidates"
    elsewhere = [
        sys.executable,
        "-c",
        f"import duckdb; print(duckdb.connect({str(file)!r}, read_only=True).sql({count!r}).fetchall()[0][0])",
    ]
    with reader(file) as connection:
        assert connection.execute(count).fetchall() == [(52,)]
        refresh(workspace, INCIDENT)
        assert publish(workspace).is_new
        assert connection.execute(count).fetchall() == [(52,)]
        assert subprocess.run(elsewhere, capture_output=True, check=True, text=True).stdout.strip() == "54"
    assert ask(workspace, count) == [(54,)]


def test_an_unchecked_candidate_is_not_passed_until_its_check_is_published(workspace: Workspace) -> None:
    assert isinstance(workspace.clock, FixedClock)
    workspace.clock.set(LAST + timedelta(minutes=1))
    take_snapshot(workspace, INCIDENT)
    unchecked = {row.candidate_id for row in render_candidates(workspace, INCIDENT)}
    publish(workspace)
    waiting = "SELECT candidate_id, code FROM failed_candidates WHERE candidate_id > 52"
    assert set(ask(workspace, waiting)) == {(number, "not_checked") for number in unchecked}
    assert ask(workspace, "SELECT count(value) FROM fields WHERE candidate_id > 52") == [(0,)]
    check_candidates(workspace, INCIDENT)
    # No candidate came and no record moved: only the checks are new.
    assert publish(workspace).is_new
    assert ask(workspace, waiting) == []
    assert ask(workspace, "SELECT count(*) FROM passed_candidates WHERE candidate_id > 52") == [(2,)]


def _bodies(transaction: Transaction, row: CandidateRow) -> dict[str, str]:
    check, manifest = latest_release_check(transaction, row.candidate_id), find_manifest(transaction, row.candidate_id)
    snapshot = find_snapshot(transaction, row.snapshot_digest)
    assert check is not None
    assert manifest is not None
    assert snapshot is not None
    views: dict[str, str] = json.loads(transaction.get_sealed(row.view_digest))
    return views | {
        "content": row.content_digest,
        "lineage": row.lineage_digest,
        "delta": row.delta_digest,
        "annex": row.annex_digest,
        "views": row.view_digest,
        "snapshot": snapshot.body_digest,
        "release check": check.check_body_digest,
        "manifest": manifest.body_digest,
    }


def test_a_flipped_byte_in_any_body_of_a_candidate_stops_the_publication(workspace: Workspace) -> None:
    refresh(workspace, INCIDENT)
    before = everything(workspace)
    with workspace.store.read() as transaction:
        row = find_candidate(transaction, 1)
        assert row is not None
        bodies = _bodies(transaction, row)
    for part, digest in bodies.items():
        body = stored_body(workspace.store, digest)
        flip(body.path, body.start + body.length // 2)
        with pytest.raises(IntegrityViolation) as stopped:
            publish(workspace)
        assert stopped.value.exit_code == 4, part
        flip(body.path, body.start + body.length // 2)
    assert everything(workspace) == before
    assert published_position(workspace) == 52
    assert publish(workspace).is_new


@pytest.mark.parametrize(
    ("tampering", "code"),
    [
        ("UPDATE internal_manifests SET check_id = 3 WHERE candidate_id = 1", "manifest_without_passed_check"),
        ("DELETE FROM release_checks WHERE candidate_id = 1", "manifest_without_passed_check"),
        ("UPDATE internal_manifests SET candidate_id = 36 WHERE candidate_id = 1", "manifest_differs"),
        ("UPDATE release_checks SET passed = 1 WHERE candidate_id = 36", "release_check_differs"),
        (OTHER_LINEAGE, "lineage_differs"),
    ],
)  # fmt: skip
def test_rows_that_contradict_their_bodies_stop_the_publication(
    workspace: Workspace, tampering: str, code: str
) -> None:
    shutil.rmtree(workspace.settings.published_analytics)
    # The store refuses these by its constraints; whoever writes to the file past the store meets the bodies.
    with sqlite3.connect(workspace.settings.home / "channelsafe.sqlite3") as database:
        database.execute(tampering)
    with pytest.raises(IntegrityViolation) as stopped:
        publish(workspace)
    assert stopped.value.code == code
    assert not (workspace.settings.published_analytics / INTERNAL_FILE).exists()


def test_of_two_publishers_at_once_one_publishes_and_the_other_finds_nothing_new(workspace: Workspace) -> None:
    refresh(workspace, INCIDENT)
    reports: list[PublicationReport] = []
    publishers = [threading.Thread(target=lambda: reports.append(publish(workspace))) for _ in range(2)]
    for one in publishers:
        one.start()
    for one in publishers:
        one.join()
    assert sorted(one.is_new for one in reports) == [False, True]
    assert len(everything(workspace)["candidates"]) == 54


def test_what_a_killed_publisher_left_is_swept_away(workspace: Workspace) -> None:
    folder = workspace.settings.published_analytics
    for name in (".internal.duckdb.building", ".internal.duckdb.building.wal", ".public.duckdb.building"):
        (folder / name).write_bytes(b"half a file")
    refresh(workspace, INCIDENT)
    publish(workspace)
    assert {file.name for file in folder.iterdir()} == {
        ".publisher.lock", INTERNAL_FILE, PUBLIC_FILE, "publication.json",
    }  # fmt: skip


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_a_projection_follows_the_store_on_either_database(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else None
    workspace = make_workspace(tmp_path, database_url=url)
    assert publish(workspace) == PublicationReport(incidents=0, candidates=0, fields=0, position=0, is_new=True)
    play_scenario(workspace, until_step=2)
    report = publish(workspace)
    assert (report.incidents, report.candidates, report.position, report.is_new) == (1, 4, 4, True)
    assert ask(workspace, "SELECT DISTINCT bridge FROM passed_candidates ORDER BY bridge") == [
        ("harbourline",), ("tidewater",),
    ]  # fmt: skip
    published_at = ask(workspace, "SELECT published_at FROM publication")
    assert format_instant(workspace.clock.now()) == f"{published_at[0][0].isoformat()}Z"
    assert not publish(workspace).is_new
    workspace.store.engine.dispose()


def test_importing_the_publisher_does_not_import_duckdb() -> None:
    program = "import sys, dagster_project.application.analytics; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
