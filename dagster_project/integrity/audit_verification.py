"""Verification of the audit log: which entries are what was once signed or anchored, and which are not.

Belongs here: the rule, for the log in the store and for an exported one alike. It counts from what the log must agree
with (checkpoints, those in the anchor above all) and never from what entries are left, so that entries that are gone
are missed. Between two checkpoints each stretch is judged by itself: damage in one leaves the others provable.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from dagster_project.integrity.checkpoints import KeptCheckpoint
from dagster_project.integrity.merkle import CompactRange

RangeState: TypeAlias = Literal["anchored", "unanchored", "changed", "missing", "unproven"]
EMPTY: Final = CompactRange()


@dataclass(frozen=True, kw_only=True)
class LogCopy:
    """A log as it was found.

    Args:
        origin: The name that its checkpoints must bear.
        leaves: Sequence and leaf hash of every entry, in the order in which they were found.
        head: What the log itself says that it is; None where that is gone.
        checkpoints: The checkpoints found with it.
        anchored_size: The newest of them that it says was anchored; 0 where none was.
        faults: What could not even be read.
    """

    origin: str
    leaves: Sequence[tuple[int, bytes]]
    head: CompactRange | None
    checkpoints: Sequence[KeptCheckpoint]
    anchored_size: int = 0
    faults: Sequence["LogFault"] = ()


@dataclass(frozen=True)
class LogFault:
    """One thing that is not as it was: its code, and the first and last entry that it concerns."""

    code: str
    first: int
    last: int


@dataclass(frozen=True)
class LogRange:
    """Entries from `first` to `last` (inclusive) of one state.

    `anchored` ones agree with a checkpoint outside the reach of whoever can change the log. `unanchored` ones agree
    with what the log says of itself, which is no evidence against somebody who can change it. `changed` ones include at
    least one that is not what was written. `unproven` ones are there, and what they are to agree with is not.
    """

    first: int
    last: int
    state: RangeState


@dataclass(frozen=True)
class LogVerification:
    """What was found.

    Args:
        entries: How many entries are there.
        ranges: Every entry that there is or should be, in order.
        faults: What is not as it was; none of them is ever explained by a crash.
        signed_until: The newest sound checkpoint that a known audit key signed; 0 where there is none.
        anchored_until: The newest checkpoint in the anchor; 0 where there is none, or no anchor.
    """

    entries: int
    ranges: tuple[LogRange, ...]
    faults: tuple[LogFault, ...]
    signed_until: int
    anchored_until: int


def verify_log(log: LogCopy, *, anchored: Sequence[KeptCheckpoint], audit_keys: Mapping[str, bytes]) -> LogVerification:
    """Hold a log against its checkpoints and against those in the anchor, the first to the last.

    Args:
        log: The log.
        anchored: What the anchor holds, in its order; empty where there is no anchor.
        audit_keys: Every public key (32 bytes) that trust ever named for the service `audit`, by key id.
    """
    anchor = _sound(log.origin, anchored, audit_keys)
    own = _sound(log.origin, log.checkpoints, audit_keys)
    boundaries = {one.size: one.compact_range for one in (*own.kept, *anchor.kept)}
    anchored_until = max((one.size for one in anchor.kept), default=0)
    faults = [*log.faults, *_anchor_faults(log, anchored, anchor, own), *own.faults, *_order_faults(log)]
    segments = _Segments(dict(log.leaves), anchored_until)
    chain = _chain_of(boundaries, log.head)
    for start, end in pairwise(chain):
        segments.judge(start, end)
    segments.judge_rest(chain[-1])
    faults += [*segments.faults, *_head_faults(log, boundaries)]
    return LogVerification(
        entries=len(log.leaves),
        ranges=tuple(_merged(segments.ranges)),
        faults=tuple(_joined(faults)),
        signed_until=max(own.signed_until, anchor.signed_until),
        anchored_until=anchored_until,
    )


@dataclass(frozen=True)
class _Sound:
    """The checkpoints that may be believed, and what is wrong with the others."""

    kept: tuple[KeptCheckpoint, ...]
    faults: tuple[LogFault, ...]
    signed_until: int


def _sound(origin: str, checkpoints: Sequence[KeptCheckpoint], audit_keys: Mapping[str, bytes]) -> _Sound:
    kept: list[KeptCheckpoint] = []
    faults: list[LogFault] = []
    signed_until = 0
    for one in sorted(checkpoints, key=lambda one: one.size):
        fault = _signature_fault(origin, one, audit_keys, is_signed_before=signed_until > 0)
        if fault is not None:
            before = kept[-1].size if kept else 0
            faults.append(LogFault(fault, min(before + 1, one.size), one.size))
            continue
        kept.append(one)
        signed_until = one.size if one.is_signed else signed_until
    return _Sound(tuple(kept), tuple(faults), signed_until)


def _signature_fault(
    origin: str, one: KeptCheckpoint, audit_keys: Mapping[str, bytes], *, is_signed_before: bool
) -> str | None:
    if one.checkpoint.origin != origin:
        return "audit_checkpoint_of_another_log"
    if one.is_signed:
        return None if one.signed_by(audit_keys) else "audit_checkpoint_forged"
    # Before there was trust nobody could sign; afterwards nobody has a reason not to.
    return "audit_checkpoint_unsigned" if is_signed_before else None


def _anchor_faults(log: LogCopy, anchored: Sequence[KeptCheckpoint], anchor: _Sound, own: _Sound) -> Iterator[LogFault]:
    for fault in anchor.faults:
        yield LogFault(fault.code.replace("audit_checkpoint", "anchored_checkpoint"), fault.first, fault.last)
    for before, after in pairwise(anchored):
        if after.size < before.size:
            yield LogFault("anchor_out_of_order", after.size + 1, before.size)
        if after.size == before.size and after.note != before.note:
            common = max((one.size for one in anchor.kept if one.size < after.size), default=0)
            yield LogFault("audit_log_forked", common + 1, after.size)
    newest = max((one.size for one in anchor.kept), default=0)
    if newest < log.anchored_size:
        yield LogFault("anchor_rolled_back", newest + 1, log.anchored_size)
    notes = {one.size: one.note for one in own.kept}
    for before_size, one in _with_size_before(anchor.kept):
        if one.size not in notes:
            yield LogFault("audit_checkpoint_missing", min(before_size + 1, one.size), one.size)
        elif notes[one.size] != one.note:
            yield LogFault("audit_checkpoint_replaced", min(before_size + 1, one.size), one.size)


def _with_size_before(kept: Sequence[KeptCheckpoint]) -> Iterator[tuple[int, KeptCheckpoint]]:
    before = 0
    for one in kept:
        yield before, one
        before = one.size


def _order_faults(log: LogCopy) -> Iterator[LogFault]:
    """Yield what an honest log never has: entries out of order, twice, or before the first."""
    for (before, _), (after, _) in pairwise(log.leaves):
        if after == before:
            yield LogFault("audit_entries_twice", after, after)
        elif after < before:
            yield LogFault("audit_entries_reordered", after, before)
    for sequence, _leaf in log.leaves:
        if sequence < 1:
            yield LogFault("audit_entries_added", sequence, sequence)


def _head_faults(log: LogCopy, boundaries: Mapping[int, CompactRange]) -> Iterator[LogFault]:
    newest = max(boundaries, default=0)
    last = max((sequence for sequence, _leaf in log.leaves), default=0)
    if log.head is None:
        if last or newest:
            yield LogFault("audit_head_missing", 1, max(last, newest))
        return
    expected = max(newest, log.head.size)
    if last > expected:
        yield LogFault("audit_entries_added", expected + 1, last)
    if log.head.size < newest:
        yield LogFault("audit_log_rolled_back", log.head.size + 1, newest)
    elif log.head.size == newest and boundaries.get(newest, EMPTY) != log.head:
        before = max((size for size in boundaries if size < newest), default=0)
        yield LogFault("audit_head_differs", min(before + 1, newest), newest)


def _chain_of(boundaries: Mapping[int, CompactRange], head: CompactRange | None) -> list[CompactRange]:
    chain = [EMPTY, *(boundaries[size] for size in sorted(boundaries) if size)]
    if head is not None and head.size > chain[-1].size:
        chain.append(head)
    return chain


class _Segments:
    """The stretches between checkpoints, judged one by one."""

    def __init__(self, leaves: Mapping[int, bytes], anchored_until: int) -> None:
        self._leaves = leaves
        self._last = max(leaves, default=0)
        self._anchored_until = anchored_until
        self.ranges: list[LogRange] = []
        self.faults: list[LogFault] = []

    def judge(self, start: CompactRange, end: CompactRange) -> None:
        """Judge the entries after `start` until `end`."""
        numbers = range(start.size + 1, end.size + 1)
        missing = list(_stretches(number for number in numbers if number not in self._leaves))
        if missing:
            present = _stretches(number for number in numbers if number in self._leaves)
            self.faults += [self._missing(first, last) for first, last in missing]
            found = [LogRange(*one, "missing") for one in missing] + [LogRange(*one, "unproven") for one in present]
            self.ranges += sorted(found, key=lambda one: one.first)
        elif start.appended(self._leaves[number] for number in numbers) != end:
            self.faults.append(LogFault("audit_entries_changed", numbers[0], numbers[-1]))
            self.ranges.append(LogRange(numbers[0], numbers[-1], "changed"))
        else:
            state: RangeState = "anchored" if end.size <= self._anchored_until else "unanchored"
            self.ranges.append(LogRange(numbers[0], numbers[-1], state))

    def judge_rest(self, end: CompactRange) -> None:
        """Judge entries for which nothing speaks, not even the log itself."""
        if self._last > end.size:
            self.ranges.append(LogRange(end.size + 1, self._last, "unproven"))

    def _missing(self, first: int, last: int) -> LogFault:
        is_rolled_back = self._last < first and self._last < self._anchored_until
        return LogFault("audit_log_rolled_back" if is_rolled_back else "audit_entries_missing", first, last)


def _stretches(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last of each run of neighbours in ascending numbers."""
    first = last = None
    for number in numbers:
        if first is None or last is None:
            first = last = number
        elif number == last + 1:
            last = number
        else:
            yield first, last
            first = last = number
    if first is not None and last is not None:
        yield first, last


def _joined(faults: Iterable[LogFault]) -> Iterator[LogFault]:
    """Yield each fault once, in order; those of one code that touch as one."""
    joined: dict[str, list[LogFault]] = {}
    for one in sorted(faults, key=lambda one: (one.first, one.last)):
        same = joined.setdefault(one.code, [])
        if same and one.first <= same[-1].last + 1:
            same[-1] = LogFault(one.code, same[-1].first, max(same[-1].last, one.last))
        else:
            same.append(one)
    yield from sorted((one for same in joined.values() for one in same), key=lambda one: (one.first, one.code))


def _merged(ranges: Iterable[LogRange]) -> Iterator[LogRange]:
    """Yield neighbours of one state as one range."""
    open_range: LogRange | None = None
    for one in ranges:
        if open_range is not None and open_range.state == one.state:
            open_range = LogRange(open_range.first, one.last, one.state)
        else:
            if open_range is not None:
                yield open_range
            open_range = one
    if open_range is not None:
        yield open_range
