"""`channelsafe keys`: the key files of a deployment."""

import click

from dagster_project.application.workspace import create_keys
from dagster_project.cli.output import json_option, print_json
from dagster_project.settings import Settings


@click.group()
def keys() -> None:
    """Make the keys that stored bodies are encrypted with. They lie outside the data folder; back them up apart."""


@keys.command("create")
@json_option
@click.pass_obj
def create(settings: Settings, *, as_json: bool) -> None:
    """Make new key files (mode 0600). Existing ones are never overwritten."""
    create_keys(settings.keys)
    if as_json:
        print_json({"keys": str(settings.keys)})
        return
    click.echo(f"made keys in {settings.keys}; without them nothing stored can be read, so back them up apart")
