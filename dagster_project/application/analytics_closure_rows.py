"""The rows of the analytics files about closures: one type per table, as in `analytics_rows`.

Belongs here: what an analyst may be told of closures: numbers, words, instants and keyed digests. No field can carry
what a closure writes, an identifier of another system, or a person's reason. Filling them is `analytics_closures`.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

from dagster_project.closure.states import Direction, EventState, PlanState
from dagster_project.connections.duckdb_columns import KEYED, Row, Says
from dagster_project.packaging.vocabulary import REVIEW_ROLES

# Kept as words, as their modules load more than a code location needs; a test holds them together.
STEPS: Final = ("archive_attached", "tracker_synchronized", "ledger_marked", "queue_closed", "coordinator_notified")
FOLLOW_UP_KINDS: Final = (
    "event_mismatch", "stale_disposition", "mismapped_disposition", "step_out_of_bounds", "target_refused",
    "attempts_exhausted", "read_back_differs", "edited_since", "undo_refused",
)  # fmt: skip
ACTS: Final = ("retry", "skip", "resolve", "revert")
OUTCOMES: Final = ("admitted", "duplicate", "mismatch", "refused")
# What became of a step: until it is finished, how far it has come is the operators' business.
STEP_ENDS: Final = ("done", "already_completed", "skipped_by_operator", "unfinished")
AUDIT_ROWS: Final = ("filled", "skipped", "wrong", "none")
FOLLOW_UP_ENDS: Final = ("open", "by_itself", "by_person")
_EVENT_STATES: Final = tuple(state.value for state in EventState)
_PLAN_STATES: Final = tuple(state.value for state in PlanState)
_DIRECTIONS: Final = tuple(direction.value for direction in Direction)

PlanId = Annotated[int, Says("The closure, counted over all cases.")]
EventNumber = Annotated[int, Says("The event, counted over all cases.")]
CaseDigest = Annotated[str, Says("The case, as a keyed digest: equal digests are one case.", form=KEYED)]
AboutPlan = Annotated[int, Says("The closure that it is about; 0 where it is about none.")]
AboutEvent = Annotated[int, Says("The event that it is about; 0 where it is about none.")]
AboutStep = Annotated[str, Says("The step that it is about; '' where it is about none.")]
Step = Annotated[str, Says("The step.", STEPS)]
StepDirection = Annotated[str, Says("Whether it is written or taken back.", _DIRECTIONS)]
HeldUp = Says("When a system first could not be used for it, or refused it; NULL where none ever did.")


class ClosureDeliveryRow(Row, frozen=True, kw_only=True):
    """One thing that was handed in as an event."""

    unique: ClassVar[tuple[str, ...]] = ("delivery_id",)
    delivery_id: Annotated[int, Says("The delivery, counted over all cases.")]
    outcome: Annotated[str, Says("What became of it.", OUTCOMES)]
    received_at: Annotated[datetime, Says("When it was handed in.")]


class ClosureEventRow(Row, frozen=True, kw_only=True):
    """One event of a final disposition."""

    unique: ClassVar[tuple[str, ...]] = ("event_number",)
    event_number: EventNumber
    case_digest: CaseDigest
    state: Annotated[str, Says("What became of it.", _EVENT_STATES)]
    received_at: Annotated[datetime, Says("When it was admitted.")]


class ClosurePlanRow(Row, frozen=True, kw_only=True):
    """One closure: a disposition that was verified, and is propagated."""

    unique: ClassVar[tuple[str, ...]] = ("plan_id",)
    plan_id: PlanId
    event_number: EventNumber
    case_digest: CaseDigest
    state: Annotated[str, Says("Where it stands.", _PLAN_STATES)]
    audit_row: Annotated[
        str,
        Says("Its audit row: all filled; with a member typed as skipped; not of its form; or none.", AUDIT_ROWS),
    ]
    created_at: Annotated[datetime, Says("When it was verified and planned.")]
    finished_at: Annotated[datetime | None, Says("When it was complete or taken back; NULL before.")]


class ClosureStepRow(Row, frozen=True, kw_only=True):
    """One step of a closure, in one direction."""

    unique: ClassVar[tuple[str, ...]] = ("plan_id", "step", "direction")
    plan_id: PlanId
    step: Step
    direction: StepDirection
    ended: Annotated[str, Says("How it ended.", STEP_ENDS)]
    first_held_up_at: Annotated[datetime | None, HeldUp]
    finished_at: Annotated[datetime | None, Says("When it ended; NULL while it is unfinished.")]


class ClosureFollowUpRow(Row, frozen=True, kw_only=True):
    """One piece of work that a closure handed to people."""

    unique: ClassVar[tuple[str, ...]] = ("follow_up_id",)
    follow_up_id: Annotated[int, Says("The follow-up, counted over all cases.")]
    kind: Annotated[str, Says("Why a person is needed.", FOLLOW_UP_KINDS)]
    case_digest: CaseDigest
    plan_id: AboutPlan
    event_number: AboutEvent
    step: AboutStep
    owner_role: Annotated[str, Says("Whose it is.", REVIEW_ROLES)]
    applied_steps: Annotated[int, Says("How many steps had written, or may have, when it was opened.")]
    ended: Annotated[str, Says("Whether it is open, or how it was resolved.", FOLLOW_UP_ENDS)]
    opened_at: Annotated[datetime, Says("When it was opened.")]
    resolved_at: Annotated[datetime | None, Says("When it was resolved; NULL while it is open.")]


class ClosureCommandRow(Row, frozen=True, kw_only=True):
    """One operator's command about closures that was taken."""

    unique: ClassVar[tuple[str, ...]] = ("command_digest",)
    command_digest: Annotated[str, Says("The command, as a keyed digest.", form=KEYED)]
    act: Annotated[str, Says("What it does.", ACTS)]
    case_digest: CaseDigest
    plan_id: AboutPlan
    event_number: AboutEvent
    follow_up_id: Annotated[int, Says("The follow-up that it resolves; 0 where it resolves none by name.")]
    step: AboutStep
    decided_by: Annotated[str, Says("Who decided, as a keyed digest: equal digests are one person.", form=KEYED)]
    received_at: Annotated[datetime, Says("When it was taken.")]


CLOSURE_TABLES: Final[Mapping[str, type[Row]]] = MappingProxyType(
    {
        "closure_deliveries": ClosureDeliveryRow,
        "closure_events": ClosureEventRow,
        "closure_plans": ClosurePlanRow,
        "closure_steps": ClosureStepRow,
        "closure_follow_ups": ClosureFollowUpRow,
        "closure_commands": ClosureCommandRow,
    }
)
