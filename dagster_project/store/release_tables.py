"""The tables of decisions, versions and their publication, beside `tables` on the same metadata.

Belongs here: tables and the constraints that carry the invariants, as in `tables`; a change needs a migration beside
it. Rows hold ids, digests, codes and instants: what was signed, decided or shown lies in blobs.
"""

import sqlalchemy as sa

from dagster_project.store.columns import Instant, number, text
from dagster_project.store.tables import metadata

_RECEIPTS = "'handed_off', 'fetched', 'acknowledged', 'read_aloud', 'accepted', 'rejected'"

# Every decision that was accepted, once: its digest is that of the signed bytes without their signature.
decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("decision_id", number(), primary_key=True, autoincrement=True),
    sa.Column("decision_digest", text(), nullable=False, unique=True),
    sa.Column("act", text(), nullable=False),
    sa.Column("person", text(), nullable=False),
    sa.Column("keyid", text(), nullable=False),
    sa.Column("incident", text(), nullable=False),
    sa.Column("bridge", text(), nullable=False),
    sa.Column("refers_to", text(), nullable=False),
    sa.Column("body_digest", text(), nullable=False),
    sa.Column("received_at", Instant(), nullable=False),
    sa.Index(None, "incident", "bridge"),
    sa.Index(None, "refers_to"),
    sqlite_autoincrement=True,
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("incident", text(), primary_key=True),
    sa.Column("bridge", text(), primary_key=True),
    sa.Column("version", number(), primary_key=True, autoincrement=False),
    sa.Column("supersedes", number(), nullable=True),
    sa.Column("package_id", text(), nullable=False),
    sa.Column("kind", text(), nullable=False),
    sa.Column("state", text(), nullable=False),
    # What it was rendered from; none for the fast acknowledgement, which says nothing of the incident.
    sa.Column("candidate_id", number(), nullable=True),
    sa.Column("profile_digest", text(), sa.ForeignKey("profiles.profile_digest"), nullable=False),
    sa.Column("content_digest", text(), nullable=False),
    sa.Column("lineage_digest", text(), nullable=False),
    sa.Column("payload_digest", text(), nullable=False),
    sa.Column("statement_digest", text(), nullable=False),
    sa.Column("manifest_digest", text(), nullable=False),
    sa.Column("check_passed", sa.Boolean(), nullable=False),
    sa.Column("valid_until", Instant(), nullable=False),
    sa.Column("as_of", Instant(), nullable=True),
    sa.Column("issued_at", Instant(), nullable=False),
    sa.Column("reaffirmed_at", Instant(), nullable=True),
    sa.UniqueConstraint("package_id", "version"),
    sa.CheckConstraint("check_passed", name="check_passed"),
    # Gapless: every version but the first stands on the one before it.
    sa.CheckConstraint(
        "(version = 1 AND supersedes IS NULL) OR (version > 1 AND supersedes = version - 1)", name="version_follows"
    ),
    sa.ForeignKeyConstraint(
        ["incident", "bridge", "supersedes"], ["versions.incident", "versions.bridge", "versions.version"]
    ),
    sa.ForeignKeyConstraint(
        ["candidate_id", "incident", "bridge"],
        ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
    ),
    sa.CheckConstraint("kind IN ('release', 'acknowledgement', 'reaffirmation', 'pull')", name="kind_known"),
    sa.CheckConstraint("kind = 'acknowledgement' OR candidate_id IS NOT NULL", name="rendered_from_something"),
    sa.CheckConstraint("state IN ('released', 'superseded', 'suspended', 'withdrawn')", name="state_known"),
    sa.Index(
        "uq_versions_current",
        "incident",
        "bridge",
        unique=True,
        sqlite_where=sa.text("state = 'released'"),
        postgresql_where=sa.text("state = 'released'"),
    ),
)

package_indexes = sa.Table(
    "package_indexes",
    metadata,
    sa.Column("package_id", text(), primary_key=True),
    sa.Column("index_version", number(), primary_key=True, autoincrement=False),
    sa.Column("incident", text(), nullable=False),
    sa.Column("bridge", text(), nullable=False),
    sa.Column("body_digest", text(), nullable=False),
    sa.Column("signed_at", Instant(), nullable=False),
    sa.Column("expires", Instant(), nullable=False),
    # Null until a read-back of the published folder found this index and all that it demands.
    sa.Column("published_at", Instant(), nullable=True),
    sa.CheckConstraint("index_version >= 1", name="index_version_counts"),
    sa.Index(
        "ix_package_indexes_unpublished",
        "package_id",
        sqlite_where=sa.text("published_at IS NULL"),
        postgresql_where=sa.text("published_at IS NULL"),
    ),
)

profile_proposals = sa.Table(
    "profile_proposals",
    metadata,
    sa.Column("profile_digest", text(), sa.ForeignKey("profiles.profile_digest"), primary_key=True),
    sa.Column("proposer", text(), nullable=False),
    sa.Column("replaces", text(), nullable=False),
    sa.Column("proposed_at", Instant(), nullable=False),
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("receipt_id", number(), primary_key=True, autoincrement=True),
    sa.Column("incident", text(), nullable=False),
    sa.Column("bridge", text(), nullable=False),
    sa.Column("version", number(), nullable=False),
    sa.Column("recipient", text(), nullable=False),
    sa.Column("kind", text(), nullable=False),
    sa.Column("reopened_internal", sa.Boolean(), nullable=True),
    sa.Column("at", Instant(), nullable=False),
    sa.Column("recorded_at", Instant(), nullable=False),
    sa.UniqueConstraint("incident", "bridge", "version", "recipient", "kind"),
    sa.ForeignKeyConstraint(
        ["incident", "bridge", "version"], ["versions.incident", "versions.bridge", "versions.version"]
    ),
    sa.CheckConstraint(f"kind IN ({_RECEIPTS})", name="kind_known"),
    # The answer belongs to a verdict, and to nothing else.
    sa.CheckConstraint("reopened_internal IS NULL OR kind IN ('accepted', 'rejected')", name="answer_of_a_verdict"),
    sqlite_autoincrement=True,
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("finding_id", number(), primary_key=True, autoincrement=True),
    sa.Column("incident", text(), nullable=False),
    sa.Column("bridge", text(), nullable=False),
    sa.Column("version", number(), nullable=False),
    sa.Column("field_pointer", text(), nullable=False),
    sa.Column("kind", text(), nullable=False),
    sa.Column("found_at", Instant(), nullable=False),
    sa.UniqueConstraint("incident", "bridge", "version", "field_pointer", "kind"),
    sa.ForeignKeyConstraint(
        ["incident", "bridge", "version"], ["versions.incident", "versions.bridge", "versions.version"]
    ),
    sa.CheckConstraint("kind IN ('leak', 'stale', 'misleading')", name="kind_known"),
    sqlite_autoincrement=True,
)
