"""Public trust: whose keys count, as someone outside can follow it from the first version on.

Belongs here: reading the chain of public trust documents and the rule by which one follows another, for those who have
nothing but that chain: custodians without names, keys, services. How a version is made is `trust_succession`; that
they agree is tested by chains made there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn, TypeAlias

import msgspec

from dagster_project.clock import format_instant
from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import MAX_SAFE_INTEGER, NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.signatures import Envelope, keyid_of, read_envelope, signed_by
from dagster_project.integrity.trust import LEAST_THRESHOLD, PUBLIC_TRUST_TYPE, is_weak
from dagster_project.integrity.trust_succession import CHAIN_FORMAT

Service: TypeAlias = Literal["release", "index", "audit"]

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)]
_PublicKey: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class PublicTrust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of public trust.

    Args:
        format: Its name and version.
        deployment: Opaque random id, the same in all versions.
        demo: Whether the demo made it: then nothing that it vouches for is real.
        version: From 1, without gaps.
        expires: From this instant on it vouches for nothing.
        threshold: How many custodians must sign what follows.
        custodians: The key ids of each person, one list a person.
        keys: Public keys, 64 hex digits, by key id: those of custodians and of services.
        services: Key ids by service.
    """

    format: Literal["channelsafe-public-trust/1"]
    deployment: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
    demo: bool
    version: _Count
    expires: Annotated[datetime, msgspec.Meta(tz=True)]
    threshold: _Count
    custodians: tuple[tuple[str, ...], ...]
    keys: dict[str, _PublicKey]
    services: dict[Service, tuple[str, ...]]

    def service_keys(self, service: Service) -> dict[str, bytes]:
        """Return the public keys (32 bytes) of a service by key id."""
        return {keyid: bytes.fromhex(self.keys[keyid]) for keyid in self.services[service]}


@dataclass(frozen=True)
class PublicTrustChain:
    """Every version from the first on, each followed by the rule, and the digest of each one's signed bytes."""

    versions: tuple[PublicTrust, ...]
    digests: tuple[str, ...]

    @property
    def current(self) -> PublicTrust:
        """The newest version: the one that counts."""
        return self.versions[-1]

    def keys_ever(self, service: Service) -> dict[str, bytes]:
        """Return the keys that a service had in any version: what it signed then stays signed."""
        return {keyid: key for version in self.versions for keyid, key in version.service_keys(service).items()}

    def always_trusted(self, keyid: str, service: Service, *, since: int) -> bool:
        """Tell whether a key was a service's in every version from `since` on."""
        return all(keyid in version.services[service] for version in self.versions[since - 1 :])


def follow_public_trust(content: bytes) -> PublicTrustChain:
    """Read the file that outsiders get, and follow it from its first version to its newest.

    Whether the newest has expired is for the caller to ask; an older one may have, or nobody could renew it.

    Raises:
        IntegrityViolation: ``public_trust_unreadable``, not such a file in its one form; ``public_trust_unsound``, a
            version that could not keep its promises; ``public_trust_not_next``, not exactly the next version, or of
            another deployment; ``public_trust_signatures_missing``, fewer custodians than the threshold of the version
            before, or of its own, signed it. A person counts once, by whichever of their keys.
    """
    envelopes = _parse_chain(content)
    if not envelopes:
        _refuse("public_trust_unreadable", "this is not a public trust file in its one form", "the public trust file")
    versions: list[PublicTrust] = []
    for number, envelope in enumerate(envelopes, start=1):
        where = f"version {number} in the public trust file"
        new = _read_version(envelope, where)
        old = versions[-1] if versions else new
        if new.version != number or (new.deployment, new.demo) != (old.deployment, old.demo):
            _refuse("public_trust_not_next", "this is not the next version of the same trust", where)
        for judge in (old, new):
            if _signers(envelope, judge) < judge.threshold:
                what = f"fewer custodians signed it than the threshold of version {judge.version} asks for"
                _refuse("public_trust_signatures_missing", what, where)
        versions.append(new)
    return PublicTrustChain(tuple(versions), tuple(digest_bytes(envelope.payload) for envelope in envelopes))


def _parse_chain(content: bytes) -> list[Envelope]:
    try:
        document = parse_strict(content)
        envelopes = [read_envelope(canonical_bytes(one)) for one in document["chain"]]
    except (NotCanonical, IntegrityViolation, LookupError, TypeError):
        return []
    whole = canonical_bytes({"format": CHAIN_FORMAT, "chain": document["chain"]})
    return envelopes if whole == content else []


def _read_version(envelope: Envelope, where: str) -> PublicTrust:
    trust = _parse(envelope.payload) if envelope.payload_type == PUBLIC_TRUST_TYPE else None
    if trust is None or canonical_bytes(_document(trust)) != envelope.payload:
        _refuse("public_trust_unreadable", "this is not a public trust document in its one form", where)
    if not _is_sound(trust):
        _refuse("public_trust_unsound", "its keys or its threshold could not keep what it promises", where)
    return trust


def _parse(payload: bytes) -> PublicTrust | None:
    try:
        return msgspec.convert(parse_strict(payload), PublicTrust)
    except (NotCanonical, msgspec.ValidationError):
        return None


def _document(trust: PublicTrust) -> dict[str, Any]:
    return {
        "format": trust.format,
        "deployment": trust.deployment,
        "demo": trust.demo,
        "version": trust.version,
        "expires": format_instant(trust.expires),
        "threshold": trust.threshold,
        "custodians": sorted(sorted(keyids) for keyids in trust.custodians),
        "keys": trust.keys,
        "services": {service: sorted(keyids) for service, keyids in trust.services.items()},
    }


def _is_sound(trust: PublicTrust) -> bool:
    """Tell whether every key has one id, one owner and one purpose, and the threshold can be met but not by one."""
    owned = [keyid for keyids in (*trust.custodians, *trust.services.values()) for keyid in keyids]
    publics = {keyid: bytes.fromhex(public) for keyid, public in trust.keys.items()}
    return (
        set(trust.services) == {"release", "index", "audit"}
        and sorted(owned) == sorted(trust.keys)
        and all(keyid_of(public) == keyid and not is_weak(public) for keyid, public in publics.items())
        and all(trust.custodians)
        and (1 if trust.demo else LEAST_THRESHOLD) <= trust.threshold <= len(trust.custodians)
    )


def _signers(envelope: Envelope, judge: PublicTrust) -> int:
    """Count the people among the custodians of `judge` who signed the envelope."""
    signed = signed_by(envelope, {keyid: bytes.fromhex(public) for keyid, public in judge.keys.items()})
    return sum(1 for keyids in judge.custodians if signed.intersection(keyids))


def _refuse(code: str, what: str, where: str) -> NoReturn:
    raise IntegrityViolation(
        code,
        what=what,
        where=where,
        what_to_do="Trust nothing that it vouches for. Get the file again from whoever gave it to you, by another way.",
    )
