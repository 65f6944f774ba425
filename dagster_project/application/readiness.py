"""Readiness: gathering, for every bridge, the facts by which `review.readiness` says what would stop a release tonight.

Belongs here: reading records, profiles, trust, keys and decisions as they are now. Nothing is written, and no rule is
here. A bridge is asked for each incident that opens it, and once for an incident that nobody declared yet.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dagster_project.application.gathering import pin
from dagster_project.application.pinned import require_incident
from dagster_project.application.profile_approval import profile_standing
from dagster_project.application.profiles import EVERY_BRIDGE, profile_for
from dagster_project.application.record_reading import read_records
from dagster_project.application.review_state import is_reviewable, taken_decisions
from dagster_project.application.standing import OVERDUE_AFTER
from dagster_project.application.trust import trust_chain
from dagster_project.application.workspace import Workspace
from dagster_project.errors import Unavailable, UsageError
from dagster_project.integrity.trust import SERVICES, Trust
from dagster_project.packaging.context import BridgeFacts, ProfileTables, RenderingContext, bridges_of
from dagster_project.packaging.snapshot import Snapshot, build_snapshot
from dagster_project.review.history import active_holds
from dagster_project.review.readiness import (
    Obstacle,
    People,
    ProfileFacts,
    Standings,
    anchor_obstacles,
    contract_obstacles,
    key_obstacles,
    profile_obstacles,
    recorders_of,
    staffing_obstacles,
    standing_obstacles,
    trust_obstacles,
    unmapped_obstacles,
)
from dagster_project.store.candidates import latest_candidate, latest_candidates
from dagster_project.store.incidents import IncidentRow, all_incidents
from dagster_project.store.profiles import assigned_profiles
from dagster_project.store.records import records_of_type
from dagster_project.store.signing_files import load_service_keys
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import all_versions

ANY_INCIDENT: Final = ""


@dataclass(frozen=True)
class StatedObstacle:
    """One obstacle: whether it stops a release tonight (else it warns), its code, what of, and what it means."""

    stops: bool
    code: str
    where: str
    meaning: str


@dataclass(frozen=True)
class BridgeReadiness:
    """What stands in the way of one bridge; `incident` is empty for one that is not declared yet.

    `profile_digest` is None where no profile is in use for it.
    """

    incident: str
    bridge: str
    profile_digest: str | None
    obstacles: tuple[StatedObstacle, ...]


@dataclass(frozen=True)
class Readiness:
    """What stands in the way at one instant: of every bridge, and of each."""

    at: datetime
    deployment: tuple[StatedObstacle, ...]
    bridges: tuple[BridgeReadiness, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing stops a release tonight."""
        every = [*self.deployment, *(found for one in self.bridges for found in one.obstacles)]
        return not any(one.stops for one in every)


def readiness(workspace: Workspace, incident: str | None = None, bridge: str | None = None) -> Readiness:
    """Return what would stop a release tonight.

    Args:
        workspace: The deployment.
        incident: Only of this one; None for all, and for one that is not declared yet.
        bridge: Only this one; None for all.

    Raises:
        UsageError: no record about the incident was ever admitted, or no bridge of this name is known there.
        UnsafeOrRejected: trust is demo trust, and the demo did not make this store.
    """
    now = workspace.clock.now()
    with workspace.store.read() as transaction:
        chain = trust_chain(transaction, workspace)
        trust = chain[-1].trust if chain else None
        asked = _Asked(workspace, transaction, trust, now)
        found = [one for one in _bridges(asked, incident) if bridge in {None, one.bridge}]
        if bridge is not None and not found:
            raise _unknown(bridge, incident)
        deployment = _deployment(workspace, trust, now)
    return Readiness(at=now, deployment=_stated(deployment), bridges=tuple(found))


def _unknown(bridge: str, incident: str | None) -> UsageError:
    return UsageError(
        "bridge_unknown",
        what="no contract on record, profile or version names this bridge",
        where=f"bridge {bridge}" if incident is None else f"bridge {bridge} of incident {incident}",
        what_to_do="See the bridges with `channelsafe readiness`.",
    )


def _stated(found: Collection[Obstacle]) -> tuple[StatedObstacle, ...]:
    ordered = sorted(found, key=lambda one: (not one.stops, one.code, one.where))
    return tuple(StatedObstacle(one.stops, one.code, one.where, one.meaning) for one in ordered)


def _deployment(workspace: Workspace, trust: Trust | None, now: datetime) -> list[Obstacle]:
    return [
        *trust_obstacles(None if trust is None else trust.expires, now),
        *key_obstacles(() if trust is None else _services_without_key(workspace, trust)),
        *anchor_obstacles(has_anchor=workspace.settings.anchor is not None),
    ]


def _services_without_key(workspace: Workspace, trust: Trust) -> list[str]:
    try:
        held = load_service_keys(workspace.settings.keys)
    except Unavailable:
        return [*SERVICES]
    return [
        service
        for service in SERVICES
        if not any(key.keyid in trust.service_keys(service) for key in held.get(service, ()))
    ]


@dataclass(frozen=True)
class _Asked:
    """What every bridge is judged by."""

    workspace: Workspace
    transaction: Transaction
    trust: Trust | None
    now: datetime

    @property
    def people(self) -> People:
        """Everybody who is trusted with a valid key, by role."""
        known = {} if self.trust is None else self.trust.people
        return People({name: frozenset(one.roles) for name, one in known.items() if one.valid_keys})


def _bridges(asked: _Asked, incident: str | None) -> Iterator[BridgeReadiness]:
    transaction = asked.transaction
    if incident is None:
        yield from _of_no_incident(asked)
        names = [one.incident for one in all_incidents(transaction)]
    else:
        names = [require_incident(transaction, incident).incident]
    told: dict[str, set[str]] = {}
    for place in (*latest_candidates(transaction, names), *((v.incident, v.bridge) for v in all_versions(transaction))):
        told.setdefault(place[0], set()).add(place[1])
    for pinned in pin(asked.workspace, transaction, names):
        yield from _of_incident(asked, pinned.row, pinned.snapshot, told.get(pinned.row.incident, set()))


def _of_no_incident(asked: _Asked) -> Iterator[BridgeReadiness]:
    """Judge what is on record of accounts: it is there before anything happens."""
    kinds = ("contract", "entitlement")
    rows = [row for kind in kinds for row in records_of_type(asked.transaction, kind)]
    snapshot = build_snapshot(ANY_INCIDENT, read_records(asked.transaction, rows))
    assigned = assigned_profiles(asked.transaction, [])
    opened = {one.bridge: one for one in bridges_of(snapshot)}
    named = {name for one in snapshot.heads if one.type == "contract" for name in one.data["bridges"]}
    orphaned = {bridge for _incident, bridge in assigned} - named - {EVERY_BRIDGE}
    for bridge in sorted({*opened, *orphaned}):
        yield _judged(asked, _Place(ANY_INCIDENT, bridge, snapshot, opened.get(bridge), assigned), ())


def _of_incident(
    asked: _Asked, row: IncidentRow, snapshot: Snapshot, told: Collection[str]
) -> Iterator[BridgeReadiness]:
    assigned = assigned_profiles(asked.transaction, [row.incident])
    opened = {one.bridge: one for one in bridges_of(snapshot)}
    for bridge in sorted({*opened, *told}):
        place = _Place(row.incident, bridge, snapshot, opened.get(bridge), assigned)
        yield _judged(asked, place, [*standing_obstacles(_standing(asked, row, bridge))])


@dataclass(frozen=True)
class _Place:
    """One bridge of an incident, with what is on record of it; `facts` is None where no contract opens it."""

    incident: str
    bridge: str
    snapshot: Snapshot
    facts: BridgeFacts | None
    assigned: Mapping[tuple[str, str], str]

    @property
    def profile_digest(self) -> str | None:
        """The profile that it is rendered with; None where none is in use."""
        try:
            return profile_for(self.assigned, incident=self.incident, bridge=self.bridge)
        except Unavailable:
            return None


def _judged(asked: _Asked, place: _Place, known: Sequence[Obstacle]) -> BridgeReadiness:
    digest, now = place.profile_digest, asked.now
    tables = None if digest is None else asked.workspace.shelf.tables(asked.transaction, digest)
    freshness = {} if tables is None else tables.profile.freshness_minutes
    found = [
        *known,
        *profile_obstacles(None if tables is None else _facts(asked, tables), now),
        *contract_obstacles(place.facts, freshness, now),
    ]
    if tables is not None:
        context = _context(asked, place, tables)
        found += [] if context is None else unmapped_obstacles(context)
        recorders = frozenset() if context is None else recorders_of(context)
        found += staffing_obstacles(tables.profile, asked.people, recorders)
    return BridgeReadiness(place.incident, place.bridge, digest, _stated(found))


def _facts(asked: _Asked, tables: ProfileTables) -> ProfileFacts:
    standing = profile_standing(asked.transaction, asked.workspace, tables.digest)
    return ProfileFacts(tables.profile.name, tables.profile.expires, standing.in_force)


def _context(asked: _Asked, place: _Place, tables: ProfileTables) -> RenderingContext | None:
    if place.facts is None:
        return None
    return RenderingContext(
        snapshot=place.snapshot,
        tables=tables,
        bridge=place.facts,
        evaluation_instant=asked.now,
        code_key=asked.transaction.keys.opaque_codes,
    )


def _standing(asked: _Asked, row: IncidentRow, bridge: str) -> Standings:
    transaction = asked.transaction
    taken = () if asked.trust is None else taken_decisions(transaction, asked.trust, row.incident, bridge)
    waiting_since = row.pending_since
    return Standings(
        has_candidate=latest_candidate(transaction, row.incident, bridge) is not None,
        passed_its_check=is_reviewable(transaction, row.incident, bridge),
        holds=len(active_holds([(one.row.decision_digest, one.decision) for one in taken])),
        refresh_overdue=waiting_since is not None and waiting_since < asked.now - OVERDUE_AFTER,
    )
