"""Assets of group `analytics`: the DuckDB files.

Belongs here: publishing them. A job of its own with a log cursor, downstream of no gated asset, so that one incident's
failed check never keeps analysts waiting.
"""

import dagster as dg

from dagster_project.application.analytics import publish
from dagster_project.application.analytics_columns import VIEWS, Table
from resources.workspace import WorkspaceResource


def _schema_of(table: Table) -> dg.TableSchemaMetadataValue:
    """Return the columns of a view, as they are defined for the files themselves."""
    columns = [
        dg.TableColumn(one.name, one.kind, one.description, dg.TableColumnConstraints(nullable=one.nullable))
        for one in table.columns
    ]
    return dg.MetadataValue.table_schema(dg.TableSchema(columns=columns))


@dg.asset(
    name="analytics",
    group_name="analytics",
    owners=["team:analysts"],
    kinds={"duckdb"},
    code_version="1",
    metadata={f"columns of {name}": _schema_of(view) for name, view in VIEWS.items()},
    description="The DuckDB files for analysts: internal.duckdb with everything inside may see, public.duckdb with "
    "released versions only. Rebuilt from the store; can be deleted at any time.",
)
def analytics_files(channelsafe: dg.ResourceParam[WorkspaceResource]) -> dg.MaterializeResult[None]:
    """Publish what is new in the store."""
    report = publish(channelsafe.workspace)
    return dg.MaterializeResult(
        metadata={
            "incidents": report.incidents,
            "candidates": report.candidates,
            "fields": report.fields,
            "dagster/row_count": report.candidates,
            "position": report.position,
            "is_new": report.is_new,
        }
    )
