"""Deployments whose audit log has checkpoints: signed by real trust, anchored in a file outside the home.

`LOG` says where: 26 entries, signed checkpoints over 10, 20 and 23 of them, those over 10 and 20 anchored.
"""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dagster_project.application.audit_log import anchor_checkpoints, audit_key, make_checkpoint
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.clock import FixedClock
from dagster_project.integrity.checkpoints import KeptCheckpoint
from dagster_project.settings import Settings
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entries
from tests.fixtures.keys import write_test_keys
from tests.support.command_line import Answer, CommandLine

AT: Final = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Sizes:
    """The sizes of the log at its checkpoints and now."""

    first: int = 10
    anchored: int = 20
    signed: int = 23
    now: int = 26


LOG: Final = Sizes()


def make_audited(folder: Path, *, database_url: str | None = None) -> Workspace:
    """Return a deployment with trust, one entry about that, and an anchor beside its home that does not exist yet."""
    settings = Settings(
        home=folder / "home",
        keys=write_test_keys(folder / "keys"),
        database_url=database_url,
        anchor=folder / "elsewhere" / "anchor.ndjson",
    )
    workspace = open_workspace(settings, clock=FixedClock(AT))
    make_demo_trust(workspace, {"kim": ("security",), "robin": ("legal",)}, demo=False)
    return workspace


def reopened(workspace: Workspace, **changes: object) -> Workspace:
    """Return the deployment as a process finds it that starts now, with other settings where some are named."""
    workspace.store.engine.dispose()
    return open_workspace(replace(workspace.settings, **changes), clock=FixedClock(AT))  # type: ignore[arg-type] # named by tests


def append(workspace: Workspace, count: int, *, actor: str = "kim") -> int:
    """Append entries in one transaction; return the size of the log."""
    news = [
        NewAuditEntry(
            at=AT, actor=actor, action=AuditAction.DATA_ACCESSED, subject=f"act/{number}", details_digest="sha256:00"
        )
        for number in range(count)
    ]
    with workspace.store.begin() as transaction:
        return append_entries(transaction, news)


def checkpoint_unanchored(workspace: Workspace) -> KeptCheckpoint:
    """Make a checkpoint and stop before it is anchored, as a crash would."""
    with workspace.store.begin() as transaction:
        return make_checkpoint(workspace, transaction, audit_key(workspace))


def checkpoint(workspace: Workspace) -> int:
    """Make a checkpoint and anchor it; return its size."""
    checkpoint_unanchored(workspace)
    size = anchor_checkpoints(workspace)
    assert size is not None
    return size


def fill(workspace: Workspace) -> None:
    """Bring a deployment with one entry to what `LOG` says."""
    append(workspace, LOG.first - 1)
    checkpoint(workspace)
    append(workspace, LOG.anchored - LOG.first)
    checkpoint(workspace)
    append(workspace, LOG.signed - LOG.anchored)
    checkpoint_unanchored(workspace)
    append(workspace, LOG.now - LOG.signed)


def command_line_of_audited(workspace: Workspace) -> CommandLine:
    """Return the command line of a deployment, with its anchor and its database."""
    settings = workspace.settings
    named = {"CHANNELSAFE_ANCHOR": settings.anchor, "CHANNELSAFE_DATABASE_URL": settings.database_url}
    environment = tuple((name, str(value)) for name, value in named.items() if value is not None)
    return CommandLine(settings.home, settings.keys, environment)


def copied_home(workspace: Workspace, folder: Path) -> Path:
    """Return a copy of the home, as a backup would be."""
    workspace.store.engine.dispose()
    shutil.copytree(workspace.settings.home, folder)
    return folder


def verify(workspace: Workspace) -> Answer:
    """Run `channelsafe audit verify --json`."""
    return command_line_of_audited(workspace)("audit", "verify", "--json")


def faults(answer: Answer) -> set[tuple[str, int, int]]:
    """Return code, first and last entry of every fault that it named."""
    return {(one["code"], one["first"], one["last"]) for one in answer.json["found"]["faults"]}


def ranges(answer: Answer) -> list[tuple[int, int, str]]:
    """Return first and last entry and state of every range that it told."""
    return [(one["first"], one["last"], one["state"]) for one in answer.json["found"]["ranges"]]
