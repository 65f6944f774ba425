"""Delta report: what changed on the bridges of one refresh, as far as the operators' UI may show it.

Belongs here: which value of a changed field may be seen outside the store. A value is shown only if the candidate that
says it has its internal manifest, so passed its release check; before that it may be the very thing that must not be
seen (invariant I9). How the report is laid out is for Dagster.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from dagster_project.application.checks import CheckedCandidate
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.canonical import canonical_bytes, parse_strict
from dagster_project.packaging.delta import Delta, Operation
from dagster_project.store import gates
from dagster_project.store.candidates import CandidateOutcome, CandidateRow
from dagster_project.store.transaction import Transaction

NOT_SHOWN: Final = "-"
FIELDS_SHOWN: Final = 60
_LONGEST_VALUE: Final = 120


class RefreshOutcome(StrEnum):
    """How a judged refresh ended: everything passed, passed with something on hold, or a candidate did not pass."""

    PASSED = "passed"
    HELD = "held"
    FAILED_CHECK = "failed_check"


class CheckState(StrEnum):
    """Where a candidate stands with its release check; only one with its internal manifest counts as passed."""

    PASSED = "passed"
    FAILED = "failed"
    TO_COME = "to come"


@dataclass(frozen=True)
class BridgeReport:
    """One bridge of a refresh: counts and statuses only."""

    bridge: str
    outcome: str
    holds: int
    content_number: int
    content_changed: bool
    release_check: CheckState


@dataclass(frozen=True)
class ChangedField:
    """One changed field of one bridge; `before` and `after` are ``-`` where their candidate did not pass.

    Where there was, or is, no value they are empty. Longer values are cut, with an ellipsis.
    """

    bridge: str
    field: str
    operation: str
    cause: str
    before: str
    after: str


@dataclass(frozen=True)
class DeltaReport:
    """The bridges of a refresh, how many of their fields changed, and the first `FIELDS_SHOWN` of these."""

    bridges: tuple[BridgeReport, ...]
    fields_changed: int
    changes: tuple[ChangedField, ...]

    @property
    def bridges_with_holds(self) -> int:
        """How many bridges have something on hold."""
        return sum(1 for one in self.bridges if one.outcome == CandidateOutcome.HELD)


def outcome_of(checked: Sequence[CheckedCandidate]) -> RefreshOutcome:
    """Return how a judged refresh ended; one that judged nothing did not pass."""
    if not checked or any(one.manifest_digest is None for one in checked):
        return RefreshOutcome.FAILED_CHECK
    held = any(one.row.outcome is CandidateOutcome.HELD for one in checked)
    return RefreshOutcome.HELD if held else RefreshOutcome.PASSED


def delta_report(workspace: Workspace, rows: Sequence[CandidateRow]) -> DeltaReport:
    """Report on the candidates of one refresh, as they stand with their release checks now."""
    numbers = {number for row in rows for number in (row.candidate_id, row.predecessor_id) if number is not None}
    with workspace.store.read() as transaction:
        checked = gates.latest_release_checks(transaction, sorted(numbers))
        passed = frozenset(gates.find_manifests(transaction, sorted(numbers)))
        deltas = _deltas(transaction, rows)
    changes = [one for row in rows for one in _changes(row, deltas[row.delta_digest], passed)]
    return DeltaReport(
        bridges=tuple(_bridge(row, judged=frozenset(checked), passed=passed) for row in rows),
        fields_changed=len(changes),
        changes=tuple(changes[:FIELDS_SHOWN]),
    )


def _deltas(transaction: Transaction, rows: Sequence[CandidateRow]) -> Mapping[str, Delta]:
    bodies = transaction.get_all_sealed(row.delta_digest for row in rows)
    return {digest: msgspec.convert(parse_strict(body), Delta) for digest, body in bodies.items()}


def _bridge(row: CandidateRow, *, judged: frozenset[int], passed: frozenset[int]) -> BridgeReport:
    failed = CheckState.FAILED if row.candidate_id in judged else CheckState.TO_COME
    return BridgeReport(
        bridge=row.bridge,
        outcome=row.outcome.value,
        holds=row.holds,
        content_number=row.content_number,
        content_changed=row.content_changed,
        release_check=CheckState.PASSED if row.candidate_id in passed else failed,
    )


def _changes(row: CandidateRow, delta: Delta, passed: frozenset[int]) -> Iterator[ChangedField]:
    """Yield the changes of one candidate; those of one that did not pass tell neither what is nor what was."""
    may_show_after = row.candidate_id in passed
    may_show_before = may_show_after and (row.predecessor_id is None or row.predecessor_id in passed)
    for one in delta.operations:
        yield ChangedField(
            bridge=row.bridge,
            field=one.pointer,
            operation=one.op,
            cause=one.cause,
            before=_before(one) if may_show_before else NOT_SHOWN,
            after=_after(one) if may_show_after else NOT_SHOWN,
        )


def _before(operation: Operation) -> str:
    return "" if operation.op == "add" else _text(operation.old)


def _after(operation: Operation) -> str:
    return "" if operation.op == "remove" else _text(operation.new)


def _text(value: Any) -> str:  # noqa: ANN401 - any package value
    text = value if isinstance(value, str) else canonical_bytes(value).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
