"""Fixtures that every test may use, and the account of what a run left out."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from dagster_project.integrity.keys import KeyRing
from dagster_project.store.engine import create_engine_for
from dagster_project.store.migrate import migrate
from dagster_project.store.store import DATABASE_FILE_NAME, Store, open_store
from tests.fixtures.keys import TEST_KEYS, write_test_keys
from tests.fixtures.postgresql import PostgresqlServer, find_binaries, run_server

# What a bare machine may lack. With CHANNELSAFE_REQUIRE_ALL=1 its absence fails instead of being left out.
_GROUPS = {"postgresql": "not installed", "chromium": "not installed", "real_data": "not beside the clone"}
_TEMPLATE = "channelsafe_template"
_ANNOUNCED = "announced"


def leave_out(reason: str) -> NoReturn:
    """Leave a test out because the machine lacks something, or fail where nothing may be left out."""
    if os.environ.get("CHANNELSAFE_REQUIRE_ALL") == "1":
        pytest.fail(f"CHANNELSAFE_REQUIRE_ALL=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def announce(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """A function that has figures printed at the end of the run, also where workers on other processes ran the test."""
    return lambda text: record_property(_ANNOUNCED, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests announced, and name the groups that were left out: a green run claims what it showed."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    for text in [value for report in reports for name, value in report.user_properties if name == _ANNOUNCED]:
        terminalreporter.write_line(str(text))
    skipped = terminalreporter.stats.get("skipped", [])
    for group, reason in _GROUPS.items():
        count = sum(group in report.keywords for report in skipped)
        if count:
            terminalreporter.write_line(f"left out: {group} ({reason}): {count} tests")


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return TEST_KEYS


@pytest.fixture
def keys_folder(tmp_path: Path) -> Path:
    """A folder with the constant key ring, outside any home."""
    return write_test_keys(tmp_path / "keys")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy from."""
    path = tmp_path_factory.mktemp("template") / DATABASE_FILE_NAME
    engine = create_engine_for(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A private server with one migrated, empty database to copy from."""
    binaries = find_binaries()
    if binaries is None:
        leave_out("PostgreSQL is not installed")
    with run_server(binaries) as server:
        engine = create_engine_for(server.create_database(_TEMPLATE))
        migrate(engine)
        engine.dispose()
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The URL of a fresh, migrated database of this test alone."""
    name = f"test_{secrets.token_hex(8)}"
    yield postgresql_server.create_database(name, template=_TEMPLATE)
    postgresql_server.drop_database(name)


@pytest.fixture
def empty_postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The URL of a fresh database that no migration has touched."""
    name = f"test_{secrets.token_hex(8)}"
    yield postgresql_server.create_database(name)
    postgresql_server.drop_database(name)


@pytest.fixture
def sqlite_store(tmp_path: Path, keys_folder: Path, sqlite_template: Path) -> Iterator[Store]:
    """An empty store on SQLite with the constant key ring."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(sqlite_template, home / DATABASE_FILE_NAME)
    store = open_store(home, None, keys_folder, None)
    yield store
    store.engine.dispose()


@pytest.fixture
def postgresql_store(tmp_path: Path, keys_folder: Path, postgresql_url: str) -> Iterator[Store]:
    """An empty store on PostgreSQL with the constant key ring."""
    store = open_store(tmp_path / "home", postgresql_url, keys_folder, None)
    yield store
    store.engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, once on each database."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened
