"""`channelsafe audit`: sign and anchor the audit log, verify it, and write it out for others."""

from pathlib import Path
from typing import BinaryIO

import click

from dagster_project.application.audit_evidence import (
    VerifiedLog,
    export_audit_log,
    verify_audit_export,
    verify_audit_log,
)
from dagster_project.application.audit_log import checkpoint_now, replace_anchor
from dagster_project.application.workspace import open_workspace
from dagster_project.cli.output import json_option, print_json
from dagster_project.settings import Settings

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Prove that the audit log is what was written: who did what, when."""


@audit.command("checkpoint")
@click.option(
    "--new-anchor",
    is_flag=True,
    help="Give up the anchor so far: CHANNELSAFE_ANCHOR now names a new, empty one.",
)
@json_option
@click.pass_obj
def checkpoint(settings: Settings, *, new_anchor: bool, as_json: bool) -> None:
    """Sign the log as it stands, and append the checkpoint to the anchor (CHANNELSAFE_ANCHOR)."""
    workspace = open_workspace(settings)
    kept = replace_anchor(workspace) if new_anchor else checkpoint_now(workspace)
    has_anchor = settings.anchor is not None
    if as_json:
        print_json({"size": kept.size, "note": kept.note, "signed": kept.is_signed, "anchored": has_anchor})
        return
    signed = "signed" if kept.is_signed else "UNSIGNED (there is no trust yet)"
    anchored = f"anchored in {settings.anchor}" if has_anchor else "UNANCHORED (CHANNELSAFE_ANCHOR names no file)"
    click.echo(f"checkpoint over {kept.size} entries: {signed}, {anchored}")


@audit.command("verify")
@click.option("--export", type=_FILE, help="Verify this export instead of the store of this machine.")
@click.option("--trust", type=_FILE, help="The public trust file that you were given, for --export.")
@click.option("--anchor", type=_FILE, help="The anchor to hold --export against, if you have it.")
@json_option
@click.pass_obj
def verify(settings: Settings, *, export: Path | None, trust: Path | None, anchor: Path | None, as_json: bool) -> int:
    """Hold the log against its signed checkpoints, and against those in the anchor.

    Exit code 4, with the range of entries, on anything that was changed, taken away, added, or put back from an older
    copy. Entries after the newest anchored checkpoint are `unanchored`: they agree with nothing but the log itself.
    """
    if export is None:
        if trust is not None or anchor is not None:
            raise click.UsageError("--trust and --anchor are for --export; the store's anchor is CHANNELSAFE_ANCHOR")
        verified = verify_audit_log(open_workspace(settings))
    elif trust is None:
        raise click.UsageError("--export needs --trust: whose keys count?")
    else:
        verified = verify_audit_export(export, trust=trust, anchor=anchor)
    if as_json:
        print_json(verified)
    else:
        _print(verified)
    return 4 if verified.found.faults else 0


@audit.command("export")
@click.option("--out", type=click.File("wb", atomic=True), help="The file to write; default standard output.")
@click.pass_obj
def export_log(settings: Settings, out: BinaryIO | None) -> None:
    """Write the log out, one JSON object a line; it carries ids and digests only."""
    lines = export_audit_log(open_workspace(settings))
    if out is not None:
        out.writelines(lines)
        return
    for line in lines:
        click.echo(line.decode(), nl=False)


def _print(verified: VerifiedLog) -> None:
    found = verified.found
    if verified.demo:
        click.echo("DEMO: the keys are those of a demonstration, and nothing in it is real")
    for one in found.ranges:
        click.echo(f"entries {one.first} to {one.last}: {one.state}")
    if found.signed_until:
        click.echo(f"signed checkpoints until entry {found.signed_until}")
    else:
        click.echo("no signed checkpoint: sign with `channelsafe audit checkpoint` once there is trust")
    if not verified.has_anchor:
        click.echo("unanchored: no anchor was named, so nothing here is evidence against whoever can change the log")
    for fault in found.faults:
        click.echo(f"  NOT AS WRITTEN: entries {fault.first} to {fault.last}: {fault.code}")
