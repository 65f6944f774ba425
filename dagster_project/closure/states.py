"""States: the words for where an event, a plan and a step stand.

Belongs here: the words, as they lie in rows. What leads from one to another is `plan` and the application.
"""

from enum import StrEnum
from typing import Final


class EventState(StrEnum):
    """What became of an event: to be verified, made a plan, told of again what has a plan already, or stopped."""

    PENDING = "pending"
    PLANNED = "planned"
    ALREADY_PLANNED = "already_planned"
    STOPPED = "stopped"


class PlanState(StrEnum):
    """Where a plan stands. A stopped one waits for a person; reverting is the way back."""

    OPEN = "open"
    STOPPED = "stopped"
    COMPLETE = "complete"
    REVERTING = "reverting"
    REVERTED = "reverted"


class Direction(StrEnum):
    """Whether a step writes what the disposition says, or takes that back."""

    APPLY = "apply"
    UNDO = "undo"


class StepState(StrEnum):
    """Where a step stands.

    `intent` and `unknown` may have had their effect: only a probe tells. `already_completed`: the target said already
    what the step would write. `skipped_by_operator`: a person decided that it is not written.
    """

    PENDING = "pending"
    INTENT = "intent"
    UNKNOWN = "unknown"
    DONE = "done"
    ALREADY_COMPLETED = "already_completed"
    SKIPPED_BY_OPERATOR = "skipped_by_operator"
    REFUSED = "refused"


FINISHED: Final = frozenset({StepState.DONE, StepState.ALREADY_COMPLETED, StepState.SKIPPED_BY_OPERATOR})
UNSETTLED: Final = frozenset({StepState.INTENT, StepState.UNKNOWN})
