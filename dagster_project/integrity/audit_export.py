"""The export of an audit log: what somebody gets who is to judge it without the store.

Belongs here: its lines and reading them strictly. One JSON object a line, canonical and sorted: first what the log
says that it is, then the entries, then the checkpoints. Damage inside is left for `audit_verification` to name. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.audit_entries import AuditEntry, entry_document
from dagster_project.integrity.audit_verification import LogCopy, LogFault
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.checkpoints import KeptCheckpoint, kept_document, kept_from
from dagster_project.integrity.merkle import CompactRange, leaf_hash

EXPORT_FORMAT: Final = "channelsafe-audit-export/1"


def export_lines(
    origin: str,
    head: CompactRange | None,
    entries: Iterable[tuple[int, AuditEntry | None]],
    checkpoints: Iterable[KeptCheckpoint],
) -> Iterator[bytes]:
    """Yield the lines of an export, each with its end; an entry that cannot be read is told by its sequence alone."""
    told = None if head is None else {"size": head.size, "hashes": [one.hex() for one in head.hashes]}
    yield _line({"format": EXPORT_FORMAT, "origin": origin, "head": told})
    for sequence, entry in entries:
        yield _line({"entry": {"sequence": sequence} if entry is None else entry_document(entry)})
    for kept in checkpoints:
        yield _line({"checkpoint": kept_document(kept)})


def read_export(content: bytes, *, faults: Sequence[LogFault] = ()) -> LogCopy:
    """Read an export made by anyone; `faults` are passed on with it.

    Raises:
        IntegrityViolation: a line is none of an export in its one form.
    """
    *lines, rest = content.split(b"\n")
    if not lines or rest:
        raise _unreadable(len(lines) + 1)
    documents = [_document(line, number) for number, line in enumerate(lines, start=1)]
    origin, head = _header_of(documents[0])
    leaves: list[tuple[int, bytes]] = []
    checkpoints: list[KeptCheckpoint] = []
    for number, document in enumerate(documents[1:], start=2):
        if document.keys() == {"entry"}:
            leaves.append(_leaf_of(document["entry"], number))
        elif document.keys() == {"checkpoint"}:
            checkpoints.append(_checkpoint_of(document["checkpoint"], number))
        else:
            raise _unreadable(number)
    return LogCopy(origin=origin, leaves=leaves, head=head, checkpoints=checkpoints, faults=faults)


def _line(document: object) -> bytes:
    return canonical_bytes(document) + b"\n"


def _document(line: bytes, number: int) -> dict[str, Any]:
    try:
        document = parse_strict(line)
        if isinstance(document, dict) and canonical_bytes(document) == line:
            return document
    except NotCanonical:
        pass  # refused below, together with what reads but has another form
    raise _unreadable(number)


def _header_of(document: dict[str, Any]) -> tuple[str, CompactRange | None]:
    if document.keys() != {"format", "origin", "head"} or document["format"] != EXPORT_FORMAT:
        raise _unreadable(1)
    told = document["head"]
    try:
        head = None if told is None else CompactRange(told["size"], tuple(map(bytes.fromhex, told["hashes"])))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _unreadable(1) from None
    if not isinstance(document["origin"], str):
        raise _unreadable(1)
    return document["origin"], head


def _leaf_of(entry: object, number: int) -> tuple[int, bytes]:
    sequence = entry.get("sequence") if isinstance(entry, dict) else None
    if type(sequence) is not int:  # a bool is an int too
        raise _unreadable(number)
    return sequence, leaf_hash(canonical_bytes(entry))


def _checkpoint_of(document: object, number: int) -> KeptCheckpoint:
    try:
        return kept_from(document)
    except IntegrityViolation:
        raise _unreadable(number) from None


def _unreadable(number: int) -> IntegrityViolation:
    return IntegrityViolation(
        "audit_export_unreadable",
        what="this is not an export of an audit log in its one form",
        where=f"line {number} of the export",
        what_to_do="Export it again with `channelsafe audit export`, and have it sent whole.",
    )
