"""Signing files: where private signing keys lie, those of the services of a deployment and those of people.

Belongs here: reading and writing these files, with the modes of `key_files`. Whose signature counts for what is
`integrity.trust`. A person's file never lies with the deployment's keys: whoever holds both could decide alone.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dagster_project.errors import Unavailable
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.signatures import SEED_LENGTH, SigningKey
from dagster_project.store.key_files import read_secret, replace_secret, write_new_secret

SIGNING_FILE_NAME: Final = "channelsafe-signing-keys.json"
_SERVICES_FORMAT: Final = "channelsafe-signing-keys/1"
_PERSON_FORMAT: Final = "channelsafe-person-key/1"


@dataclass(frozen=True)
class PersonSigningKey:
    """A person's private key, and the person id that it was made for."""

    person: str
    key: SigningKey


def new_signing_key() -> SigningKey:
    """Return a new random signing key."""
    return SigningKey(secrets.token_bytes(SEED_LENGTH))


def load_service_keys(folder: Path) -> dict[str, tuple[SigningKey, ...]]:
    """Read the private keys of the services, in the order they were made; there are several while one is rotated.

    Raises:
        Unavailable: no such file, its mode is not 0600, or it is no file of signing keys.
    """
    path = folder / SIGNING_FILE_NAME
    content = read_secret(
        path,
        what_to_do="Set CHANNELSAFE_KEYS to the folder that holds it, or restore it from its backup. Where trust was "
        "never made, `channelsafe trust init` makes it.",
    )
    found = _parse_services(content)
    if found is None:
        raise _unreadable(path)
    return found


def add_service_keys(folder: Path, fresh: Mapping[str, SigningKey]) -> None:
    """Keep a further private key for each of the services named.

    Raises:
        Unavailable: the file that is there cannot be read, or the folder cannot be written.
    """
    path = folder / SIGNING_FILE_NAME
    if not path.exists():
        write_new_secret(path, _format_services({service: (key,) for service, key in fresh.items()}))
        return
    kept = load_service_keys(folder)
    added = {service: (*kept.get(service, ()), key) for service, key in fresh.items()}
    replace_secret(path, _format_services({**kept, **added}))


def create_person_key(path: Path, person: str) -> SigningKey:
    """Make a private key for a person in a file of its own, mode 0600.

    Raises:
        Unavailable: there is a file already, or the folder cannot be written.
    """
    key = new_signing_key()
    members = {"format": _PERSON_FORMAT, "person": person, "seed": key.seed.hex()}
    write_new_secret(path, canonical_bytes(members) + b"\n")
    return key


def load_person_key(path: Path) -> PersonSigningKey:
    """Read a person's private key.

    Raises:
        Unavailable: no such file, its mode is not 0600, or it is no file of a person's key.
    """
    content = read_secret(path, what_to_do="Name the key file that `channelsafe keys person` made.")
    found = _parse_person(content)
    if found is None:
        raise _unreadable(path)
    return found


def _format_services(keys: Mapping[str, Sequence[SigningKey]]) -> bytes:
    services = {service: [key.seed.hex() for key in those] for service, those in keys.items()}
    return canonical_bytes({"format": _SERVICES_FORMAT, "services": services}) + b"\n"


def _parse_services(content: bytes) -> dict[str, tuple[SigningKey, ...]] | None:
    members = _members(content, _SERVICES_FORMAT)
    try:
        return {service: tuple(map(_key, seeds)) for service, seeds in members["services"].items()}
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _parse_person(content: bytes) -> PersonSigningKey | None:
    members = _members(content, _PERSON_FORMAT)
    try:
        return PersonSigningKey(str(members["person"]), _key(members["seed"]))
    except (LookupError, TypeError, ValueError):
        return None


def _members(content: bytes, kind: str) -> dict[str, Any]:
    try:
        members = parse_strict(content)
    except NotCanonical:
        return {}
    return members if isinstance(members, dict) and members.get("format") == kind else {}


def _key(seed: str) -> SigningKey:
    return SigningKey(bytes.fromhex(seed))


def _unreadable(path: Path) -> Unavailable:
    return Unavailable(
        "signing_keys_unreadable",
        what="this is not a file of signing keys of a format that is known here",
        where=str(path),
        what_to_do="Name another file, or restore it from its backup.",
    )
