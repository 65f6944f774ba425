"""Verification: is every stored byte what was stored, and does every candidate follow from its pins.

Belongs here: reading everything back and making every candidate again. Byte for byte under the same renderer; under
another one the content is compared and the difference is said (invariant I6).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import msgspec

from dagster_project.application.checks import is_open, read_stored_check
from dagster_project.application.record_reading import read_records
from dagster_project.application.replaying import compare_with_pins
from dagster_project.application.version_verification import verify_version
from dagster_project.application.workspace import Workspace
from dagster_project.errors import ChannelsafeError, IntegrityViolation
from dagster_project.integrity.canonical import NotCanonical, parse_strict
from dagster_project.integrity.digests import digest_bytes
from dagster_project.packaging.manifest import read_manifest
from dagster_project.sources.record import reference_to
from dagster_project.store import gates, incidents, intake, records
from dagster_project.store.audit import entries_after
from dagster_project.store.body_account import account_for_bodies
from dagster_project.store.candidates import CandidateRow, candidates_of, load_snapshot
from dagster_project.store.chunks import chunks
from dagster_project.store.gates import ReleaseCheckRow
from dagster_project.store.intake import RejectedState
from dagster_project.store.open_items import items_of
from dagster_project.store.records import RecordRow
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, all_versions

# What a sound body raises where a row names it as something that it is not. Verification has to go on and say so.
_NOT_OF_ITS_KIND: Final = (NotCanonical, msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError)

_EVERY: Final = 2**31 - 1
_PAGE: Final = 1000
_One = TypeVar("_One")


@dataclass(frozen=True)
class Violation:
    """One thing that is not what was stored: what, and its error code. Digests and ids only."""

    where: str
    code: str


@dataclass(frozen=True)
class VerificationReport:
    """How much was verified, and what was not as stored.

    `unused_packs` were left by transactions that never committed: no harm. `other_renderer` counts candidates of
    earlier code.
    """

    bodies: int
    unused_packs: int
    records: int
    candidates: int
    versions: int
    other_renderer: int
    violations: tuple[Violation, ...]


def verify(workspace: Workspace, *, progress: Callable[[str], None]) -> VerificationReport:
    """Verify the whole deployment; `progress` is told of each candidate.

    Each body is verified where it lies, whether a row names it or not, and again as what a row takes it for.
    """
    with workspace.store.read() as transaction:
        account = account_for_bodies(transaction)
        violations = [Violation(where=fault.name, code=fault.code) for fault in account.faults]
        violations += _verified_each(_all_records(transaction), partial(_verify_records, transaction))
        violations += _verified_each(_named_bodies(transaction), transaction.get_all_sealed)
        candidates = others = 0
        for incident in incidents.all_incidents(transaction):
            for row in candidates_of(transaction, incident.incident):
                progress(f"{row.incident} {row.bridge} {row.ordinal}")
                candidates += 1
                others += int(row.renderer_digest != workspace.renderer.digest)
                violations += _verified(_name(row), partial(verify_candidate, workspace, transaction, row))
        released = all_versions(transaction)
        for version in released:
            progress(f"{version.incident} {version.bridge} version {version.version}")
            before = [one for one in released if _is_before(one, version)]
            where = f"{version.incident}/{version.bridge}/version {version.version}"
            violations += _verified(where, partial(verify_version, workspace, transaction, version, before))
        count = records.count_records(transaction)
    return VerificationReport(
        bodies=account.bodies,
        unused_packs=account.unused_packs,
        records=count,
        candidates=candidates,
        versions=len(released),
        other_renderer=others,
        violations=tuple(violations),
    )


def _is_before(one: VersionRow, other: VersionRow) -> bool:
    return (one.incident, one.bridge) == (other.incident, other.bridge) and one.version < other.version


def _name(row: CandidateRow) -> str:
    return f"{row.incident}/{row.bridge}/{row.ordinal}"


def _verified(where: str, action: Callable[[], object]) -> list[Violation]:
    try:
        action()
    except ChannelsafeError as error:
        return [Violation(where=where, code=error.code)]
    except _NOT_OF_ITS_KIND:
        return [Violation(where=where, code="body_not_of_its_kind")]
    return []


def _verified_each(
    named: Iterable[tuple[str, _One]], verify_all: Callable[[list[_One]], object]
) -> Iterator[Violation]:
    """Verify many at once; where that fails one by one, to say which it is."""
    for chunk in chunks(named):
        if _verified("", partial(verify_all, [one for _where, one in chunk])):
            for where, one in chunk:
                yield from _verified(where, partial(verify_all, [one]))


def _all_records(transaction: Transaction) -> Iterator[tuple[str, RecordRow]]:
    sequence = 0
    while page := records.records_after(transaction, sequence, limit=_PAGE):
        yield from ((f"record {row.sequence}", row) for row in page)
        sequence = page[-1].sequence


def _named_bodies(transaction: Transaction) -> Iterator[tuple[str, str]]:
    """Yield what else names a body: a body that is gone is found only by its name."""
    for state in RejectedState:
        for rejected in intake.rejected_inputs_in(transaction, state):
            yield f"rejected input {rejected.rejected_input_id}", rejected.body_digest
    for incident in incidents.all_incidents(transaction):
        for item in items_of(transaction, incident.incident):
            yield f"open item {item.open_item_id}", item.body_digest
    for entry in entries_after(transaction, 0, limit=_EVERY):
        yield f"audit entry {entry.sequence}", entry.details_digest


def _verify_records(transaction: Transaction, rows: Sequence[RecordRow]) -> None:
    for row, record in zip(rows, read_records(transaction, rows), strict=True):
        reference = reference_to(record)
        told = (*msgspec.structs.astuple(reference), record.type, record.subject, record.recordedtime)
        stored = (row.source, row.recordid, row.recordversion, row.data_digest, row.type, row.subject, row.recorded_at)
        if told != stored:
            raise _violation("record_row_differs", f"record {row.sequence}")


def _violation(code: str, where: str) -> IntegrityViolation:
    return IntegrityViolation(
        code,
        what="what is stored does not follow from what it was made of",
        where=where,
        what_to_do="Restore the store from a backup; `channelsafe verify` lists all that is affected.",
    )


def verify_candidate(workspace: Workspace, transaction: Transaction, row: CandidateRow) -> None:
    """Make a candidate again from its pins and compare it with what is stored; verify its checks and manifest.

    Raises:
        IntegrityViolation: a body or a row is not what was stored, or does not follow from the pins.
    """
    if digest_bytes(load_snapshot(transaction, row.snapshot_digest)) != row.snapshot_digest:
        raise _violation("snapshot_differs", _name(row))
    for digest in (row.content_digest, row.lineage_digest, row.delta_digest, row.annex_digest, row.view_digest):
        transaction.get_sealed(digest)
    for digest in parse_strict(transaction.get_sealed(row.view_digest)).values():
        transaction.get_sealed(digest)
    report = compare_with_pins(workspace, transaction, row)
    for part, equal in report.equal.items():
        if not equal and (report.same_renderer or part == "content"):
            raise _violation(f"{part}_not_reproduced", _name(row))
    _verify_gates(transaction, row)


def _verify_gates(transaction: Transaction, row: CandidateRow) -> None:
    checks = gates.release_checks_of(transaction, row.candidate_id)
    for stored in checks:
        _verify_check(transaction, row, stored)
    manifest_row = gates.find_manifest(transaction, row.candidate_id)
    if manifest_row is None:
        return
    body = transaction.get_sealed(manifest_row.body_digest)
    manifest = read_manifest(parse_strict(body))
    named = [one for one in checks if one.check_digest == manifest.release_check_digest]
    if digest_bytes(body) != manifest_row.manifest_digest or manifest.content_digest != row.content_digest:
        raise _violation("manifest_differs", _name(row))
    if not named or not is_open(read_stored_check(transaction, named[0]), row, row.evaluation_instant):
        raise _violation("manifest_without_passed_check", _name(row))


def _verify_check(transaction: Transaction, row: CandidateRow, stored: ReleaseCheckRow) -> None:
    check = read_stored_check(transaction, stored)
    told = (check.passed, check.content_digest, check.valid_until, check.bridge)
    if told != (stored.passed, stored.content_digest, stored.valid_until, stored.bridge):
        raise _violation("release_check_differs", _name(row))
    if stored.check_digest != stored.check_body_digest or check.content_digest != row.content_digest:
        raise _violation("release_check_differs", _name(row))
    if stored.reasons_digest is not None:
        transaction.get_sealed(stored.reasons_digest)
