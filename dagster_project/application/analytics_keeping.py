"""Keeping rows: what a publication takes over from the one before, because nothing of it can have changed.

Belongs here: which incidents have not moved, and how the rows of a table belong to incidents. Rows are kept or made
anew by whole incidents. What is kept was verified when it was first copied, and lies in a file that is still the
sealed one.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from dagster_project.application.analytics_columns import PUBLIC_TABLES
from dagster_project.application.analytics_rows import TABLES
from dagster_project.connections.duckdb_files import ROWS_SCHEMA, Kept
from dagster_project.connections.duckdb_reading import reading

_INCIDENTS: Final = "(FROM kept)"
# By the column that says to what a row belongs: the values of it that may stay.
_STAYING: Final[Mapping[str, str]] = {
    "incident": _INCIDENTS,
    "candidate_id": f"(FROM before.{ROWS_SCHEMA}.candidates SELECT candidate_id WHERE incident IN {_INCIDENTS})",
    "package_id": f"(FROM before.{ROWS_SCHEMA}.version_origins SELECT package_id WHERE incident IN {_INCIDENTS})",
    "open_item_id": f"(FROM before.{ROWS_SCHEMA}.open_items SELECT open_item_id WHERE incident IN {_INCIDENTS})",
}


def unmoved(before: Path, positions: Mapping[str, str]) -> frozenset[str]:
    """Return the incidents that have come no further than they had in a published file.

    Raises:
        Unavailable: the file cannot be read.
    """
    with reading(before) as file:
        published = file.pairs(f"FROM {ROWS_SCHEMA}.positions SELECT incident, position")
    return frozenset(incident for incident, position in positions.items() if published.get(incident) == position)


def keep(before: Path, names: Collection[str]) -> Kept:
    """Return the rows of these incidents in a published file, to be taken over."""
    questions = {
        name: f"FROM before.{ROWS_SCHEMA}.{name} WHERE {row_type.part_of} IN {_STAYING[row_type.part_of]}"
        for name, row_type in TABLES.items()
        if row_type.part_of
    }
    return Kept(before, names, questions)


def keep_public(internal: Path) -> Kept:
    """Return the rows of a built internal file that the public file may show: released versions as bridges see them.

    They were read from signed bytes when they were copied there (`analytics_releases`).
    """
    return Kept(internal, (), {name: f"FROM before.{ROWS_SCHEMA}.{name}" for name in PUBLIC_TABLES})
