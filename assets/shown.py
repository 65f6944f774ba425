"""What operators see of a refresh, as Dagster metadata: the same from a run of its own and from the catching up.

Belongs here: laying out what the application reports. What may be seen at all is decided in
`dagster_project.application.delta_report`.
"""

from collections.abc import Mapping
from typing import Final

import dagster as dg

from dagster_project.application.delta_report import NOT_SHOWN, CheckState, DeltaReport

Metadata = Mapping[str, dg.MetadataValue]

_BRIDGES: Final = dg.TableSchema(
    columns=[
        dg.TableColumn("bridge", description="The customer bridge."),
        dg.TableColumn("outcome", description="rendered; or held: fields on hold, or a slot on hold or in review."),
        dg.TableColumn("holds", "int", description="Fields and parts on hold, slots not counted."),
        dg.TableColumn("content_number", "int", description="How many successive contents the bridge has had."),
        dg.TableColumn("content_changed", "bool", description="Whether this content differs from the one before."),
        dg.TableColumn("release_check", description="passed, failed, or to come, as it stood at this event."),
    ]
)
_CHANGES: Final = [
    dg.TableColumn("bridge", description="The customer bridge."),
    dg.TableColumn("field", description="JSON pointer into the package."),
    dg.TableColumn("operation", description="add, replace or remove."),
    dg.TableColumn("cause", description="What brought the change about."),
]
_VALUES: Final = [
    dg.TableColumn("before", description=f"What the bridge's package said; {NOT_SHOWN} if that did not pass."),
    dg.TableColumn("after", description=f"What it says now; {NOT_SHOWN} if it did not pass its release check."),
]


def package_metadata(report: DeltaReport, incident: str) -> Metadata:
    """Return counts, a table of the bridges and a table of what changed on them, as it stands with the checks now."""
    bridges = report.bridges
    return {
        "bridges": dg.MetadataValue.int(len(bridges)),
        "bridges_with_holds": dg.MetadataValue.int(report.bridges_with_holds),
        "holds": dg.MetadataValue.int(sum(one.holds for one in bridges)),
        "contents_changed": dg.MetadataValue.int(sum(1 for one in bridges if one.content_changed)),
        "show_more": dg.MetadataValue.text(f"channelsafe history {incident}"),
        **_tables(report),
    }


def manifest_metadata(report: DeltaReport) -> Metadata:
    """Return the count of bridges, a table of them, and what changed with the values that passed."""
    return {"bridges": dg.MetadataValue.int(len(report.bridges)), **_tables(report)}


def _tables(report: DeltaReport) -> Metadata:
    tables: dict[str, dg.MetadataValue] = {"fields_changed": dg.MetadataValue.int(report.fields_changed)}
    if report.bridges:
        records = [dg.TableRecord(vars(one) | {"release_check": one.release_check.value}) for one in report.bridges]
        tables["by_bridge"] = dg.MetadataValue.table(records, _BRIDGES)
    if report.changes:
        # Before anything is judged, two columns of dashes would say nothing.
        judged = any(one.release_check is not CheckState.TO_COME for one in report.bridges)
        columns = [*_CHANGES, *_VALUES] if judged else _CHANGES
        names = [column.name for column in columns]
        changes = [dg.TableRecord({name: getattr(one, name) for name in names}) for one in report.changes]
        tables["changes"] = dg.MetadataValue.table(changes, dg.TableSchema(columns=columns))
    return tables
