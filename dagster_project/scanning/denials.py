"""Denials: whether a phrase that a rule would find is denied by its own clause, or stands in a phrase that excuses it.

Belongs here: what "no", "not known" and the like do to the words beside them. Which rule heeds it is the rule's
business (`Rule.negatable`, `Rule.unless`); what the rules look for is rule data.
"""

import re
from typing import Final

# A denial reaches over filler words only: "we have no ETA" is one, "no doubt the ETA" is none.
_BEFORE: Final = re.compile(
    r"(?:\b(?:no|not|never|without|cannot|unable\s+to|nor)|n['\u2019]t)"
    r"(?:\s+(?:yet|currently|actually|at\s+this\s+(?:point|time)|have|has|had|got|given?|giving|"
    r"provided?|shared?|stated?|offer|make|received|commit\s+to|know|been|be|any|an|a|the|its|this|firm|exact|definite|available|"
    r"(?:confirm|determine|identif|establish)(?:y|ied|ed)?))*\s+$",
    re.IGNORECASE,
)
# The same said afterwards: "the ETA for recovery is still unknown", "root cause: to be determined".
_AFTER: Final = re.compile(
    r"(?:\s+(?:for|of|to|on)\s+[^.;:,!?\n]{1,60}?)?"
    r"(?:\s*[:=(-]\s*|\s+)"
    r"(?:(?:is|are|was|were|has|have|remains?|stays?|still|currently|yet|be|been)(?:\s+|(?=n['\u2019]t)))*"
    r"(?:unknown|unavailable|none\b|n/a|tb[adc]\b|to\s+be\s+(?:determined|confirmed|advised|announced)|undetermined|"
    r"(?:not|never|n['\u2019]t)\s+(?:yet\s+|currently\s+|been\s+|be\s+)*(?:known|available|given|provided|shared|"
    r"stated|determined|identified|established|confirmed|found|clear|offered|possible)|"
    r"(?:under|in)\s+(?:investigation|review)|being\s+investigated)",
    re.IGNORECASE,
)
_REACH: Final = 100


def is_denied(text: str, start: int, end: int) -> bool:
    """Tell whether the words at `start` to `end` are denied right before or right after, in the same clause."""
    return bool(_BEFORE.search(text[max(0, start - _REACH) : start]) or _AFTER.match(text[end : end + _REACH]))


def is_excused(unless: str, text: str, start: int, end: int) -> bool:
    """Tell whether a phrase that matches the pattern `unless` overlaps the words at `start` to `end`."""
    first = max(0, start - _REACH)
    around = text[first : end + _REACH]
    return any(
        first + one.start() < end and start < first + one.end()
        for one in re.finditer(unless, around, re.ASCII | re.IGNORECASE)
    )
