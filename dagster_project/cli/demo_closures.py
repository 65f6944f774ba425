"""What `channelsafe demo` prints of closures: each moment, then where every step stands and what waits for people."""

from collections.abc import Callable, Iterator

from dagster_project.application.closing_overview import ClosureOverview, FollowUpOverview, PlanOverview
from dagster_project.application.demo_closures import Keys, open_demo_support
from dagster_project.application.workspace import Workspace
from dagster_project.clock import FixedClock

Say = Callable[[str], None]


def play_closures(workspace: Workspace, clock: FixedClock, keys: Keys, say: Say) -> None:
    """Play the closures of the day after, and say what came of each moment."""
    with open_demo_support(workspace, keys) as support:
        say("\nClosures, the day after: final dispositions, propagated to five support systems")
        for moment in support.moments:
            clock.set(moment.at)
            say(f"  {moment.at:%H:%M}  {moment.title}")
            for line in support.play(moment):
                say(f"         {line}")
        effects, repeated = support.effects()
        say(f"  The systems themselves count {effects} effects, {repeated} of them repeated.")


def closure_lines(found: ClosureOverview) -> Iterator[str]:
    """Yield the table of steps, and that of follow-ups."""
    yield "\nSteps of closures"
    rows = [_step_row(plan) for plan in found.plans]
    table = [["case", *(one.step for one in found.plans[0].steps)], *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  " + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
    yield "\nFollow-ups of closures"
    for one in found.follow_ups:
        yield from _follow_up_lines(one)


def _step_row(plan: PlanOverview) -> list[str]:
    return [plan.case, *(one.state for one in plan.steps)]


def _follow_up_lines(one: FollowUpOverview) -> Iterator[str]:
    state = "open" if one.resolved_by is None else f"resolved by {one.resolved_by}"
    step = f", step {one.step}" if one.step else ""
    yield f"  {one.kind} of {one.case}{step}, for {one.owner_role}: {state}"
    for found in one.evidence.get("findings", ()):
        sides = f" expected {found['expected']}, found {found['found']}" if found["expected"] else ""
        yield f"    {found['difference']}: {found['field']}{sides}"
