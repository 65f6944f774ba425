"""Expectations of whole published files, judged by Great Expectations.

Belongs here: turning column definitions and rules into expectations, and running them over columns, shapes and
figures. Great Expectations is imported inside the functions: it costs two and a half seconds, and only the run that
checks pays for it. It works in memory, asks no network, writes no file and draws no progress bar.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from dagster_project.application.analytics_columns import TABLES, VIEWS, Table
from dagster_project.application.analytics_inspection import (
    VIEWS_SCHEMA,
    Breach,
    Publication,
    figures_of,
    keys_figure,
    rows_figure,
    shapes_of_view,
    types_of_view,
)
from dagster_project.application.analytics_rules import Rule, read_rules
from dagster_project.connections.duckdb_files import ROWS_SCHEMA
from dagster_project.connections.duckdb_reading import PublishedFile

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context import EphemeralDataContext
    from great_expectations.expectations import Expectation
    from pandas import DataFrame


def unmet_expectations(publication: Publication) -> Iterator[Breach]:
    """Judge both files. Where a file lacks a column, nothing else of it can be judged, and only that is reported."""
    judge, rules = Judge(), read_rules()
    for file in publication.files:
        unlike = [
            breach
            for view in VIEWS.values()
            for breach in judge.unmet(file.name, view.name, types_of_view(file, view), column_expectations(view))
        ]
        yield from unlike or _unmet_content(judge, rules, publication, file)


def _unmet_content(
    judge: "Judge", rules: Mapping[str, Rule], publication: Publication, file: PublishedFile
) -> Iterator[Breach]:
    for view in VIEWS.values():
        yield from judge.unmet(file.name, view.name, shapes_of_view(file, view), shape_expectations(view))
    yield from judge.unmet(file.name, "", figures_of(file, rules), figure_expectations(rules, publication, file.name))


class Judge:
    """Judges frames by expectations, in a context of its own that leaves no trace."""

    def __init__(self) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        )
        context: EphemeralDataContext = gx.get_context(mode="ephemeral", project_config=config)
        frames = context.data_sources.add_pandas("published").add_dataframe_asset("frame")
        self._batches = frames.add_batch_definition_whole_dataframe("whole")

    def unmet(
        self, file: str, table: str, frame: "DataFrame", expectations: "Sequence[Expectation]"
    ) -> Iterator[Breach]:
        """Yield what a frame does not fulfil; an expectation that could not be judged was not met.

        Raises:
            RuntimeError: not every expectation has a result.
        """
        from great_expectations.core import ExpectationSuite

        suite = ExpectationSuite(name=f"{file} {table}", expectations=list(expectations))
        batch = self._batches.get_batch(batch_parameters={"dataframe": frame})
        # Without values: what an expectation met there could not be kept from a log.
        results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
        if len(results) != len(expectations):
            raise RuntimeError(f"{len(expectations) - len(results)} expectations have no result")
        for one in results:
            if one.success is not True:
                meta = _meta_of(one)
                count = int(frame[meta["rule"]].iloc[0]) if meta["rule"] in frame else 1
                yield Breach(file, table or meta["table"], meta["column"], meta["rule"], count)


def column_expectations(view: Table) -> "list[Expectation]":
    """Return what the columns of a view must be: these, in this order, of these types."""
    from great_expectations.expectations import ExpectColumnValuesToBeInSet, ExpectTableColumnsToMatchOrderedList

    return [
        ExpectTableColumnsToMatchOrderedList(
            column_list=[column.name for column in view.columns], meta=_meta(rule="columns")
        ),
        *(
            ExpectColumnValuesToBeInSet(
                column=column.name, value_set=[column.kind], meta=_meta(column=column.name, rule="type")
            )
            for column in view.columns
        ),
    ]


def shape_expectations(view: Table) -> "list[Expectation]":
    """Return what the rows of a view may look like: where NULL may stand, and which words."""
    from great_expectations.expectations import ExpectColumnValuesToBeInSet, ExpectColumnValuesToNotBeNull

    return [
        *(
            ExpectColumnValuesToNotBeNull(column=column.name, meta=_meta(column=column.name, rule="not_nullable"))
            for column in view.columns
            if not column.nullable
        ),
        *(
            ExpectColumnValuesToBeInSet(
                column=column.name, value_set=list(column.allowed), meta=_meta(column=column.name, rule="allowed")
            )
            for column in view.columns
            if column.allowed
        ),
    ]


def figure_expectations(rules: Mapping[str, Rule], publication: Publication, file: str) -> "list[Expectation]":
    """Return what must hold between the rows of a file."""
    from great_expectations.expectations import ExpectColumnPairValuesToBeEqual, ExpectColumnValuesToBeInSet

    def equal(view: str, rule: str, other: str) -> ExpectColumnPairValuesToBeEqual:
        return ExpectColumnPairValuesToBeEqual(
            column_A=rows_figure(VIEWS_SCHEMA, view), column_B=other, meta=_meta(table=view, rule=rule)
        )

    def number(figure: str, wanted: int, meta: dict[str, str]) -> ExpectColumnValuesToBeInSet:
        return ExpectColumnValuesToBeInSet(column=figure, value_set=[wanted], meta=meta)

    # A view that has the name of a table shows every row of it: joining lost none and doubled none.
    whole = [equal(name, "every_row_of_its_table", rows_figure(ROWS_SCHEMA, name)) for name in VIEWS if name in TABLES]
    unique = [equal(view.name, "unique", keys_figure(view)) for view in VIEWS.values() if view.unique]
    holding = [number(name, 0, _meta(rule=name)) for name in rules]
    kept_in = [
        number(rows_figure(ROWS_SCHEMA, table.name), 0, _meta(table=table.name, rule="nothing_internal"))
        for table in TABLES.values()
        if file not in table.files
    ]
    sealed = [
        number(rows_figure(VIEWS_SCHEMA, name), count, _meta(table=name, rule="as_many_as_published"))
        for name, count in asdict(publication.counts).items()
        if file == publication.internal.name
    ]
    return [*whole, *unique, *holding, *kept_in, *sealed]


def _meta_of(result: "ExpectationValidationResult") -> dict[str, str]:
    if result.expectation_config is None:
        raise RuntimeError("a result does not say which expectation it is of")
    return dict(result.expectation_config.meta or {})


def _meta(*, table: str = "", column: str = "", rule: str) -> dict[str, str]:
    return {"table": table, "column": column, "rule": rule}
