"""Analytics files changed behind the publisher's back, and sealed again so that only checks can see it."""

from pathlib import Path

import duckdb
from msgspec.structs import replace

from dagster_project.application.analytics_position import file_digest, read_seal, write_seal
from dagster_project.application.workspace import Workspace


def change_file(workspace: Workspace, name: str, *statements: str) -> None:
    """Run statements on a published file and seal the result as if the publisher had made it."""
    folder, key = workspace.settings.published_analytics, workspace.store.keys.digest
    seal = read_seal(folder, key)
    assert seal is not None
    run_on(folder / name, *statements)
    write_seal(folder, replace(seal, files=seal.files | {name: file_digest(folder / name, key)}))


def run_on(file: Path, *statements: str) -> None:
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)
