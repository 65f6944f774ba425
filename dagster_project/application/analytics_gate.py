"""Who passed, for analytics: read from stored bytes, never from a flag.

Belongs here: judging stored candidates by their internal manifests and release checks before anything of them is
copied. A stored body that does not verify, or a manifest without the passed check that it names, stops the
publication: a projection of a damaged store would spread the damage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dagster_project.application.checks import is_open
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import parse_strict
from dagster_project.packaging.manifest import InternalManifest, read_manifest
from dagster_project.packaging.release_check import ReleaseCheck, read_release_check
from dagster_project.store import gates
from dagster_project.store.candidates import CandidateRow
from dagster_project.store.gates import ManifestRow, ReleaseCheckRow
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class StoredCheck:
    """A release check as its row and as its verified body say it."""

    row: ReleaseCheckRow
    check: ReleaseCheck


@dataclass(frozen=True)
class StoredManifest:
    """An internal manifest as its row and as its verified body say it."""

    row: ManifestRow
    manifest: InternalManifest


@dataclass(frozen=True)
class Gate:
    """What stands between one candidate and a reader: its checks, oldest first, and its manifest if there is one."""

    checks: tuple[StoredCheck, ...]
    manifest: StoredManifest | None

    @property
    def passed(self) -> bool:
        """Whether there is a manifest, and the latest check passed too: a later failure closes the gate again."""
        return self.manifest is not None and self.checks[-1].check.passed


def read_gates(transaction: Transaction, rows: Sequence[CandidateRow]) -> dict[int, Gate]:
    """Read the gates of candidates from verified bytes, by candidate.

    Raises:
        IntegrityViolation: a body or row is not what was stored, or a manifest stands without its passed check.
    """
    numbers = [row.candidate_id for row in rows]
    checks = gates.release_checks_by_candidate(transaction, numbers)
    manifests = gates.find_manifests(transaction, numbers)
    every = [check for one in checks.values() for check in one]
    # Reasons are told by the check's own body too; theirs is read because what is stored must verify.
    bodies = transaction.get_all_sealed(
        [
            *(check.check_body_digest for check in every),
            *(check.reasons_digest for check in every if check.reasons_digest is not None),
            *(manifest.body_digest for manifest in manifests.values()),
        ]
    )
    return {
        row.candidate_id: _gate(row, checks.get(row.candidate_id, ()), manifests.get(row.candidate_id), bodies)
        for row in rows
    }


def _gate(
    row: CandidateRow, stored: Sequence[ReleaseCheckRow], manifest: ManifestRow | None, bodies: Mapping[str, bytes]
) -> Gate:
    checks = tuple(_checked(row, one, bodies[one.check_body_digest]) for one in stored)
    return Gate(checks, None if manifest is None else _passed_by(row, manifest, bodies[manifest.body_digest], checks))


def _checked(row: CandidateRow, stored: ReleaseCheckRow, body: bytes) -> StoredCheck:
    check = read_release_check(parse_strict(body))
    told = (stored.passed, stored.content_digest, stored.bridge, stored.valid_until, stored.check_digest)
    same = (check.passed, row.content_digest, row.bridge, check.valid_until, stored.check_body_digest)
    if told != same or check.content_digest != row.content_digest:
        raise differs("release_check_differs", row)
    return StoredCheck(stored, check)


def _passed_by(row: CandidateRow, stored: ManifestRow, body: bytes, checks: tuple[StoredCheck, ...]) -> StoredManifest:
    manifest = read_manifest(parse_strict(body))
    names_this = (manifest.candidate_id, manifest.content_digest) == (str(row.candidate_id), row.content_digest)
    if not names_this or stored.manifest_digest != stored.body_digest:
        raise differs("manifest_differs", row)
    named = [one for one in checks if one.row.check_id == stored.check_id]
    if not named or named[0].row.check_digest != manifest.release_check_digest:
        raise differs("manifest_without_passed_check", row)
    if not is_open(named[0].check, row, row.evaluation_instant):
        raise differs("manifest_without_passed_check", row)
    return StoredManifest(stored, manifest)


def differs(code: str, row: CandidateRow) -> IntegrityViolation:
    """Return the error that stops a publication over one candidate."""
    return IntegrityViolation(
        code,
        what="what is stored of a candidate contradicts itself, so nothing was published",
        where=f"{row.incident}/{row.bridge}/{row.ordinal}",
        what_to_do="Run `channelsafe verify`, and restore from a backup what it lists; then publish again.",
    )
