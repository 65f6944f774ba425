"""Tables: typed rows of the application as tables in Dagster's metadata, and column definitions as schemas.

Belongs here: the form of a table in the UI. What may stand in it is decided by the application.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, ClassVar, Protocol

import dagster as dg

from dagster_project.application.analytics_columns import Table


class Row(Protocol):
    """A frozen dataclass of texts and numbers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


def table_of(row_type: type[Row], rows: Iterable[Row]) -> dg.TableMetadataValue:
    """Return rows as a table whose columns are the fields of their type, in order."""
    names = [one.name for one in fields(row_type)]
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in names])
    records = [dg.TableRecord({name: getattr(row, name) for name in names}) for row in rows]
    return dg.MetadataValue.table(records=records, schema=schema)


def schema_of(table: Table) -> dg.TableSchemaMetadataValue:
    """Return the columns of an analysts' view, as they are defined for the files themselves."""
    return dg.MetadataValue.table_schema(
        dg.TableSchema(
            columns=[
                dg.TableColumn(one.name, one.kind, one.description, dg.TableColumnConstraints(nullable=one.nullable))
                for one in table.columns
            ]
        )
    )
