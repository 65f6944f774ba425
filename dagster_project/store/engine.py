"""The engine: one way to talk to SQLite and PostgreSQL, with the same promises on both.

Belongs here: connecting, what a transaction is, and turning database failures into errors that say what to do.
A writing transaction is alone: SQLite by BEGIN IMMEDIATE, PostgreSQL by an advisory lock. So rows of a log become
visible in the order of their sequence (a cursor never skips one that commits late), and read-decide-write inside
one transaction cannot race. Nothing is retried here: whoever called knows whether trying again is safe.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine, make_url

from dagster_project.errors import ChannelsafeError, Unavailable, UsageError

_BUSY_SECONDS: Final = 30
_MODE: Final = "channelsafe_mode"
_READING: Final = "reading"
# Any constant will do; it must never change, because all processes of a deployment have to agree on it.
_WRITER_LOCK: Final = 0x4348414E4E454C


def create_engine_for(url: str) -> Engine:
    """Return an engine for a SQLite file or a PostgreSQL server; it connects when first used.

    Args:
        url: ``sqlite:///path``, or ``postgresql://...`` (which is made to name psycopg2: SQLAlchemy 2.1 would
            pick psycopg 3 where it is installed, and that breaks the notifications of dagster-postgres).

    Raises:
        UsageError: not an address of one of the two.
    """
    address = _address(url)
    # Parameters are hidden, so that no error text carries a row.
    engine = sa.create_engine(address, hide_parameters=True, pool_pre_ping=address.drivername != "sqlite")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "begin", _begin_postgresql)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write, alone among writers; commits at the end, rolls back on any exception.

    Raises:
        Unavailable: the database cannot be reached, or another writer kept it for 30 seconds.
        ChannelsafeError: a constraint refused a row; the text names the constraint, never the row.
    """
    with _speaking(engine), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one consistent state and never waits for a writer; writing in it is refused.

    Raises:
        Unavailable: the database cannot be reached.
    """
    with _speaking(engine), engine.connect() as connection:
        yield connection.execution_options(**{_MODE: _READING})


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except exc.ArgumentError:
        raise _not_an_address() from None
    if address.drivername in {"postgresql", "postgres"}:
        address = address.set(drivername="postgresql+psycopg2")
    if address.drivername == "postgresql+psycopg2":
        return address.update_query_dict({"options": f"-c timezone=UTC -c lock_timeout={_BUSY_SECONDS}s"})
    if address.drivername == "sqlite" and address.database not in {None, "", ":memory:"}:
        return address
    raise _not_an_address()


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # The driver must not open transactions by itself: `_begin_sqlite` says which kind.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # The setting lives as long as the pooled connection, so both kinds of transaction set it.
    kind, query_only = ("DEFERRED", "ON") if is_reading(connection) else ("IMMEDIATE", "OFF")
    connection.exec_driver_sql(f"PRAGMA query_only = {query_only}")
    connection.exec_driver_sql(f"BEGIN {kind}")


def _begin_postgresql(connection: Connection) -> None:
    if is_reading(connection):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


def is_reading(connection: Connection) -> bool:
    """Tell whether a connection's transaction only reads."""
    return bool(connection.get_execution_options().get(_MODE) == _READING)


@contextmanager
def _speaking(engine: Engine) -> Iterator[None]:
    """Turn database failures into errors of the one family. Drivers quote rows and users: none of it is kept."""
    try:
        yield
    except exc.IntegrityError as error:
        failure: ChannelsafeError = ChannelsafeError(
            "constraint_refused",
            what=f"the database refused a row: {_constraint_of(error)}",
            where="the operational store",
            what_to_do="Nothing was written. Please report this with the code: it is a fault of Channelsafe.",
        )
    except (exc.ProgrammingError, exc.DataError, exc.InternalError, exc.NotSupportedError) as error:
        failure = ChannelsafeError(
            "database_fault",
            what=f"the database did not understand a statement ({type(error.orig).__name__})",
            where="the operational store",
            what_to_do="Nothing was written. Please report this with the code: it is a fault of Channelsafe.",
        )
    except exc.DBAPIError as error:
        failure = Unavailable(
            "database_unavailable",
            what=f"the database cannot be used ({type(error.orig).__name__})",
            where=engine.url.render_as_string(hide_password=True),
            what_to_do="Check that it runs, that CHANNELSAFE_DATABASE_URL names it, and that no other process "
            "keeps it locked; then run the command again. Nothing was written.",
        )
    else:
        return
    raise failure from None


def _constraint_of(error: exc.IntegrityError) -> str:
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.constraint_name or diagnosis.column_name)
    return str(error.orig)  # SQLite names the constraint or its columns, never a value


def _not_an_address() -> UsageError:
    return UsageError(
        "database_address_unknown",
        what="this is not the address of a database that Channelsafe can use",
        where="CHANNELSAFE_DATABASE_URL",
        what_to_do="Write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE.",
    )
