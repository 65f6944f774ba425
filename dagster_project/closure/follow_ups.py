"""Follow-ups: the manual work that a closure hands to people, kind by kind.

Belongs here: the kinds as data, with whose they are, what the person needs to know, and what resolves them. No kind is
resolved by telling Channelsafe a mapping or a version: those come from the source record alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from dagster_project.closure.verification import Standing


class FollowUpKind(StrEnum):
    """Why a person is needed."""

    EVENT_MISMATCH = "event_mismatch"
    STALE_DISPOSITION = "stale_disposition"
    MISMAPPED_DISPOSITION = "mismapped_disposition"
    STEP_OUT_OF_BOUNDS = "step_out_of_bounds"
    TARGET_REFUSED = "target_refused"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    READ_BACK_DIFFERS = "read_back_differs"
    EDITED_SINCE = "edited_since"
    UNDO_REFUSED = "undo_refused"


class FollowUpGuide(msgspec.Struct, frozen=True):
    """What a person has to know of a kind: in what role it is theirs, what they look at, what resolves it.

    `ends_by_itself`: it is resolved without anybody as soon as its step is finished.
    """

    owner_role: str
    look_at: str
    resolved_by: str
    ends_by_itself: bool = False


GUIDES: Final[Mapping[FollowUpKind, FollowUpGuide]] = {
    FollowUpKind.EVENT_MISMATCH: FollowUpGuide(
        "support_leadership",
        "Two events bear the same id and say different things; only the first was taken. Compare their digests with "
        "what the case-review system sent.",
        "The case-review system sends what is right as a new event; then resolve with the reason.",
    ),
    FollowUpKind.STALE_DISPOSITION: FollowUpGuide(
        "support_leadership",
        "The source record went on since: it was reopened, superseded, or is not final. See which steps were applied.",
        "Wait for the event of the newer disposition; revert what was applied where it does not hold any more.",
    ),
    FollowUpKind.MISMAPPED_DISPOSITION: FollowUpGuide(
        "support_leadership",
        "The source record names another escalation, episode, mapping or archive document than was announced, or none, "
        "or a target's subject is another's. Both sides are listed by field.",
        "Correct the record in the case-review system or the archive, then `closure retry`: it is read again.",
    ),
    FollowUpKind.STEP_OUT_OF_BOUNDS: FollowUpGuide(
        "support_leadership",
        "The event asks for a step that a closure never takes: messages, credits and remediation are for people.",
        "Have that done where it belongs; the case-review system sends an event without it.",
    ),
    FollowUpKind.TARGET_REFUSED: FollowUpGuide(
        "support_leadership",
        "A target refuses for good. See the step, its subject and the code of the refusal.",
        "Have the target accept it and `closure retry`, or `closure skip` with the reason.",
    ),
    FollowUpKind.ATTEMPTS_EXHAUSTED: FollowUpGuide(
        "support_leadership",
        "A system could not be used many times in a row. It is still tried, at long intervals.",
        "Bring the system back: the step is then done by itself. `closure retry` tries at once.",
        ends_by_itself=True,
    ),
    FollowUpKind.READ_BACK_DIFFERS: FollowUpGuide(
        "support_leadership",
        "A target gave a receipt, and shows other values than were written.",
        "Look at the subject in the target. `closure retry` reads it again; `closure skip` leaves it as it is.",
        ends_by_itself=True,
    ),
    FollowUpKind.EDITED_SINCE: FollowUpGuide(
        "support_leadership",
        "Somebody changed the subject after this closure wrote to it. Nothing was overwritten, and nothing restored.",
        "Set by hand what should stand there. `closure retry` reads it again; `closure skip` leaves it as it is.",
    ),
    FollowUpKind.UNDO_REFUSED: FollowUpGuide(
        "support_leadership",
        "What stood in the target before cannot be written back, or the target refuses it.",
        "Restore it by hand, then `closure skip` the step with the reason.",
    ),
}

KIND_OF: Final[Mapping[Standing, FollowUpKind]] = {
    Standing.STALE: FollowUpKind.STALE_DISPOSITION,
    Standing.MISMAPPED: FollowUpKind.MISMAPPED_DISPOSITION,
    Standing.OUT_OF_BOUNDS: FollowUpKind.STEP_OUT_OF_BOUNDS,
}
