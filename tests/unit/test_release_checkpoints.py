"""A release leaves a signed checkpoint of the audit log, and publishing it carries that to the anchor."""

from dataclasses import replace
from pathlib import Path

import pytest

from dagster_project.application.projecting import project
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.connections.anchor import open_anchor
from dagster_project.integrity.audit_entries import AuditAction
from dagster_project.store.audit import entries_after
from dagster_project.store.audit_checkpoints import newest_checkpoint
from tests.support.review_people import Bench, make_bench
from tests.support.workspaces import make_workspace, play_scenario

INCIDENT, BRIDGE = "INC-4711", "harbourline"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = make_workspace(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    settings = replace(made.settings, anchor=tmp_path / "elsewhere" / "anchor.ndjson")
    made.store.engine.dispose()
    workspace = open_workspace(settings, clock=made.clock)
    play_scenario(workspace, until_step=1)
    bench = make_bench(workspace)
    for person in ("ines", "selma", "ada"):
        bench.approve(person, INCIDENT, BRIDGE)
    return bench


def _anchored(workspace: Workspace) -> int:
    anchor = open_anchor(workspace.settings.anchor, home=workspace.settings.home)
    newest = None if anchor is None else anchor.newest()
    return 0 if newest is None else newest.size


def test_a_release_signs_a_checkpoint_that_holds_its_own_entry(bench: Bench) -> None:
    release(bench.workspace, INCIDENT, BRIDGE)
    with bench.workspace.store.read() as transaction:
        entries = entries_after(transaction, 0, limit=1000)
        kept = newest_checkpoint(transaction)
    assert entries[-1].action == AuditAction.RELEASED
    assert kept is not None
    assert kept.is_signed
    assert kept.size == len(entries)


def test_publishing_carries_the_checkpoint_to_the_anchor(bench: Bench) -> None:
    release(bench.workspace, INCIDENT, BRIDGE)
    before = _anchored(bench.workspace)
    project(bench.workspace)
    with bench.workspace.store.read() as transaction:
        kept = newest_checkpoint(transaction)
    assert kept is not None
    assert before < _anchored(bench.workspace) == kept.size
