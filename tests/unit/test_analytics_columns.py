"""The columns of the analytics files: one definition, and everything made from it agrees with it and with the files."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import pytest

from checks.expectations import Judge, column_expectations, shape_expectations
from checks.frames import breaches_in_frames, schema_of
from dagster_project.application.analytics import comments, read_views
from dagster_project.application.analytics_columns import INTERNAL_FILE, TABLES, VIEWS, Table
from dagster_project.application.analytics_inspection import (
    NOT_ALLOWED,
    PRESENT,
    Breach,
    frames_of_table,
    shapes_of_view,
    types_of_view,
)
from dagster_project.application.analytics_rows import TABLES as ROW_TYPES
from dagster_project.connections.duckdb_columns import KEYED, Column, Row, columns_of
from dagster_project.connections.duckdb_files import ROWS_SCHEMA, build_file
from dagster_project.connections.duckdb_reading import PublishedFile, reading
from dagster_project.errors import Unavailable
from tests.support.analytics_files import run_on

UNKNOWN = "Northgate"
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
OPEN_ITEM = "INSERT INTO published.open_items VALUES (1, 'INC-1', '', {kind}, 's', [], 'legal', 'x', 0, {at}, NULL)"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A file with all tables and views and no rows."""
    statements = (*read_views().values(), *comments())
    return build_file(tmp_path / INTERNAL_FILE, tables=ROW_TYPES, rows=[], statements=statements).path


def described(file: Path, name: str) -> list[tuple[str, str, bool]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(f"DESCRIBE {name}").fetchall()
    return [(column, kind, null == "YES") for column, kind, null, *_ in rows]


def open_item(file: Path, *, kind: str = "'leak'", at: str = "TIMESTAMP '2026-03-04 10:00:00'") -> None:
    run_on(file, OPEN_ITEM.format(kind=kind, at=at))


def unmet(file: PublishedFile, view: Table) -> Iterator[Breach]:
    """Judge one view as the suite does."""
    judge = Judge()
    yield from judge.unmet(file.name, view.name, types_of_view(file, view), column_expectations(view))
    yield from judge.unmet(file.name, view.name, shapes_of_view(file, view), shape_expectations(view))


def places(breaches: Iterator[Breach]) -> set[tuple[str, str]]:
    return {(one.column, one.rule) for one in breaches}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_is_made_with_exactly_its_columns(empty: Path, table: Table) -> None:
    assert described(empty, f"{ROWS_SCHEMA}.{table.name}") == [
        (column.name, column.kind, column.nullable) for column in table.columns
    ]


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_has_exactly_its_columns_and_the_file_says_what_each_means(empty: Path, view: Table) -> None:
    assert [(name, kind) for name, kind, _ in described(empty, view.name)] == [
        (column.name, column.kind) for column in view.columns
    ]
    with duckdb.connect(str(empty), read_only=True) as connection:
        said = connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = 'main' AND table_name = $1",
            [view.name],
        ).fetchall()
    assert dict(said) == {column.name: column.description for column in view.columns}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_pandera_schema_of_a_table_has_exactly_its_columns(table: Table) -> None:
    schema = schema_of(table)
    assert [(name, one.nullable) for name, one in schema.columns.items()] == [
        (column.name, column.nullable) for column in table.columns
    ]
    assert schema.strict
    assert schema.ordered
    for column in table.columns:
        rules = {check.error for check in schema.columns[column.name].checks}
        assert rules == {"type"} | {"allowed" for _ in column.allowed} | ({"form"} if column.form else set())


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_expectations_of_a_view_speak_of_exactly_its_columns(view: Table) -> None:
    ordered, *types = column_expectations(view)
    assert ordered.column_list == [column.name for column in view.columns]  # type: ignore[attr-defined]
    assert [(one.column, one.value_set) for one in types] == [  # type: ignore[attr-defined]
        (column.name, [column.kind]) for column in view.columns
    ]
    told = {(one.column, one.meta["rule"]) for one in shape_expectations(view)}  # type: ignore[attr-defined,index]
    assert told == {(column.name, "not_nullable") for column in view.columns if not column.nullable} | {
        (column.name, "allowed") for column in view.columns if column.allowed
    }


def test_every_column_says_what_it_means_in_one_sentence() -> None:
    every = [column for table in (*TABLES.values(), *VIEWS.values()) for column in table.columns]
    assert all(re.fullmatch(r"[A-Z'][^\n]+\.", column.description) for column in every)


def test_a_row_type_whose_column_says_nothing_is_refused() -> None:
    class Silent(Row, frozen=True, kw_only=True):
        number: int

    with pytest.raises(TypeError, match="number"):
        columns_of(Silent)


def test_an_empty_file_fulfils_everything(empty: Path) -> None:
    with reading(empty) as file:
        assert [*breaches_in_frames("f", TABLES["slots"], frames_of_table(file, TABLES["slots"]))] == []
        assert places(unmet(file, VIEWS["slots"])) == set()


def test_a_column_that_the_table_lacks_is_noticed_by_its_schema(empty: Path) -> None:
    run_on(empty, "DROP VIEW open_items", f"ALTER TABLE {ROWS_SCHEMA}.open_items DROP COLUMN slot")
    table = TABLES["open_items"]
    with reading(empty) as file:
        found = places(breaches_in_frames("f", table, frames_of_table(file, table)))
    assert ("slot", "column_in_dataframe") in found


def test_a_column_that_only_the_table_has_is_noticed_without_its_name(empty: Path) -> None:
    run_on(empty, f'ALTER TABLE {ROWS_SCHEMA}.open_items ADD COLUMN "{UNKNOWN}" VARCHAR')
    table = TABLES["open_items"]
    with reading(empty) as file:
        breaches = [*breaches_in_frames("f", table, frames_of_table(file, table))]
    assert places(iter(breaches)) == {("", "column_in_schema")}
    assert UNKNOWN not in repr(breaches)


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ("SELECT * EXCLUDE (slot)", ("", "columns")),
        ("SELECT *, 1 AS more", ("", "columns")),
        ("SELECT * RENAME (slot AS place)", ("", "columns")),
        ("SELECT slot, * EXCLUDE (slot)", ("", "columns")),
        ("SELECT * REPLACE (rejected_inputs::VARCHAR AS rejected_inputs)", ("rejected_inputs", "type")),
    ],
)
def test_a_view_with_other_columns_is_noticed_by_its_expectations(
    empty: Path, columns: str, rule: tuple[str, str]
) -> None:
    run_on(empty, f"CREATE OR REPLACE VIEW open_items AS {columns} FROM {ROWS_SCHEMA}.open_items")
    view = VIEWS["open_items"]
    with reading(empty) as file:
        found = {
            (one.column, one.rule)
            for one in Judge().unmet("f", view.name, types_of_view(file, view), column_expectations(view))
        }
    assert rule in found


def test_a_word_that_is_in_no_vocabulary_is_noticed_by_both_and_told_by_neither(empty: Path) -> None:
    open_item(empty, kind=f"'{UNKNOWN}'")
    table = TABLES["open_items"]
    with reading(empty) as file:
        by_pandera = [*breaches_in_frames("f", table, frames_of_table(file, table))]
        by_expectations = [*unmet(file, VIEWS["open_items"])]
        shapes = shapes_of_view(file, VIEWS["open_items"])
    assert places(iter(by_pandera)) == places(iter(by_expectations)) == {("kind", "allowed")}
    assert UNKNOWN not in repr([by_pandera, by_expectations])
    assert list(shapes["kind"]) == [NOT_ALLOWED]
    assert list(shapes["incident"]) == [PRESENT]


def test_a_null_where_none_may_be_is_noticed_by_both(empty: Path) -> None:
    run_on(empty, f"ALTER TABLE {ROWS_SCHEMA}.open_items ALTER COLUMN opened_at DROP NOT NULL")
    open_item(empty, at="NULL")
    table = TABLES["open_items"]
    with reading(empty) as file:
        assert places(breaches_in_frames("f", table, frames_of_table(file, table))) == {("opened_at", "not_nullable")}
        assert places(unmet(file, VIEWS["open_items"])) == {("opened_at", "not_nullable")}


def test_a_digest_that_is_none_is_noticed_in_every_frame_and_told_once(empty: Path) -> None:
    run_on(empty, "INSERT INTO published.open_item_evidence SELECT range, '//s', 'r', 1, 'none' FROM range(100000)")
    table = TABLES["open_item_evidence"]
    with reading(empty) as file:
        frames = [len(frame) for frame in frames_of_table(file, table)]
        breaches = [*breaches_in_frames("f", table, frames_of_table(file, table))]
    assert len(frames) > 1
    assert max(frames) <= 49_152
    assert sum(frames) == 100_000
    assert breaches == [Breach("f", "open_item_evidence", "data_digest", "form", 100_000)]


def filled(table: Table, word: str) -> Row:
    """Return a row with `word` wherever the vocabulary has it."""

    def value(column: Column) -> object:
        if column.form:
            return f"{'hmac-sha256' if column.form == KEYED else 'sha256'}:{'0' * 64}"
        text = word if word in column.allowed else (*column.allowed, "word")[0]
        return {"BIGINT": 1, "BOOLEAN": True, "TIMESTAMP": AT, "VARCHAR[]": ("/a",), "VARCHAR": text}[column.kind]

    return ROW_TYPES[table.name](**{column.name: value(column) for column in table.columns})


def test_rows_with_every_word_of_every_vocabulary_fulfil_everything(tmp_path: Path) -> None:
    rows = [
        filled(table, word)
        for table in TABLES.values()
        for word in {"word"}.union(*(column.allowed for column in table.columns))
    ]
    built = build_file(tmp_path / INTERNAL_FILE, tables=ROW_TYPES, rows=rows, statements=()).path
    with reading(built) as file:
        for table in TABLES.values():
            assert [*breaches_in_frames("f", table, frames_of_table(file, table))] == []
            assert file.number(f"FROM {ROWS_SCHEMA}.{table.name} SELECT count(*)") > 0


def test_an_expectation_that_cannot_be_judged_is_not_met(empty: Path) -> None:
    view = VIEWS["open_items"]
    with reading(empty) as file:
        frame = types_of_view(file, VIEWS["slots"])
    found = places(Judge().unmet("f", view.name, frame, column_expectations(view)))
    assert ("resolved_at", "type") in found


def test_a_question_that_the_file_cannot_answer_repeats_no_value(empty: Path) -> None:
    open_item(empty, kind=f"'{UNKNOWN}'")
    with reading(empty) as file, pytest.raises(Unavailable) as refused:
        file.number("SELECT kind::BIGINT FROM published.open_items")
    assert UNKNOWN not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_reader_cannot_write(empty: Path) -> None:
    with reading(empty) as file, pytest.raises(Unavailable, match="InvalidInput"):
        file.number("DELETE FROM published.open_items")


def test_the_row_types_are_records_that_cannot_change() -> None:
    assert all(issubclass(one, msgspec.Struct) and one.__struct_config__.frozen for one in ROW_TYPES.values())
