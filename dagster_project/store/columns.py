"""Column types that mean the same on SQLite and PostgreSQL.

Belongs here: how an instant, a text and a number of the domain lie in a column. Tables are in `tables`.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_SQLITE_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Instant(TypeDecorator[datetime]):
    """An aware instant: TIMESTAMPTZ on PostgreSQL, UTC ISO text of fixed width on SQLite (it sorts as time).

    Always returns aware UTC. A naive datetime is refused: it names no instant.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the dialect."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401 - by dialect
        """Turn an aware datetime into what the dialect stores."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime names no instant")
        instant = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return instant
        # strftime writes years before 1000 without zeros, which would not sort.
        return f"{instant.year:04d}" + instant.strftime(_SQLITE_FORMAT.removeprefix("%Y"))

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401 - by dialect
        """Turn what the dialect stores into an aware UTC datetime."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            instant: datetime = value
            return instant.astimezone(UTC)
        return datetime.fromisoformat(value)  # quicker than strptime, on the path of every row


def text() -> TypeEngine[str]:
    """Text compared byte by byte on both databases, so that every order by is the same everywhere."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def number() -> TypeEngine[int]:
    """A 64 bit integer (SQLite numbers its rows only under the name INTEGER, which has 64 bits there)."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
