"""Checks of the analysts' files after publication: schemas by pandera, expectations by Great Expectations.

Belongs here: showing what the two found. They run in a job of their own, away from every incident, because they load
libraries that cost seconds. They are not the boundary: the publisher copies only what verifies. Metadata holds
names of ours and counts, never a row and never a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import dagster as dg

from assets.analytics import analytics_files
from checks.expectations import unmet_expectations
from checks.frames import breaches_in_tables
from checks.results import proper_results
from dagster_project.application.analytics_inspection import Breach, published
from dagster_project.application.analytics_rules import read_rules
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError
from resources.workspace import WorkspaceResource

SCHEMAS_CHECK: Final = "analytics_schemas"
EXPECTATIONS_CHECK: Final = "analytics_expectations"
_MOST_SHOWN: Final = 100
_DESCRIPTIONS: Final[Mapping[str, str]] = {
    SCHEMAS_CHECK: "Every row of the analysts' files has exactly the columns, types, NULLs, words and digest forms "
    "that are defined.",
    EXPECTATIONS_CHECK: "The views of the analysts' files have their columns, lose and double no row, agree with each "
    "other, show values only of candidates that passed, and the public file holds nothing internal.",
}
_WHAT_TO_DO: Final = (
    "Tell analysts not to rely on the tables named; where the public file is named, take it away. Run `channelsafe "
    "verify`, delete the files, publish again and run this check again. If it fails again, it is a fault of "
    "Channelsafe: report it with this table, which holds no data."
)


def as_check_result(name: str, breaches: Sequence[Breach]) -> dg.AssetCheckResult:
    """Return what operators see of the breaches that one check found."""
    sentences = {rule.name: rule.says for rule in read_rules().values()}
    shown = [
        dg.TableRecord(
            {
                "file": one.file,
                "table": one.table,
                "column": one.column,
                "rule": one.rule,
                "must_hold": sentences.get(one.rule, ""),
                "count": one.count,
            }
        )
        for one in breaches[:_MOST_SHOWN]
    ]
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=analytics_files.key,
        passed=not breaches,
        metadata={
            "breaches": len(breaches),
            **({"where": dg.MetadataValue.table(shown), "what_to_do": _WHAT_TO_DO} if breaches else {}),
        },
    )


def _could_not_run(name: str, error: ChannelsafeError) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=analytics_files.key,
        passed=False,
        metadata={"code": error.code, "what": error.what, "what_to_do": error.what_to_do},
    )


def _results(workspace: Workspace) -> list[dg.AssetCheckResult]:
    try:
        with published(workspace) as publication:
            found = {
                SCHEMAS_CHECK: list(breaches_in_tables(publication)),
                EXPECTATIONS_CHECK: list(unmet_expectations(publication)),
            }
    except ChannelsafeError as error:
        return [_could_not_run(name, error) for name in _DESCRIPTIONS]
    return [as_check_result(name, breaches) for name, breaches in found.items()]


@dg.multi_asset_check(
    name="analytics_checks",
    specs=[
        dg.AssetCheckSpec(
            name=name, asset=analytics_files.key, blocking=False, description=f"{text} When it fails: {_WHAT_TO_DO}"
        )
        for name, text in _DESCRIPTIONS.items()
    ],
)
def analytics_checks(channelsafe: dg.ResourceParam[WorkspaceResource]) -> Iterator[dg.AssetCheckResult]:
    """Judge what is published; files that are missing, damaged or unreadable have not passed."""
    yield from proper_results(_results(channelsafe.workspace), names=tuple(_DESCRIPTIONS))
