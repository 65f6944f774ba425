"""The migrations make exactly the tables that the code speaks of, and opening a store is careful."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dagster_project.errors import Unavailable
from dagster_project.store.engine import create_engine_for, writing
from dagster_project.store.migrate import has_schema, migrate
from dagster_project.store.schema import metadata
from dagster_project.store.store import DATABASE_FILE_NAME, open_store

_BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=_BOTH)
def empty_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases of one kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a.sqlite3'}", f"sqlite:///{tmp_path / 'b.sqlite3'}"
        return
    server = request.getfixturevalue("postgresql_server")
    first: str = request.getfixturevalue("empty_postgresql_url")
    second: str = server.create_database(f"{first.rpartition('/')[2]}_b")
    yield first, second
    server.drop_database(second.rpartition("/")[2])


def _spelled(part: object) -> str:
    """Spell a reflected part out: SQL text that SQLAlchemy wraps would compare by identity."""
    if isinstance(part, Mapping):
        return str(sorted((key, _spelled(value)) for key, value in part.items()))
    return str(part)


def _shape(engine: Engine) -> dict[str, Any]:
    inspector = sa.inspect(engine)
    tables = sorted(set(inspector.get_table_names()) - {"alembic_version"})

    def by_name(rows: Iterable[Any]) -> list[str]:
        return sorted(_spelled(row) for row in rows)

    return {
        table: {
            "columns": [(c["name"], repr(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            "primary key": inspector.get_pk_constraint(table),
            "unique": by_name(inspector.get_unique_constraints(table)),
            "indexes": by_name(inspector.get_indexes(table)),
            "checks": by_name(inspector.get_check_constraints(table)),
            "foreign keys": by_name(inspector.get_foreign_keys(table)),
        }
        for table in tables
    }


def test_the_migrated_schema_is_the_schema_of_the_tables(empty_urls: tuple[str, str]) -> None:
    migrated, created = (create_engine_for(url) for url in empty_urls)
    migrate(migrated)
    with writing(created) as connection:
        metadata.create_all(connection)
    shape = _shape(migrated)
    assert shape == _shape(created)
    assert sorted(shape) == sorted(metadata.tables)
    migrated.dispose()
    created.dispose()


def test_migrating_again_changes_nothing(empty_urls: tuple[str, str]) -> None:
    engine = create_engine_for(empty_urls[0])
    assert not has_schema(engine)
    migrate(engine)
    shape = _shape(engine)
    migrate(engine)
    assert has_schema(engine)
    assert _shape(engine) == shape
    engine.dispose()


def test_two_processes_may_migrate_at_once(empty_urls: tuple[str, str]) -> None:
    program = (
        "import sys; from dagster_project.store.engine import create_engine_for;"
        "from dagster_project.store.migrate import migrate; migrate(create_engine_for(sys.argv[1]))"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, empty_urls[0]]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]


def test_a_database_of_a_newer_version_is_refused(empty_urls: tuple[str, str]) -> None:
    engine = create_engine_for(empty_urls[0])
    migrate(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="database_newer"):
        migrate(engine)
    engine.dispose()


def test_a_fresh_home_gets_a_database_and_is_opened_again(tmp_path: Path, keys_folder: Path) -> None:
    for _ in range(2):
        open_store(tmp_path / "home", None, keys_folder, None).engine.dispose()
    assert (tmp_path / "home" / DATABASE_FILE_NAME).is_file()
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_bodies_without_their_database_are_a_loss_and_not_a_fresh_home(tmp_path: Path, keys_folder: Path) -> None:
    store = open_store(tmp_path / "home", None, keys_folder, None)
    with store.begin() as transaction:
        transaction.put_sealed(b"a body")
    store.engine.dispose()
    for path in (tmp_path / "home").glob(f"{DATABASE_FILE_NAME}*"):
        path.unlink()
    with pytest.raises(Unavailable, match="database_missing"):
        open_store(tmp_path / "home", None, keys_folder, None)


def test_a_store_without_keys_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="keys_missing"):
        open_store(tmp_path / "home", None, tmp_path / "keys", None)
    assert not (tmp_path / "home").exists()


def test_an_object_store_that_is_not_installed_is_named(tmp_path: Path, keys_folder: Path) -> None:
    with pytest.raises(Unavailable, match="blobs_"):
        open_store(tmp_path / "home", None, keys_folder, "nosuch://bucket/bodies")


def test_a_home_that_cannot_be_made_stops_with_what_to_do(tmp_path: Path, keys_folder: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(Unavailable, match="home_unavailable"):
        open_store(tmp_path / "home", None, keys_folder, None)
