"""Columns: how a type of rows says what the columns of its DuckDB table are.

Belongs here: the words that annotate a row type, and the columns as plain data. CREATE statements, comments in the
files, pandera schemas, expectations, Dagster column schemas and the page for analysts are all made from them. Which
rows there are is `application.analytics_rows`. Nothing here knows DuckDB, pandas, pandera or Great Expectations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, get_args, get_origin, get_type_hints

import msgspec

# DuckDB's name for each type that a row may have.
KINDS: Final = MappingProxyType({bool: "BOOLEAN", int: "BIGINT", str: "VARCHAR", datetime: "TIMESTAMP"})
LIST_KIND: Final = "VARCHAR[]"
KEYED: Final = "hmac-sha256:[0-9a-f]{64}"
PLAIN: Final = "sha256:[0-9a-f]{64}"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a table. Each field is annotated with its type and what it says.

    No two rows of a table agree on all columns of `unique`, if there are any. `part_of` is the column that says to
    what a row belongs, and so when it has to be made anew; '' where it is made anew every time.
    """

    unique: ClassVar[tuple[str, ...]] = ()
    part_of: ClassVar[str] = ""


@dataclass(frozen=True)
class Says:
    """What a column means, beside its type.

    Args:
        description: One sentence for analysts; never an example from real data.
        allowed: The closed vocabulary of its values, where it has one.
        form: The regular expression that every value matches as a whole, where it has a form.
    """

    description: str
    allowed: tuple[str, ...] = ()
    form: str | None = None


@dataclass(frozen=True)
class Column:
    """One column of a table or view; `kind` is its DuckDB type, such as ``VARCHAR[]``, the rest as in `Says`."""

    name: str
    kind: str
    nullable: bool
    description: str
    allowed: tuple[str, ...] = ()
    form: str | None = None


def columns_of(row_type: type[Row]) -> tuple[Column, ...]:
    """Return the columns that a row type describes, in their order."""
    hints = get_type_hints(row_type, include_extras=True)
    return tuple(_column(name, hints[name]) for name in row_type.__struct_fields__)


def _column(name: str, hint: Any) -> Column:  # noqa: ANN401 - a type expression has no type of its own
    if get_origin(hint) is not Annotated:
        raise TypeError(f"column {name} does not say what it means")
    bare, said = get_args(hint)
    kind, nullable = _kind_of(bare)
    return Column(name, kind, nullable, said.description, said.allowed, said.form)


def _kind_of(bare: Any) -> tuple[str, bool]:  # noqa: ANN401 - as above
    if bare == tuple[str, ...]:
        return LIST_KIND, False
    options = get_args(bare) or (bare,)
    (wanted,) = (one for one in options if one is not type(None))
    return KINDS[wanted], len(options) > 1


def pick(columns: Iterable[Column], names: str) -> tuple[Column, ...]:
    """Return the columns of these names, parted by spaces, in the order of the names."""
    by_name = {column.name: column for column in columns}
    return tuple(by_name[name] for name in names.split())


def leave_out(columns: Iterable[Column], names: str) -> tuple[Column, ...]:
    """Return the other columns, in their order."""
    return tuple(column for column in columns if column.name not in names.split())


def nullable(column: Column, description: str | None = None) -> Column:
    """Return the column as it reads where its row may be missing, with a description of its own if one is given."""
    return replace(column, nullable=True, description=description or column.description)
