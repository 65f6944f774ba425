"""`channelsafe profile`: disclosure profiles, judged, compared, put to use, proposed and approved."""

from pathlib import Path

import click

from dagster_project.application.deciding import decide
from dagster_project.application.drafting_decisions import draft_act
from dagster_project.application.profile_desk import profile_overview, profile_overviews, propose
from dagster_project.application.profile_effect import compare_profiles, compare_words
from dagster_project.application.profiles import (
    assign_profile,
    find_or_stored,
    find_profile,
    load_profile,
    shipped_profile_names,
)
from dagster_project.application.review_desk import Act, reviewer_of
from dagster_project.application.workspace import create_keys_if_new, open_workspace
from dagster_project.application.writing import judge_profile
from dagster_project.cli.backtesting import backtest
from dagster_project.cli.output import json_option, print_json
from dagster_project.cli.profile_printing import difference_lines
from dagster_project.cli.review import key_option, say_accepted
from dagster_project.cli.review_printing import profile_lines
from dagster_project.settings import Settings


@click.group()
def profile() -> None:
    """Judge and compare disclosure profiles, put them to use, and have them approved.

    PROFILE is a YAML file or the name of a shipped one; DIGEST is that of a profile that was proposed.
    """


profile.add_command(backtest)


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
    """Name every finding over PROFILE, each with what it means and what to do.

    Found are source fields that no rule covers, overlaps and which rule wins, whatever can never fire (no page and no
    decision would be another one without it), words of known sources that no table maps, words that do not exist, and
    whatever lets the profile's own approval cover more than rule R3 allows. Texts that customers read are judged by the
    writing rules (`channelsafe rules`).

    Exit code 1 if there is an error; warnings alone exit with 0.
    """
    findings = judge_profile(find_profile(name))
    errors = sum(1 for one in findings if one.level == "error")
    if as_json:
        print_json(findings)
    else:
        for one in findings:
            click.echo(f"{one.level}: {one.code}: {one.where}\n    {one.meaning}")
        click.echo(f"{errors} errors, {len(findings) - errors} warnings")
    return 1 if errors else 0


@profile.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--words", is_flag=True, help="Compare the profiles alone; needs no deployment.")
@json_option
@click.pass_obj
def diff(settings: Settings, old: str, new: str, *, words: bool, as_json: bool) -> None:
    """Compare the profiles OLD and NEW in words, and by what the current packages would say under each.

    OLD and NEW are PROFILEs, or digests of profiles that were loaded. Compared are the pages of the bridges that OLD
    renders now; where it renders none, of every bridge. A value that either of them keeps back is not shown.

    Exit code 0; 1 when either has errors.
    """
    if words:
        found = compare_words(find_profile(old), find_profile(new))
    else:
        workspace = open_workspace(settings)
        found = compare_profiles(workspace, find_or_stored(workspace, old), find_or_stored(workspace, new))
    if as_json:
        print_json(found)
        return
    for line in difference_lines(found):
        click.echo(line)


@profile.command("load")
@click.argument("name", metavar="PROFILE")
@click.option("--bridge", default="", help="Only for this bridge; default every bridge without one of its own.")
@click.option("--incident", default="", help="Only for this incident.")
@json_option
@click.pass_obj
def load(settings: Settings, name: str, bridge: str, incident: str, *, as_json: bool) -> None:
    """Store PROFILE and render with it from now on. Nothing leaves under it until it is approved."""
    create_keys_if_new(settings)
    workspace = open_workspace(settings)
    digest = load_profile(workspace, find_profile(name))
    assign_profile(workspace, digest, bridge=bridge, incident=incident.upper())
    if as_json:
        print_json({"profile_digest": digest, "bridge": bridge, "incident": incident.upper()})
    else:
        click.echo(f"loaded {name} as unapproved_demo, {digest}")


@profile.command("propose")
@click.argument("name", metavar="PROFILE")
@click.option("--replaces", default="", help="Digest of the profile in force that a stricter one is to replace.")
@key_option
@json_option
@click.pass_obj
def propose_one(settings: Settings, name: str, replaces: str, key_file: Path, *, as_json: bool) -> None:
    """Propose PROFILE as the person whose key this is, who may not approve it then (R2).

    It is in force once incident command, support leadership, security and legal have approved its digest; one that is
    stricter than the one in force that it --replaces, once any one of them has.
    """
    overview = propose(open_workspace(settings), find_profile(name), key_file, replaces=replaces)
    if as_json:
        print_json(overview)
        return
    for line in profile_lines(overview):
        click.echo(line)


@profile.command("approve")
@click.argument("digest")
@key_option
@json_option
@click.pass_obj
def approve(settings: Settings, digest: str, key_file: Path, *, as_json: bool) -> None:
    """Approve the proposed profile DIGEST, in all your roles."""
    _decide(settings, Act.APPROVE_PROFILE, digest, key_file, reason="", as_json=as_json)


@profile.command("reject")
@click.argument("digest")
@click.option("--reason", required=True, help="Why; kept inside, with the decision.")
@key_option
@json_option
@click.pass_obj
def reject(settings: Settings, digest: str, reason: str, key_file: Path, *, as_json: bool) -> None:
    """Reject the proposed profile DIGEST: nothing leaves under it any more."""
    _decide(settings, Act.REJECT_PROFILE, digest, key_file, reason=reason, as_json=as_json)


@profile.command("show")
@click.argument("digest", required=False)
@json_option
@click.pass_obj
def show(settings: Settings, digest: str | None, *, as_json: bool) -> None:
    """Show where every proposed profile stands, or the one with this DIGEST: proposer, decisions, roles missing."""
    workspace = open_workspace(settings)
    found = profile_overviews(workspace) if digest is None else (profile_overview(workspace, digest),)
    if as_json:
        print_json(found)
        return
    for one in found:
        for line in profile_lines(one):
            click.echo(line)
    if not found:
        click.echo("no profile was proposed yet")


def _decide(settings: Settings, act: Act, digest: str, key_file: Path, *, reason: str, as_json: bool) -> None:
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    decision = draft_act(workspace, act, refers_to=digest, reason=reason)
    say_accepted(decide(workspace, decision, reviewer.key), decision, as_json=as_json)
    if not as_json:
        for line in profile_lines(profile_overview(workspace, digest)):
            click.echo(line)
