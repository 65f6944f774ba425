"""Gates: the release checks of candidates, and the internal manifests that only a passed check lets through.

Belongs here: storing what was checked and refusing a manifest without a passed check of the very same bytes.
Whether a check passes, and whether it still holds at an instant, is the domain's question.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from dagster_project.errors import IntegrityViolation, UnsafeOrRejected
from dagster_project.store.candidates import CandidateRow, find_candidates
from dagster_project.store.chunks import chunks
from dagster_project.store.tables import internal_manifests, release_checks
from dagster_project.store.transaction import Transaction, first_row, insert_missing

_CHECKS: Final = release_checks.c
_MANIFEST_COLUMNS: Final = [column for column in internal_manifests.c if column.name != "check_passed"]


@dataclass(frozen=True, kw_only=True)
class NewReleaseCheck:
    """A release check over exact bytes, to be added; its whole body is a sealed blob."""

    candidate_id: int
    check_digest: str
    content_digest: str
    snapshot_digest: str
    profile_digest: str
    predecessor_digest: str | None
    deny_list_digest: str
    bridge: str
    passed: bool
    check_body_digest: str
    evaluated_for: datetime
    valid_until: datetime | None
    created_at: datetime
    reasons_digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReleaseCheckRow(NewReleaseCheck):
    """A stored release check; the greatest `check_id` of a candidate is the latest."""

    check_id: int


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """An internal manifest, of one candidate and the release check that it passed; its body is a sealed blob."""

    manifest_digest: str
    candidate_id: int
    check_id: int
    incident: str
    bridge: str
    body_digest: str
    created_at: datetime


def add_release_checks(transaction: Transaction, news: Sequence[NewReleaseCheck]) -> list[int]:
    """Store release checks and return their ids in this order; one that is there already keeps its id.

    Raises:
        IntegrityViolation: one is not over the bytes of its candidate.
    """
    over = find_candidates(transaction, [new.candidate_id for new in news])
    for new in news:
        if new.candidate_id not in over or not _is_over(new, over[new.candidate_id]):
            raise IntegrityViolation(
                "check_of_other_bytes",
                what="a release check names other content, snapshot, profile or bridge than its candidate",
                where=f"candidate {new.candidate_id}",
                what_to_do="Refresh the incident again: it makes and checks a new candidate.",
            )
    insert_missing(transaction, release_checks, [vars(new) for new in news])
    columns = (_CHECKS.candidate_id, _CHECKS.check_digest, _CHECKS.check_id)
    found = transaction.connection.execute(sa.select(*columns).where(_CHECKS.candidate_id.in_(list(over))))
    ids = {(candidate, digest): check for candidate, digest, check in found}
    return [ids[new.candidate_id, new.check_digest] for new in news]


def latest_release_checks(transaction: Transaction, candidate_ids: Sequence[int]) -> dict[int, ReleaseCheckRow]:
    """Return the newest release check of each of these candidates that has one, by candidate."""
    newest = sa.select(sa.func.max(_CHECKS.check_id)).where(_CHECKS.candidate_id.in_(candidate_ids))
    statement = sa.select(release_checks).where(_CHECKS.check_id.in_(newest.group_by(_CHECKS.candidate_id)))
    found = transaction.connection.execute(statement).mappings()
    return {row["candidate_id"]: ReleaseCheckRow(**row) for row in found}


def latest_release_check(transaction: Transaction, candidate_id: int) -> ReleaseCheckRow | None:
    """Return the newest release check of a candidate, passed or failed, or None."""
    statement = sa.select(release_checks).where(_CHECKS.candidate_id == candidate_id)
    row = first_row(transaction, statement.order_by(_CHECKS.check_id.desc()))
    return None if row is None else ReleaseCheckRow(**row)


def release_checks_of(transaction: Transaction, candidate_id: int) -> list[ReleaseCheckRow]:
    """Return all release checks of a candidate, oldest first."""
    statement = sa.select(release_checks).where(_CHECKS.candidate_id == candidate_id)
    found = transaction.connection.execute(statement.order_by(_CHECKS.check_id)).mappings()
    return [ReleaseCheckRow(**row) for row in found]


def release_checks_by_candidate(
    transaction: Transaction, candidate_ids: Collection[int]
) -> dict[int, list[ReleaseCheckRow]]:
    """Return all release checks of these candidates, oldest first, by candidate; none of one without any."""
    found: dict[int, list[ReleaseCheckRow]] = {}
    for chunk in chunks(candidate_ids):
        statement = sa.select(release_checks).where(_CHECKS.candidate_id.in_(chunk)).order_by(_CHECKS.check_id)
        for row in transaction.connection.execute(statement).mappings():
            found.setdefault(row["candidate_id"], []).append(ReleaseCheckRow(**row))
    return found


def add_manifests(transaction: Transaction, news: Sequence[ManifestRow]) -> None:
    """Store the internal manifests of candidates, each once.

    Raises:
        UnsafeOrRejected: a candidate's latest release check is not the manifest's, or did not pass.
        IntegrityViolation: a candidate has another manifest already.
    """
    checks = latest_release_checks(transaction, [new.candidate_id for new in news])
    for new in news:
        check = checks.get(new.candidate_id)
        if check is None or check.check_id != new.check_id or not check.passed:
            raise UnsafeOrRejected(
                "release_check_not_passed",
                what="an internal manifest needs the latest release check of its candidate, passed",
                where=f"candidate {new.candidate_id}",
                what_to_do="Look at the reasons of the failed check; a corrected source or profile makes a new "
                "candidate.",
            )
    insert_missing(transaction, internal_manifests, [{**vars(new), "check_passed": True} for new in news])
    stored = find_manifests(transaction, [new.candidate_id for new in news])
    for new in news:
        if new.candidate_id not in stored or stored[new.candidate_id].manifest_digest != new.manifest_digest:
            raise IntegrityViolation(
                "manifest_differs",
                what="the candidate has another internal manifest already",
                where=f"candidate {new.candidate_id}",
                what_to_do="Run `channelsafe verify`; a manifest is never replaced.",
            )


def find_manifests(transaction: Transaction, candidate_ids: Sequence[int]) -> dict[int, ManifestRow]:
    """Return the internal manifests of these candidates that are there, by candidate."""
    statement = sa.select(*_MANIFEST_COLUMNS).where(internal_manifests.c.candidate_id.in_(candidate_ids))
    found = transaction.connection.execute(statement).mappings()
    return {row["candidate_id"]: ManifestRow(**row) for row in found}


def find_manifest(transaction: Transaction, candidate_id: int) -> ManifestRow | None:
    """Return the internal manifest of a candidate, or None."""
    return find_manifests(transaction, [candidate_id]).get(candidate_id)


def _is_over(check: NewReleaseCheck, candidate: CandidateRow) -> bool:
    return (check.content_digest, check.snapshot_digest, check.profile_digest, check.bridge) == (
        candidate.content_digest,
        candidate.snapshot_digest,
        candidate.profile_digest,
        candidate.bridge,
    )
