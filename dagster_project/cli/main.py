"""`channelsafe`: the commands and their options.

Belongs here: the command tree. What commands print is in `printing`; what they do is in the application.
Exit codes: 0 done; 1 unsafe or rejected; 2 usage; 3 unavailable; 4 integrity violation; 5 internal error.
"""

import os
import sys
from pathlib import Path

import click

from dagster_project.cli.annex import annex
from dagster_project.cli.audit import audit
from dagster_project.cli.closures import closure
from dagster_project.cli.demo import demo
from dagster_project.cli.development import dev
from dagster_project.cli.inputs import ingest, record
from dagster_project.cli.keys import keys
from dagster_project.cli.open_items import open_items
from dagster_project.cli.output import run
from dagster_project.cli.preview import preview
from dagster_project.cli.profiles import profile
from dagster_project.cli.questions import explain, history, show, status, verify
from dagster_project.cli.readiness import show_readiness
from dagster_project.cli.receipts import finding, receipt
from dagster_project.cli.refreshing import refresh, replay
from dagster_project.cli.releases import exposure, publish, release
from dagster_project.cli.review import review
from dagster_project.cli.rules import rules
from dagster_project.cli.scanning import scan
from dagster_project.cli.standing import health, receive
from dagster_project.cli.trust import trust
from dagster_project.settings import read_settings

EXIT_CODES = """\b
Exit codes:
  0  done
  1  the input is unsafe or was rejected: a result, not a fault
  2  the call cannot be understood
  3  something needed is missing or unreadable
  4  stored bytes are not what was stored
  5  a fault of Channelsafe itself"""


@click.group(
    help=f"Turn the live state of a severity-one incident into a page that is safe for its channel.\n\n{EXIT_CODES}"
)
@click.pass_context
def channelsafe(context: click.Context) -> None:
    """Read the settings once; commands open the deployment themselves."""
    context.obj = read_settings(os.environ, base=Path.cwd())


_COMMANDS = (
    demo, dev, ingest, receive, record, refresh, replay, show, history, open_items, explain, verify, status, health,
    show_readiness, profile, preview, rules, scan, keys, trust, audit, review, annex, release, publish, exposure,
    receipt, finding, closure,
)  # fmt: skip
for _command in _COMMANDS:
    channelsafe.add_command(_command)


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(channelsafe))
