"""`channelsafe dev`: the Dagster UI and daemon on this machine.

Belongs here: seeding the embedded Dagster instance and starting Dagster's own programs.
"""

import os
import sys
from pathlib import Path

import click

from dagster_project.application.workspace import create_keys_if_new, open_workspace
from dagster_project.errors import Unavailable
from dagster_project.settings import HOME_VARIABLE, KEYS_VARIABLE, Settings

SEED = Path(__file__).resolve().parents[2] / "deploy" / "dagster.sqlite.yaml"


def seed_dagster_home(settings: Settings) -> Path:
    """Make the folder of the embedded Dagster instance with its `dagster.yaml`, unless it is there."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    target = settings.dagster_home / "dagster.yaml"
    if not target.exists():
        target.write_bytes(SEED.read_bytes())
    return settings.dagster_home


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
    environment = os.environ | {
        "DAGSTER_HOME": str(seed_dagster_home(settings)),
        HOME_VARIABLE: str(settings.home),
        KEYS_VARIABLE: str(settings.keys),
    }
    click.echo(f"landing folder: {settings.landing}")
    click.echo(f"Dagster UI:     http://127.0.0.1:{port}")
    arguments = [str(program), "dev", "--module-name", "dagster_project.definitions", "--port", str(port)]
    os.execve(program, arguments, environment)  # noqa: S606 - our own program, no shell
