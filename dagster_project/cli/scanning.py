"""`channelsafe scan`: put texts through the scanner; findings say rule and place, never the text."""

import secrets
from pathlib import Path

import click
import msgspec

from dagster_project.application.scanning import scanned_lines, scanner_of, shipped_rules


@click.command()
@click.option("--jsonl", "file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line instead of text.")
def scan(file: Path, *, as_json: bool) -> int:
    """Scan lines of {"id", "text"} and say what was found where (in code points)."""
    scanner = scanner_of(shipped_rules(), key=secrets.token_bytes(32))
    with file.open("rb") as lines:
        for one in scanned_lines(lines, scanner):
            if as_json:
                click.echo(msgspec.json.encode(one).decode())
            else:
                places = ", ".join(f"{f['rule']} {f['type']} {f['start']}-{f['end']}" for f in one["findings"])
                click.echo(f"{one['id']}: {places or '-'}")
    return 0
