"""`channelsafe annex`: which restricted values stayed inside, and showing them to those who may see them.

Belongs here: the only command that prints restricted values. They go to standard output alone, after the audit entry.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from dagster_project.application.annexes import AnnexStage, ListedAnnex, list_annexes
from dagster_project.application.opening_annexes import OpenedAnnex, request_annex
from dagster_project.application.review_desk import REVIEW_ROLES
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, print_json, short
from dagster_project.cli.printing import counted
from dagster_project.cli.review import VERSION, key_option
from dagster_project.settings import Settings


@click.group()
def annex() -> None:
    """See which values were withheld, and open them in your role.

    An annex is what the profile keeps back from every page, by audience. Every opening and every refused attempt is
    written to the audit log before anything is shown.
    """


@annex.command("list")
@click.argument("incident")
@click.option("--bridge", default=None, help="Only this bridge.")
@click.option("--version", type=VERSION, default=None, help="Only what was withheld from this version.")
@json_option
@click.pass_obj
def list_withheld(settings: Settings, incident: str, *, bridge: str | None, version: int | None, as_json: bool) -> None:
    """List what was withheld from every candidate and version of INCIDENT: rules, source fields, counts, digests.

    No value is shown. Equal codes are equal annexes. As text, a candidate that withholds the same as the one before it
    is left out.
    """
    stages = list_annexes(open_workspace(settings), incident.upper(), bridge=bridge, version=version)
    if as_json:
        print_json(stages)
        return
    for line in _stage_lines(stages):
        click.echo(line)
    if not stages:
        click.echo("nothing was rendered yet, so nothing was withheld")


@annex.command("open")
@click.argument("incident")
@click.argument("code", metavar="ANNEX")
@click.option("--role", required=True, type=click.Choice(sorted(REVIEW_ROLES)), help="In which of your roles.")
@click.option("--reason", required=True, help="Why; kept sealed, the log has its keyed digest alone.")
@key_option
@json_option
@click.pass_obj
def open_one(
    settings: Settings, incident: str, code: str, *, role: str, reason: str, key_file: Path, as_json: bool
) -> None:
    """Show the restricted values of ANNEX of INCIDENT on this terminal, once that is in the audit log.

    ANNEX is a code that `annex list` prints. The role must be one of yours under the trust that holds now, and the
    annex's audience; who reviews a slot sees what that slot stands for. A refusal is written down too: exit code 1.
    """
    opened = request_annex(
        open_workspace(settings), incident.upper(), code, role=role, reason=reason, key_file=key_file
    )
    if as_json:
        print_json(opened)
        return
    for line in _opened_lines(opened):
        click.echo(line)


def _stage_lines(stages: tuple[AnnexStage, ...]) -> Iterator[str]:
    before: dict[tuple[str, str], tuple[ListedAnnex, ...]] = {}
    for stage in stages:
        place = (stage.bridge, stage.stage)
        if stage.stage == "candidate" and before.get(place) == stage.annexes:
            continue
        before[place] = stage.annexes
        yield f"{stage.incident} {stage.bridge} {stage.stage} {stage.number}, {short(stage.at)}"
        for one in stage.annexes:
            yield f"    {one.annex}  {one.audience}: {counted(one.withheld, 'value')}; opens for {', '.join(one.opens)}"
            rules = ", ".join(f"{count} {rule}" for rule, count in one.rules.items())
            yield f"        {rules}  ({one.digest[:24]})"
        if not stage.annexes:
            yield "    nothing was withheld"


def _opened_lines(opened: OpenedAnnex) -> Iterator[str]:
    yield (
        f"RESTRICTED: annex {opened.annex} of {opened.incident}, for {opened.audience}; opened by {opened.person} as "
        f"{opened.role}, {short(opened.opened_at)}, audit entry {opened.audit_sequence}"
    )
    for one in opened.entries:
        yield f"  {one.recordid} v{one.recordversion} of {one.source}, {one.source_field}  [{one.rule_id}]"
        yield f"      {_spelled(one.value)}"
    if opened.not_shown:
        yield f"  and {counted(opened.not_shown, 'value')} that this role does not review"


def _spelled(value: object) -> str:
    """Return a value as JSON on one line; what would act on a terminal is spelled out."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
