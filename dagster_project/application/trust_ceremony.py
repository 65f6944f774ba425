"""The trust ceremony: how people change who is trusted.

Belongs here: making the next version, having it signed by one custodian after another, and adopting it once enough
have. Private keys of people are only read from the files they name, and may stay on machines of their own: a draft
can be signed where no deployment is. Rules are `integrity.trust_succession`.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import yaml

from dagster_project.application.trust import adopt, latest_trust, trust_chain
from dagster_project.application.trust_files import read_trust_file, write_new_trust_file, write_trust_file
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected, UsageError
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.signatures import SigningKey
from dagster_project.integrity.trust import SERVICES, Instant, Person, Trust, check_trust, read_trust
from dagster_project.integrity.trust_changes import (
    add_to_person,
    listed_keys,
    next_version,
    remove_person,
    replace_keys,
    replace_service_key,
    revoke_key,
    take_roles,
)
from dagster_project.integrity.trust_succession import (
    SignedTrust,
    missing_signers,
    read_draft,
    read_successor,
    sign_also,
    sign_trust,
    write_draft,
)
from dagster_project.store.signing_files import add_service_keys, create_person_key, load_person_key, new_signing_key
from dagster_project.store.transaction import Transaction


@dataclass(frozen=True)
class Terms:
    """How a change is made: who signs at once, where the draft goes until enough did, and what else is changed.

    Args:
        key_files: Files of custodians' private keys; may be none.
        draft: Where a draft is written; None for a name by version in the current folder.
        expires: When the next version expires; None for when this one does.
        threshold: How many custodians must sign from then on; None for as many as now.
    """

    key_files: Sequence[Path] = ()
    draft: Path | None = None
    expires: datetime | None = None
    threshold: int | None = None


@dataclass(frozen=True)
class CeremonyStep:
    """Where a change stands: adopted, or in a draft that at least `missing` more custodians must sign."""

    version: int
    trust_digest: str
    missing: int
    draft: Path | None


@dataclass(frozen=True)
class PublicPersonKey:
    """What a person tells the others of a new key."""

    person: str
    keyid: str
    public: str


class _WrittenPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    roles: tuple[str, ...] = ()
    custodian: bool = False
    keys: tuple[str, ...] = ()


class _PeopleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The YAML file that the first version is made of."""

    expires: Instant
    threshold: int
    people: dict[str, _WrittenPerson]


def make_person_key(person: str, path: Path) -> PublicPersonKey:
    """Make a person's private key in a new file, and return what may be told.

    Raises:
        Unavailable: there is such a file already, or it cannot be written.
    """
    key = create_person_key(path, person)
    return PublicPersonKey(person, key.keyid, key.public.hex())


def begin_trust(workspace: Workspace, people_file: Path, terms: Terms) -> CeremonyStep:
    """Make the first version of trust of a YAML file of people, with new keys for the services.

    Raises:
        UnsafeOrRejected: there is trust already, or this one could not hold; the code says why.
        Unavailable: a file cannot be read or written.
        UsageError: the file is not one of people.
    """
    written = _read_people(people_file)
    with workspace.store.begin() as transaction:
        if trust_chain(transaction, workspace):
            raise UnsafeOrRejected(
                "trust_exists",
                what="there is trust already; it is changed, never begun anew",
                where="the trust of this deployment",
                what_to_do="Change it with `channelsafe trust add`, `rotate`, `revoke` or `renew`.",
            )
        people = {
            name: Person(roles=tuple(sorted(one.roles)), custodian=one.custodian, keys=listed_keys(one.keys))
            for name, one in written.people.items()
        }
        services = {service: new_signing_key() for service in SERVICES}
        trust = Trust(
            deployment=secrets.token_hex(16),
            demo=False,
            version=1,
            expires=terms.expires or written.expires,
            threshold=terms.threshold or written.threshold,
            people=people,
            services={service: {key.keyid: key.public.hex()} for service, key in services.items()},
        )
        check_trust(trust)
        add_service_keys(workspace.settings.keys, services)
        return _sign_and_adopt(workspace, transaction, trust, None, terms)


def add_person(
    workspace: Workspace,
    person: str,
    terms: Terms,
    *,
    roles: Collection[str] = (),
    custodian: bool = False,
    publics: Sequence[str] = (),
) -> CeremonyStep:
    """Add a person, or give a known one further roles and public keys (64 hex digits); see `begin_trust`."""
    return _change(
        workspace,
        terms,
        lambda trust, _at: add_to_person(trust, person, roles=roles, custodian=custodian, publics=publics),
    )


def rotate_person(workspace: Workspace, person: str, publics: Sequence[str], terms: Terms) -> CeremonyStep:
    """Replace all keys of a person; see `begin_trust`."""
    return _change(workspace, terms, lambda trust, at: replace_keys(trust, person, publics, at))


def rotate_service(workspace: Workspace, service: str, terms: Terms) -> CeremonyStep:
    """Make a new key for a service and let it be the only one from adoption on; see `begin_trust`."""
    key = new_signing_key()

    def replaced(trust: Trust, _at: datetime) -> Trust:
        # Kept before it is named: a key that trust names and nobody holds would stop the service.
        add_service_keys(workspace.settings.keys, {service: key})
        return replace_service_key(trust, service, key.public)

    return _change(workspace, terms, replaced)


def revoke_person(workspace: Workspace, person: str, terms: Terms) -> CeremonyStep:
    """Revoke all keys of a person and take all roles; see `begin_trust`."""
    return _change(workspace, terms, lambda trust, at: remove_person(trust, person, at))


def revoke_person_key(workspace: Workspace, person: str, keyid: str, terms: Terms) -> CeremonyStep:
    """Revoke one key of a person; see `begin_trust`."""
    return _change(workspace, terms, lambda trust, at: revoke_key(trust, person, keyid, at))


def revoke_roles(workspace: Workspace, person: str, roles: Collection[str], terms: Terms) -> CeremonyStep:
    """Take roles from a person; see `begin_trust`."""
    return _change(workspace, terms, lambda trust, _at: take_roles(trust, person, roles))


def renew_trust(workspace: Workspace, terms: Terms) -> CeremonyStep:
    """Make a next version with another expiry or threshold alone; see `begin_trust`."""
    return _change(workspace, terms, lambda trust, _at: trust)


def sign_draft(draft: Path, key_files: Sequence[Path]) -> None:
    """Add signatures to a draft, in its file. Needs no deployment, so that a private key need not leave its machine.

    Raises:
        UnsafeOrRejected: it is no draft, or a key is nobody's in it.
        Unavailable: a file cannot be read or written.
    """
    signed = read_draft(read_trust_file(draft))
    keys = _load(key_files)
    _refuse_strangers(keys, read_trust(signed.internal))
    write_trust_file(draft, write_draft(sign_also(signed, keys)))


def adopt_draft(workspace: Workspace, draft: Path) -> CeremonyStep:
    """Adopt a draft if enough custodians signed it.

    Raises:
        UnsafeOrRejected: it cannot follow the version that holds now; the code says why.
        Unavailable: the file cannot be read.
    """
    signed = read_draft(read_trust_file(draft))
    with workspace.store.begin() as transaction:
        chain = trust_chain(transaction, workspace)
        return _adopt_if_signed(workspace, transaction, signed, chain[-1].trust if chain else None, draft)


def _change(workspace: Workspace, terms: Terms, change: Callable[[Trust, datetime], Trust]) -> CeremonyStep:
    with workspace.store.begin() as transaction:
        old = latest_trust(transaction, workspace)
        following = next_version(old, expires=terms.expires, threshold=terms.threshold)
        return _sign_and_adopt(workspace, transaction, change(following, workspace.clock.now()), old, terms)


def _sign_and_adopt(
    workspace: Workspace, transaction: Transaction, trust: Trust, old: Trust | None, terms: Terms
) -> CeremonyStep:
    check_trust(trust)
    keys = _load(terms.key_files)
    _refuse_strangers(keys, trust)
    signed = sign_trust(trust, keys)
    draft = terms.draft or Path(f"trust-version-{trust.version}.json")
    step = _adopt_if_signed(workspace, transaction, signed, old, draft)
    if step.missing:
        write_new_trust_file(draft, write_draft(signed))
    return step


def _adopt_if_signed(
    workspace: Workspace, transaction: Transaction, signed: SignedTrust, old: Trust | None, draft: Path
) -> CeremonyStep:
    trust = read_successor(old, signed)
    missing = missing_signers(old, trust, signed)
    if not missing:
        adopt(workspace, transaction, signed, old)
    return CeremonyStep(trust.version, digest_bytes(signed.internal.payload), missing, draft if missing else None)


def _load(key_files: Sequence[Path]) -> list[SigningKey]:
    return [load_person_key(path).key for path in key_files]


def _refuse_strangers(keys: Sequence[SigningKey], trust: Trust) -> None:
    """A revoked key may sign: the custodian whom a change removes can be one of those who decide it."""
    listed = {keyid for person in trust.people.values() for keyid in person.keys}
    strangers = sum(key.keyid not in listed for key in keys)
    if strangers:
        raise UnsafeOrRejected(
            "key_not_listed",
            what=f"{strangers} of the keys named are nobody's in this version of trust",
            where="--key",
            what_to_do="Name the key files of people who are in it; `channelsafe trust show` lists their key ids.",
        )


def _read_people(path: Path) -> _PeopleFile:
    try:
        return msgspec.convert(yaml.safe_load(read_trust_file(path)), _PeopleFile)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise UsageError(
            "people_file_unreadable",
            what=f"this is not a file of people ({type(error).__name__})",
            where=str(path),
            what_to_do="Write YAML with expires, threshold, and people: each with roles, custodian, and keys as "
            "`channelsafe keys person` prints them.",
        ) from error
