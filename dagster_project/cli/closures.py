"""`channelsafe closure`: propagating final dispositions, and what waits for an operator. Who decides is who signs."""

import time
from pathlib import Path
from random import SystemRandom
from typing import BinaryIO

import click

from dagster_project.application.closing import admit_event
from dagster_project.application.closing_commands import ClosureAct, Taken, draft_command, give, reviewer_of
from dagster_project.application.closing_overview import (
    ClosureOverview,
    FollowUpOverview,
    PlanOverview,
    case_of_follow_up,
    closure_overview,
    newest_plan,
    newest_stopped_event,
)
from dagster_project.application.closing_systems import Systems, open_systems
from dagster_project.application.closing_work import WorkReport, work
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, print_json, report_error, short
from dagster_project.cli.review import key_option
from dagster_project.errors import Unavailable
from dagster_project.settings import Settings

_reason = click.option("--reason", required=True, help="Why; kept inside, with the command.")
_NUMBER = click.IntRange(min=1, max=2**53 - 1)
_plan = click.option(
    "--plan", "plan", default=None, type=_NUMBER, help="Which plan; by default the newest of the case."
)
SECONDS_AFTER_A_FAULT = 5


@click.group()
def closure() -> None:
    """Propagate final dispositions to the support systems, each exactly once, and see what waits for people.

    A disposition that is stale, or does not agree with the source record, is never propagated: it becomes a follow-up.
    Commands of operators are signed with --key; one that may not be taken changes nothing. Exit code 1 then.
    """


@closure.command("admit")
@click.argument("event", type=click.File("rb"))
@json_option
@click.pass_obj
def admit(settings: Settings, event: BinaryIO, *, as_json: bool) -> int:
    """Admit the EVENT of a final disposition: a file with one JSON document, or - for standard input.

    The same event again is recorded and has no effect. Where no support systems can be asked, the event is kept and
    verified by `closure work`. Exit code 1 if it was stopped.
    """
    systems: Systems | None
    try:
        systems = open_systems(settings)
    except Unavailable as error:
        report_error(error)
        systems = None
    found = admit_event(open_workspace(settings), systems, event.read(), chance=SystemRandom())
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found.outcome}: event {found.event_id} of case {found.case_id}, {found.became}")
    is_stopped = found.outcome == "mismatch" or found.became in _STOPPED
    return 1 if is_stopped else 0


_STOPPED = frozenset({"stopped", "event_stale", "event_mismapped", "event_out_of_bounds"})


@closure.command("list")
@json_option
@click.pass_obj
def list_closures(settings: Settings, *, as_json: bool) -> None:
    """List every plan with where it stands, every event that was stopped, and the follow-ups that are open."""
    found = closure_overview(open_workspace(settings))
    if as_json:
        print_json(found)
        return
    for line in _list_lines(found):
        click.echo(line)


@closure.command("show")
@click.argument("case")
@json_option
@click.pass_obj
def show(settings: Settings, case: str, *, as_json: bool) -> None:
    """Show the plans of CASE step by step, its follow-ups with their evidence, and its audit rows."""
    found = closure_overview(open_workspace(settings), case)
    if as_json:
        print_json(found)
        return
    for plan in found.plans:
        for line in _plan_lines(plan):
            click.echo(line)
    for event in found.events:
        click.echo(f"event {event.event} ({event.source} {event.event_id}): {event.state}")
    for follow_up in found.follow_ups:
        for line in _follow_up_lines(follow_up):
            click.echo(line)


@closure.command("work")
@click.option("--once", is_flag=True, help="Work one round, then end.")
@click.option("--at-most", default=20, show_default=True, type=click.IntRange(1, 1000), help="Plans in one round.")
@click.option(
    "--every", default=1.0, show_default=True, type=click.FloatRange(0.01, 3600), help="Seconds between rounds."
)
@json_option
@click.pass_obj
def work_rounds(settings: Settings, at_most: int, every: float, *, once: bool, as_json: bool) -> None:
    """Verify what was admitted and propagate it: every step that is due, of plans that no other worker has.

    Any number of workers may run at the same time, and any of them may be killed at any time.
    """
    workspace, systems, chance = open_workspace(settings), open_systems(settings), SystemRandom()
    while True:
        try:
            _print_round(work(workspace, systems, at_most=at_most, chance=chance), as_json=as_json, quiet=not once)
        except Unavailable as error:
            if once:
                raise
            report_error(error)
            time.sleep(SECONDS_AFTER_A_FAULT)
        if once:
            return
        time.sleep(every)


def _print_round(report: WorkReport, *, as_json: bool, quiet: bool) -> None:
    if quiet and not report.outcomes:
        return
    if as_json:
        print_json(report)
        return
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.items())
    click.echo(f"{report.plans} plans worked: {outcomes or 'nothing was due'}")


@closure.command("retry")
@click.argument("case")
@click.option("--step", default="", help="Only this step; by default all that wait.")
@_plan
@click.option("--reason", default="", help="Why; kept inside, with the command.")
@key_option
@json_option
@click.pass_obj
def retry(
    settings: Settings, case: str, step: str, plan: int | None, reason: str, key_file: Path, *, as_json: bool
) -> None:
    """Have what waits in CASE tried again: its newest event that was stopped, else its newest plan.

    Everything is verified anew: what the source record lacked, only the source record can supply.
    """
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    event = 0 if plan is not None or step else newest_stopped_event(workspace, case)
    number = 0 if event else plan or newest_plan(workspace, case)
    command = draft_command(workspace, ClosureAct.RETRY, case, plan=number, event=event, step=step, reason=reason)
    _print_taken(give(workspace, command, reviewer.key), as_json=as_json)


@closure.command("skip")
@click.argument("case")
@click.argument("step")
@_plan
@_reason
@key_option
@json_option
@click.pass_obj
def skip(
    settings: Settings, case: str, step: str, plan: int | None, reason: str, key_file: Path, *, as_json: bool
) -> None:
    """Leave STEP of CASE out. The notice to the coordinator then says that it is incomplete, and what was skipped."""
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    number = plan or newest_plan(workspace, case)
    command = draft_command(workspace, ClosureAct.SKIP, case, plan=number, step=step, reason=reason)
    _print_taken(give(workspace, command, reviewer.key), as_json=as_json)


@closure.command("resolve")
@click.argument("follow_up", type=_NUMBER)
@_reason
@key_option
@json_option
@click.pass_obj
def resolve(settings: Settings, follow_up: int, reason: str, key_file: Path, *, as_json: bool) -> None:
    """Say that FOLLOW_UP was seen to. That changes nothing else: no mapping and no version can be supplied here."""
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    case = case_of_follow_up(workspace, follow_up)
    command = draft_command(workspace, ClosureAct.RESOLVE, case, follow_up=follow_up, reason=reason)
    _print_taken(give(workspace, command, reviewer.key), as_json=as_json)


@closure.command("revert")
@click.argument("case")
@_plan
@_reason
@key_option
@json_option
@click.pass_obj
def revert(settings: Settings, case: str, plan: int | None, reason: str, key_file: Path, *, as_json: bool) -> None:
    """Take the bookkeeping of CASE back: what stood before is restored, and the coordinator is told.

    Only what this closure wrote is restored, and only where nobody changed it since: else it is a follow-up. Neither
    the case-review system nor the state of any escalation, case or service is written to.
    """
    workspace = open_workspace(settings)
    reviewer = reviewer_of(workspace, key_file)
    number = plan or newest_plan(workspace, case)
    command = draft_command(workspace, ClosureAct.REVERT, case, plan=number, reason=reason)
    _print_taken(give(workspace, command, reviewer.key), as_json=as_json)


def _print_taken(taken: Taken, *, as_json: bool) -> None:
    if as_json:
        print_json(taken)
        return
    click.echo(f"taken: {taken.act} of case {taken.case_id} by {taken.person} ({taken.command_digest})")


def _list_lines(found: ClosureOverview) -> list[str]:
    lines = []
    for plan in found.plans:
        states = [one.state for one in plan.steps if one.direction == "apply"]
        done = sum(state in {"done", "already_completed", "skipped_by_operator"} for state in states)
        lines.append(
            f"{plan.case} episode {plan.episode} version {plan.disposition_version}: "
            f"{plan.state}, {done} of {len(states)} steps finished"
        )
    lines += [f"{one.case}: event {one.event_id} {one.state}" for one in found.events if one.state in _WAITING]
    for one in found.follow_ups:
        if one.resolved_at is None:
            lines += _follow_up_lines(one)
    return lines or ["no closure is known"]


_WAITING = frozenset({"pending", "stopped"})


def _plan_lines(plan: PlanOverview) -> list[str]:
    lines = [f"plan {plan.plan}: episode {plan.episode}, version {plan.disposition_version}, {plan.state}"]
    for one in plan.steps:
        error = f" ({one.last_error})" if one.last_error else ""
        version = f", version {one.version}" if one.version else ""
        lines.append(f"  {one.direction:5} {one.step:21} {one.state}{error} at {one.target} {one.subject}{version}")
    if plan.audit_row is not None:
        lines += [f"  audit {name}: {_shown(value)}" for name, value in sorted(plan.audit_row.items())]
    return lines


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) or "-" if isinstance(value, list) else str(value)


def _follow_up_lines(one: FollowUpOverview) -> list[str]:
    ended = f"resolved {short(one.resolved_at)} by {one.resolved_by}" if one.resolved_at else "open"
    about = f", step {one.step}" if one.step else ""
    lines = [f"follow-up {one.follow_up}: {one.kind} of {one.case}{about}, for {one.owner_role}, {ended}"]
    lines += [f"  {found}" for found in _evidence_lines(one.evidence)]
    return lines if one.resolved_at else [*lines, f"  look at: {one.look_at}", f"  to do: {one.resolved_by_doing}"]


def _evidence_lines(evidence: object) -> list[str]:
    if not isinstance(evidence, dict):
        return []
    findings = [
        f"{one['difference']}: {one['field']} expected {one['expected'] or '-'}, found {one['found'] or '-'}"
        for one in evidence.get("findings", [])
    ]
    applied = [f"applied: {one['step']} at {one['subject']}" for one in evidence.get("steps", []) if one["reference"]]
    return [*findings, *applied]
