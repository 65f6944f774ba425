"""Trust in a deployment: what holds, and which key a service signs with.

Belongs here: reading the adopted versions back, and adopting one. The rules are `integrity.trust_succession`; the
ceremony, in which people change trust, is `trust_ceremony`.
"""

from collections.abc import Sequence

from dagster_project.application.demo_store import is_demo_store
from dagster_project.application.trust_shelf import AdoptedTrust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import IntegrityViolation, Unavailable, UnsafeOrRejected
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.signatures import SigningKey, envelope_bytes, read_envelope
from dagster_project.integrity.trust import Trust, people_who_signed
from dagster_project.integrity.trust_succession import SignedTrust, public_chain_bytes, verify_succession
from dagster_project.store.audit import AuditAction, NewAuditEntry, append_entry
from dagster_project.store.signing_files import load_service_keys
from dagster_project.store.transaction import Transaction
from dagster_project.store.trust import TrustVersionRow, add_trust, adopted_versions

__all__ = [
    "AdoptedTrust",
    "adopt",
    "current_trust",
    "latest_trust",
    "public_trust_file",
    "service_key",
    "trust_chain",
]


def current_trust(transaction: Transaction, workspace: Workspace) -> Trust:
    """Return the trust that holds now: under it people decide.

    Raises:
        Unavailable: there is none yet, or it has expired.
        UnsafeOrRejected: it is demo trust, and the demo did not make this store.
        IntegrityViolation: a stored version is not what was adopted, or does not follow the one before.
    """
    trust = latest_trust(transaction, workspace)
    if trust.expires <= workspace.clock.now():
        raise Unavailable(
            "trust_expired",
            what=f"version {trust.version} of trust has expired: nobody can decide under it",
            where="the trust of this deployment",
            what_to_do="Have the custodians sign a new one: `channelsafe trust renew --expires INSTANT --key FILE`.",
        )
    return trust


def latest_trust(transaction: Transaction, workspace: Workspace) -> Trust:
    """Return the newest adopted trust, expired or not: what only takes away (a pull, a checkpoint) must go on.

    Raises:
        Unavailable: there is none yet.
        UnsafeOrRejected: it is demo trust, and the demo did not make this store.
        IntegrityViolation: a stored version is not what was adopted, or does not follow the one before.
    """
    chain = trust_chain(transaction, workspace)
    if not chain:
        raise Unavailable(
            "no_trust",
            what="nobody is trusted yet: who may decide and sign was never said",
            where="the trust of this deployment",
            what_to_do="Make it with `channelsafe trust init PEOPLE_FILE`.",
        )
    return chain[-1].trust


def trust_chain(transaction: Transaction, workspace: Workspace) -> tuple[AdoptedTrust, ...]:
    """Return every adopted version from the first on, each verified as the successor of the one before.

    Raises:
        UnsafeOrRejected: it is demo trust, and the demo did not make this store.
        IntegrityViolation: a stored version is not what was adopted, or does not follow the one before.
    """
    rows = tuple(adopted_versions(transaction))
    known = workspace.trust_shelf.chain_of(rows)
    chain = list(known)
    bodies = transaction.get_all_sealed(
        digest for row in rows[len(known) :] for digest in (row.trust_body_digest, row.public_body_digest)
    )
    for row in rows[len(known) :]:
        signed = SignedTrust(
            read_envelope(bodies[row.trust_body_digest]), read_envelope(bodies[row.public_body_digest])
        )
        trust = _verified(row, chain[-1].trust if chain else None, signed)
        chain.append(AdoptedTrust(trust, row.trust_digest, signed.public, row.adopted_at))
    for one in chain:
        _refuse_foreign_demo(workspace, one.trust)
    return workspace.trust_shelf.keep(rows, chain)


def _verified(row: TrustVersionRow, before: Trust | None, signed: SignedTrust) -> Trust:
    fault = "trust_digest_differs"
    try:
        # Judged at the instant of its adoption: it may have expired since.
        trust = verify_succession(before, signed, at=row.adopted_at)
        if trust.version == row.version and digest_bytes(signed.internal.payload) == row.trust_digest:
            return trust
    except UnsafeOrRejected as error:
        fault = error.code
    raise IntegrityViolation(
        "trust_chain_broken",
        what=f"a stored version of trust is not one that could have been adopted ({fault})",
        where=f"version {row.version} of trust",
        what_to_do="Restore the store from a backup. Custodians can compare with the public trust file they kept.",
    )


def adopt(workspace: Workspace, transaction: Transaction, signed: SignedTrust, before: Trust | None) -> Trust:
    """Adopt a version as the successor of `before`, with its audit entry.

    Raises:
        UnsafeOrRejected: it may not follow it, somebody else changed trust in between, or it is demo trust and the
            demo did not make this store.
    """
    now = workspace.clock.now()
    trust = verify_succession(before, signed, at=now)
    _refuse_foreign_demo(workspace, trust)
    digest = digest_bytes(signed.internal.payload)
    add_trust(
        transaction,
        version=trust.version,
        trust_digest=digest,
        internal=envelope_bytes(signed.internal),
        public=envelope_bytes(signed.public),
        at=now,
    )
    signers = sorted(people_who_signed(signed.internal, trust) | people_who_signed(signed.internal, before or trust))
    details = {"trust_digest": digest, "signed_by": signers}
    append_entry(
        transaction,
        NewAuditEntry(
            at=now,
            actor=",".join(signers),
            action=AuditAction.TRUST_CHANGED,
            subject=f"trust/{trust.version}",
            details_digest=transaction.put_sealed(canonical_bytes(details)),
        ),
    )
    return trust


def service_key(workspace: Workspace, service: str) -> SigningKey:
    """Return the key that a service (`release`, `index` or `audit`) signs with under the newest trust.

    An expired trust still says which key that is: nothing that takes away may wait for people.

    Raises:
        Unavailable: there is no trust, or its key is not among the key files here.
        UnsafeOrRejected: it is demo trust, and the demo did not make this store.
        IntegrityViolation: a stored version of trust is not what was adopted.
    """
    with workspace.store.read() as transaction:
        trusted = latest_trust(transaction, workspace).service_keys(service)
    for key in load_service_keys(workspace.settings.keys).get(service, ()):
        if key.keyid in trusted:
            return key
    raise Unavailable(
        "service_key_missing",
        what=f"the key files hold no key of the service {service} that trust names",
        where=str(workspace.settings.keys),
        what_to_do=f"Restore the key files from their backup, or have `channelsafe trust rotate {service}` signed.",
    )


def public_trust_file(chain: Sequence[AdoptedTrust]) -> bytes:
    """Return the file that outsiders verify with: the public documents of all versions."""
    return public_chain_bytes([one.public for one in chain])


def _refuse_foreign_demo(workspace: Workspace, trust: Trust) -> None:
    if trust.demo and not is_demo_store(workspace.settings):
        raise UnsafeOrRejected(
            "demo_trust_refused",
            what="this is demo trust, whose keys anybody may hold, and the demo did not make this store",
            where=str(workspace.settings.home),
            what_to_do="Make trust of real people with `channelsafe trust init PEOPLE_FILE` in a store of their own.",
        )
