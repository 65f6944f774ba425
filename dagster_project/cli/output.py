"""Output: how commands print, as text for people and as JSON for programs.

Belongs here: the shared options, JSON writing, and the top-level handling of errors with their exit codes.
"""

import json
import sys
import traceback
from dataclasses import is_dataclass
from datetime import datetime
from typing import Any

import click
import msgspec

from dagster_project.clock import format_instant
from dagster_project.errors import ChannelsafeError, UsageError

INTERNAL_ERROR = 5

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of text.")


def plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return a typed answer as JSON values, with every instant in UTC."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value


def print_json(value: object) -> None:
    """Print an answer as JSON with sorted keys."""
    click.echo(json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False))


def short(instant: datetime | None) -> str:
    """Return an instant as people read it, or a dash."""
    return "-" if instant is None else format_instant(instant).replace("T", " ").replace("Z", " UTC")


def report_error(error: ChannelsafeError) -> None:
    """Print an error of ours to standard error: what, where, what to do."""
    click.echo(
        f"channelsafe: {error.what}\n  where: {error.where}\n  to do: {error.what_to_do}\n  code:  {error.code}",
        err=True,
    )


def run(command: click.Command) -> int:
    """Run the command line and return its exit code; no crash ever exits with 1."""
    try:
        result = command.main(standalone_mode=False)
    except ChannelsafeError as error:
        report_error(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except click.exceptions.Abort:
        click.echo("channelsafe: interrupted", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the top level: reported as a fault of ours, never as a result
        return _report_fault(error)
    return result if isinstance(result, int) else 0


def _report_fault(error: Exception) -> int:
    if isinstance(error, UnicodeEncodeError) and any(map(_is_unreadable, sys.argv)):
        return _report_unreadable_argument()
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)][-3:]
    click.echo(
        f"channelsafe: internal error {type(error).__name__} at {' < '.join(reversed(places))}\n"
        "  to do: this is a fault of Channelsafe; report these places (no data is shown)",
        err=True,
    )
    return INTERNAL_ERROR


def _is_unreadable(argument: str) -> bool:
    """Tell whether an argument was given in bytes that are no text."""
    return any("\ud800" <= character <= "\udfff" for character in argument)


def _report_unreadable_argument() -> int:
    report_error(
        UsageError(
            "argument_unreadable",
            what="an argument is not text in UTF-8",
            where="the command line",
            what_to_do="Type it again, or set the terminal to UTF-8.",
        )
    )
    return UsageError.exit_code
