"""Targets: what the completion protocol asks of another system, and what may come of it.

Belongs here: requests, receipts, read-backs, the ways in which a call can fail, and the protocols that every adapter
meets (its conformance suite is in the tests). Does not belong here: adapters (`connections.targets`) and what a step
writes (`steps`).
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class TargetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What one step asks of a target: values to be written to one subject, and nothing that is not among them.

    `expected_version` is the version that the subject must still have; None where any will do. `fence` is the token of
    the lease under which the request is made: a target that keeps fences refuses one below the highest that it saw.
    """

    key: str
    subject: str
    values: Mapping[str, object]
    expected_version: str | None = None
    fence: int


class TargetReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a target says of an effect that it keeps: its own reference, and the subject's version after it."""

    key: str
    subject: str
    reference: str
    version: str


class SubjectState(msgspec.Struct, frozen=True, kw_only=True):
    """What a target holds of one subject now, of the fields that the protocol may write, and its version."""

    subject: str
    version: str
    values: Mapping[str, object]


class TargetFailure(Exception):
    """A call to a target that did not end in a receipt; `code` is a fixed word, never text of the other system."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TargetUnavailable(TargetFailure):
    """The target cannot be reached or is too busy, and the effect certainly did not happen; `after` is seconds."""

    def __init__(self, code: str, after: float | None = None) -> None:
        super().__init__(code)
        self.after = after


class OutcomeUnknown(TargetFailure):
    """The call was sent and no answer came: the effect may have happened. Only a probe can tell."""


class TargetRefused(TargetFailure):
    """The target refuses for good: asking again would not help."""


class SubjectChanged(TargetFailure):
    """The subject no longer has the version that was expected: somebody else wrote to it."""


class Target(Protocol):
    """One system that a completion writes to."""

    @property
    def name(self) -> str:
        """The target's name in plans, receipts and follow-ups."""
        ...

    def read(self, subject: str) -> SubjectState | None:
        """Return what the target holds of a subject; None where it knows none.

        Raises:
            TargetUnavailable: it cannot be reached.
        """
        ...

    def raise_fence(self, subject: str, fence: int) -> None:
        """Refuse from now on every request for a subject under a lower fence, one that is on its way included.

        Without this a probe that finds nothing would tell of now alone: a request that was held up may come yet.

        Raises:
            TargetUnavailable: it cannot be reached, so nothing is known.
        """
        ...

    def probe(self, key: str) -> TargetReceipt | None:
        """Return the receipt of the effect with an idempotency key; None where there certainly was none.

        Raises:
            TargetUnavailable: it cannot be reached, so nothing is known.
        """
        ...

    def apply(self, request: TargetRequest) -> TargetReceipt:
        """Write the values, once for each key: of a key that it knows a target returns the receipt that it gave.

        Raises:
            TargetFailure: one of the four kinds above.
        """
        ...
