"""`channelsafe ingest` and `channelsafe record`: how records come in by hand.

Belongs here: the commands that admit something. Exit code 1 where any unit was rejected.
"""

import hashlib
import sys
from pathlib import Path

import click

from dagster_project.application.admit import AdmissionReport
from dagster_project.application.facts import parse_data, record_fact
from dagster_project.application.feeds import Feed, feed_units, ingest_feed
from dagster_project.application.google_cloud import GOOGLE_CLOUD
from dagster_project.application.intake_status import intake_status
from dagster_project.application.receiving import receive_landing
from dagster_project.application.statuspage import STATUSPAGE
from dagster_project.application.workspace import create_keys_if_new, open_workspace
from dagster_project.cli.output import json_option, print_json
from dagster_project.clock import parse_instant
from dagster_project.errors import Unavailable
from dagster_project.settings import Settings

MOST_FILES = 10_000


def _finish(report: AdmissionReport, *, as_json: bool) -> int:
    if as_json:
        print_json(report)
    else:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items()) or "nothing delivered"
        click.echo(f"{report.delivered} units: {counts}; {len(report.incidents)} incidents have a pending change")
        for one in report.rejected:
            click.echo(f"  kept aside: {one.unit}, {one.locator}: {one.reason_code} at {one.where}")
    return 1 if report.rejected else 0


@click.group()
def ingest() -> None:
    """Admit records from the landing folder or a feed. Exit code 1 if any unit was rejected."""


@ingest.command("landing")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def landing(settings: Settings, files: tuple[Path, ...], *, as_json: bool) -> int:
    """Admit what lies in the landing folder; FILES are copied into it first."""
    create_keys_if_new(settings)
    workspace = open_workspace(settings)
    settings.landing.mkdir(parents=True, exist_ok=True)
    for file in files:
        try:
            body = file.read_bytes()
        except OSError as error:
            raise Unavailable(
                "file_unreadable",
                what=f"the file cannot be read ({type(error).__name__})",
                where=str(file),
                what_to_do="Name a readable NDJSON file.",
            ) from error
        _drop(settings.landing, file.stem, body)
    received = receive_landing(workspace, limit=MOST_FILES)
    code = _finish(received.admission, as_json=as_json)
    if received.refreshed and not as_json:
        click.echo(f"{len(received.refreshed)} incidents of severity one were refreshed at once")
    unreadable = intake_status(workspace).unreadable_files
    for one in unreadable:
        click.echo(f"  unreadable, kept aside: {one.name}: {one.reason_code}", err=True)
    return 1 if unreadable else code


def _drop(folder: Path, stem: str, body: bytes) -> None:
    """Put a file into the landing folder whole, under a name of its bytes: what it could replace is the same file."""
    name = f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.ndjson"
    part = folder / f".{name}.part"
    part.write_bytes(body)
    part.rename(folder / name)


@ingest.command("google-cloud")
@click.argument("location")
@json_option
@click.pass_obj
def google_cloud(settings: Settings, location: str, *, as_json: bool) -> int:
    """Admit a Google Cloud status feed from the file or URL LOCATION, for the sample bridge `harbourline`."""
    return _take_in(settings, GOOGLE_CLOUD, location, as_json=as_json)


@ingest.command("statuspage")
@click.argument("location")
@json_option
@click.pass_obj
def statuspage(settings: Settings, location: str, *, as_json: bool) -> int:
    """Admit the incidents.json of a Statuspage from the file or URL LOCATION, for the sample bridge `fernbrook`."""
    return _take_in(settings, STATUSPAGE, location, as_json=as_json)


def _take_in(settings: Settings, feed: Feed, location: str, *, as_json: bool) -> int:
    create_keys_if_new(settings)
    workspace = open_workspace(settings)
    units = feed_units(workspace, feed, location)
    with click.progressbar(units, label="Admitting", file=sys.stderr, hidden=as_json) as bar:
        report = ingest_feed(workspace, feed, bar)
    return _finish(report, as_json=as_json)


@click.command()
@click.argument("record_type")
@click.argument("subject")
@click.argument("recordid")
@click.option("--version", "recordversion", type=click.IntRange(min=0), required=True, help="Version of the record.")
@click.option("--data", required=True, help="The stated fact as a JSON object.")
@click.option("--at", "at", default=None, help="When it was stated (RFC 3339); default now.")
@click.option(
    "--classification",
    type=click.Choice(["customer", "internal", "restricted"]),
    default="restricted",
    show_default=True,
    help="Who may see it.",
)
@json_option
@click.pass_obj
def record(
    settings: Settings,
    record_type: str,
    subject: str,
    recordid: str,
    recordversion: int,
    data: str,
    at: str | None,
    classification: str,
    *,
    as_json: bool,
) -> int:
    """State a fact of RECORD_TYPE about SUBJECT as record RECORDID. Demo stores only, marked `unverified`."""
    workspace = open_workspace(settings)
    report = record_fact(
        workspace,
        record_type=record_type,
        subject=subject,
        recordid=recordid,
        recordversion=recordversion,
        data=parse_data(data),
        at=parse_instant(at) if at else workspace.clock.now(),
        classification=classification,
    )
    return _finish(report, as_json=as_json)
