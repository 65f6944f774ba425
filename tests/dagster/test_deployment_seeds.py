"""The seeds of the Dagster instance, and the run launcher that they name."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
import yaml
from dagster._core.launcher import WorkerStatus

from dagster_project.cli.development import dagster_environment, seed_dagster_home
from dagster_project.errors import UsageError
from dagster_project.run_launcher import WatchedRunLauncher
from dagster_project.settings import DAGSTER_DATABASE_VARIABLE, Settings
from tests.support.deployment import CODE_SERVER, DAEMON, WEBSERVER, command_of, team_databases

PROJECT = Path(__file__).resolve().parents[2]
SEEDS = PROJECT / "deploy"
SECONDS = 30.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a fresh deployment, on either storage."""
    with ExitStack() as opened:
        urls = {}
        if request.param == "postgresql":
            urls = opened.enter_context(team_databases(request.getfixturevalue("postgresql_server")))
        settings = Settings(
            tmp_path / "home",
            tmp_path / "keys",
            database_url=urls.get("database_url"),
            dagster_database_url=urls.get("dagster_database_url"),
        )
        environment = dagster_environment(settings)
        with patch.dict(os.environ, environment):
            yield opened.enter_context(dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]))


def started_run(instance: dg.DagsterInstance, address: dict[str, object] | None) -> dg.DagsterRun:
    """A run that is under way, started by a code server at `address`."""
    tags = {} if address is None else {".dagster/grpc_info": json.dumps(address)}
    return instance.create_run_for_job(_job, status=dg.DagsterRunStatus.STARTED, tags=tags)


@dg.op
def _nothing() -> None:
    """Do nothing."""


@dg.job
def _job() -> None:
    _nothing()


def test_a_seeded_instance_tells_nobody_anything_and_watches_its_runs(instance: dg.DagsterInstance) -> None:
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled
    assert not instance.run_retries_enabled
    assert instance.freshness_enabled
    assert instance.run_monitoring_enabled
    assert isinstance(instance.run_launcher, WatchedRunLauncher)
    assert instance.run_launcher.supports_check_run_worker_health


def test_a_seeded_instance_hears_of_events_as_they_are_stored(instance: dg.DagsterInstance) -> None:
    heard = threading.Event()
    run = started_run(instance, None)
    instance.watch_event_logs(run.run_id, None, lambda _entry, _cursor: heard.set())
    instance.report_engine_event("something happened", run)
    assert heard.wait(SECONDS)


def test_the_address_of_the_database_with_its_password_comes_from_the_environment() -> None:
    seed = yaml.safe_load((SEEDS / "dagster.postgresql.yaml").read_text())
    assert seed["storage"] == {"postgres": {"postgres_url": {"env": DAGSTER_DATABASE_VARIABLE}}}


def test_a_run_of_a_code_server_that_is_gone_from_this_machine_has_no_worker(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run = started_run(instance, {"host": "localhost", "socket": str(tmp_path / "gone")})
    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND


def test_a_run_of_a_code_server_that_does_not_answer_is_left_alone(instance: dg.DagsterInstance) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        run = started_run(instance, {"host": "127.0.0.1", "port": taken.getsockname()[1]})
        assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_run_that_no_code_server_started_is_left_alone(instance: dg.DagsterInstance) -> None:
    run = started_run(instance, None)
    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


@pytest.mark.parametrize(
    ("before", "after"), [(None, "postgresql://a/runs"), ("postgresql://a/runs", None)], ids=["to", "from"]
)
def test_an_instance_is_not_moved_to_another_storage_in_silence(
    tmp_path: Path, before: str | None, after: str | None
) -> None:
    home, keys = tmp_path / "home", tmp_path / "keys"
    seed_dagster_home(Settings(home, keys, dagster_database_url=before))
    with pytest.raises(UsageError) as refused:
        seed_dagster_home(Settings(home, keys, dagster_database_url=after))
    assert refused.value.code == "dagster_storage_differs"


def test_one_database_for_dagster_and_channelsafe_is_refused(tmp_path: Path) -> None:
    url = "postgresql://me:secret@db.example/channelsafe"
    same = "postgresql+psycopg2://other:secret@db.example:5432/channelsafe"
    with pytest.raises(UsageError) as refused:
        dagster_environment(Settings(tmp_path / "home", tmp_path / "keys", url, dagster_database_url=same))
    assert refused.value.code == "one_database_for_both"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_dagster_is_told_which_driver_to_use(tmp_path: Path, scheme: str) -> None:
    settings = Settings(tmp_path / "home", tmp_path / "keys", dagster_database_url=f"{scheme}://me@db.example/runs")
    assert dagster_environment(settings)[DAGSTER_DATABASE_VARIABLE] == "postgresql+psycopg2://me@db.example/runs"


@pytest.mark.parametrize(("program", "port"), [(CODE_SERVER, 4266), (DAEMON, None), (WEBSERVER, 3000)])
def test_operators_are_told_the_very_commands_that_the_tests_start(program: str, port: int | None) -> None:
    told = (PROJECT / "docs" / "operator.md").read_text().splitlines()
    assert " ".join(command_of(program, port)) in told
