"""What a backtest predicts is what a real run of the same history, with the same people, does: version by version."""

from collections.abc import Sequence
from pathlib import Path

from dagster_project.application.backtest import Backtest, History, moments_of, predict
from dagster_project.application.backtest_figures import PredictedVersion
from dagster_project.application.profiles import assign_profile, load_profile, shipped_profile
from dagster_project.application.rehearsing import Moment, Rehearsed, rehearse
from dagster_project.clock import FixedClock
from dagster_project.demo.scenario import load_scenario
from tests.support.real_predictions import code_key, versions_told
from tests.support.review_people import PEOPLE, Bench, make_bench
from tests.support.scripted_reviewers import StoreDesk
from tests.support.workspaces import make_workspace

REVIEWED_FEED = Path(__file__).parents[1] / "fixtures_data" / "google_cloud_reviewed.json"


def story() -> tuple[Moment, ...]:
    """Return the sample scenario as moments, with its profile as it was meant."""
    steps = load_scenario().steps
    return moments_of((step.at, line) for step in steps for line in step.body.splitlines())


def play_for_real(folder: Path, moments: Sequence[Moment]) -> tuple[Bench, Rehearsed]:
    workspace = make_workspace(folder, FixedClock(moments[0].at))
    bench = make_bench(workspace)
    assign_profile(workspace, load_profile(workspace, shipped_profile("customer_bridge")))
    return bench, rehearse(StoreDesk(bench), moments, PEOPLE)


def predicted(backtest: Backtest) -> list[PredictedVersion]:
    return [version for one in predict(backtest, processes=1) for version in one.versions]


def test_what_is_predicted_of_the_sample_scenario_is_what_happens(tmp_path: Path) -> None:
    bench, rehearsed = play_for_real(tmp_path, story())
    asked = Backtest(
        history=History("feed", story()),
        profile=shipped_profile("customer_bridge"),
        people=PEOPLE,
        code_key=code_key(bench.workspace),
    )
    told = versions_told(bench.workspace, PEOPLE)
    assert {one.bridge for one in told} == {"harbourline", "tidewater"}
    assert {one.kind for one in told} >= {"release", "pull"}
    assert predicted(asked) == told
    (prediction,) = predict(asked, processes=1)
    assert prediction.answered == {answer.value: number for answer, number in rehearsed.answered.items()}
    assert prediction.refreshes_failed == rehearsed.failed_checks.total()
