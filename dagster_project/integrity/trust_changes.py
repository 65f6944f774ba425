"""Trust changes: the next version of trust, made of the one that holds.

Belongs here: each single change as a function from trust to trust. Whether the result may be adopted is judged by
`trust` and `trust_succession` alone. Pure.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NoReturn

from msgspec.structs import replace

from dagster_project.errors import UsageError
from dagster_project.integrity.signatures import SEED_LENGTH, keyid_of
from dagster_project.integrity.trust import Person, PersonKey, Trust

NOBODY: Final = Person(roles=(), custodian=False, keys={})


def next_version(trust: Trust, *, expires: datetime | None, threshold: int | None) -> Trust:
    """Return the version after `trust`, with another expiry or threshold where one is named."""
    return replace(
        trust, version=trust.version + 1, expires=expires or trust.expires, threshold=threshold or trust.threshold
    )


def listed_keys(publics: Sequence[str]) -> dict[str, PersonKey]:
    """Return public keys (64 hex digits each) as a person's keys.

    Raises:
        UsageError: one is not a public key.
    """
    return {keyid_of(_public_bytes(public)): PersonKey(public.lower(), revoked_at=None) for public in publics}


def add_to_person(
    trust: Trust, person: str, *, roles: Collection[str], custodian: bool, publics: Sequence[str]
) -> Trust:
    """Give a person, new or known, further roles and keys; `custodian` makes one of who is none."""
    known = trust.people.get(person, NOBODY)
    return _with_person(
        trust,
        person,
        Person(
            roles=tuple(sorted({*known.roles, *roles})),
            custodian=known.custodian or custodian,
            # A key that is listed already stays as it is: nothing here makes a revoked one count again.
            keys={**listed_keys(publics), **known.keys},
        ),
    )


def replace_keys(trust: Trust, person: str, publics: Sequence[str], at: datetime) -> Trust:
    """Revoke all keys of a person and list new ones."""
    known = _known(trust, person)
    return _with_person(trust, person, replace(known, keys={**listed_keys(publics), **_revoked(known, known.keys, at)}))


def revoke_key(trust: Trust, person: str, keyid: str, at: datetime) -> Trust:
    """Revoke one key of a person.

    Raises:
        UsageError: no such person or key.
    """
    known = _known(trust, person)
    if keyid not in known.keys:
        _refuse("key_unknown", "the person has no key of this id")
    return _with_person(trust, person, replace(known, keys=_revoked(known, {keyid}, at)))


def take_roles(trust: Trust, person: str, roles: Collection[str]) -> Trust:
    """Take roles from a person.

    Raises:
        UsageError: no such person.
    """
    known = _known(trust, person)
    return _with_person(trust, person, replace(known, roles=tuple(one for one in known.roles if one not in roles)))


def remove_person(trust: Trust, person: str, at: datetime) -> Trust:
    """Revoke all keys of a person and take all roles; the name stays listed with what it once signed.

    Raises:
        UsageError: no such person.
    """
    known = _known(trust, person)
    return _with_person(trust, person, Person(roles=(), custodian=False, keys=_revoked(known, known.keys, at)))


def replace_service_key(trust: Trust, service: str, public: bytes) -> Trust:
    """Let one public key (32 bytes) be the only one of a service."""
    return replace(trust, services={**trust.services, service: {keyid_of(public): public.hex()}})


def _with_person(trust: Trust, name: str, person: Person) -> Trust:
    return replace(trust, people={**trust.people, name: person})


def _revoked(person: Person, keyids: Collection[str], at: datetime) -> dict[str, PersonKey]:
    """Return a person's keys with some of them revoked at an instant; what was revoked earlier keeps its own."""
    return {
        keyid: replace(key, revoked_at=at) if keyid in keyids and key.revoked_at is None else key
        for keyid, key in person.keys.items()
    }


def _known(trust: Trust, person: str) -> Person:
    if person not in trust.people:
        _refuse("person_unknown", "nobody of this name is in the trust")
    return trust.people[person]


def _public_bytes(public: str) -> bytes:
    try:
        key = bytes.fromhex(public)
    except ValueError:
        key = b""
    if len(key) != SEED_LENGTH or len(public) != 2 * SEED_LENGTH:
        _refuse("public_key_unreadable", f"a public key is {2 * SEED_LENGTH} hexadecimal digits")
    return key


def _refuse(code: str, what: str) -> NoReturn:
    raise UsageError(
        code,
        what=what,
        where="a change of trust",
        what_to_do="See people, keys and roles with `channelsafe trust show`; `channelsafe keys person` makes a key.",
    )
