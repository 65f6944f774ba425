"""The engine makes the same promises on both databases."""

import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from dagster_project.errors import ChannelsafeError, Unavailable, UsageError
from dagster_project.store import incidents, profiles
from dagster_project.store.engine import create_engine_for, reading
from dagster_project.store.store import Store
from dagster_project.store.tables import incidents as incident_rows

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
_VENDOR = "orchid-vendor"


def test_a_bare_postgresql_address_names_psycopg2() -> None:
    assert create_engine_for("postgresql://someone@localhost/one").dialect.driver == "psycopg2"


@pytest.mark.parametrize("url", ["mysql://localhost/one", "sqlite://", "sqlite:///:memory:", "nonsense", ""])
def test_an_address_that_names_no_lasting_database_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="database_address_unknown"):
        create_engine_for(url)


def test_an_unreachable_server_stops_with_what_to_do_and_without_its_password() -> None:
    engine = create_engine_for("postgresql://someone:verysecret@127.0.0.1:1/one")
    with pytest.raises(Unavailable) as caught, reading(engine):
        pass
    assert "CHANNELSAFE_DATABASE_URL" in caught.value.what_to_do
    assert "verysecret" not in str(caught.value)


def test_a_file_that_is_no_database_stops_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite3"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(Unavailable, match="database_unavailable"), reading(create_engine_for(f"sqlite:///{path}")):
        pass


def test_sqlite_is_set_to_lose_nothing(sqlite_store: Store) -> None:
    with sqlite_store.read() as transaction:
        values = [
            transaction.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 30_000]


def test_an_exception_undoes_the_whole_transaction(store: Store) -> None:
    def write_and_fail() -> None:
        with store.begin() as transaction:
            incidents.raise_revision(transaction, ["INC-1"], at=AT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with store.read() as transaction:
        assert incidents.all_incidents(transaction) == []


def test_a_reading_transaction_refuses_to_write_and_the_next_one_may(store: Store) -> None:
    with pytest.raises(ChannelsafeError), store.read() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=AT)
    with store.begin() as transaction:
        assert incidents.all_incidents(transaction) == []
        incidents.raise_revision(transaction, ["INC-1"], at=AT)


def test_a_reader_sees_one_state_and_does_not_wait_for_the_writer(store: Store) -> None:
    with store.read() as reader:
        assert incidents.all_incidents(reader) == []
        with store.begin() as writer:
            incidents.raise_revision(writer, ["INC-1"], at=AT)
        assert incidents.all_incidents(reader) == []
    with store.read() as reader:
        assert len(incidents.all_incidents(reader)) == 1


def test_a_second_writer_waits_for_the_first(store: Store) -> None:
    order: list[str] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with store.begin():
            order.append("second begins")

    thread = threading.Thread(target=second)
    with store.begin():
        thread.start()
        started.wait()
        time.sleep(0.2)
        order.append("first ends")
    thread.join()
    assert order == ["first ends", "second begins"]


def test_a_refused_row_names_the_constraint_and_no_value(store: Store) -> None:
    with pytest.raises(ChannelsafeError) as caught, store.begin() as transaction:
        profiles.assign_profile(transaction, bridge="secret-bridge", profile_digest="secret-digest", at=AT)
    assert caught.value.code == "constraint_refused"
    assert "secret" not in str(caught.value)


def test_a_failed_statement_leaves_the_store_without_its_values_even_in_the_whole_traceback(store: Store) -> None:
    # psycopg2 writes values into the statement, and the server then quotes them: only dropping its text helps.
    statement, values = sa.text("SELECT CAST(:value AS TEXT) FROM nowhere"), {"value": _VENDOR}
    with pytest.raises(ChannelsafeError) as caught, store.read() as transaction:
        transaction.connection.execute(statement, values)
    assert _VENDOR not in "".join(traceback.format_exception(caught.value))


def test_the_database_library_itself_adds_no_parameter_to_its_errors(sqlite_store: Store) -> None:
    with sqlite_store.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        connection.execute(sa.text("SELECT :value FROM nowhere"), {"value": _VENDOR})
    assert "nowhere" in str(caught.value)
    assert _VENDOR not in str(caught.value)


def test_pending_can_not_be_said_two_ways(store: Store) -> None:
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=AT)
    with pytest.raises(ChannelsafeError, match="constraint_refused"), store.begin() as transaction:
        transaction.connection.execute(sa.update(incident_rows).values(pending_since=None))


def test_a_naive_datetime_is_refused_and_others_come_back_in_utc(store: Store) -> None:
    with pytest.raises(sa.exc.StatementError, match="names no instant"), store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=AT.replace(tzinfo=None))
    elsewhere = datetime.fromisoformat("2026-03-04T11:00:00.000001+01:00")
    with store.begin() as transaction:
        incidents.raise_revision(transaction, ["INC-1"], at=elsewhere)
        found = incidents.all_incidents(transaction)[0].registered_at
    assert found == elsewhere
    assert found.tzinfo is UTC
