"""Faults of SQL targets: something that happens before, within or after the effect of a write.

What happens is a function: one that raises stands for a broken connection, one that ends the process for a kill. Within
means in the transaction, when all rows are written and none is committed.
"""

import threading
from collections.abc import Callable
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from dagster_project.closure.targets import SubjectState, TargetReceipt, TargetRequest
from dagster_project.connections.targets.sql import SqlTarget


class Moment(StrEnum):
    """When, seen from the effect."""

    BEFORE = "before"
    WITHIN = "within"
    AFTER = "after"


class FaultySqlTarget:
    """A target that works, but for what happens at one moment of the next `times` writes that have an effect."""

    def __init__(
        self, target: SqlTarget, engine: Engine, moment: Moment, happens: Callable[[], None], *, times: int = 1
    ) -> None:
        self._target = target
        self._engine = engine
        self._moment = moment
        self._happens = happens
        self._left = times

    @property
    def name(self) -> str:
        return self._target.name

    def read(self, subject: str) -> SubjectState | None:
        return self._target.read(subject)

    def raise_fence(self, subject: str, fence: int) -> None:
        self._target.raise_fence(subject, fence)

    def probe(self, key: str) -> TargetReceipt | None:
        return self._target.probe(key)

    def apply(self, request: TargetRequest) -> TargetReceipt:
        if not self._left:
            return self._target.apply(request)
        self._left -= 1
        if self._moment is Moment.BEFORE:
            self._happens()
        if self._moment is Moment.WITHIN:
            return self._apply_and_fail_within(request)
        receipt = self._target.apply(request)
        if self._moment is Moment.AFTER:
            self._happens()
        return receipt

    def _apply_and_fail_within(self, request: TargetRequest) -> TargetReceipt:
        ours = threading.get_ident()

        def committing(_connection: Connection) -> None:
            if threading.get_ident() == ours:  # others may be writing through the same engine
                self._happens()

        sa.event.listen(self._engine, "commit", committing)
        try:
            return self._target.apply(request)
        finally:
            sa.event.remove(self._engine, "commit", committing)
