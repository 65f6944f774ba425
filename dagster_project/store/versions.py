"""Versions of released packages, their states, and the signed indexes that publish them.

Belongs here: storing what a release, a pull or a withdrawal decided. Whether it may is the domain's question; that
numbers are gapless and one version is current, the database's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dagster_project.errors import IntegrityViolation
from dagster_project.store.release_tables import package_indexes, versions
from dagster_project.store.transaction import Transaction, first_row

_VERSIONS = versions.c
_INDEXES = package_indexes.c
_STORED = [column for column in _VERSIONS if column.name != "check_passed"]


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """One version of one bridge's package; all digests name stored bodies. `state` is its publication state."""

    incident: str
    bridge: str
    version: int
    supersedes: int | None
    package_id: str
    kind: str
    state: str
    candidate_id: int | None
    profile_digest: str
    content_digest: str
    lineage_digest: str
    payload_digest: str
    statement_digest: str
    manifest_digest: str
    valid_until: datetime
    as_of: datetime | None
    issued_at: datetime
    reaffirmed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class IndexRow:
    """A signed index; `published_at` is None until the published folder was read back with it."""

    package_id: str
    index_version: int
    incident: str
    bridge: str
    body_digest: str
    signed_at: datetime
    expires: datetime
    published_at: datetime | None = None


def add_version(transaction: Transaction, new: VersionRow) -> None:
    """Store the next version of a bridge.

    Raises:
        ChannelsafeError: it does not follow the one before, or another one is current.
    """
    transaction.connection.execute(sa.insert(versions).values(**vars(new), check_passed=True))


def versions_of(transaction: Transaction, incident: str, bridge: str) -> list[VersionRow]:
    """Return every version of a bridge's package, in order."""
    statement = sa.select(*_STORED).where(_VERSIONS.incident == incident, _VERSIONS.bridge == bridge)
    found = transaction.connection.execute(statement.order_by(_VERSIONS.version)).mappings()
    return [VersionRow(**row) for row in found]


def released_bridges(transaction: Transaction, incident: str) -> list[str]:
    """Return the bridges of an incident that have a version, by name."""
    statement = sa.select(_VERSIONS.bridge).where(_VERSIONS.incident == incident).distinct()
    return list(transaction.connection.execute(statement.order_by(_VERSIONS.bridge)).scalars())


def incidents_with_versions(transaction: Transaction, incidents: Collection[str]) -> list[str]:
    """Return those of these incidents of which anything was released, by name."""
    statement = sa.select(_VERSIONS.incident).where(_VERSIONS.incident.in_(sorted(incidents))).distinct()
    return list(transaction.connection.execute(statement.order_by(_VERSIONS.incident)).scalars())


def all_versions(transaction: Transaction) -> list[VersionRow]:
    """Return every version of every package, by incident, bridge and number."""
    ordered = sa.select(*_STORED).order_by(_VERSIONS.incident, _VERSIONS.bridge, _VERSIONS.version)
    return [VersionRow(**row) for row in transaction.connection.execute(ordered).mappings()]


def set_states(transaction: Transaction, incident: str, bridge: str, states: Mapping[int, str]) -> None:
    """Move versions to other states; what is current gives way first, so that there is never a second one.

    Raises:
        IntegrityViolation: there is no such version.
    """
    for version in sorted(states, key=lambda one: states[one] == "released"):
        where = (_VERSIONS.incident == incident, _VERSIONS.bridge == bridge, _VERSIONS.version == version)
        moved = transaction.connection.execute(sa.update(versions).where(*where).values(state=states[version]))
        if moved.rowcount != 1:
            raise IntegrityViolation(
                "version_missing",
                what="a version whose state moves is not there",
                where=f"version {version} of incident {incident}, bridge {bridge}",
                what_to_do="Run `channelsafe verify`, and restore from a backup what it lists.",
            )


def add_index(transaction: Transaction, new: IndexRow) -> None:
    """Store the next signed index of a package."""
    transaction.connection.execute(sa.insert(package_indexes).values(**vars(new)))


def latest_index(transaction: Transaction, package_id: str) -> IndexRow | None:
    """Return the newest index of a package, or None."""
    statement = sa.select(package_indexes).where(_INDEXES.package_id == package_id)
    row = first_row(transaction, statement.order_by(_INDEXES.index_version.desc()))
    return None if row is None else IndexRow(**row)


def indexes_of(transaction: Transaction, package_id: str) -> list[IndexRow]:
    """Return every index of a package, in order."""
    statement = sa.select(package_indexes).where(_INDEXES.package_id == package_id)
    found = transaction.connection.execute(statement.order_by(_INDEXES.index_version)).mappings()
    return [IndexRow(**row) for row in found]


def packages_to_publish(transaction: Transaction) -> list[str]:
    """Return the packages whose newest index the published folder does not show yet."""
    statement = sa.select(_INDEXES.package_id).where(_INDEXES.published_at.is_(None)).distinct()
    return list(transaction.connection.execute(statement.order_by(_INDEXES.package_id)).scalars())


def all_packages(transaction: Transaction) -> list[str]:
    """Return every package that has an index."""
    statement = sa.select(_INDEXES.package_id).distinct().order_by(_INDEXES.package_id)
    return list(transaction.connection.execute(statement).scalars())


def mark_published(transaction: Transaction, package_id: str, index_version: int, at: datetime) -> None:
    """Write down that the published folder was read back with this index; it overtakes those before it."""
    where = (_INDEXES.package_id == package_id, _INDEXES.index_version <= index_version)
    statement = sa.update(package_indexes).where(*where, _INDEXES.published_at.is_(None))
    transaction.connection.execute(statement.values(published_at=at))
