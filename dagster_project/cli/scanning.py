"""`channelsafe scan`: put texts through the scanner; findings say rule and place, never the text."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from dagster_project.application.scanning import (
    ENGINES,
    ScannedLine,
    UnreadableLine,
    scanned_lines,
    shipped_scanner,
    terms_in,
    unreadable_lines,
)
from dagster_project.errors import Unavailable

_FILE = click.Path(dir_okay=False, path_type=Path)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        stream = file.open("rb")
    except OSError as error:
        raise Unavailable(
            "scan_file_unreadable",
            what="The file cannot be read.",
            where=str(file),
            what_to_do="Check that it is there and that you may read it.",
        ) from error
    with stream:
        yield stream


def _terms_of(file: Path) -> list[str]:
    with _opened(file) as stream:
        try:
            return stream.read().decode().splitlines()
        except UnicodeDecodeError as error:
            raise Unavailable(
                "scan_terms_unreadable",
                what="The file of terms is not UTF-8.",
                where=str(file),
                what_to_do="Write one term on each line, in UTF-8.",
            ) from error


def _in_words(line: ScannedLine) -> str:
    places = ", ".join(f"{one.rule} {one.type} {one.start}-{one.end}" for one in line.findings)
    return f"{line.id}: {places or '-'}"


@click.command()
@click.option("--jsonl", "file", required=True, type=_FILE, help='Lines of {"id": string, "text": string}.')
@click.option("--terms", "terms_file", type=_FILE, help="Names that may not stand in a text, one on each line.")
@click.option(
    "--engine",
    type=click.Choice(sorted(ENGINES)),
    default="fastest",
    show_default=True,
    help="What searches; all find the same. `fastest` is hyperscan where it is installed, else pure Python.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each line instead of text.")
def scan(file: Path, terms_file: Path | None, engine: str, *, as_json: bool) -> int:
    """Scan lines of {"id", "text"} for personal data, secrets, wording and terms; say what was found where.

    Places are code points of the text, the end not included. A finding carries its rule and a digest keyed anew for
    each run, never the text. A line that cannot be read is named by its number and scanned by nobody; every other line
    is. Exit codes: 0 nothing found; 1 something was found; 2 usage; 3 the file or one of its lines cannot be read.
    """
    terms = terms_in(_terms_of(terms_file) if terms_file else [])
    if terms.unsearchable:
        click.echo(f"channelsafe: {terms.unsearchable} terms are too short to be searched for", err=True)
    scanner = shipped_scanner(key=secrets.token_bytes(32), engine=engine, terms=terms)
    unreadable: list[int] = []
    found = False
    with _opened(file) as lines:
        for one in scanned_lines(lines, scanner):
            if isinstance(one, UnreadableLine):
                unreadable.append(one.number)
                continue
            found = found or bool(one.findings)
            click.echo(msgspec.json.encode(one).decode() if as_json else _in_words(one))
    if unreadable:
        raise unreadable_lines(unreadable)
    return 1 if found else 0
