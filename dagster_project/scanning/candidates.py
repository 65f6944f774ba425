"""Candidates: what a validator is given and gives back.

Belongs here: the types, and the words before a candidate. Does not belong here: what makes a candidate a finding.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

Span: TypeAlias = tuple[int, int]
Validator: TypeAlias = Callable[[str, int, int], Span | None]

_CONTEXT: Final = 48


def before(text: str, start: int) -> str:
    """Return what stands right before a candidate."""
    return text[max(0, start - _CONTEXT) : start]
