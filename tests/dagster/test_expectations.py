"""The checks of the analysts' files as operators run them: what passes, what fails, and what no event ever repeats."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from assets.analytics import analytics_files
from checks.analytics import EXPECTATIONS_CHECK, SCHEMAS_CHECK, analytics_checks
from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import INTERNAL_FILE, PUBLIC_FILE
from dagster_project.application.analytics_inspection import published
from dagster_project.application.analytics_rules import read_rules
from dagster_project.application.refresh import refresh
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.definitions import build_definitions
from dagster_project.demo.scenario import load_scenario, restricted_values
from dagster_project.schedules import hourly_check_of_analytics
from resources.workspace import OpenedWorkspace
from tests.support.analytics_files import change_file
from tests.support.workspaces import make_workspace, play_scenario

UNKNOWN = "Northgate"
Place = tuple[str, str, str]
LAST = load_scenario().steps[-1].at


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the whole scenario played and published; tests work on a copy."""
    folder = tmp_path_factory.mktemp("expectations")
    workspace = make_workspace(folder)
    play_scenario(workspace)
    publish(workspace)
    workspace.store.engine.dispose()
    return folder


@pytest.fixture
def workspace(played: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(played, tmp_path / "copy")
    return open_workspace(make_workspace(tmp_path / "copy").settings, clock=FixedClock(LAST))


def run_checks(workspace: Workspace, instance: dg.DagsterInstance | None = None) -> dict[str, dg.AssetCheckEvaluation]:
    """Run the job `check_analytics` and return its evaluations by name."""
    definitions = build_definitions(workspace.settings, resources={"channelsafe": OpenedWorkspace(workspace)})
    result = definitions.resolve_job_def("check_analytics").execute_in_process(instance=instance)
    assert not result.get_asset_materialization_events()
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def places(evaluation: dg.AssetCheckEvaluation) -> set[Place]:
    """Return where and what an evaluation says is broken: table, column, rule."""
    where = evaluation.metadata.get("where")
    if where is None:
        return set()
    assert isinstance(where, dg.TableMetadataValue)
    return {(str(one.data["table"]), str(one.data["column"]), str(one.data["rule"])) for one in where.records}


def test_what_the_publisher_made_of_the_sample_scenario_passes_both_checks(workspace: Workspace) -> None:
    found = run_checks(workspace)
    assert set(found) == {SCHEMAS_CHECK, EXPECTATIONS_CHECK}
    assert {one.passed for one in found.values()} == {True}
    assert all(one.metadata["breaches"].value == 0 for one in found.values())


def test_an_empty_publication_passes_both_checks(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    publish(workspace)
    assert {one.passed for one in run_checks(workspace).values()} == {True}


EVERY_CANDIDATE_PASSED = """CREATE OR REPLACE VIEW passed_candidates AS
    SELECT candidate_id, incident, bridge, ordinal, content_number, content_digest, evaluation_instant, as_of,
        created_at AS valid_until, outcome, content_digest AS manifest_digest, 0::BIGINT AS check_id
    FROM published.candidates"""
EVERY_CANDIDATE_FAILED = """CREATE OR REPLACE VIEW failed_candidates AS
    SELECT candidate_id, incident, bridge, ordinal, evaluation_instant, candidate_id AS check_id,
        'gate' AS rule, 'not_checked' AS code, []::VARCHAR[] AS pointers
    FROM published.candidates"""
# A gap between them, and both are current.
RELEASED_VERSIONS_1_AND_3 = """INSERT INTO published.released_versions
    SELECT 'aa', number, 'release', 'released', 'c', 'l', 'sha256:c', moment, moment, moment, NULL
    FROM (VALUES (1), (3)) AS numbers (number), (SELECT TIMESTAMP '2026-03-04 10:00:00' AS moment)"""
# Every rule of `sql/rules/`, with what breaks it.
BREAKING = {
    "candidate_follows_its_predecessor": """UPDATE published.candidates SET predecessor_id = candidate_id
        WHERE predecessor_id IS NOT NULL""",
    "candidate_has_fields": "DELETE FROM published.fields",
    "candidate_has_its_incident": "DELETE FROM published.incidents",
    "field_has_lineage": "DELETE FROM published.lineage WHERE source IS NULL",
    "lineage_has_its_field": "DELETE FROM published.fields WHERE on_hold",
    "manifest_names_its_check": "UPDATE published.manifests SET check_id = -1",
    "new_values_only_of_passed": """UPDATE published.changes SET new_value = 'x'
        WHERE candidate_id IN (SELECT candidate_id FROM failed_candidates)""",
    "old_values_only_of_passed": """UPDATE published.changes SET old_value = 'x' WHERE candidate_id IN
        (SELECT candidate_id FROM candidates WHERE predecessor_id IN (SELECT candidate_id FROM failed_candidates))""",
    "one_version_is_current": RELEASED_VERSIONS_1_AND_3,
    "origin_of_every_released_version": """INSERT INTO published.version_origins
        VALUES ('INC-4711', 'tidewater', 1, 'aa', NULL, 'sha256:p', FALSE, 0, 0)""",
    "passed_check_has_no_reasons": """INSERT INTO published.release_check_reasons
        SELECT check_id, candidate_id, 'leak', 'x', [] FROM passed_candidates""",
    "passed_has_a_manifest": EVERY_CANDIDATE_PASSED,
    "passed_has_a_passed_check": EVERY_CANDIDATE_PASSED,
    "passed_has_no_later_failure": EVERY_CANDIDATE_PASSED,
    "passed_has_slots": "DELETE FROM published.slots",
    "passed_or_failed": EVERY_CANDIDATE_FAILED,
    "plain_digest_only_of_passed": """UPDATE published.release_checks SET content_digest = 'sha256:' || content_digest
        WHERE NOT passed""",
    "reason_has_its_check": "UPDATE published.release_check_reasons SET check_id = -1",
    "receipt_has_its_version": """INSERT INTO published.findings
        VALUES (1, 'INC-4711', 'tidewater', 1, '/severity_code', 'stale', TIMESTAMP '2026-03-04 10:00:00')""",
    "released_field_has_its_version": "INSERT INTO published.released_fields VALUES ('aa', 1, '/severity_code', 'x')",
    "slots_only_of_passed": """INSERT INTO published.slots
        SELECT candidate_id, 's', 'other', 'on_hold', 'legal', [] FROM failed_candidates""",
    "values_only_of_passed": """UPDATE published.fields SET value = 'x'
        WHERE candidate_id IN (SELECT candidate_id FROM failed_candidates)""",
}


@pytest.mark.parametrize("name", read_rules())
def test_a_rule_counts_what_breaks_it_and_nothing_else(workspace: Workspace, name: str) -> None:
    rule = read_rules()[name]
    assert rule.says
    assert not rule.says.startswith("--")
    with published(workspace) as before:
        assert before.internal.number(rule.broken) == 0
    change_file(workspace, INTERNAL_FILE, BREAKING[name])
    with published(workspace) as after:
        assert after.internal.number(rule.broken) > 0


VALUES_AND_WORDS = """
    UPDATE published.fields SET value = 'Northgate' WHERE candidate_id IN (SELECT candidate_id FROM failed_candidates);
    UPDATE published.changes SET cause = 'Northgate';
    UPDATE published.candidates SET profile_digest = 'Northgate';
"""
LOST_AND_DOUBLED_ROWS = """
    INSERT INTO published.annexes FROM published.annexes;
    DELETE FROM published.fields WHERE on_hold;
    CREATE OR REPLACE VIEW absences AS
        SELECT candidate.candidate_id, incident, bridge, ordinal, absence.* EXCLUDE (candidate_id)
        FROM published.absences AS absence JOIN published.candidates AS candidate USING (candidate_id) WHERE false;
"""


@pytest.mark.parametrize(
    ("file", "statements", "by_schemas", "by_expectations"),
    [
        (
            INTERNAL_FILE,
            VALUES_AND_WORDS,
            {("changes", "cause", "allowed"), ("candidates", "profile_digest", "form")},
            {("changes", "cause", "allowed"), ("", "", "values_only_of_passed")},
        ),
        (
            INTERNAL_FILE,
            LOST_AND_DOUBLED_ROWS,
            set(),
            {
                ("annexes", "", "unique"),
                ("fields", "", "as_many_as_published"),
                ("", "", "lineage_has_its_field"),
                ("absences", "", "every_row_of_its_table"),
            },
        ),
        (
            PUBLIC_FILE,
            "INSERT INTO published.annexes VALUES (1, 'Northgate', 1)",
            {("annexes", "audience", "allowed")},
            {("annexes", "", "nothing_internal"), ("annexes", "", "every_row_of_its_table")},
        ),
        (PUBLIC_FILE, "DROP VIEW publication", set(), {("publication", "", "columns")}),
    ],
    ids=["values and words", "lost and doubled rows", "rows in the public file", "no view"],
)
def test_a_file_that_is_not_as_defined_fails_by_table_column_and_rule_and_shows_no_value(
    workspace: Workspace, file: str, statements: str, by_schemas: set[Place], by_expectations: set[Place]
) -> None:
    change_file(workspace, file, statements)
    with dg.DagsterInstance.ephemeral() as instance:
        found = run_checks(workspace, instance)
        (record,) = instance.get_run_records()
        told = "\n".join(map(repr, instance.all_logs(record.dagster_run.run_id)))
    for name, expected in ((SCHEMAS_CHECK, by_schemas), (EXPECTATIONS_CHECK, by_expectations)):
        assert found[name].passed is (not expected)
        assert found[name].severity is dg.AssetCheckSeverity.ERROR
        assert places(found[name]) >= expected
    assert "breaches" in told
    assert UNKNOWN not in told
    assert not [one.value for one in restricted_values() if one.value in told]


def never_published(folder: Path) -> None:
    shutil.rmtree(folder)


def public_missing(folder: Path) -> None:
    (folder / PUBLIC_FILE).unlink()


def seal_missing(folder: Path) -> None:
    (folder / "publication.json").unlink()


def not_a_database(folder: Path) -> None:
    (folder / INTERNAL_FILE).write_bytes(b"no database")


def half_a_file(folder: Path) -> None:
    file = folder / INTERNAL_FILE
    file.write_bytes(file.read_bytes()[:-4096])


@pytest.mark.parametrize("damage", [never_published, public_missing, seal_missing, not_a_database, half_a_file])
def test_files_that_cannot_be_checked_have_not_passed(workspace: Workspace, damage: Callable[[Path], None]) -> None:
    damage(workspace.settings.published_analytics)
    found = run_checks(workspace)
    assert [one.passed for one in found.values()] == [False, False]
    assert {one.metadata["code"].value for one in found.values()} == {"analytics_not_published"}


def test_checking_keeps_no_publication_waiting(workspace: Workspace) -> None:
    count = "FROM candidates SELECT count(*)"
    with published(workspace) as publication:
        refresh(workspace, load_scenario().incident)
        assert publish(workspace).is_new
        assert publication.internal.number(count) == 52
    with published(workspace) as publication:
        assert publication.internal.number(count) == 54


def test_a_publication_runs_no_check_and_a_check_publishes_nothing(workspace: Workspace) -> None:
    definitions = build_definitions(workspace.settings, resources={"channelsafe": OpenedWorkspace(workspace)})
    result = definitions.resolve_job_def("publish_analytics").execute_in_process()
    assert result.success
    assert not result.get_asset_check_evaluations()


def test_checking_asks_no_network_writes_no_file_and_draws_nothing(workspace: Workspace, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    files = {file: file.stat().st_mtime_ns for file in workspace.settings.published_analytics.iterdir()}
    code = """
import socket, sys
def refused(*_): raise AssertionError("the network was asked")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refused
from checks.expectations import unmet_expectations
from checks.frames import breaches_in_tables
from dagster_project.application.analytics_inspection import published
from dagster_project.application.workspace import open_workspace
from dagster_project.settings import read_settings
from pathlib import Path
import os
workspace = open_workspace(read_settings(os.environ, base=Path.cwd()))
with published(workspace) as publication:
    found = [*breaches_in_tables(publication), *unmet_expectations(publication)]
sys.exit(len(found))
"""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(empty),
        "TMPDIR": str(empty),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CHANNELSAFE_HOME": str(workspace.settings.home),
        "CHANNELSAFE_KEYS": str(workspace.settings.keys),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(empty.iterdir()) == []
    assert {file: file.stat().st_mtime_ns for file in workspace.settings.published_analytics.iterdir()} == files


def test_the_schedule_asks_for_a_check_once_something_was_published(workspace: Workspace, tmp_path: Path) -> None:
    def asked(of: Workspace) -> object:
        context = dg.build_schedule_context(resources={"channelsafe": OpenedWorkspace(of)})
        return hourly_check_of_analytics(context)

    assert isinstance(asked(workspace), dg.RunRequest)
    assert isinstance(asked(make_workspace(tmp_path / "fresh")), dg.SkipReason)


def test_the_checks_are_of_the_analytics_asset_and_block_nothing() -> None:
    specs = list(analytics_checks.check_specs)
    assert {spec.asset_key for spec in specs} == {analytics_files.key}
    assert not any(spec.blocking for spec in specs)
    assert all("When it fails:" in (spec.description or "") for spec in specs)
