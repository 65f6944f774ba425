"""SIGKILL for daemon, code server and run worker while incidents are pending: every one is refreshed, none twice."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Final

import dagster as dg
import pytest
import sqlalchemy as sa

from dagster_project.store.tables import candidates, incidents, refreshes
from tests.support.deployment import CODE_SERVER, DAEMON, RUN_WORKER, Deployment, team_databases
from tests.support.histories import FULL
from tests.support.present_day import many_incidents

BRIDGES: Final = ("harbourline", "tidewater")
COUNT: Final = 200 if FULL else 60
SECONDS_TO_RECOVER: Final = 240.0
CONTAINER: Final = "code_server_with_its_workers"
VICTIMS: Final = (DAEMON, CODE_SERVER, RUN_WORKER, CONTAINER)
EACH_ONCE: Final = (
    ("sqlite", DAEMON),
    ("postgresql", CODE_SERVER),
    ("sqlite", RUN_WORKER),
    ("postgresql", CONTAINER),
)


@pytest.fixture
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """Code server and daemon, in the configuration that the test was parametrized with."""
    with ExitStack() as opened:
        urls = {}
        if request.param == "postgresql":
            urls = opened.enter_context(team_databases(request.getfixturevalue("postgresql_server")))
        running = opened.enter_context(Deployment(tmp_path, **urls, programs=(CODE_SERVER, DAEMON)))
        running.assign_shipped_profile(*BRIDGES)
        yield running


def _count(deployment: Deployment, statement: sa.Select[int]) -> int:
    with deployment.workspace.store.engine.connect() as connection:
        return connection.execute(statement).scalar_one()


def registered(deployment: Deployment) -> int:
    return _count(deployment, sa.select(sa.func.count()).select_from(incidents))


def pending(deployment: Deployment) -> int:
    is_pending = incidents.c.revision > incidents.c.observed_revision
    return _count(deployment, sa.select(sa.func.count()).where(is_pending))


def finished(deployment: Deployment) -> int:
    return _count(deployment, sa.select(sa.func.count()).where(refreshes.c.finished_at.is_not(None)))


def admit(deployment: Deployment, names: list[str]) -> None:
    """Drop one file with all of them, and wait until it was taken in."""
    deployment.drop("incidents.ndjson", many_incidents(names))
    deployment.wait_until(
        lambda: registered(deployment) == len(names) and not any(deployment.settings.landing.glob("*.ndjson")),
        SECONDS_TO_RECOVER,
        "all incidents are admitted",
    )


def assert_each_was_refreshed_once(deployment: Deployment, names: list[str]) -> None:
    with deployment.workspace.store.engine.connect() as connection:
        done = connection.execute(sa.select(refreshes.c.incident, refreshes.c.revision, refreshes.c.finished_at)).all()
        made = connection.execute(sa.select(candidates.c.incident, candidates.c.bridge)).all()
        observed = connection.execute(sa.select(incidents.c.incident, incidents.c.observed_revision)).all()
    assert all(row.finished_at is not None for row in done)
    assert Counter((row.incident, row.revision) for row in done) == Counter(tuple(row) for row in observed)
    assert Counter(tuple(row) for row in made) == Counter(product(names, BRIDGES))


def kill_and_bring_back(deployment: Deployment, victim: str) -> None:
    """Kill one, and start again what a supervisor would; of run workers, Dagster is the supervisor."""
    if victim == CONTAINER:
        deployment.kill_with_children(CODE_SERVER)
    else:
        deployment.kill(victim)
    assert pending(deployment), "nothing was pending any more when it was killed: the test proves nothing"
    if victim != RUN_WORKER:
        deployment.start(CODE_SERVER if victim == CONTAINER else victim)


@pytest.mark.parametrize(
    ("deployment", "victim"),
    [
        pytest.param(configuration, victim, marks=[pytest.mark.postgresql] if configuration == "postgresql" else [])
        for configuration, victim in (product(("sqlite", "postgresql"), VICTIMS) if FULL else EACH_ONCE)
    ],
    indirect=["deployment"],
)
def test_whoever_is_killed_each_pending_incident_is_refreshed_exactly_once(deployment: Deployment, victim: str) -> None:
    names = [f"INC-{number:04d}" for number in range(COUNT)]
    admit(deployment, names)
    if victim != DAEMON:  # it matters most to those who are waited for, so it dies before a run has begun
        deployment.wait_until(lambda: finished(deployment), SECONDS_TO_RECOVER, "the first incidents are refreshed")
    kill_and_bring_back(deployment, victim)
    deployment.wait_until(lambda: not pending(deployment), SECONDS_TO_RECOVER, "no incident is pending")
    assert_each_was_refreshed_once(deployment, names)


@pytest.mark.parametrize("deployment", ["sqlite"], indirect=True)
def test_a_single_run_that_died_with_its_code_server_is_noticed_and_done_again(deployment: Deployment) -> None:
    names = [f"INC-{number}" for number in range(3)]
    under_way = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], job_name="refresh_incident")
    admit(deployment, names)
    deployment.wait_until(lambda: deployment.instance.get_runs(under_way), SECONDS_TO_RECOVER, "a run is under way")
    kill_and_bring_back(deployment, CONTAINER)
    died = [run.run_id for run in deployment.instance.get_runs(under_way)]
    assert died, "the run was over when it was killed: the test proves nothing"
    deployment.wait_until(lambda: not pending(deployment), SECONDS_TO_RECOVER, "no incident is pending")
    assert_each_was_refreshed_once(deployment, names)
    failed = dg.RunsFilter(run_ids=died, statuses=[dg.DagsterRunStatus.FAILURE])
    deployment.wait_until(
        lambda: len(deployment.instance.get_runs(failed)) == len(died), SECONDS_TO_RECOVER, "Dagster knows of its death"
    )
