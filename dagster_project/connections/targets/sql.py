"""Targets as SQL tables of the support-systems database.

Belongs here: reading, probing and writing them under the promises of `closure.targets`. A write is one transaction: it
looks for the key, the fence and the version, changes the subject, logs the effect and keeps the receipt. So either all
of it happened or nothing did, and a probe by the key can tell. The tables are `support_systems`'.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from dagster_project.closure.disposition import Disposition
from dagster_project.closure.targets import (
    OutcomeUnknown,
    SubjectChanged,
    SubjectState,
    TargetFailure,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
    TargetUnavailable,
)
from dagster_project.connections.targets.forms import (
    FENCE_SUPERSEDED,
    FORMS,
    KEY_REUSED,
    SUBJECT_CHANGED,
    SUBJECT_UNKNOWN,
    TargetForm,
    is_name,
    readable,
    refusal_of,
    request_digest,
)
from dagster_project.connections.targets.support_systems import (
    SUBJECTS,
    archive_documents,
    case_reviews,
    effects,
    fences,
    receipts,
)
from dagster_project.errors import Unavailable
from dagster_project.store.engine import reading, writing

_UNREACHABLE = "database_unavailable"
_NO_COMMIT_ANSWER = "commit_without_answer"


class SqlTarget:
    """One target of the support-systems database."""

    def __init__(self, engine: Engine, form: TargetForm) -> None:
        self._engine = engine
        self._form = form
        self._table = SUBJECTS[form.name]

    @property
    def name(self) -> str:
        """The target's name."""
        return self._form.name

    def read(self, subject: str) -> SubjectState | None:
        """Return the fields and version of a subject; None where there is none.

        Raises:
            TargetUnavailable: the database cannot be reached.
        """
        if not is_name(subject):
            return None
        with _reading(self._engine) as connection:
            row = connection.execute(self._row(subject)).mappings().one_or_none()
        if row is None:
            return None
        # SQLAlchemy names the column "case" by a kind of str of its own.
        found = {str(name): value for name, value in row.items()}
        values = {field: found[field] for field in readable(self._form)}
        return SubjectState(subject=subject, version=str(row["version"]), values=values)

    def raise_fence(self, subject: str, fence: int) -> None:
        """Keep that a subject saw a fence, unless it saw a higher one.

        Raises:
            TargetUnavailable: the database could not be reached, or did not say that it was kept.
        """
        if not is_name(subject):
            return
        try:
            with _writing(self._engine) as connection:
                self._raise_fence(connection, subject, fence)
        except OutcomeUnknown as failure:
            raise TargetUnavailable(failure.code) from None

    def probe(self, key: str) -> TargetReceipt | None:
        """Return the receipt that was kept with a key; None where none was, so that no effect was committed.

        Raises:
            TargetUnavailable: the database cannot be reached.
        """
        if not is_name(key):
            return None
        with _reading(self._engine) as connection:
            kept = self._kept(connection, key)
        return kept[1] if kept else None

    def apply(self, request: TargetRequest) -> TargetReceipt:
        """Write the values in one transaction; of a known key return the receipt that it got.

        Raises:
            TargetRefused: one of `forms.REFUSALS`.
            SubjectChanged: the subject has another version than was expected.
            TargetUnavailable: the database could not be reached, and nothing was written.
            OutcomeUnknown: the connection broke while the transaction was being committed.
        """
        refusal = refusal_of(self._form, request)
        if refusal is not None:
            raise TargetRefused(refusal)
        with _writing(self._engine) as connection:
            outcome = self._write(connection, request)
        # Raised after the commit, which keeps a higher fence also where its request was not met.
        if isinstance(outcome, TargetFailure):
            raise outcome
        return outcome

    def _write(self, connection: Connection, request: TargetRequest) -> TargetReceipt | TargetFailure:
        kept = self._kept(connection, request.key)
        if kept is not None:
            digest, receipt = kept
            return receipt if digest == request_digest(request) else TargetRefused(KEY_REUSED)
        if not self._raise_fence(connection, request.subject, request.fence):
            return TargetRefused(FENCE_SUPERSEDED)
        version = self._change(connection, request)
        return self._keep(connection, request, version) if isinstance(version, int) else version

    def _kept(self, connection: Connection, key: str) -> tuple[str, TargetReceipt] | None:
        found = sa.select(receipts).where(receipts.c.target == self.name, receipts.c.key == key)
        row = connection.execute(found).one_or_none()
        if row is None:
            return None
        receipt = TargetReceipt(key=key, subject=row.subject, reference=row.reference, version=row.version)
        return row.request_digest, receipt

    def _raise_fence(self, connection: Connection, subject: str, fence: int) -> bool:
        """Keep the highest fence that a subject saw; False where this one is below it."""
        here = sa.and_(fences.c.target == self.name, fences.c.subject == subject)
        seen = connection.execute(sa.select(fences.c.fence).where(here)).scalar_one_or_none()
        if seen is None:
            row = {"target": self.name, "subject": subject, "fence": fence}
            connection.execute(sa.insert(fences).values(**row))
        elif fence > seen:
            connection.execute(sa.update(fences).where(here).values(fence=fence))
        return seen is None or fence >= seen

    def _change(self, connection: Connection, request: TargetRequest) -> int | TargetFailure:
        """Write the values; return the subject's new version, or why nothing was written."""
        current = connection.execute(self._row(request.subject)).one_or_none()
        if current is None:
            return self._open(connection, request)
        if request.expected_version not in {None, str(current.version)}:
            return SubjectChanged(SUBJECT_CHANGED)
        version: int = current.version + 1
        # People of that system may write at the same time, and they take none of our locks.
        unchanged = sa.and_(self._table.c.subject == request.subject, self._table.c.version == current.version)
        change = sa.update(self._table).where(unchanged).values(version=version, **request.values)
        return version if connection.execute(change).rowcount == 1 else SubjectChanged(SUBJECT_CHANGED)

    def _open(self, connection: Connection, request: TargetRequest) -> int | TargetFailure:
        if request.expected_version is not None:
            return SubjectChanged(SUBJECT_CHANGED)
        if not self._form.opens_subjects:
            return TargetRefused(SUBJECT_UNKNOWN)
        connection.execute(sa.insert(self._table).values(subject=request.subject, version=1, **request.values))
        return 1

    def _keep(self, connection: Connection, request: TargetRequest, version: int) -> TargetReceipt:
        logged = {"target": self.name, "key": request.key, "subject": request.subject, "version": str(version)}
        effect = sa.insert(effects).values(**logged).returning(effects.c.sequence)
        sequence = connection.execute(effect).scalar_one()
        reference = f"{self.name}-{sequence}"
        digest = request_digest(request)
        connection.execute(sa.insert(receipts).values(**logged, reference=reference, request_digest=digest))
        return TargetReceipt(key=request.key, subject=request.subject, reference=reference, version=str(version))

    def _row(self, subject: str) -> sa.Select[tuple[object, ...]]:
        return sa.select(self._table).where(self._table.c.subject == subject)


class SqlCaseReviewSystem:
    """The case-review system, as it is read; it is never written to from here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, case: str) -> Disposition | None:
        """Return the record of a case as it is now; None where there is none.

        Raises:
            TargetUnavailable: the database cannot be reached.
        """
        if not is_name(case):
            return None
        with _reading(self._engine) as connection:
            found = sa.select(case_reviews).where(case_reviews.c.case == case)
            row = connection.execute(found).mappings().one_or_none()
        # SQLAlchemy names the column "case" by a kind of str of its own, as the word is SQL's too.
        return _disposition({str(name): value for name, value in row.items()}) if row is not None else None


class SqlArchive:
    """The archive, as it is read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def digest_of(self, reference: str) -> str | None:
        """Return the digest of what a reference holds now; None where it holds nothing.

        Raises:
            TargetUnavailable: the database cannot be reached.
        """
        if not is_name(reference):
            return None
        with _reading(self._engine) as connection:
            found = sa.select(archive_documents.c.digest).where(archive_documents.c.reference == reference)
            return connection.execute(found).scalar_one_or_none()


def sql_targets(engine: Engine) -> Mapping[str, SqlTarget]:
    """Return all targets of a support-systems database by name."""
    return MappingProxyType({name: SqlTarget(engine, form) for name, form in FORMS.items()})


def _disposition(row: dict[str, object]) -> Disposition:
    references = {
        name: {"reference": row.pop(name), "digest": row.pop(f"{name}_digest")}
        for name in ("closure_packet", "internal_review_note")
    }
    return msgspec.convert({**row, **references}, Disposition)


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    try:
        with reading(engine) as connection:
            yield connection
    except Unavailable:
        raise TargetUnavailable(_UNREACHABLE) from None


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of which is known, when it fails, whether its commit had begun."""
    is_committing = False
    try:
        with writing(engine) as connection:
            yield connection
            is_committing = True
    except Unavailable:
        failure = OutcomeUnknown(_NO_COMMIT_ANSWER) if is_committing else TargetUnavailable(_UNREACHABLE)
        raise failure from None
