"""Trust: who may decide and sign in one deployment, as one signed version says it.

Belongs here: the record, its two documents (one for inside with names, one for outsiders without), reading the inner
one strictly, and which people signed something. How one version follows another is `trust_succession`; how outsiders
follow the public documents is `public_trust`.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Final, NoReturn

import msgspec

from dagster_project.clock import format_instant
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.canonical import MAX_SAFE_INTEGER, NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.signatures import Envelope, keyid_of, signed_by
from dagster_project.packaging.vocabulary import REVIEW_ROLES

TRUST_TYPE: Final = "application/vnd.channelsafe.trust+json"
PUBLIC_TRUST_TYPE: Final = "application/vnd.channelsafe.public-trust+json"
TRUST_FORMAT: Final = "channelsafe-trust/1"
PUBLIC_TRUST_FORMAT: Final = "channelsafe-public-trust/1"
# Machines that sign: release statements, indexes, checkpoints of the audit log.
SERVICES: Final = ("release", "index", "audit")
# A single custodian could change trust alone; only the demo may have that.
LEAST_THRESHOLD: Final = 2

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# \Z and not $, which would let a line end follow.
PublicKey = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Counted = Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)]

_PERSON_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FIELD: Final = 2**255 - 19
_ORDER_EIGHT: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
# The heights of the eight points whose signatures anybody can make (RFC 8032, small order).
_WEAK_HEIGHTS: Final = frozenset({0, 1, _FIELD - 1, _ORDER_EIGHT, _FIELD - _ORDER_EIGHT})


class PersonKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key of a person (64 hex digits). A revoked key signs nothing any more, and stays listed."""

    public: PublicKey
    revoked_at: Instant | None


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one person may do: decide in `roles`, change trust as `custodian`; their keys by key id."""

    roles: tuple[str, ...]
    custodian: bool
    keys: dict[str, PersonKey]

    @property
    def valid_keys(self) -> dict[str, bytes]:
        """The public keys (32 bytes) that count, by key id."""
        return {keyid: bytes.fromhex(key.public) for keyid, key in self.keys.items() if key.revoked_at is None}


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of who is trusted in one deployment.

    Args:
        deployment: Opaque random id, the same in all versions.
        demo: Whether the demo made it; only the demo's own store accepts it then. The same in all versions.
        version: From 1, without gaps.
        expires: From this instant on it gives nobody a right any more.
        threshold: How many custodians must sign what follows.
        people: By person id.
        services: Public keys (64 hex digits) by service and key id; every service is named.
    """

    deployment: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
    demo: bool
    version: _Counted
    expires: Instant
    threshold: _Counted
    people: dict[str, Person]
    services: dict[str, dict[str, PublicKey]]

    @property
    def custodians(self) -> frozenset[str]:
        """The people who can sign a change of trust: custodians with a key that counts."""
        return frozenset(name for name, person in self.people.items() if person.custodian and person.valid_keys)

    def person_of(self, keyid: str) -> str | None:
        """Return whose key this is, or None where nobody has it or it was revoked."""
        return next((name for name, person in self.people.items() if keyid in person.valid_keys), None)

    def roles_of(self, person: str) -> frozenset[str]:
        """Return the roles of a person; none where nobody has that name."""
        return frozenset(self.people[person].roles) if person in self.people else frozenset()

    def service_keys(self, service: str) -> dict[str, bytes]:
        """Return the public keys (32 bytes) of a service by key id."""
        return {keyid: bytes.fromhex(public) for keyid, public in self.services[service].items()}


def people_who_signed(envelope: Envelope, trust: Trust) -> frozenset[str]:
    """Return the people with a key that counts in `trust` and signed the envelope; each once, however many keys."""
    owners = {keyid: (name, key) for name, person in trust.people.items() for keyid, key in person.valid_keys.items()}
    signed = signed_by(envelope, {keyid: key for keyid, (_, key) in owners.items()})
    return frozenset(owners[keyid][0] for keyid in signed)


def public_document(trust: Trust) -> dict[str, Any]:
    """Return what outsiders get: custodians' and services' keys, and no names.

    Who only reviews is not in it, and revoked keys are not: outsiders could do nothing with them.
    """
    custodians = {name: trust.people[name].valid_keys for name in trust.custodians}
    services = {service: trust.service_keys(service) for service in SERVICES}
    return {
        "format": PUBLIC_TRUST_FORMAT,
        "deployment": trust.deployment,
        "demo": trust.demo,
        "version": trust.version,
        "expires": format_instant(trust.expires),
        "threshold": trust.threshold,
        # By key id: an order by name would say something of the names.
        "custodians": sorted(sorted(keys) for keys in custodians.values()),
        "keys": {
            keyid: key.hex() for keys in (*custodians.values(), *services.values()) for keyid, key in keys.items()
        },
        "services": {service: sorted(keys) for service, keys in services.items()},
    }


def public_trust_bytes(trust: Trust) -> bytes:
    """Return the payload of the public document in its one form."""
    return canonical_bytes(public_document(trust))


def trust_document(trust: Trust) -> dict[str, Any]:
    """Return the document for inside; it names its public document by digest."""
    return {
        "format": TRUST_FORMAT,
        "deployment": trust.deployment,
        "demo": trust.demo,
        "version": trust.version,
        "expires": format_instant(trust.expires),
        "threshold": trust.threshold,
        "people": {name: _person_document(person) for name, person in trust.people.items()},
        "services": {service: dict(keys) for service, keys in trust.services.items()},
        "public_digest": digest_bytes(public_trust_bytes(trust)),
    }


def trust_bytes(trust: Trust) -> bytes:
    """Return the payload of the document for inside in its one form."""
    return canonical_bytes(trust_document(trust))


def _person_document(person: Person) -> dict[str, Any]:
    keys = {
        keyid: {
            "public": key.public,
            "revoked_at": None if key.revoked_at is None else format_instant(key.revoked_at),
        }
        for keyid, key in person.keys.items()
    }
    return {"roles": sorted(set(person.roles)), "custodian": person.custodian, "keys": keys}


def read_trust(envelope: Envelope) -> Trust:
    """Read the trust document in an envelope. Its signatures are `trust_succession`'s business.

    Raises:
        UnsafeOrRejected: another payload type or form, an unknown role or service, a key that is listed twice, under
            an id that is not its own or that anybody could sign for, or a threshold that nobody could meet.
    """
    trust = _parse(envelope.payload) if envelope.payload_type == TRUST_TYPE else None
    if trust is None:
        _refuse("trust_unreadable", "this is not a trust document of this format")
    check_trust(trust)
    # Compared last: only what is sound can be written again.
    if trust_bytes(trust) != envelope.payload:
        _refuse("trust_unreadable", "the trust document is not in its one form")
    return trust


def _parse(payload: bytes) -> Trust | None:
    try:
        document = parse_strict(payload)
        if document.pop("format") != TRUST_FORMAT:
            return None
        # Not kept: it follows from the rest, and the comparison with the form written again covers it.
        document.pop("public_digest")
        return msgspec.convert(document, Trust)
    except (NotCanonical, msgspec.ValidationError, AttributeError, LookupError, TypeError):
        return None


def check_trust(trust: Trust) -> None:
    """Refuse a trust that could not keep its promises, whoever signed it.

    Raises:
        UnsafeOrRejected: as `read_trust` says.
    """
    if not all(_PERSON_ID.fullmatch(name) for name in trust.people):
        _refuse("trust_person_id", "a person id is not of 1 to 64 lower-case letters, digits, dots, dashes, underlines")
    for person in trust.people.values():
        if not set(person.roles) <= set(REVIEW_ROLES):
            _refuse("trust_unknown_role", "a person has a role that is not known here")
    if set(trust.services) != set(SERVICES) or set(trust.people) & set(SERVICES):
        _refuse("trust_unknown_service", f"the services must be {', '.join(SERVICES)}, and no person has such a name")
    _check_keys(trust)
    least = 1 if trust.demo else LEAST_THRESHOLD
    if not least <= trust.threshold <= len(trust.custodians):
        _refuse(
            "trust_threshold_impossible",
            f"the threshold is {trust.threshold}, but it must be from {least} to the number of custodians with a "
            f"key that counts, {len(trust.custodians)}",
        )


def _check_keys(trust: Trust) -> None:
    listed = [(keyid, key.public) for person in trust.people.values() for keyid, key in person.keys.items()]
    listed += [(keyid, public) for keys in trust.services.values() for keyid, public in keys.items()]
    if len({bytes.fromhex(public) for _, public in listed}) != len(listed):
        _refuse("trust_key_twice", "a key is listed twice: every key has one owner and one id")
    for keyid, public in listed:
        if keyid != keyid_of(bytes.fromhex(public)):
            _refuse("trust_key_id_differs", "a key is listed under an id that is not its digest")
        if is_weak(bytes.fromhex(public)):
            _refuse("trust_key_weak", "a key is one for which anybody could sign")


def is_weak(public: bytes) -> bool:
    """Tell whether a public key is a point of small order, or written in a second way (RFC 8032, 5.1.3)."""
    height = int.from_bytes(public, "little") & (2**255 - 1)
    return height >= _FIELD or height in _WEAK_HEIGHTS


def _refuse(code: str, what: str) -> NoReturn:
    raise UnsafeOrRejected(
        code,
        what=what,
        where="a trust document",
        what_to_do="Nothing was changed. Correct it and have it signed again; `channelsafe trust show` prints it.",
    )
