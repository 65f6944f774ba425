"""Analytics: publishing what the store holds of candidates as two DuckDB files that analysts may open at any time.

Belongs here: the one publisher. The files are a projection: they can be deleted, and the next publication makes
them again. `internal.duckdb` holds every candidate; `public.duckdb` has the same views, and rows only of what bridges
can see of released versions, taken over from the internal file once it is built.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagster_project.application.analytics_columns import INTERNAL_FILE, PUBLIC_FILE, VIEWS
from dagster_project.application.analytics_columns import TABLES as TABLE_COLUMNS
from dagster_project.application.analytics_keeping import keep, keep_public, unmoved
from dagster_project.application.analytics_position import (
    Counts,
    Position,
    Seal,
    file_digest,
    incident_positions,
    position_of,
    read_seal,
    write_seal,
)
from dagster_project.application.analytics_reading import Reading
from dagster_project.application.analytics_releases import released_rows
from dagster_project.application.analytics_rows import TABLES, PositionRow, PublicationRow
from dagster_project.application.workspace import Workspace
from dagster_project.connections.duckdb_columns import Row
from dagster_project.connections.duckdb_files import Built, build_file, copy_aside, only_publisher, put_in_place
from dagster_project.errors import Unavailable
from dagster_project.integrity.digests import digest_of
from dagster_project.store.cursors import cursor_position, move_cursor
from dagster_project.store.transaction import Transaction

CURSOR: Final = "analytics"
_SQL: Final = Path(__file__).parents[2] / "sql"
# Raised when the rows change their meaning without a change of tables or views: what was published is then stale.
_FORM: Final = 2


@dataclass(frozen=True)
class PublicationReport:
    """What the analytics files hold now. `position` is the last candidate in them, `is_new` whether they changed."""

    incidents: int
    candidates: int
    fields: int
    position: int
    is_new: bool


def publish(workspace: Workspace) -> PublicationReport:
    """Publish everything that the store holds; where nothing is new, the files stay as they are.

    Every body behind a candidate is verified before anything of it is copied. Incidents that have not moved since the
    publication before keep their rows, as long as the file is the sealed one; without it, everything is made anew.
    Readers never wait and never see half a publication: files are built beside the published ones and renamed.

    Raises:
        IntegrityViolation: a stored body is not what was stored. What was published before stays.
        Unavailable: the files cannot be written, or another publisher is at work.
    """
    folder = workspace.settings.published_analytics
    statements = (*read_views().values(), *comments())
    definition = _definition_digest(statements)
    with only_publisher(folder):
        seal = read_seal(folder, workspace.store.keys.digest)
        with workspace.store.read() as transaction:
            position = position_of(transaction)
            same_form = seal is not None and seal.definition_digest == definition
            is_new = seal is None or not same_form or seal.position != position
            if seal is None or is_new:
                with _before(folder, is_usable=same_form) as before:
                    built = _build(workspace, transaction, position, statements, before)
                seal = _put_in_place(workspace, position, definition, built)
        _move_cursor(workspace, position.candidate_id)
    return PublicationReport(
        incidents=seal.counts.incidents,
        candidates=seal.counts.candidates,
        fields=seal.counts.fields,
        position=position.candidate_id,
        is_new=is_new,
    )


def published_position(workspace: Workspace) -> int:
    """Return the last candidate that was ever published: for whoever decides whether to publish."""
    with workspace.store.read() as transaction:
        return cursor_position(transaction, CURSOR)


def read_views() -> dict[str, str]:
    """Return the statement of every view by name, in the order in which they build on each other.

    Raises:
        Unavailable: a file is missing, so the installation is damaged.
    """
    try:
        return {name: (_SQL / f"{name}.sql").read_text(encoding="utf-8") for name in VIEWS}
    except OSError as error:
        raise Unavailable(
            "views_missing",
            what=f"the definition of an analytics view cannot be read ({type(error).__name__})",
            where="sql/",
            what_to_do="Install Channelsafe again; the definitions ship with it.",
        ) from error


def comments() -> tuple[str, ...]:
    """Return the statements that write into a file what every column of every view means."""
    said = [(view.name, column.name, column.description) for view in VIEWS.values() for column in view.columns]
    quoted = [(view, column, text.replace("'", "''")) for view, column, text in said]
    return tuple(f"COMMENT ON COLUMN {view}.{column} IS '{text}'" for view, column, text in quoted)


def _definition_digest(statements: tuple[str, ...]) -> str:
    tables = {
        name: [f"{column.name} {column.kind} {column.nullable}" for column in table.columns]
        for name, table in TABLE_COLUMNS.items()
    }
    return digest_of({"form": _FORM, "tables": tables, "statements": list(statements)})


def _before(folder: Path, *, is_usable: bool) -> AbstractContextManager[Path | None]:
    return copy_aside(folder / INTERNAL_FILE) if is_usable else nullcontext()


def _build(
    workspace: Workspace, transaction: Transaction, position: Position, statements: tuple[str, ...], before: Path | None
) -> dict[str, Built]:
    folder = workspace.settings.published_analytics
    positions = incident_positions(transaction)
    staying = frozenset[str]() if before is None else unmoved(before, positions)
    moved = {name: positions[name] for name in sorted(positions.keys() - staying)}
    internal = build_file(
        folder / INTERNAL_FILE,
        tables=TABLES,
        rows=_rows(workspace, transaction, position, moved),
        statements=statements,
        kept=None if before is None else keep(before, staying),
    )
    public = build_file(
        folder / PUBLIC_FILE, tables=TABLES, rows=(), statements=statements, kept=keep_public(internal.path)
    )
    return {INTERNAL_FILE: internal, PUBLIC_FILE: public}


def _put_in_place(workspace: Workspace, position: Position, definition: str, built: Mapping[str, Built]) -> Seal:
    folder, key = workspace.settings.published_analytics, workspace.store.keys.digest
    rows = built[INTERNAL_FILE].rows
    seal = Seal(
        position=position,
        definition_digest=definition,
        counts=Counts(incidents=rows["incidents"], candidates=rows["candidates"], fields=rows["fields"]),
        files={name: file_digest(one.path, key) for name, one in built.items()},
    )
    put_in_place({folder / name: one.path for name, one in built.items()})
    write_seal(folder, seal)
    return seal


def _rows(
    workspace: Workspace, transaction: Transaction, position: Position, positions: Mapping[str, str]
) -> Iterator[Row]:
    # Not with the code location: see `analytics_position`.
    from dagster_project.application.analytics_closures import closure_rows

    yield from Reading(transaction).every_row(positions)
    yield from released_rows(workspace, transaction, positions)
    yield from closure_rows(transaction)
    for incident, reached in positions.items():
        yield PositionRow(incident=incident, position=reached)
    yield PublicationRow(
        candidate_id=position.candidate_id,
        check_id=position.check_id,
        log_sequence=position.log_sequence,
        published_at=workspace.clock.now(),
    )


def _move_cursor(workspace: Workspace, position: int) -> None:
    """Say how far was published. The cursor never moves back, and writers are alone, so it cannot move in between."""
    if published_position(workspace) >= position:
        return
    with workspace.store.begin() as transaction:
        move_cursor(transaction, CURSOR, expected=cursor_position(transaction, CURSOR), position=position)
