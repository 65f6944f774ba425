"""`channelsafe release|publish|exposure`: what leaves, the published folder, and who had what."""

import json
import time
from datetime import timedelta
from typing import Final

import click

from dagster_project.application.exposure import exposure as exposure_of
from dagster_project.application.policy_releases import Kept, keep_published
from dagster_project.application.releasing import release as release_page
from dagster_project.application.review_desk import publish_bridge
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, plain, print_json, report_error, short
from dagster_project.cli.printing import counted
from dagster_project.cli.review_printing import exposure_lines
from dagster_project.errors import ChannelsafeError
from dagster_project.settings import Settings

# However many incidents there are, what waits for its publication is published in time.
_LONGEST_ROUND: Final = timedelta(seconds=60)
_NOT_ALL_PUBLISHED: Final = 3


@click.command()
@click.argument("incident")
@click.argument("bridge")
@json_option
@click.pass_obj
def release(settings: Settings, incident: str, bridge: str, *, as_json: bool) -> None:
    """Release what people have decided of INCIDENT to BRIDGE, and publish it. Nothing is refreshed for it.

    Exit code 1 where something is missing, or there is nothing new to say: nothing leaves then.
    """
    workspace = open_workspace(settings)
    row = release_page(workspace, incident.upper(), bridge)
    if as_json:
        print_json(
            {
                "incident": row.incident,
                "bridge": row.bridge,
                "version": row.version,
                "package_id": row.package_id,
                "content_digest": row.content_digest,
                "statement_digest": row.statement_digest,
                "issued_at": row.issued_at,
                "as_of": row.as_of,
                "stale_after": row.valid_until,
            }
        )
    else:
        click.echo(f"{row.incident} {row.bridge}: version {row.version} is released, content {row.content_digest}")
        click.echo(f"    as of {short(row.as_of)}, stale after {short(row.valid_until)}")
    publish_bridge(workspace, row.incident, row.bridge)
    if not as_json:
        click.echo(f"    published in {settings.published / row.package_id}")


@click.command()
@click.option("--once", is_flag=True, help="Go one round, then end; the default.")
@click.option("--every", type=click.FloatRange(0.1, 3600), default=None, help="Seconds between rounds, without end.")
@json_option
@click.pass_obj
def publish(settings: Settings, every: float | None, *, once: bool, as_json: bool) -> int:
    """Keep the published folder right: pull, release and reaffirm what needs nobody, sign indexes again, write it out.

    A package that cannot be published is named, and keeps back no other. Exit code 3 then. With --every and --json it
    prints one JSON object per round, on a line of its own.
    """
    if once and every is not None:
        raise click.UsageError("go one round or many: leave out --once or --every", click.get_current_context())
    workspace = open_workspace(settings)
    if every is None:
        kept = keep_published(workspace, at_most=_LONGEST_ROUND)
        if as_json:
            print_json(kept)
        else:
            _say_round(kept)
        return _NOT_ALL_PUBLISHED if kept.failed else 0
    while True:
        try:
            kept = keep_published(workspace, at_most=_LONGEST_ROUND)
        except ChannelsafeError as error:
            # A database or folder that is away for a while ends no watch.
            report_error(error)
        else:
            if as_json:
                click.echo(json.dumps(plain(kept), sort_keys=True))
            else:
                _say_round(kept)
        time.sleep(every)


def _say_round(kept: Kept) -> None:
    click.echo(f"{counted(kept.asked, 'incident')} looked at, indexes signed again: {kept.renewed}")
    for name, code in sorted(kept.failed.items()):
        click.echo(f"channelsafe: {name} could not be kept right: {code}", err=True)


@click.command()
@click.argument("incident")
@click.argument("field", metavar="POINTER")
@click.option("--bridge", default=None, help="Only this bridge.")
@json_option
@click.pass_obj
def exposure(settings: Settings, incident: str, field: str, bridge: str | None, *, as_json: bool) -> None:
    """Show which bridge was told which value of field POINTER, from when to when, and who is known to have had it.

    Who had it comes from receipts; without one it is unknown. What was taken back is not printed again.
    """
    spans = exposure_of(open_workspace(settings), incident.upper(), field, bridge)
    if as_json:
        print_json(spans)
        return
    for line in exposure_lines(field, spans):
        click.echo(line)
