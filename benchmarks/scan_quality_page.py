"""The page about the scanner's quality: the table of both sets, what explains their gaps, and what is not looked for."""

from collections.abc import Mapping
from typing import Protocol


class Scored(Protocol):
    """What was found of one type."""

    @property
    def labels(self) -> int: ...  # noqa: D102
    @property
    def findings(self) -> int: ...  # noqa: D102
    @property
    def recall(self) -> float: ...  # noqa: D102
    @property
    def precision(self) -> float: ...  # noqa: D102


def page(labelled: Mapping[str, Scored], made: Mapping[str, Scored]) -> str:
    return ""
