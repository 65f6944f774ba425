"""Closing due: which cases a worker would find something to do for now, from the store's rows alone.

Belongs here: asking, in a bounded way, for whoever starts workers. Whether the work is done is the worker's to see.
"""

from dataclasses import dataclass
from typing import Final

from dagster_project.application.workspace import Workspace
from dagster_project.closure.steps import STEPS
from dagster_project.store import closures

_LOOKED_AT: Final = 500


@dataclass(frozen=True, order=True)
class DueCase:
    """A case with something due, and the number of the oldest event that it is due for."""

    event_number: int
    case: str


def due_cases(workspace: Workspace, *, limit: int, after: int = 0) -> tuple[DueCase, ...]:
    """Return cases with an event to be verified, or a step to be tried, that no worker has.

    Args:
        workspace: The deployment.
        limit: The most to return.
        after: The event number to begin after. What lies before it comes last, so that going on from the last one
            returned reaches everybody, however many are due again and again.
    """
    with workspace.store.read() as transaction:
        now = workspace.clock.now()
        events = closures.due_events(transaction, now, limit=_LOOKED_AT)
        plans = closures.plans_to_work(transaction, now, tuple(STEPS), limit=_LOOKED_AT)
    numbered = [(one.case_id, one.event_number) for one in events] + [(one.case_id, one.event_number) for one in plans]
    oldest: dict[str, int] = {}
    for case, number in numbered:
        oldest[case] = min(number, oldest.get(case, number))
    found = sorted(DueCase(number, case) for case, number in oldest.items())
    later = [one for one in found if one.event_number > after]
    return tuple([*later, *(one for one in found if one.event_number <= after)][:limit])
