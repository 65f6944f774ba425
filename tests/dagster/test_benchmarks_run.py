"""The parts of benchmarks that need no deployment and no package index: figures, tables, and our own side."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.closure import Measured, best, double_calls, measure_ours
from benchmarks.closure import table as closure_table
from benchmarks.latency_table import Row, percentile, table
from dagster_project.connections.targets.support_systems import effects
from dagster_project.store.engine import writing
from tests.support.closure_sites import site_at


@pytest.mark.parametrize(("percent", "expected"), [(50, 10), (95, 19), (99, 20)])
def test_a_percentile_is_a_value_that_was_measured_and_so_many_percent_do_not_exceed_it(
    percent: int, expected: int
) -> None:
    assert percentile([float(value) for value in range(20, 0, -1)], percent) == expected


def test_a_single_sample_is_every_percentile() -> None:
    assert [percentile([0.25], percent) for percent in (50, 95, 99)] == [0.25, 0.25, 0.25]


def test_each_row_stands_beside_its_own_baseline() -> None:
    rows = [Row("empty", [1.0], 1, "empty"), Row("other", [4.0], 1, "other"), Row("ours", [3.0], 1, "empty")]
    _heading, empty, other, ours = table(rows).splitlines()
    assert ours.split() == ["ours", "3.00", "3.00", "3.00", "1/1", "3.00", "x", "+2.00", "s"]
    assert "x" not in empty
    assert " x " not in other


def test_samples_that_never_finished_are_counted_and_do_not_pass_for_fast_ones() -> None:
    rows = [Row("empty", [], 4, "empty"), Row("ours", [3.0], 5, "empty")]
    _heading, empty, ours = table(rows).splitlines()
    assert empty.split() == ["empty", "none", "finished", "0/4"]
    assert ours.split() == ["ours", "3.00", "3.00", "3.00", "1/5"]


def test_our_side_completes_every_case_and_a_second_effect_under_one_key_is_counted(tmp_path: Path) -> None:
    with site_at(tmp_path, database_url=None, support_url=None, over_http=False) as site:
        measured = measure_ours(site, 2)
        assert (measured.name, measured.double_calls) == ("ours", 0)
        assert measured.seconds > 0
        logged = sa.select(effects.c.target, effects.c.key, effects.c.subject, effects.c.version).limit(1)
        columns = ["target", "key", "subject", "version"]
        with writing(site.engine) as connection:
            connection.execute(sa.insert(effects).from_select(columns, logged))
        assert double_calls(site, 2) == 1
        with pytest.raises(RuntimeError, match="not those of 100"):
            double_calls(site, 100)


def test_completions_stand_beside_dbos_as_ratios_of_ours_to_it() -> None:
    rounds = [
        [Measured("ours", 0.10, 0.020, 0), Measured("DBOS", 0.20, 0.010, 0)],
        [Measured("ours", 0.05, 0.030, 0), Measured("DBOS", 0.40, 0.010, 2)],
    ]
    _heading, ours, dbos = closure_table("SQLite", best(rounds)).splitlines()
    assert ours.split() == ["ours", "20.0", "1.00", "x", "20.0", "1.00", "x", "0"]
    assert dbos.split() == ["DBOS", "5.0", "4.00", "x", "10.0", "0.50", "x", "2"]


def test_without_dbos_and_without_a_package_index_it_says_so_and_ends_with_3(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.closure", "--environment", str(tmp_path / "environment")]
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1", "PIP_FIND_LINKS": ""}
    answer = subprocess.run(command, check=False, env={**os.environ, **nowhere}, capture_output=True, text=True)
    assert answer.returncode == 3
    assert "could not be fetched from a package index" in answer.stderr
