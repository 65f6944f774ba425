"""Profiles: the disclosure profiles that were loaded, and which one a bridge is rendered with."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from dagster_project.errors import IntegrityViolation
from dagster_project.store.tables import profile_assignments, profiles
from dagster_project.store.transaction import Transaction, first_row, insert_new

ALL_INCIDENTS: Final = ""


@dataclass(frozen=True, kw_only=True)
class NewProfile:
    """A loaded profile; its digest is that of its canonical form."""

    profile_digest: str
    name: str
    channel: str
    state: str
    loaded_at: datetime


@dataclass(frozen=True, kw_only=True)
class ProfileRow(NewProfile):
    """A stored profile; its body is a sealed blob."""

    body_digest: str


def add_profile(transaction: Transaction, new: NewProfile, *, body: bytes) -> None:
    """Store a profile, once: an edit is another profile.

    Raises:
        IntegrityViolation: a profile of this digest is there with another body.
    """
    body_digest = transaction.put_sealed(body)
    if insert_new(transaction, profiles, {**vars(new), "body_digest": body_digest}) is not None:
        return
    stored = find_profile(transaction, new.profile_digest)
    if stored is None or stored.body_digest != body_digest:
        raise IntegrityViolation(
            "profile_differs",
            what="a profile of this digest is stored with other bytes",
            where=f"profile {new.profile_digest}",
            what_to_do="Run `channelsafe verify`, and restore from a backup what it lists.",
        )


def find_profile(transaction: Transaction, profile_digest: str) -> ProfileRow | None:
    """Return one profile, or None; its body is at `Transaction.get_sealed(row.body_digest)`."""
    row = first_row(transaction, sa.select(profiles).where(profiles.c.profile_digest == profile_digest))
    return None if row is None else ProfileRow(**row)


def assign_profile(
    transaction: Transaction, *, bridge: str, profile_digest: str, at: datetime, incident: str = ALL_INCIDENTS
) -> None:
    """Say that a bridge is rendered with a stored profile from now on, for one incident or for all.

    Raises:
        ChannelsafeError: there is no such profile.
    """
    statement = sa.insert(profile_assignments).values(
        incident=incident, bridge=bridge, profile_digest=profile_digest, assigned_at=at
    )
    transaction.connection.execute(statement)


def assigned_profiles(transaction: Transaction, incidents: Collection[str]) -> dict[tuple[str, str], str]:
    """Return the digests of the profiles assigned to (incident, bridge), for `incidents` and for all incidents.

    Among equals the latest wins.
    """
    columns = profile_assignments.c
    wanted = sa.select(columns.incident, columns.bridge, columns.profile_digest)
    statement = wanted.where(columns.incident.in_([*incidents, ALL_INCIDENTS])).order_by(columns.assignment_id)
    return {(incident, bridge): digest for incident, bridge, digest in transaction.connection.execute(statement)}


def all_assigned_profiles(transaction: Transaction) -> dict[tuple[str, str], str]:
    """Return the digests of the profiles assigned to (incident, bridge) anywhere; among equals the latest wins."""
    columns = profile_assignments.c
    statement = sa.select(columns.incident, columns.bridge, columns.profile_digest).order_by(columns.assignment_id)
    return {(incident, bridge): digest for incident, bridge, digest in transaction.connection.execute(statement)}


def assigned_profile(transaction: Transaction, *, incident: str, bridge: str) -> str | None:
    """Return the digest of the profile that a bridge is rendered with, or None.

    An assignment to the incident outranks one to all incidents.
    """
    assigned = assigned_profiles(transaction, [incident])
    return assigned.get((incident, bridge)) or assigned.get((ALL_INCIDENTS, bridge))
