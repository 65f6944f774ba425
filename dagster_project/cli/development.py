"""`channelsafe dev`: the Dagster UI and daemon on this machine.

Belongs here: seeding the home of the Dagster instance, for either storage, and starting Dagster's own programs.
"""

import os
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from dagster_project.application.workspace import create_keys_if_new, open_workspace
from dagster_project.errors import Unavailable, UsageError
from dagster_project.settings import (
    ANCHOR_VARIABLE,
    BLOBS_VARIABLE,
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    HOME_VARIABLE,
    KEYS_VARIABLE,
    Settings,
)

_SEEDS: Final = Path(__file__).resolve().parents[2] / "deploy"
_POSTGRESQL_PORT: Final = 5432


def seed_dagster_home(settings: Settings) -> Path:
    """Make the folder of the Dagster instance with its `dagster.yaml`, unless it is there.

    Raises:
        UsageError: it is there, for the other kind of storage; or Dagster's database is Channelsafe's own.
    """
    _require_two_databases(settings)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    target = settings.dagster_home / "dagster.yaml"
    if not target.exists():
        storage = "sqlite" if settings.dagster_database_url is None else "postgresql"
        target.write_bytes((_SEEDS / f"dagster.{storage}.yaml").read_bytes())
    _require_same_storage(settings, target)
    return settings.dagster_home


def _require_two_databases(settings: Settings) -> None:
    """Refuse one database for both: each keeps the number of its schema in a table of the same name."""
    if None in {settings.database_url, settings.dagster_database_url}:
        return
    if _place_of(settings.database_url) == _place_of(settings.dagster_database_url):
        raise UsageError(
            "one_database_for_both",
            what="Dagster and Channelsafe need a database each, and these variables name the same one",
            where=f"{DATABASE_VARIABLE} and {DAGSTER_DATABASE_VARIABLE}",
            what_to_do="Create a second database on that server and name it in one of them.",
        )


def _place_of(url: str | None) -> tuple[str | None, int, str]:
    parts = urlsplit(url or "")
    return parts.hostname, parts.port or _POSTGRESQL_PORT, parts.path


def _require_same_storage(settings: Settings, target: Path) -> None:
    """Refuse to go on where runs would be looked for in one storage and lie in another."""
    if (DAGSTER_DATABASE_VARIABLE in target.read_text()) == (settings.dagster_database_url is not None):
        return
    does, variable = ("does not name", "is set") if settings.dagster_database_url else ("names", "is not set")
    raise UsageError(
        "dagster_storage_differs",
        what=f"{DAGSTER_DATABASE_VARIABLE} {variable}, but the configuration of the Dagster instance {does} it",
        where=str(target),
        what_to_do="Set the variable as it was when the file was made, or move the file away: a new one is made, and "
        "runs reported to the old storage stay there.",
    )


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Return what Dagster's programs need in their environment to work in this deployment."""
    wanted = {
        "DAGSTER_HOME": str(seed_dagster_home(settings)),
        HOME_VARIABLE: str(settings.home),
        KEYS_VARIABLE: str(settings.keys),
        DATABASE_VARIABLE: settings.database_url,
        BLOBS_VARIABLE: settings.blobs_url,
        ANCHOR_VARIABLE: None if settings.anchor is None else str(settings.anchor),
        DAGSTER_DATABASE_VARIABLE: _naming_its_driver(settings.dagster_database_url),
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _naming_its_driver(url: str | None) -> str | None:
    """Name psycopg2: SQLAlchemy 2.1 picks psycopg 3 where it is installed, and that breaks Dagster's notifications."""
    scheme, separator, rest = (url or "").partition("://")
    return f"postgresql+psycopg2://{rest}" if separator and scheme in {"postgresql", "postgres"} else url


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Port of the UI.")
@click.pass_obj
def dev(settings: Settings, port: int) -> None:
    """Start the Dagster UI and daemon for this deployment; files in the landing folder are picked up."""
    create_keys_if_new(settings)
    open_workspace(settings)
    settings.landing.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).parent / "dagster"
    if not program.exists():
        raise Unavailable(
            "dagster_missing",
            what="Dagster's command line is not installed beside this one",
            where=str(program),
            what_to_do="Run `make install`.",
        )
    environment = os.environ | dagster_environment(settings)
    click.echo(f"landing folder: {settings.landing}")
    click.echo(f"Dagster UI:     http://127.0.0.1:{port}")
    arguments = [str(program), "dev", "--module-name", "dagster_project.definitions", "--port", str(port)]
    os.execve(program, arguments, environment)  # noqa: S606 - our own program, no shell
