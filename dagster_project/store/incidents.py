"""Incidents: which have pending changes, and which subjects feed them.

Belongs here: registration, revisions and subjects. Events only raise the revision; a refresh re-reads the log and
sets the observed revision, as a Kubernetes controller does.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from dagster_project.errors import IntegrityViolation
from dagster_project.store.chunks import chunks
from dagster_project.store.tables import incident_subjects, incidents
from dagster_project.store.transaction import Transaction, insert_missing, insert_rows

_COLUMNS: Final = incidents.c


@dataclass(frozen=True, kw_only=True)
class IncidentRow:
    """An incident and its pending change: there is one where `revision` is above `observed_revision`.

    `severity_one` is what its own records last said; `urgent` is a pending change that goes before others.
    """

    incident: str
    revision: int
    observed_revision: int
    pending_since: datetime | None
    urgent: bool
    registered_at: datetime
    severity_one: bool = False


def raise_revision(transaction: Transaction, names: Iterable[str], *, at: datetime, urgent: Iterable[str] = ()) -> None:
    """Say that the records of incidents moved; an unknown incident is registered by this.

    Args:
        transaction: A writing transaction, the one that admitted the records.
        names: The incidents concerned.
        at: When; the first instant of a pending change stays.
        urgent: Those that are refreshed first even where they are not of severity one; urgent stays until observed.
    """
    first = set(urgent)
    for chunk in chunks(sorted({*names, *first})):
        known = find_incidents(transaction, chunk)
        _register(transaction, [name for name in chunk if name not in known], at)
        statement = sa.update(incidents).where(_COLUMNS.incident.in_(chunk))
        transaction.connection.execute(
            statement.values(
                revision=_COLUMNS.revision + 1,
                pending_since=sa.func.coalesce(
                    _COLUMNS.pending_since, sa.bindparam("at", at, _COLUMNS.pending_since.type)
                ),
                urgent=sa.or_(_COLUMNS.urgent, _COLUMNS.severity_one, _COLUMNS.incident.in_(first & set(chunk))),
            )
        )


def _register(transaction: Transaction, names: Sequence[str], at: datetime) -> None:
    values = {"revision": 0, "observed_revision": 0, "urgent": False, "severity_one": False, "registered_at": at}
    insert_rows(transaction, incidents, [{"incident": name, **values} for name in names])
    insert_rows(transaction, incident_subjects, [{"incident": name, "subject": name} for name in names])


def set_severity_one(transaction: Transaction, is_severity_one: Mapping[str, bool]) -> None:
    """Remember of registered incidents, by name, whether they are of severity one."""
    for answer in (True, False):
        for chunk in chunks(name for name, said in is_severity_one.items() if said is answer):
            statement = sa.update(incidents).where(_COLUMNS.incident.in_(chunk), _COLUMNS.severity_one != answer)
            transaction.connection.execute(statement.values(severity_one=answer))


def pending_incidents(transaction: Transaction, *, limit: int) -> list[IncidentRow]:
    """Return up to `limit` incidents with a pending change: urgent first, then longest pending, then by name."""
    statement = (
        sa.select(incidents)
        .where(_COLUMNS.revision > _COLUMNS.observed_revision)
        .order_by(_COLUMNS.urgent.desc(), _COLUMNS.pending_since, _COLUMNS.incident)
        .limit(limit)
    )
    return [IncidentRow(**row) for row in transaction.connection.execute(statement).mappings()]


@dataclass(frozen=True)
class PendingCount:
    """How many incidents have a pending change, which of them for too long, and since when the oldest waits."""

    waiting: int
    overdue: tuple[str, ...]
    oldest: datetime | None


def count_pending(transaction: Transaction, *, overdue_before: datetime) -> PendingCount:
    """Count the pending changes; those pending since before `overdue_before` are named, the oldest first."""
    pending = _COLUMNS.pending_since.is_not(None)
    counted = sa.select(sa.func.count(), sa.func.min(_COLUMNS.pending_since)).where(pending)
    waiting, oldest = transaction.connection.execute(counted).one()
    late = sa.select(_COLUMNS.incident).where(pending, _COLUMNS.pending_since < overdue_before)
    overdue = transaction.connection.execute(late.order_by(_COLUMNS.pending_since, _COLUMNS.incident)).scalars()
    return PendingCount(waiting, tuple(overdue), oldest)


def all_incidents(transaction: Transaction) -> list[IncidentRow]:
    """Return every registered incident by name."""
    statement = sa.select(incidents).order_by(_COLUMNS.incident)
    return [IncidentRow(**row) for row in transaction.connection.execute(statement).mappings()]


def find_incident(transaction: Transaction, incident: str) -> IncidentRow | None:
    """Return one incident, or None where it is not registered."""
    return find_incidents(transaction, [incident]).get(incident)


def find_incidents(transaction: Transaction, names: Sequence[str]) -> dict[str, IncidentRow]:
    """Return the registered incidents among `names`, by name."""
    statement = sa.select(incidents).where(_COLUMNS.incident.in_(names))
    return {row["incident"]: IncidentRow(**row) for row in transaction.connection.execute(statement).mappings()}


def set_observed(transaction: Transaction, observed: Mapping[str, int]) -> None:
    """Say that refreshes have observed these revisions, by incident. It never lowers what was observed.

    Raises:
        IntegrityViolation: there is no such incident, or it never had this revision.
    """
    stored = find_incidents(transaction, list(observed))
    for incident, revision in observed.items():
        if incident not in stored or revision > stored[incident].revision:
            raise IntegrityViolation(
                "revision_unknown",
                what=f"revision {revision} was observed but never raised",
                where=f"incident {incident}",
                what_to_do="Refresh the incident again; if it stays, the database was restored to an earlier state.",
            )
    caught_up = _COLUMNS.revision == sa.bindparam("seen")
    statement = (
        sa.update(incidents)
        .where(_COLUMNS.incident == sa.bindparam("name"), _COLUMNS.observed_revision < sa.bindparam("seen"))
        .values(
            observed_revision=sa.bindparam("seen"),
            pending_since=sa.case((caught_up, sa.null()), else_=_COLUMNS.pending_since),
            urgent=sa.and_(_COLUMNS.urgent, sa.not_(caught_up)),
        )
    )
    rows = [{"name": incident, "seen": revision} for incident, revision in observed.items()]
    if rows:
        transaction.connection.execute(statement, rows)


def link_subjects(transaction: Transaction, links: Iterable[tuple[str, str]]) -> None:
    """Say that subjects feed registered incidents: (incident, subject), each once; those that are there stay."""
    rows = [{"incident": incident, "subject": subject} for incident, subject in sorted(set(links))]
    insert_missing(transaction, incident_subjects, rows)


def link_to_every_incident(transaction: Transaction, subject: str) -> None:
    """Say that `subject` feeds every incident that is registered now."""
    columns = incident_subjects.c
    linked = sa.exists().where(columns.incident == _COLUMNS.incident, columns.subject == subject)
    missing = sa.select(_COLUMNS.incident, sa.literal(subject, columns.subject.type)).where(sa.not_(linked))
    transaction.connection.execute(sa.insert(incident_subjects).from_select(["incident", "subject"], missing))


def subjects_of(transaction: Transaction, incident: str) -> list[str]:
    """Return the subjects that feed an incident, itself included, sorted."""
    return subjects_of_each(transaction, [incident])[incident]


def subjects_of_each(transaction: Transaction, names: Sequence[str]) -> dict[str, list[str]]:
    """Return for each of these incidents the subjects that feed it, itself included, sorted."""
    columns = incident_subjects.c
    statement = sa.select(columns.incident, columns.subject).where(columns.incident.in_(names))
    found: dict[str, list[str]] = {name: [] for name in names}
    for incident, subject in transaction.connection.execute(statement.order_by(columns.subject)):
        found[incident].append(subject)
    return found


def incidents_fed_by(transaction: Transaction, subjects: Collection[str]) -> list[str]:
    """Return the incidents that any of `subjects` feeds, sorted."""
    columns = incident_subjects.c
    found: set[str] = set()
    for chunk in chunks(subjects):
        statement = sa.select(columns.incident).where(columns.subject.in_(chunk))
        found.update(transaction.connection.execute(statement).scalars())
    return sorted(found)
