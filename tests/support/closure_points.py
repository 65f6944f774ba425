"""Points of a worker's round: every place at which it may die, freeze, or lose its database.

A point lies right before and right after each commit, of the store and of a target, and each call of a target; over
HTTP also between a request that was sent and its answer. The same work passes the same points in the same order.
"""

import http.client
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Engine

from dagster_project.application.closing_systems import Systems
from dagster_project.closure.targets import SubjectState, Target, TargetReceipt, TargetRequest


class Killed(BaseException):
    """Stands for the end of the process at this very place: nothing catches it."""


def killed(_request: TargetRequest) -> None:
    """Die with a request on the way."""
    raise Killed


@dataclass
class Points:
    """What was passed, and what happens at which points: the first is number 1."""

    at: Collection[int] = ()
    happens: Callable[[], None] = lambda: None
    passed: list[str] = field(default_factory=list)

    def reach(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) in self.at:
            self.happens()

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the call takes
            self.reach(f"before {name}")
            result = call(*arguments, **named)
            self.reach(f"after {name}")
            return result

        return called


@dataclass(frozen=True)
class _Watched:
    """A target whose calls are points."""

    target: Target
    points: Points

    @property
    def name(self) -> str:
        return self.target.name

    def read(self, subject: str) -> SubjectState | None:
        found: SubjectState | None = self.points.around(f"read {self.name}", self.target.read)(subject)
        return found

    def raise_fence(self, subject: str, fence: int) -> None:
        self.points.around(f"fence {self.name}", self.target.raise_fence)(subject, fence)

    def probe(self, key: str) -> TargetReceipt | None:
        found: TargetReceipt | None = self.points.around(f"probe {self.name}", self.target.probe)(key)
        return found

    def apply(self, request: TargetRequest) -> TargetReceipt:
        found: TargetReceipt = self.points.around(f"apply {self.name}", self.target.apply)(request)
        return found


@contextmanager
def watched(points: Points, store: Engine, support: Engine | None, systems: Systems) -> Iterator[Systems]:
    """Return systems whose calls are points, and make points of the commits of these engines until the end.

    Args:
        points: Which count.
        store: The deployment's own.
        support: The support systems', where the worker itself commits there; None where it speaks HTTP.
        systems: What is to be watched.
    """
    dialects = {"commit": store.dialect, **({} if support is None else {"target commit": support.dialect})}
    answering = http.client.HTTPConnection.getresponse
    for name, dialect in dialects.items():
        _set(dialect, "do_commit", points.around(name, dialect.do_commit))
    if support is None:
        _set(http.client.HTTPConnection, "getresponse", points.around("answer", answering))
    targets: Mapping[str, Target] = {name: _Watched(one, points) for name, one in systems.targets.items()}
    try:
        yield Systems(systems.case_review, systems.archive, targets)
    finally:
        for dialect in dialects.values():
            vars(dialect).pop("do_commit", None)
        _set(http.client.HTTPConnection, "getresponse", answering)


def _set(owner: Any, name: str, value: object) -> None:  # noqa: ANN401 - a class or a dialect
    setattr(owner, name, value)
