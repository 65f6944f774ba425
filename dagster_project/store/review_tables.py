"""The tables of trust, review and release, beside `tables` on the same metadata.

Belongs here: tables and their constraints, as in `tables`; a change needs a migration beside it. Rows hold ids,
digests, codes and instants: signed bytes lie in blobs.
"""

import sqlalchemy as sa

from dagster_project.store.columns import Instant, number, text
from dagster_project.store.tables import metadata

# Every version of trust that was ever adopted; the digests are of both envelopes as they were signed.
trust_versions = sa.Table(
    "trust_versions",
    metadata,
    sa.Column("version", number(), primary_key=True, autoincrement=False),
    sa.Column("trust_digest", text(), nullable=False, unique=True),
    sa.Column("trust_body_digest", text(), nullable=False),
    sa.Column("public_body_digest", text(), nullable=False),
    sa.Column("adopted_at", Instant(), nullable=False),
    sa.CheckConstraint("version >= 1", name="version_counts"),
)
