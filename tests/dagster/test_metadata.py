"""What operators see on a run and on a partition: tables of bridges and changes, tags, and short checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.packages import release_manifest, service_state_package
from assets.reports import events_of_refresh
from dagster_project.application.unreported import next_to_report
from dagster_project.application.workspace import Workspace
from tests.dagster.scenario_runs import (
    SAFE_BRIDGE,
    UNSAFE_BRIDGE,
    UNSAFE_STEP,
    Run,
    copy_of,
    run_assets,
    run_whole_job,
)
from tests.support.workspaces import make_workspace, play_scenario

Shown = Mapping[str, dg.MetadataValue]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = make_workspace(tmp_path_factory.mktemp("safe"))
    play_scenario(made, until_step=4)
    return made


@pytest.fixture(scope="module")
def unsafe(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = make_workspace(tmp_path_factory.mktemp("unsafe"))
    play_scenario(made, until_step=UNSAFE_STEP)
    return made


def _metadata(run: Run, asset: dg.AssetsDefinition) -> Shown:
    (event,) = run.result.asset_materializations_for_node(asset.op.name)
    return event.metadata


def _rows(shown: Shown, name: str) -> list[dict[str, Any]]:
    table = shown[name]
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def _tag(run: Run) -> str | None:
    record = run.instance.get_run_by_id(run.result.run_id)
    assert record is not None
    return record.tags.get("outcome")


def test_the_package_shows_its_bridges_as_a_table(
    safe: Workspace, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    run = run_whole_job(copy_of(safe, tmp_path), instance)
    rows = _rows(_metadata(run, service_state_package), "by_bridge")
    assert {row["bridge"] for row in rows} == {SAFE_BRIDGE, UNSAFE_BRIDGE}
    assert {row["outcome"] for row in rows} == {"held"}
    assert {row["release_check"] for row in rows} == {"to come"}


def test_the_catching_up_shows_changes_with_the_values_of_what_passed(unsafe: Workspace) -> None:
    package = _events(unsafe, service_state_package)[0].metadata
    changes = _rows(package, "changes")
    assert {row["after"] for row in changes if row["bridge"] == UNSAFE_BRIDGE} == {"-"}
    assert "-" not in {row["after"] for row in changes if row["bridge"] == SAFE_BRIDGE}
    assert {row["bridge"]: row["release_check"] for row in _rows(package, "by_bridge")} == {
        SAFE_BRIDGE: "passed",
        UNSAFE_BRIDGE: "failed",
    }
    assert package["outcome"].value == "failed_check"


def test_the_catching_up_shows_no_manifest_where_one_bridge_failed_and_one_with_values_where_none_did(
    safe: Workspace, unsafe: Workspace
) -> None:
    assert _events(unsafe, release_manifest) == []
    (manifest,) = _events(safe, release_manifest)
    after = {row["field"]: row["after"] for row in _rows(manifest.metadata, "changes")}
    assert after["/held/dependency/slot_state"] == "in_review"


def _events(workspace: Workspace, asset: dg.AssetsDefinition) -> list[dg.AssetMaterialization]:
    (finished,) = next_to_report(workspace, limit=1)
    events = events_of_refresh(workspace, finished)
    return [one for one in events if isinstance(one, dg.AssetMaterialization) and one.asset_key == asset.key]


def test_a_run_and_the_catching_up_show_the_same_of_a_manifest(
    safe: Workspace, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = copy_of(safe, tmp_path)
    (told,) = _events(workspace, release_manifest)
    shown = _metadata(run_assets(workspace, instance, [release_manifest]), release_manifest)
    assert {name: told.metadata[name] for name in shown} == shown


def test_a_run_is_tagged_with_how_it_ended(safe: Workspace, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    assert _tag(run_whole_job(copy_of(safe, tmp_path), instance)) == "held"


def test_a_run_whose_check_failed_is_tagged_so_also_where_a_bridge_is_held(
    unsafe: Workspace, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    workspace = copy_of(unsafe, tmp_path)
    assert _tag(run_whole_job(workspace, instance)) == "failed_check"
    assert _tag(run_assets(workspace, instance, [release_manifest])) == "failed_check"


def test_a_run_that_judged_nothing_carries_no_outcome(
    safe: Workspace, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    assert _tag(run_assets(copy_of(safe, tmp_path), instance, [service_state_package])) is None


def test_a_passed_check_says_how_much_it_judged_and_that_nothing_is_to_do(
    safe: Workspace, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    for one in run_whole_job(copy_of(safe, tmp_path), instance).result.get_asset_check_evaluations():
        assert one.passed
        assert {name: value.value for name, value in one.metadata.items()} == {
            "bridges_checked": 2,
            "what_to_do": "nothing",
        }


def test_a_failed_check_says_where_and_what_to_do_without_empty_rows(
    unsafe: Workspace, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    evaluations = run_whole_job(copy_of(unsafe, tmp_path), instance).result.get_asset_check_evaluations()
    (failed,) = [one for one in evaluations if not one.passed]
    shown = {name: value.value for name, value in failed.metadata.items()}
    assert set(shown) == {"bridges_checked", "codes", "bridges", "fields", "what_to_do"}
    assert (shown["codes"], shown["bridges"]) == ("denied_term", UNSAFE_BRIDGE)
    assert all(value not in {"", "nothing"} for value in shown.values())
