"""Fixtures of the fault tests."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dagster_project.application.workspace import Workspace
from tests.support.audited_logs import fill, make_audited
from tests.support.closure_sites import Site, site_at


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def audited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A deployment whose audit log is that of `tests.support.audited_logs.LOG`, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    workspace = make_audited(tmp_path, database_url=url)
    fill(workspace)
    yield workspace
    workspace.store.engine.dispose()


def ways(*names: str) -> list[Any]:
    return [pytest.param(way, marks=pytest.mark.postgresql) if "postgresql" in way else way for way in names]


@pytest.fixture(scope="module", params=ways("sqlite tables", "sqlite http", "postgresql tables", "postgresql http"))
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A deployment with support systems: each database, the systems as tables of the same kind and over HTTP."""
    with site_of(request, tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="module", params=ways("sqlite http", "postgresql http"))
def http_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same over HTTP alone, for what only a server can do."""
    with site_of(request, tmp_path_factory.mktemp("http")) as made:
        yield made


@pytest.fixture(scope="module", params=ways("postgresql tables", "postgresql http"))
def postgresql_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same on PostgreSQL alone, for what only a database server can do."""
    with site_of(request, tmp_path_factory.mktemp("postgresql")) as made:
        yield made


@contextmanager
def site_of(request: pytest.FixtureRequest, folder: Path) -> Iterator[Site]:
    """Open a site, on two databases of its own where it is on PostgreSQL."""
    database, _, reached = request.param.partition(" ")
    is_postgresql, over_http = database == "postgresql", reached == "http"
    if not is_postgresql:
        with site_at(folder, database_url=None, support_url=None, over_http=over_http) as made:
            yield made
        return
    server = request.getfixturevalue("postgresql_server")
    names = [f"{kind}_{secrets.token_hex(6)}" for kind in ("closures", "support")]
    own, support = (server.create_database(name) for name in names)
    for name in names:
        server.keep_commits(name)
    with site_at(folder, database_url=own, support_url=support, over_http=over_http) as made:
        yield made
    for name in names:
        server.drop_database(name)
