"""Schemas at the frame boundary: every row of a published table, as a pandas frame, against its columns.

Belongs here: turning column definitions into pandera schemas, and counting what a frame does not fulfil. Pandera is
imported inside the functions: it and pandas cost half a second, and only the run that checks pays for them. What
pandera says of single rows is never passed on: it quotes them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from dagster_project.application.analytics_columns import TABLES, Table
from dagster_project.application.analytics_inspection import Breach, Publication, frames_of_table
from dagster_project.connections.duckdb_columns import Column

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from pandera.pandas import Check, DataFrameSchema


def breaches_in_tables(publication: Publication) -> Iterator[Breach]:
    """Judge every row of every table of both files; each frame is judged before the next one is read."""
    for file in publication.files:
        for table in TABLES.values():
            yield from breaches_in_frames(file.name, table, frames_of_table(file, table))


def breaches_in_frames(file: str, table: Table, frames: "Iterable[DataFrame]") -> Iterator[Breach]:
    """Judge the frames of one table; what breaks the same rule in several frames is one breach."""
    schema = schema_of(table)
    found: Counter[tuple[str, str]] = Counter()
    for frame in frames:
        found.update(_counted(schema, frame))
    for (column, rule), count in sorted(found.items()):
        yield Breach(file, table.name, column, rule, count)


def schema_of(table: Table) -> "DataFrameSchema":
    """Return the pandera schema of a table: exactly its columns, in order, each with its type and what it may hold."""
    from pandera.pandas import Column as PanderaColumn
    from pandera.pandas import DataFrameSchema

    columns = {column.name: PanderaColumn(checks=_checks(column), nullable=column.nullable) for column in table.columns}
    return DataFrameSchema(columns, strict=True, ordered=True, name=table.name)


def _checks(column: Column) -> "list[Check]":
    from pandera.pandas import Check

    checks = [Check(_kind_test(column.kind), error="type")]
    if column.allowed:
        checks.append(Check.isin(column.allowed, error="allowed"))
    if column.form:
        checks.append(Check.str_matches(f"^(?:{column.form})$", error="form"))
    return checks


def _kind_test(kind: str) -> "Callable[[Series], bool]":
    """Return the test whether a series holds a DuckDB type: not by its dtype, which differs where it has NULLs."""
    from pandas.api import types

    tests: dict[str, Callable[[Series], bool]] = {
        "BIGINT": types.is_integer_dtype,
        "BOOLEAN": types.is_bool_dtype,
        "VARCHAR": types.is_string_dtype,
        "TIMESTAMP": types.is_datetime64_dtype,
        "VARCHAR[]": lambda series: all(isinstance(one, str) for held in series for one in held),
    }
    return tests[kind]


def _counted(schema: "DataFrameSchema", frame: "DataFrame") -> Counter[tuple[str, str]]:
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases[["schema_context", "column", "check", "failure_case"]]
        return Counter(_place(schema, *case) for case in cases.itertuples(index=False, name=None))
    return Counter()


def _place(schema: "DataFrameSchema", context: str, column: str, rule: str, case: object) -> tuple[str, str]:
    """Return column and rule of one failure; a column that is not defined could have any name, so it has none here."""
    named = case if context == "DataFrameSchema" else column
    return (str(named) if named in schema.columns else "", rule)
