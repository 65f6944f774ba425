"""`channelsafe profile`: disclosure profiles, judged and put to use."""

import click

from dagster_project.application.profiles import (
    assign_profile,
    find_profile,
    judge_profile,
    load_profile,
    shipped_profile_names,
)
from dagster_project.application.workspace import create_keys_if_new, open_workspace
from dagster_project.cli.output import json_option, print_json
from dagster_project.settings import Settings


@click.group()
def profile() -> None:
    """Judge disclosure profiles and put them to use. PROFILE is a YAML file or the name of a shipped one."""


@profile.command("list")
@json_option
def list_profiles(*, as_json: bool) -> None:
    """List the profiles that come with the project."""
    names = shipped_profile_names()
    if as_json:
        print_json(names)
    else:
        click.echo("\n".join(names))


@profile.command("validate")
@click.argument("name", metavar="PROFILE")
@json_option
def validate(name: str, *, as_json: bool) -> int:
    """Name every finding over PROFILE: uncovered fields, overlaps and who wins, dead rules, unknown codes.

    Exit code 1 if there is an error; warnings alone exit with 0.
    """
    findings = judge_profile(find_profile(name))
    errors = sum(1 for one in findings if one.level == "error")
    if as_json:
        print_json(findings)
    else:
        for one in findings:
            click.echo(f"{one.level}: {one.code}: {one.where}")
        click.echo(f"{errors} errors, {len(findings) - errors} warnings")
    return 1 if errors else 0


@profile.command("load")
@click.argument("name", metavar="PROFILE")
@click.option("--bridge", default="", help="Only for this bridge; default every bridge without one of its own.")
@click.option("--incident", default="", help="Only for this incident.")
@json_option
@click.pass_obj
def load(settings: Settings, name: str, bridge: str, incident: str, *, as_json: bool) -> None:
    """Store PROFILE (as `unapproved_demo`: release will refuse it) and render with it from now on."""
    create_keys_if_new(settings)
    workspace = open_workspace(settings)
    digest = load_profile(workspace, find_profile(name))
    assign_profile(workspace, digest, bridge=bridge, incident=incident.upper())
    if as_json:
        print_json({"profile_digest": digest, "bridge": bridge, "incident": incident.upper()})
    else:
        click.echo(f"loaded {name} as unapproved_demo, {digest}")
