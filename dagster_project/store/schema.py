"""The schema: the metadata once every module of tables has put its own into it.

Belongs here: naming those modules, for migrations and for tests that hold the migrations against the tables.
"""

from types import ModuleType
from typing import Final

import sqlalchemy as sa

from dagster_project.store import audit_tables, body_tables, closure_tables, release_tables, review_tables, tables

TABLE_MODULES: Final[tuple[ModuleType, ...]] = (
    tables,
    review_tables,
    release_tables,
    audit_tables,
    body_tables,
    closure_tables,
)
metadata: Final[sa.MetaData] = tables.metadata
