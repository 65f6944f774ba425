"""Deployments with one final case, for the tests of closing."""

from pathlib import Path

import pytest

from tests.support.closure_bench import ClosureBench, make_closure_bench


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def bench(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> ClosureBench:
    """One on each database."""
    if request.param == "sqlite":
        return make_closure_bench(tmp_path, template=sqlite_template)
    return make_closure_bench(tmp_path, database_url=request.getfixturevalue("postgresql_url"))


@pytest.fixture
def quick(tmp_path: Path, sqlite_template: Path) -> ClosureBench:
    """One on SQLite, for what does not depend on the database."""
    return make_closure_bench(tmp_path, template=sqlite_template)
