"""Fixtures of the fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.application.workspace import Workspace
from tests.support.audited_logs import fill, make_audited


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def audited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A deployment whose audit log is that of `tests.support.audited_logs.LOG`, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    workspace = make_audited(tmp_path, database_url=url)
    fill(workspace)
    yield workspace
    workspace.store.engine.dispose()
