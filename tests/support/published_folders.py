"""Published folders made with test keys: versions, pulls, every index, and public trust with rotations.

A `Publisher` writes what a deployment would publish of one package; `files` is its folder, and a test may change any
byte of it. `resigned` signs what no publisher of ours would.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.clock import format_instant
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.publication import (
    NEWEST_INDEX,
    PACKAGE,
    Index,
    ListedVersion,
    Predecessor,
    PublicState,
    ReleaseStatement,
    index_bytes,
    index_path,
    payload_paths,
    release_statement_bytes,
    statement_path,
    tombstone_bytes,
    tombstone_path,
)
from dagster_project.integrity.published_package import withheld_slots
from dagster_project.integrity.signatures import Envelope, SigningKey, read_envelope, sign_envelope
from dagster_project.integrity.trust import Person, PersonKey, Trust
from dagster_project.integrity.trust_succession import public_chain_bytes, sign_trust

BEGIN = datetime(2026, 3, 4, 10, tzinfo=UTC)
INDEX_LASTS = timedelta(days=2)
PACKAGE_ID = "k3v9q2m7xa"
DEPLOYMENT = "0123456789abcdef" * 2


def key_of(name: str) -> SigningKey:
    """Return the key of this name: always the same."""
    return SigningKey(hashlib.sha256(name.encode()).digest())


def content_of(slot_state: str = "none_declared") -> dict[str, Any]:
    """Return the least package content that has what is signed again outside it: channel, label, one slot."""
    slot = {"category": "other", "slot_state": slot_state, "review_role": "incident_command", "fields": []}
    return {"channel": "customer_bridge", "tlp": "TLP:AMBER", "held": {"other": slot}}


def resigned(data: bytes, change: Callable[[dict[str, Any]], object], *names: str) -> bytes:
    """Return a signed document with a change, signed again by the keys of these names, however wrong it is now."""
    envelope = read_envelope(data)
    document = json.loads(envelope.payload)
    change(document)
    return sign_envelope(
        canonical_bytes(document), [key_of(name) for name in names], payload_type=envelope.payload_type
    )


@dataclass
class Ceremonies:
    """Public trust as its versions were signed; keys and people go by the same names."""

    envelopes: list[Envelope] = field(default_factory=list)

    def add(
        self,
        *,
        signers: Sequence[str] = ("ada", "bo"),
        custodians: Sequence[str] = ("ada", "bo", "cy"),
        index: Sequence[str] = ("index",),
        release: Sequence[str] = ("release",),
        version: int | None = None,
        expires: datetime = BEGIN + timedelta(days=365),
        deployment: str = DEPLOYMENT,
    ) -> "Ceremonies":
        """Add a version with a threshold of two, whether or not it may follow."""
        trust = Trust(
            deployment=deployment,
            demo=False,
            version=version or len(self.envelopes) + 1,
            expires=expires,
            threshold=2,
            people={name: Person((), True, _keys_of(name)) for name in custodians},  # noqa: FBT003 - a record's field
            services={
                "index": {key_of(name).keyid: key_of(name).public.hex() for name in index},
                "release": {key_of(name).keyid: key_of(name).public.hex() for name in release},
                "audit": {key_of("audit").keyid: key_of("audit").public.hex()},
            },
        )
        self.envelopes.append(sign_trust(trust, [key_of(name) for name in signers]).public)
        return self

    @property
    def file(self) -> bytes:
        """The public trust file."""
        return public_chain_bytes(self.envelopes)


def _keys_of(*names: str) -> dict[str, PersonKey]:
    return {key_of(name).keyid: PersonKey(key_of(name).public.hex(), None) for name in names}


@dataclass
class Publisher:
    """The publisher of one package: every step signs an index, an hour after the last."""

    package_id: str = PACKAGE_ID
    index_key: str = "index"
    release_key: str = "release"
    versions: dict[int, ListedVersion] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    index_version: int = 0
    payloads: dict[str, bytes] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The instant of the newest index."""
        return BEGIN + timedelta(hours=self.index_version)

    def release(self, *, slot_state: str = "none_declared") -> "Publisher":
        """Release the next version."""
        version = len(self.versions) + 1
        before = self.versions.get(version - 1)
        supersedes = Predecessor(version - 1, before.statement_digest) if before else None
        issued_at, stale_after = self.now, self.now + timedelta(hours=4)
        content = content_of(slot_state)
        header = {
            "package_id": self.package_id,
            "version": version,
            "supersedes": before and {"version": version - 1, "statement_digest": before.statement_digest},
            "issued_at": format_instant(issued_at),
            "as_of": format_instant(issued_at),
            "stale_after": format_instant(stale_after),
            "reaffirmed_at": None,
            "revision_history": [],
        }
        bodies = {path: f"version {version} as {path}".encode() for path in payload_paths(version)}
        bodies[next(path for path in bodies if path.endswith(PACKAGE))] = canonical_bytes(
            {"header": header, "content": content}
        )
        statement = ReleaseStatement(
            package_id=self.package_id,
            version=version,
            profile_label=content["tlp"],
            channel=content["channel"],
            supersedes=supersedes,
            issued_at=issued_at,
            stale_after=stale_after,
            withheld=withheld_slots(content),
            files={path: digest_bytes(body) for path, body in bodies.items()},
        )
        self.payloads |= bodies
        self.files |= bodies
        self.state_release(version, sign_envelope(release_statement_bytes(statement), [key_of(self.release_key)]))
        self._move_current_away("superseded")
        self._set_state(version, "released")
        return self.sign_index()

    def state_release(self, version: int, statement: bytes) -> None:
        """Put a statement in its place and list it, as signed by whoever signed it."""
        self.files[statement_path(version)] = statement
        self.versions[version] = ListedVersion(state="suspended", statement_digest=digest_bytes(statement))

    def pull(self, version: int, state: PublicState) -> "Publisher":
        """Suspend or withdraw a version: its payload goes, its tombstone stands."""
        self._set_state(version, state)
        for path in payload_paths(version):
            self.files.pop(path, None)
        self.files[tombstone_path(version)] = tombstone_bytes(self.package_id, version, state)
        return self.sign_index()

    def restore(self, version: int) -> "Publisher":
        """Restore a suspended version as current where nothing else is, else as superseded."""
        self._set_state(version, "superseded" if self.current else "released")
        self.files |= {path: self.payloads[path] for path in payload_paths(version)}
        del self.files[tombstone_path(version)]
        return self.sign_index()

    @property
    def current(self) -> int | None:
        """The released version."""
        return next((version for version, one in self.versions.items() if one.state == "released"), None)

    def sign_index(self) -> "Publisher":
        """Sign the next index over the versions as they are."""
        self.index_version += 1
        index = Index(
            package_id=self.package_id,
            index_version=self.index_version,
            current=self.current,
            versions=self.versions,
            signed_at=self.now,
            expires=self.now + INDEX_LASTS,
        )
        self.put_index(sign_envelope(index_bytes(index), [key_of(self.index_key)]))
        return self

    def resign_index(self, change: Callable[[dict[str, Any]], object]) -> "Publisher":
        """Sign the newest index again with a change, in the place of itself."""
        self.put_index(resigned(self.files[NEWEST_INDEX], change, self.index_key))
        return self

    def put_index(self, signed: bytes) -> None:
        """Put an index where the newest lies, and under its number."""
        self.files[NEWEST_INDEX] = self.files[index_path(self.index_version)] = signed

    def write(self, folder: Path) -> Path:
        """Write the files under a folder that bears the package's id, and return that."""
        place = folder / self.package_id
        for path, body in self.files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(body)
        return place

    def _move_current_away(self, state: PublicState) -> None:
        if self.current is not None:
            self._set_state(self.current, state)

    def _set_state(self, version: int, state: PublicState) -> None:
        digest = self.versions[version].statement_digest
        self.versions[version] = ListedVersion(state=state, statement_digest=digest)
