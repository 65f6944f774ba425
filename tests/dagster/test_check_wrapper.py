"""The wrapper round check results fails closed on everything but proper results."""

from collections.abc import Iterable

import dagster as dg
import pytest

from checks.results import proper_results

NAMES = ("leak", "fresh")


class TrueLikeNumpy:
    """Like numpy's bool: true, but no bool."""

    def __bool__(self) -> bool:
        return True


class Undecided:
    """Like a whole column of numpy's: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


def _results(**passed: object) -> list[dg.AssetCheckResult]:
    return [dg.AssetCheckResult(check_name=name, passed=bool(value)) for name, value in passed.items()]


def test_proper_results_come_back_in_the_declared_order() -> None:
    found = proper_results(_results(fresh=True, leak=False), names=NAMES)
    assert [(one.check_name, one.passed) for one in found] == [("leak", False), ("fresh", True)]


@pytest.mark.parametrize(
    "wrong",
    [
        [None, None],
        [True, False],
        [[*_results(leak=True)]],
        ["passed"],
        [dg.AssetCheckEvaluation],
    ],
)
def test_anything_that_is_no_result_raises(wrong: Iterable[object]) -> None:
    with pytest.raises(TypeError):
        proper_results(wrong, names=NAMES)


@pytest.mark.parametrize(
    "results",
    [
        _results(leak=True),
        [*_results(leak=True, fresh=True), *_results(leak=True)],
        _results(leak=True, fresh=True, other=True),
        [dg.AssetCheckResult(passed=True)],
    ],
)
def test_a_missing_doubled_or_undeclared_result_raises(results: list[dg.AssetCheckResult]) -> None:
    with pytest.raises(TypeError, match="check result"):
        proper_results(results, names=NAMES)


def test_a_bool_like_value_becomes_a_bool() -> None:
    odd = dg.AssetCheckResult(check_name="leak", passed=True)._replace(passed=TrueLikeNumpy())  # type: ignore[arg-type] # the fault under test
    found = proper_results([odd, *_results(fresh=True)], names=NAMES)
    assert found[0].passed is True


def test_a_failure_that_calls_itself_a_warning_blocks_all_the_same() -> None:
    mild = dg.AssetCheckResult(check_name="leak", passed=False, severity=dg.AssetCheckSeverity.WARN)
    found = proper_results([mild, *_results(fresh=True)], names=NAMES)
    assert (found[0].passed, found[0].severity) == (False, dg.AssetCheckSeverity.ERROR)


def test_a_value_that_cannot_be_a_bool_raises() -> None:
    odd = dg.AssetCheckResult(check_name="leak", passed=True)._replace(passed=Undecided())  # type: ignore[arg-type] # the fault under test
    with pytest.raises(ValueError, match="ambiguous"):
        proper_results([odd, *_results(fresh=True)], names=NAMES)
