"""The versions of trust that were adopted, each once and in order. What makes one acceptable is `integrity.trust`."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dagster_project.errors import UnsafeOrRejected
from dagster_project.store.review_tables import trust_versions
from dagster_project.store.transaction import Transaction, insert_new


@dataclass(frozen=True, kw_only=True)
class TrustVersionRow:
    """An adopted version; the bodies are both its envelopes as they were signed, at `Transaction.get_sealed`."""

    version: int
    trust_digest: str
    trust_body_digest: str
    public_body_digest: str
    adopted_at: datetime


def add_trust(
    transaction: Transaction, *, version: int, trust_digest: str, internal: bytes, public: bytes, at: datetime
) -> None:
    """Adopt a version, if it is the one after the newest.

    Args:
        transaction: One that may write.
        version: Its number.
        trust_digest: The digest of the document for inside.
        internal: The envelope for inside.
        public: The envelope for outsiders.
        at: The instant of adoption.

    Raises:
        UnsafeOrRejected: it is not: somebody else changed trust in between.
    """
    columns = trust_versions.c
    newest: int = transaction.connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(columns.version), 0))
    ).scalar_one()
    row = {
        "version": version,
        "trust_digest": trust_digest,
        "trust_body_digest": transaction.put_sealed(internal),
        "public_body_digest": transaction.put_sealed(public),
        "adopted_at": at,
    }
    if version != newest + 1 or insert_new(transaction, trust_versions, row) is None:
        raise UnsafeOrRejected(
            "trust_overtaken",
            what=f"version {version} does not follow version {newest}, the newest that was adopted",
            where="the versions of trust",
            what_to_do="Make the change anew on the version that holds now, and have it signed again.",
        )


def adopted_versions(transaction: Transaction) -> list[TrustVersionRow]:
    """Return every adopted version, in order."""
    found = transaction.connection.execute(sa.select(trust_versions).order_by(trust_versions.c.version))
    return [TrustVersionRow(**row) for row in found.mappings()]
