"""The trust overview: what holds, for people to read, and the file for outsiders.

Belongs here: the typed answer and writing that file. Key ids and instants only: no key.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dagster_project.application.trust import latest_trust, public_trust_file, trust_chain
from dagster_project.application.trust_files import read_trust_file, write_trust_file
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.trust import SERVICES, Person, Trust, read_trust, trust_bytes
from dagster_project.integrity.trust_succession import read_draft

__all__ = [
    "SERVICES",
    "KeyOverview",
    "PersonOverview",
    "TrustOverview",
    "VersionOverview",
    "trust_in_draft",
    "trust_overview",
    "write_public_trust",
]


@dataclass(frozen=True)
class KeyOverview:
    """One key of a person, and when it was revoked."""

    keyid: str
    revoked_at: datetime | None


@dataclass(frozen=True)
class PersonOverview:
    """What one person may do."""

    person: str
    roles: tuple[str, ...]
    custodian: bool
    keys: tuple[KeyOverview, ...]


@dataclass(frozen=True)
class VersionOverview:
    """One adopted version."""

    version: int
    trust_digest: str
    adopted_at: datetime


@dataclass(frozen=True, kw_only=True)
class TrustOverview:
    """One version of trust; `expired` says whether it has, by the clock of the deployment, and `versions` is its past.

    Of a draft, which no deployment stands behind, `expired` is False and `versions` is empty.
    """

    deployment: str
    demo: bool
    version: int
    trust_digest: str
    expires: datetime
    expired: bool
    threshold: int
    people: tuple[PersonOverview, ...]
    services: dict[str, tuple[str, ...]]
    versions: tuple[VersionOverview, ...]


def trust_overview(workspace: Workspace) -> TrustOverview:
    """Return what holds in a deployment, expired or not.

    Raises:
        Unavailable: there is no trust yet.
        UnsafeOrRejected: it is demo trust, and the demo did not make this store.
        IntegrityViolation: a stored version is not what was adopted.
    """
    with workspace.store.read() as transaction:
        trust = latest_trust(transaction, workspace)
        chain = trust_chain(transaction, workspace)
    versions = tuple(VersionOverview(one.trust.version, one.trust_digest, one.adopted_at) for one in chain)
    return _overview(trust, expired=trust.expires <= workspace.clock.now(), versions=versions)


def trust_in_draft(draft: Path) -> TrustOverview:
    """Return what a draft says; needs no deployment.

    Raises:
        UnsafeOrRejected: it is no draft.
        Unavailable: the file cannot be read.
    """
    return _overview(read_trust(read_draft(read_trust_file(draft)).internal), expired=False, versions=())


def write_public_trust(workspace: Workspace, path: Path) -> None:
    """Write the file that outsiders verify with, in place of an older one.

    Raises:
        Unavailable: there is no trust yet, or the file cannot be written.
    """
    with workspace.store.read() as transaction:
        latest_trust(transaction, workspace)
        content = public_trust_file(trust_chain(transaction, workspace))
    write_trust_file(path, content)


def _overview(trust: Trust, *, expired: bool, versions: tuple[VersionOverview, ...]) -> TrustOverview:
    return TrustOverview(
        deployment=trust.deployment,
        demo=trust.demo,
        version=trust.version,
        trust_digest=digest_bytes(trust_bytes(trust)),
        expires=trust.expires,
        expired=expired,
        threshold=trust.threshold,
        people=tuple(_person(name, person) for name, person in sorted(trust.people.items())),
        services={service: tuple(sorted(trust.services[service])) for service in SERVICES},
        versions=versions,
    )


def _person(name: str, person: Person) -> PersonOverview:
    keys = tuple(KeyOverview(keyid, key.revoked_at) for keyid, key in sorted(person.keys.items()))
    return PersonOverview(name, person.roles, person.custodian, keys)
