"""A workspace with support systems beside it, in which closures are admitted, worked and decided about."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from dagster_project.application.closing import AdmittedEvent, admit_event
from dagster_project.application.closing_commands import ClosureAct, Taken, draft_command, give
from dagster_project.application.closing_overview import (
    ClosureOverview,
    FollowUpOverview,
    PlanOverview,
    StepOverview,
    closure_overview,
)
from dagster_project.application.closing_work import WorkReport, work
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock
from dagster_project.integrity.signatures import SigningKey
from dagster_project.store.store import DATABASE_FILE_NAME
from tests.support.closure_targets import CASE, SupportSystems, event, make_support_systems
from tests.support.workspaces import make_workspace

PEOPLE = {"sam": ("support_leadership",), "ines": ("incident_command",), "leo": ("legal",)}


@dataclass
class ClosureBench:
    """One deployment and the systems that it closes cases in."""

    workspace: Workspace
    support: SupportSystems
    keys: dict[str, SigningKey]

    def admit(self, body: bytes | None = None) -> AdmittedEvent:
        return admit_event(self.workspace, self.support.systems, event() if body is None else body, chance=Random(1))  # noqa: S311 - pauses

    def work(self, at_most: int = 20) -> WorkReport:
        return work(self.workspace, self.support.systems, at_most=at_most, chance=Random(2))  # noqa: S311 - pauses

    def pass_time(self, time: timedelta) -> None:
        clock = self.workspace.clock
        assert isinstance(clock, FixedClock)
        clock.set(clock.now() + time)

    def work_on(self, rounds: int = 12, pause: timedelta = timedelta(minutes=10)) -> None:
        """Work round by round, each after a pause, until nothing is due any more."""
        for _ in range(rounds):
            self.work()
            self.pass_time(pause)

    def command(self, act: ClosureAct, person: str = "sam", *, reason: str = "seen to", **about: object) -> Taken:
        self.pass_time(timedelta(seconds=1))
        case = str(about.pop("case", CASE))
        command = draft_command(self.workspace, act, case, reason=reason, **about)  # type: ignore[arg-type] # passed on
        return give(self.workspace, command, self.keys[person])

    def overview(self, case: str | None = None) -> ClosureOverview:
        return closure_overview(self.workspace, case)

    def plan(self, case: str = CASE) -> PlanOverview:
        return self.overview(case).plans[-1]

    def steps(self, direction: str = "apply") -> dict[str, StepOverview]:
        return {one.step: one for one in self.plan().steps if one.direction == direction}

    def states(self, direction: str = "apply") -> dict[str, str]:
        return {name: one.state for name, one in self.steps(direction).items()}

    def open_follow_ups(self) -> list[FollowUpOverview]:
        return [one for one in self.overview().follow_ups if one.resolved_at is None]

    @property
    def kinds(self) -> list[str]:
        return [one.kind for one in self.open_follow_ups()]


def make_closure_bench(
    folder: Path, *cases: str, database_url: str | None = None, template: Path | None = None
) -> ClosureBench:
    """Open a deployment in which people are trusted, beside systems in which these cases are final.

    `template` is a migrated, empty SQLite file to begin with: migrating takes longer than most tests.
    """
    if template is not None:
        (folder / "home").mkdir()
        shutil.copy(template, folder / "home" / DATABASE_FILE_NAME)
    workspace = make_workspace(folder, database_url=database_url)
    return ClosureBench(workspace, make_support_systems(*cases), make_demo_trust(workspace, PEOPLE, demo=False))
