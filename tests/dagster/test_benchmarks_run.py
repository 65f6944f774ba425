"""The parts of the latency benchmark that need no deployment: its percentiles and its table."""

import pytest

from benchmarks.latency_table import Row, percentile, table


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
