"""`channelsafe receive` and `channelsafe health`: the receiver beside the daemon, and the watchdog outside it.

Belongs here: the two commands that go on working when Dagster does not.
"""

import json
import time

import click

from dagster_project.application.receiving import Received, receive_landing
from dagster_project.application.standing import Standing, standing
from dagster_project.application.workspace import create_keys_if_new, open_workspace
from dagster_project.cli.output import json_option, plain, print_json, report_error, short
from dagster_project.cli.review_printing import ending_lines
from dagster_project.errors import Unavailable
from dagster_project.settings import Settings

FILES_AT_ONCE = 1
SECONDS_AFTER_A_FAULT = 5


@click.command()
@click.option("--every", default=0.2, show_default=True, type=click.FloatRange(0.01, 60), help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Take what lies there now, then end.")
@json_option
@click.pass_obj
def receive(settings: Settings, every: float, *, once: bool, as_json: bool) -> None:
    """Watch the landing folder: admit each file as it is dropped, and refresh severity one at once.

    Run it beside the Dagster daemon. Without it the daemon's sensor picks the folder up every few seconds. With --json
    it prints one JSON object per file, on a line of its own.
    """
    create_keys_if_new(settings)
    workspace = open_workspace(settings)
    settings.landing.mkdir(parents=True, exist_ok=True)
    if not once:
        click.echo(f"watching {settings.landing}", err=True)
    while True:
        try:
            received = receive_landing(workspace, limit=FILES_AT_ONCE)
        except Unavailable as error:
            if once:
                raise
            # A database or folder that is away for a while ends no watch: what was dropped stays where it is.
            report_error(error)
            time.sleep(SECONDS_AFTER_A_FAULT)
            continue
        if received.admission.delivered:
            click.echo(json.dumps(_answer(received), sort_keys=True) if as_json else _line(received))
        elif once:
            return
        else:
            time.sleep(every)


def _answer(received: Received) -> dict[str, object]:
    return {
        "admission": plain(received.admission),
        "refreshed_at_once": [one.snapshot.refresh.incident for one in received.refreshed],
    }


def _line(received: Received) -> str:
    report = received.admission
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items())
    refreshed = f"; {len(received.refreshed)} of severity one refreshed at once" if received.refreshed else ""
    return f"{report.delivered} units: {counts}{refreshed}"


@click.command()
@json_option
@click.pass_obj
def health(settings: Settings, *, as_json: bool) -> int:
    """Tell whether any incident is left behind: failed, overdue or stale. Exit code 1 if one is.

    Profiles in use that end within 30 days are named; from 7 days before the end on the exit code is 1 too.

    Needs neither Dagster nor its daemon: run it from a timer, and let its exit code raise the alarm.
    """
    found = standing(open_workspace(settings))
    if as_json:
        print_json(plain(found) | {"in_order": found.in_order})
    else:
        _print(found)
    return 0 if found.in_order else 1


def _print(found: Standing) -> None:
    click.echo(f"{found.failed} incidents failed their release check")
    click.echo(f"{found.waiting} wait for a refresh, the oldest since {short(found.oldest_pending_since)}")
    click.echo(f"{found.overdue} of them for more than five minutes")
    click.echo(f"{found.stale} are stale: past their valid_until, with nothing newer")
    click.echo(f"{found.undelivered} dropped files wait in the landing folder for more than five minutes")
    for line in ending_lines(found.ending):
        click.echo(line)
    if found.worst:
        click.echo(f"look at: {', '.join(found.worst)}")
