"""Bringing a database to this version's schema, by the migrations beside this file.

Belongs here: calling Alembic, and refusing a database that is newer than this program. The steps themselves are
in `migrations/versions`; tests hold them equal to `tables`.
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from dagster_project.errors import Unavailable
from dagster_project.store.engine import reading, writing

CONNECTION_ATTRIBUTE: Final = "connection"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def has_schema(engine: Engine) -> bool:
    """Say whether the database has ever been migrated.

    Raises:
        Unavailable: the database cannot be reached.
    """
    with reading(engine) as connection:
        return sa.inspect(connection).has_table("alembic_version")


def migrate(engine: Engine) -> None:
    """Bring the database to the newest revision, in one transaction; nothing is done where it is there already.

    Raises:
        Unavailable: the database cannot be reached, or a newer Channelsafe made it.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    newest = script.get_current_head()
    with reading(engine) as connection:
        if _revision(connection) == newest:
            return
    # Two processes may find an old database at once; the second waits for the first and then finds nothing to do.
    with writing(engine) as connection:
        revision = _revision(connection)
        if revision is not None and revision not in {step.revision for step in script.walk_revisions()}:
            raise Unavailable(
                "database_newer",
                what="the database was made by a newer version of Channelsafe",
                where=engine.url.render_as_string(hide_password=True),
                what_to_do="Install that version, or restore the backup made before the upgrade.",
            )
        config.attributes[CONNECTION_ATTRIBUTE] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
