"""Inspecting what was published: the questions whose answers pandera and Great Expectations judge.

Belongs here: opening both files of one publication, and asking for columns, shapes and figures of bounded size. What
is right stands in `analytics_columns` and `analytics_rules`; who judges is `checks`. A shape is a row without what
it says: NULL stays NULL, a word of a closed vocabulary stays itself, any other value becomes the same mark. So the
answers are small whatever the size of a file, and hold nothing that may not be shown.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dagster_project.application.analytics_columns import FILES, TABLES, VIEWS, Table
from dagster_project.application.analytics_position import Counts, read_seal
from dagster_project.application.analytics_rules import Rule
from dagster_project.application.workspace import Workspace
from dagster_project.connections.duckdb_columns import Column
from dagster_project.connections.duckdb_files import ROWS_SCHEMA, only_publisher
from dagster_project.connections.duckdb_reading import PublishedFile, reading
from dagster_project.errors import Unavailable

if TYPE_CHECKING:
    from pandas import DataFrame

VIEWS_SCHEMA: Final = "main"
PRESENT: Final = "(present)"
NOT_ALLOWED: Final = "(not allowed)"
NO_SUCH_VIEW: Final = "(no such view)"


@dataclass(frozen=True)
class Publication:
    """Both files of one publication, open for reading, and how many rows the publisher sealed into them."""

    internal: PublishedFile
    public: PublishedFile
    counts: Counts

    @property
    def files(self) -> tuple[PublishedFile, PublishedFile]:
        """Both files."""
        return self.internal, self.public


@dataclass(frozen=True)
class Breach:
    """Something that does not hold in a published file: where, which rule, and how often. Never a value."""

    file: str
    table: str
    column: str
    rule: str
    count: int


@contextmanager
def published(workspace: Workspace) -> Iterator[Publication]:
    """Open what is published. Both files are of the same publication, and nobody is kept waiting while they are read.

    Raises:
        Unavailable: nothing is published, a file is missing or not what was published, or cannot be read.
    """
    with ExitStack() as stack:
        # What is open stays readable when the next publication replaces it, so the lock is not kept.
        with only_publisher(workspace.settings.published_analytics):
            counts = _sealed_counts(workspace)
            internal, public = (
                stack.enter_context(reading(workspace.settings.published_analytics / name)) for name in FILES
            )
        yield Publication(internal, public, counts)


def _sealed_counts(workspace: Workspace) -> Counts:
    seal = read_seal(workspace.settings.published_analytics, workspace.store.keys.digest)
    if seal is None:
        raise Unavailable(
            "analytics_not_published",
            what="the analytics files are missing or are not what was published last",
            where=str(workspace.settings.published_analytics),
            what_to_do="Publish them: materialize the asset `analytics`.",
        )
    return seal.counts


def frames_of_table(file: PublishedFile, table: Table) -> "Iterator[DataFrame]":
    """Yield the rows of a published table in frames of bounded size."""
    yield from file.frames(f"FROM {ROWS_SCHEMA}.{table.name}")


def types_of_view(file: PublishedFile, view: Table) -> "DataFrame":
    """Return one row that holds the type of each column, under the names and in the order that the view really has."""
    columns = file.columns(VIEWS_SCHEMA, view.name) or {NO_SUCH_VIEW: ""}
    return file.frame("SELECT " + ", ".join(f"{_text(kind)} AS {_quoted(name)}" for name, kind in columns.items()))


def shapes_of_view(file: PublishedFile, view: Table) -> "DataFrame":
    """Return the different shapes of a view's rows: at most as many as its vocabularies and NULLs can be combined."""
    return file.frame(f"FROM {view.name} SELECT DISTINCT {', '.join(map(_shape, view.columns))}")


def figures_of(file: PublishedFile, rules: Mapping[str, Rule]) -> "DataFrame":
    """Return one row of counts: rows of every table and view, different keys of every view, what breaks every rule."""
    tables = [(ROWS_SCHEMA, name) for name in TABLES] + [(VIEWS_SCHEMA, name) for name in VIEWS]
    numbers = {
        **{rows_figure(*table): file.number(f"FROM {'.'.join(table)} SELECT count(*)") for table in tables},
        **{keys_figure(view): file.number(_keys(view)) for view in VIEWS.values() if view.unique},
        **{name: file.number(rule.broken) for name, rule in rules.items()},
    }
    return file.frame("SELECT " + ", ".join(f"{number} AS {_quoted(name)}" for name, number in numbers.items()))


def rows_figure(schema: str, name: str) -> str:
    """Return the name of the figure that counts the rows of a table or view."""
    return f"rows of {schema}.{name}"


def keys_figure(view: Table) -> str:
    """Return the name of the figure that counts the different keys of a view."""
    return f"keys of {view.name}"


def _keys(view: Table) -> str:
    return f"FROM (FROM {view.name} SELECT DISTINCT {', '.join(view.unique)}) SELECT count(*)"


def _shape(column: Column) -> str:
    name = _quoted(column.name)
    said = f"CASE WHEN {name} IN ({', '.join(map(_text, column.allowed))}) THEN {name} ELSE {_text(NOT_ALLOWED)} END"
    return f"CASE WHEN {name} IS NOT NULL THEN {said if column.allowed else _text(PRESENT)} END AS {name}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
