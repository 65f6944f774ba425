"""A deployment as a team runs it: code server, daemon and webserver as real processes, fed and killed at will.

Belongs here: starting, killing and stopping the processes, and waiting for what they bring about. No test framework:
benchmarks use it too. Each program leads a process group of its own, which its run workers belong to; whatever happens,
every group that was started is dead when the context ends.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from unittest.mock import patch

import dagster as dg

from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.cli.development import dagster_environment
from dagster_project.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    HOME_VARIABLE,
    KEYS_VARIABLE,
    Settings,
)
from tests.fixtures.keys import write_test_keys
from tests.fixtures.postgresql import PostgresqlServer

CODE_SERVER: Final = "code_server"
DAEMON: Final = "daemon"
WEBSERVER: Final = "webserver"
RECEIVER: Final = "receiver"
RUN_WORKER: Final = "run_worker"
# All of them together, as `make dev` starts them.
DEV: Final = "dev"
DEFINITIONS: Final = "dagster_project.definitions"
SECONDS_TO_START: Final = 120.0
_SECONDS_BETWEEN_LOOKS: Final = 0.1
_SECONDS_TO_STOP: Final = 5.0
_LINES_OF_LOG: Final = 40
_PROJECT: Final = Path(__file__).resolve().parents[2]


class NotReached(AssertionError):
    """What was waited for did not come; the text ends with the last lines of every log."""


class Deployment:
    """A context manager: starts `programs` on free loopback ports, and kills them at its end.

    Attributes:
        settings: Home and keys under the given folder, and the databases.
        workspace: The store of the deployment, opened in this process for asserting.
        instance: The Dagster instance, opened in this process for asserting.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str | None = None,
        dagster_database_url: str | None = None,
        programs: Sequence[str] = (CODE_SERVER, DAEMON, WEBSERVER),
        definitions: str = DEFINITIONS,
    ) -> None:
        self.settings = Settings(
            home=folder / "home",
            keys=write_test_keys(folder / "workspace-keys"),
            database_url=database_url,
            dagster_database_url=dagster_database_url,
        )
        self._folder = folder
        self._wanted = tuple(programs)
        self._definitions = definitions
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._groups: list[subprocess.Popen[bytes]] = []
        self._ports = {name: _free_port() for name in (CODE_SERVER, WEBSERVER, DEV)}
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        self.settings.landing.mkdir(parents=True)
        try:
            for name in self._wanted:
                self.start(name)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @cached_property
    def workspace(self) -> Workspace:
        """The store of the deployment, opened in this process."""
        workspace = open_workspace(self.settings)
        self._opened.callback(workspace.store.engine.dispose)
        return workspace

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The Dagster instance of the deployment, opened in this process."""
        # The file names an environment variable, for the sake of the password; it is read while the instance opens.
        with patch.dict(os.environ, self._environment):
            return self._opened.enter_context(dg.DagsterInstance.from_config(self._environment["DAGSTER_HOME"]))

    @property
    def address(self) -> str:
        """Where the UI is."""
        return f"http://127.0.0.1:{self._ports[DEV if DEV in self._wanted else WEBSERVER]}"

    def assign_shipped_profile(self, *bridges: str) -> None:
        """Render these bridges under the customer profile that ships."""
        digest = load_profile(self.workspace, shipped_profile("customer_bridge"))
        for bridge in bridges:
            assign_profile(self.workspace, digest, bridge=bridge)

    def drop(self, name: str, body: bytes) -> None:
        """Let a complete file appear in the landing folder, as a source system would."""
        part = self.settings.landing / f".{name}.part"
        part.write_bytes(body)
        part.rename(self.settings.landing / name)

    def start(self, name: str) -> None:
        """Start a program, and wait until it can be used.

        Raises:
            NotReached: it ended, or was not ready in time.
        """
        program, *arguments = command_of(name, self._ports.get(name), self._definitions)
        environment = self._settings_as_set_by_hand() if name == DEV else self._environment
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / program), *arguments],
                cwd=_PROJECT,
                env=_clean_environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[name] = process
        self._groups.append(process)
        self.wait_until(lambda: self._is_ready(name), SECONDS_TO_START, f"{name} is ready")

    def kill(self, name: str) -> None:
        """Kill by SIGKILL: a program, whose children live on, or every run worker that is alive.

        Raises:
            LookupError: no run worker is alive.
        """
        if name == RUN_WORKER:
            workers = self.run_workers()
            if not workers:
                raise LookupError(f"no run worker is alive\n{self.log_tails()}")
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            return
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def kill_with_children(self, name: str) -> None:
        """Kill a program and all that it started by SIGKILL, as the end of a container does."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def restart(self, name: str) -> None:
        """Start a program again, killing it first if it runs."""
        if name in self._running:
            self.kill(name)
        self.start(name)

    def run_workers(self) -> list[int]:
        """Return the process ids of the run workers that the code server started and that are alive."""
        leader = self._running[CODE_SERVER].pid
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        rows = [line.split(None, 2) for line in listed]
        return [int(pid) for pid, parent, command in rows if int(parent) == leader and "spawn_main" in command]

    def wait_until(self, reached: Callable[[], object], timeout: float, what: str) -> None:
        """Look again and again until `reached` is true.

        Raises:
            NotReached: it was not after `timeout` seconds, or a program ended that nobody killed.
        """
        until = time.monotonic() + timeout
        while not reached():
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended:
                raise NotReached(f"{', '.join(ended)} ended while waiting until {what}\n{self.log_tails()}")
            if time.monotonic() > until:
                raise NotReached(f"not within {timeout:.0f} s: {what}\n{self.log_tails()}")
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def log_tails(self) -> str:
        """Return the last lines of every log."""
        parts = []
        for name in (CODE_SERVER, DAEMON, WEBSERVER, DEV):
            if self._log(name).exists():
                lines = self._log(name).read_text(errors="replace").splitlines()[-_LINES_OF_LOG:]
                parts.append("\n".join([f"--- {name}", *lines]))
        return "\n".join(parts)

    @cached_property
    def _environment(self) -> dict[str, str]:
        return dagster_environment(self.settings) | {
            "CHANNELSAFE_CODE_SERVER_HOST": "127.0.0.1",
            "CHANNELSAFE_CODE_SERVER_PORT": str(self._ports[CODE_SERVER]),
        }

    def _settings_as_set_by_hand(self) -> dict[str, str]:
        wanted = {
            HOME_VARIABLE: str(self.settings.home),
            KEYS_VARIABLE: str(self.settings.keys),
            DATABASE_VARIABLE: self.settings.database_url,
            DAGSTER_DATABASE_VARIABLE: self.settings.dagster_database_url,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _is_ready(self, name: str) -> bool:
        if name == CODE_SERVER:
            # It listens once the definitions are loaded; a daemon that comes sooner looks again only after a minute.
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self._ports[CODE_SERVER])) == 0
        if name in {WEBSERVER, DEV}:
            return _answers(self._ports[name], "/server_info")
        return True

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _end(self) -> None:
        self._running.clear()
        for how, seconds in ((signal.SIGTERM, _SECONDS_TO_STOP), (signal.SIGKILL, _SECONDS_TO_STOP)):
            living = [process for process in self._groups if _signal_group(process, how)]
            until = time.monotonic() + seconds
            while any(_signal_group(process, 0) for process in living) and time.monotonic() < until:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._opened.close()


def command_of(name: str, port: int | None, definitions: str = DEFINITIONS) -> list[str]:
    """Return the command that starts a program from the project's folder, as docs/operator.md states it."""
    workspace = ("--workspace", "deploy/workspace.grpc.yaml")
    module, address = ("--module-name", definitions), ("--host", "127.0.0.1", "--port", str(port))
    return {
        CODE_SERVER: ["dagster", "api", "grpc", *module, *address],
        DAEMON: ["dagster-daemon", "run", *workspace],
        WEBSERVER: ["dagster-webserver", *workspace, *address],
        RECEIVER: ["channelsafe", "receive"],
        DEV: ["channelsafe", "dev", "--port", str(port)],
    }[name]


@contextmanager
def team_databases(server: PostgresqlServer) -> Iterator[dict[str, str]]:
    """Make two databases for one deployment, as named arguments of `Deployment`; drop them at the end."""
    names = {f"{kind}_url": f"{kind}_{secrets.token_hex(8)}" for kind in ("database", "dagster_database")}
    yield {argument: server.create_database(name) for argument, name in names.items()}
    for name in names.values():
        server.drop_database(name)


def _signal_group(process: subprocess.Popen[bytes], how: int) -> bool:
    """Send a signal to the group that a process leads or led; tell whether it still has members."""
    process.poll()  # a leader that ended and was not waited for counts as a member
    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        return False
    return True


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("CHANNELSAFE_", "DAGSTER_"))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
