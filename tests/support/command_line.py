"""The command line, run in this process as `channelsafe` runs it: arguments, environment, exit code, both outputs."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from dagster_project.cli.main import channelsafe
from dagster_project.cli.output import run
from dagster_project.settings import DATABASE_VARIABLE, HOME_VARIABLE, KEYS_VARIABLE, Settings


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        """Both outputs."""
        return self.out + self.err

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Standard output, which must be one JSON value."""
        return msgspec.json.decode(self.out)


@dataclass(frozen=True)
class CommandLine:
    """The command line of one deployment: `home` and `keys` are its folders, `environment` what else is set."""

    home: Path
    keys: Path
    environment: tuple[tuple[str, str], ...] = ()

    def __call__(self, *arguments: str) -> Answer:
        """Run one command."""
        out, err = io.StringIO(), io.StringIO()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHANNELSAFE_")}
        environment = {**kept, HOME_VARIABLE: str(self.home), KEYS_VARIABLE: str(self.keys), **dict(self.environment)}
        with (
            patch.dict(os.environ, environment, clear=True),
            patch.object(sys, "argv", ["channelsafe", *arguments]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run(channelsafe)
        return Answer(code, out.getvalue(), err.getvalue())


def fresh_command_line(folder: Path) -> CommandLine:
    """Return the command line of a deployment that does not exist yet."""
    return CommandLine(home=folder / "home", keys=folder / "keys")


def command_line_of(settings: Settings) -> CommandLine:
    """Return the command line of a deployment that is there."""
    database = settings.database_url
    environment = () if database is None else ((DATABASE_VARIABLE, database),)
    return CommandLine(home=settings.home, keys=settings.keys, environment=environment)
