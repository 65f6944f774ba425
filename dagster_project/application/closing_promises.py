"""Closing promises: what must hold of every closure, each in a sentence, by name. Judging is `closing_invariants`.

Belongs here: data alone. Whoever only names the promises, such as a code location that is loaded, loads nothing else.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PROMISES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "each_effect_at_most_once": "Every step goes out under the key that follows from its plan, and no two steps "
        "have one receipt.",
        "nothing_applied_after_a_difference": "Where the source record or a target differed, no step was begun any "
        "more, and an event that was not verified has no plan.",
        "audit_row_complete": "Every complete closure has its audit row, each member filled or typed as skipped.",
        "receipts_read_back": "Every step that is done has a receipt, and its target showed exactly what the plan "
        "says it writes.",
    }
)
