"""Chunks: how many values one statement may name, so that none grows with what it is about."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

_LARGEST: Final = 500
_Value = TypeVar("_Value")


def chunks(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    """Yield the values in order, at most 500 at a time; nothing where there are none."""
    rest = iter(values)
    while chunk := list(islice(rest, _LARGEST)):
        yield chunk
