"""Who passed, for analytics: read from stored bytes, never from a flag.

Belongs here: judging one stored candidate by its internal manifest and release checks before anything of it is
copied. A stored body that does not verify, or a manifest without the passed check that it names, stops the
publication: a projection of a damaged store would spread the damage.
"""

from dataclasses import dataclass

from dagster_project.application.checks import is_open, read_stored_check
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import parse_strict
from dagster_project.packaging.manifest import InternalManifest, read_manifest
from dagster_project.packaging.release_check import ReleaseCheck
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


def read_gate(transaction: Transaction, row: CandidateRow) -> Gate:
    """Read the gate of a candidate from verified bytes.

    Raises:
        IntegrityViolation: a body or row is not what was stored, or a manifest stands without its passed check.
    """
    checks = tuple(_read_check(transaction, row, one) for one in gates.release_checks_of(transaction, row.candidate_id))
    return Gate(checks=checks, manifest=_read_manifest(transaction, row, checks))


def _read_check(transaction: Transaction, row: CandidateRow, stored: ReleaseCheckRow) -> StoredCheck:
    check = read_stored_check(transaction, stored)
    if stored.reasons_digest is not None:
        transaction.get_sealed(stored.reasons_digest)
    told = (stored.passed, stored.content_digest, stored.bridge, stored.valid_until, stored.check_digest)
    same = (check.passed, row.content_digest, row.bridge, check.valid_until, stored.check_body_digest)
    if told != same or check.content_digest != row.content_digest:
        raise differs("release_check_differs", row)
    return StoredCheck(stored, check)


def _read_manifest(
    transaction: Transaction, row: CandidateRow, checks: tuple[StoredCheck, ...]
) -> StoredManifest | None:
    stored = gates.find_manifest(transaction, row.candidate_id)
    if stored is None:
        return None
    manifest = read_manifest(parse_strict(transaction.get_sealed(stored.body_digest)))
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
