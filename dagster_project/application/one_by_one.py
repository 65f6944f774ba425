"""One by one: doing the same for several packages or bridges, so that a fault of one never stops another (I1)."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from dagster_project.errors import ChannelsafeError

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def for_each(items: Iterable[_Item], act: Callable[[_Item], _Made]) -> list[_Made]:
    """Do something for each item and return what came of it, in order.

    Raises:
        ChannelsafeError: the first fault, once everything else was done.
    """
    made: list[_Made] = []
    faults: list[ChannelsafeError] = []
    for item in items:
        try:
            made.append(act(item))
        except ChannelsafeError as fault:
            faults.append(fault)
    if faults:
        raise faults[0]
    return made
