"""`channelsafe review`: what waits for people, and what they decide. Who decides is who signs, never an option (R8)."""

from collections.abc import Sequence
from pathlib import Path

import click

from dagster_project.application.deciding import Accepted, decide
from dagster_project.application.drafting_decisions import (
    Reviewer,
    current_version,
    draft_act,
    draft_approval,
    draft_rejection,
    shown_fields,
)
from dagster_project.application.review_desk import (
    REVIEW_ROLES,
    Act,
    Decision,
    approval_in,
    hold_to_lift,
    last_version_number,
    publish_bridge,
    review_page,
    reviewer_of,
    waiting_bridges,
)
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.cli.output import json_option, print_json
from dagster_project.cli.printing import counted
from dagster_project.cli.review_printing import change_lines, page_lines, waiting_lines
from dagster_project.errors import UnsafeOrRejected
from dagster_project.settings import Settings

key_option = click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Your private key file: it says who decides.",
)
# No bridge has as many; a number beyond what documents can hold is a slip of the keyboard.
VERSION = click.IntRange(min=1, max=999_999_999)
_reason = click.option("--reason", required=True, help="Why; kept inside, with the decision.")
_role = click.option("--role", required=True, type=click.Choice(sorted(REVIEW_ROLES)), help="Which of your roles.")


@click.group()
def review() -> None:
    """See what waits for people, and decide it.

    POINTER names a field as `review show` prints it. Every decision is signed with --key; one that may not be taken is
    refused with its reason and changes nothing. Exit code 1 then.
    """


@review.command("list")
@click.argument("incident", required=False)
@json_option
@click.pass_obj
def list_waiting(settings: Settings, incident: str | None, *, as_json: bool) -> None:
    """List every bridge that waits for people: those that were told nothing first, then those soonest too old."""
    found = waiting_bridges(open_workspace(settings), None if incident is None else incident.upper())
    if as_json:
        print_json(found)
        return
    for one in found:
        for line in waiting_lines(one):
            click.echo(line)
    if not found:
        click.echo("nothing waits for anybody")


@review.command("show")
@click.argument("incident")
@click.argument("bridge")
@json_option
@click.pass_obj
def show(settings: Settings, incident: str, bridge: str, *, as_json: bool) -> None:
    """Show every change of INCIDENT on BRIDGE, the holds, and the page as it would leave now, with its digest.

    What it would be with your approval: `review approve --preview`.
    """
    page = review_page(open_workspace(settings), incident.upper(), bridge)
    if as_json:
        print_json(page)
        return
    for line in page_lines(page):
        click.echo(line)


@review.command("approve")
@click.argument("incident")
@click.argument("bridge")
@click.argument("pointers", nargs=-1, metavar="[POINTER]...")
@key_option
@click.option("--page", default="", help="Refuse unless the page that then leaves has this digest.")
@click.option(
    "--preview", is_flag=True, help="Show what would be approved and the page that leaves then; sign nothing."
)
@json_option
@click.pass_obj
def approve(
    settings: Settings,
    incident: str,
    bridge: str,
    pointers: tuple[str, ...],
    key_file: Path,
    page: str,
    *,
    preview: bool,
    as_json: bool,
) -> None:
    """Approve the changes at these POINTERs, or all that you are asked for, and the page that then leaves (R5).

    A change that was rejected is approved only where it is named.

    The digest of that page is printed before it is signed. Whoever approves last looks at the whole page: run it with
    --preview first, and with --page and the digest that you saw then.
    """
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    decision = draft_approval(workspace, incident.upper(), bridge, reviewer, pointers=pointers or None)
    if page and decision.page != page:
        raise UnsafeOrRejected(
            "page_overtaken",
            what="the page that would leave is not the one that was looked at",
            where=f"incident {decision.incident}, bridge {bridge}",
            what_to_do="Nothing was changed. Look at it again with `channelsafe review approve --preview`.",
        )
    if preview:
        _preview(workspace, decision, reviewer, as_json=as_json)
        return
    if not as_json:
        click.echo(f"page {decision.page}")
    _take(workspace, decision, reviewer, as_json=as_json)


def _preview(workspace: Workspace, decision: Decision, reviewer: Reviewer, *, as_json: bool) -> None:
    given = approval_in(workspace, decision, reviewer.person)
    page = review_page(workspace, decision.incident, decision.bridge, given)
    if as_json:
        print_json({"person": reviewer.person, "approves": decision.changes, "page": page})
        return
    chosen = [one for one in page.changes if one.digest in decision.changes]
    click.echo(f"{reviewer.person} would approve {counted(len(chosen), 'change')}; nothing is signed")
    for change in chosen:
        for line in change_lines(change):
            click.echo(line)
    click.echo("with that:")
    for line in page_lines(page):
        click.echo(line)


@review.command("reject")
@click.argument("incident")
@click.argument("bridge")
@click.argument("pointers", nargs=-1, required=True, metavar="POINTER...")
@_reason
@key_option
@json_option
@click.pass_obj
def reject(
    settings: Settings,
    incident: str,
    bridge: str,
    pointers: tuple[str, ...],
    reason: str,
    key_file: Path,
    *,
    as_json: bool,
) -> None:
    """Reject the changes at these POINTERs; the rest of the page may leave around them (R4)."""
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    decision = draft_rejection(workspace, incident.upper(), bridge, pointers, reason)
    _take(workspace, decision, reviewer, as_json=as_json)


@review.command("hold")
@click.argument("incident")
@click.argument("bridge", default="")
@_role
@_reason
@key_option
@json_option
@click.pass_obj
def hold(
    settings: Settings, incident: str, bridge: str, role: str, reason: str, key_file: Path, *, as_json: bool
) -> None:
    """Stop every release of INCIDENT, or to BRIDGE alone, until the same role lifts the hold."""
    _act(settings, Act.HOLD, incident, bridge, key_file, as_json=as_json, role=role, reason=reason)


@review.command("lift")
@click.argument("incident")
@click.argument("bridge", default="")
@_role
@click.option("--hold", "named", default="", help="The digest of the hold, where the role made several.")
@key_option
@json_option
@click.pass_obj
def lift(
    settings: Settings, incident: str, bridge: str, role: str, named: str, key_file: Path, *, as_json: bool
) -> None:
    """Lift the hold that a role made on INCIDENT, or on BRIDGE alone."""
    refers_to = hold_to_lift(open_workspace(settings), incident.upper(), bridge, role, named)
    _act(settings, Act.LIFT, incident, bridge, key_file, as_json=as_json, role=role, refers_to=refers_to)


@review.command("pull")
@click.argument("incident")
@click.argument("bridge")
@click.argument("version", type=VERSION)
@click.argument("pointers", nargs=-1, required=True, metavar="POINTER...")
@_reason
@key_option
@json_option
@click.pass_obj
def pull(
    settings: Settings,
    incident: str,
    bridge: str,
    version: int,
    pointers: tuple[str, ...],
    reason: str,
    key_file: Path,
    *,
    as_json: bool,
) -> None:
    """Take back what VERSION says at these POINTERs, at once and from the published folder too.

    Every version that says the same is suspended; a version without it takes the place of the current one.
    """
    _act(
        settings, Act.PULL, incident, bridge, key_file, as_json=as_json, version=version, fields=pointers, reason=reason
    )


@review.command("withdraw")
@click.argument("incident")
@click.argument("bridge")
@click.argument("version", type=VERSION)
@_reason
@key_option
@json_option
@click.pass_obj
def withdraw(
    settings: Settings, incident: str, bridge: str, version: int, reason: str, key_file: Path, *, as_json: bool
) -> None:
    """Take VERSION back whole, at once and from the published folder too; its number and history stay."""
    _act(settings, Act.WITHDRAW, incident, bridge, key_file, as_json=as_json, version=version, reason=reason)


@review.command("confirm")
@click.argument("incident")
@click.argument("bridge")
@click.argument("version", type=VERSION)
@key_option
@json_option
@click.pass_obj
def confirm(settings: Settings, incident: str, bridge: str, version: int, key_file: Path, *, as_json: bool) -> None:
    """Confirm that the suspended VERSION is withdrawn for good."""
    _act(settings, Act.CONFIRM, incident, bridge, key_file, as_json=as_json, version=version)


@review.command("restore")
@click.argument("incident")
@click.argument("bridge")
@click.argument("pointers", nargs=-1, required=True, metavar="POINTER...")
@key_option
@json_option
@click.pass_obj
def restore(
    settings: Settings, incident: str, bridge: str, pointers: tuple[str, ...], key_file: Path, *, as_json: bool
) -> None:
    """Let what was pulled at these POINTERs be told again, once it is approved by all whom its class asks for."""
    version = last_version_number(open_workspace(settings), incident.upper(), bridge)
    _act(settings, Act.RESTORE, incident, bridge, key_file, as_json=as_json, version=version, fields=pointers)


@review.command("reaffirm")
@click.argument("incident")
@click.argument("bridge")
@click.argument("pointers", nargs=-1, metavar="[POINTER]...")
@click.option("--all", "every", is_flag=True, help="You looked at every field that the current version shows.")
@key_option
@json_option
@click.pass_obj
def reaffirm(
    settings: Settings,
    incident: str,
    bridge: str,
    pointers: tuple[str, ...],
    key_file: Path,
    *,
    every: bool,
    as_json: bool,
) -> None:
    """Say that you looked at these POINTERs of the current version and that they are still so (R6)."""
    if every == bool(pointers):
        raise click.UsageError("name the fields that you looked at, or --all", click.get_current_context())
    workspace = open_workspace(settings)
    current = current_version(workspace, incident.upper(), bridge)
    fields = shown_fields(workspace, current) if every else pointers
    _act(settings, Act.REAFFIRM, incident, bridge, key_file, as_json=as_json, version=current.version, fields=fields)


@review.command("acknowledge")
@click.argument("incident")
@click.argument("bridge")
@key_option
@json_option
@click.pass_obj
def acknowledge(settings: Settings, incident: str, bridge: str, key_file: Path, *, as_json: bool) -> None:
    """Send the profile's constant first text to BRIDGE, which says nothing of the incident (R7)."""
    _act(settings, Act.ACKNOWLEDGE, incident, bridge, key_file, as_json=as_json)


def _act(
    settings: Settings,
    act: Act,
    incident: str,
    bridge: str,
    key_file: Path,
    *,
    as_json: bool,
    version: int = 0,
    fields: Sequence[str] = (),
    refers_to: str = "",
    role: str = "",
    reason: str = "",
) -> None:
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    decision = draft_act(
        workspace,
        act,
        incident.upper(),
        bridge,
        version=version,
        fields=fields,
        refers_to=refers_to,
        role=role,
        reason=reason,
    )
    _take(workspace, decision, reviewer, as_json=as_json)


def _take(workspace: Workspace, decision: Decision, reviewer: Reviewer, *, as_json: bool) -> None:
    """Take the decision and say so; then publish what it changed, which may fail without undoing it."""
    say_accepted(decide(workspace, decision, reviewer.key), decision, as_json=as_json)
    if decision.bridge:
        publish_bridge(workspace, decision.incident, decision.bridge)


def say_accepted(accepted: Accepted, decision: Decision, *, as_json: bool) -> None:
    """Say which decision was taken, of whom, and which version it brought about."""
    made = accepted.version
    if as_json:
        print_json(
            {
                "decision_digest": accepted.decision_digest,
                "act": accepted.act,
                "person": accepted.person,
                "changes": decision.changes,
                "fields": decision.fields,
                "page": decision.page or None,
                "version": None if made is None else made.version,
                "kind": None if made is None else made.kind,
            }
        )
        return
    count = f", {counted(len(decision.changes), 'change')}" if decision.changes else ""
    click.echo(f"{accepted.person} decided: {accepted.act}{count}; decision {accepted.decision_digest}")
    if made is not None:
        click.echo(f"version {made.version} ({made.kind}) is current now")
