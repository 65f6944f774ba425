"""Add decisions, versions, their signed indexes, proposals of profiles, receipts and findings."""

import sqlalchemy as sa
from alembic import op

from dagster_project.store.columns import Instant, number, text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_decisions()
    _create_package_indexes()
    _create_profile_proposals()
    _create_versions()
    _create_findings()
    _create_receipts()


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", number(), autoincrement=True, nullable=False),
        sa.Column("decision_digest", text(), nullable=False),
        sa.Column("act", text(), nullable=False),
        sa.Column("person", text(), nullable=False),
        sa.Column("keyid", text(), nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("refers_to", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("decision_digest", name=op.f("uq_decisions_decision_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_decisions_incident_bridge"), "decisions", ["incident", "bridge"], unique=False)
    op.create_index(op.f("ix_decisions_refers_to"), "decisions", ["refers_to"], unique=False)


def _create_package_indexes() -> None:
    op.create_table(
        "package_indexes",
        sa.Column("package_id", text(), nullable=False),
        sa.Column("index_version", number(), autoincrement=False, nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("signed_at", Instant(), nullable=False),
        sa.Column("expires", Instant(), nullable=False),
        sa.Column("published_at", Instant(), nullable=True),
        sa.CheckConstraint("index_version >= 1", name=op.f("ck_package_indexes_index_version_counts")),
        sa.PrimaryKeyConstraint("package_id", "index_version", name=op.f("pk_package_indexes")),
    )
    op.create_index(
        "ix_package_indexes_unpublished",
        "package_indexes",
        ["package_id"],
        unique=False,
        sqlite_where=sa.text("published_at IS NULL"),
        postgresql_where=sa.text("published_at IS NULL"),
    )


def _create_profile_proposals() -> None:
    op.create_table(
        "profile_proposals",
        sa.Column("profile_digest", text(), nullable=False),
        sa.Column("proposer", text(), nullable=False),
        sa.Column("replaces", text(), nullable=False),
        sa.Column("proposed_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_digest"], ["profiles.profile_digest"], name=op.f("fk_profile_proposals_profile_digest")
        ),
        sa.PrimaryKeyConstraint("profile_digest", name=op.f("pk_profile_proposals")),
    )


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("version", number(), autoincrement=False, nullable=False),
        sa.Column("supersedes", number(), nullable=True),
        sa.Column("package_id", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("candidate_id", number(), nullable=True),
        sa.Column("profile_digest", text(), nullable=False),
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
        sa.CheckConstraint(
            "kind = 'acknowledgement' OR candidate_id IS NOT NULL", name=op.f("ck_versions_rendered_from_something")
        ),
        sa.CheckConstraint(
            "kind IN ('release', 'acknowledgement', 'reaffirmation', 'pull')", name=op.f("ck_versions_kind_known")
        ),
        sa.CheckConstraint(
            "state IN ('released', 'superseded', 'suspended', 'withdrawn')", name=op.f("ck_versions_state_known")
        ),
        sa.CheckConstraint(
            "(version = 1 AND supersedes IS NULL) OR (version > 1 AND supersedes = version - 1)",
            name=op.f("ck_versions_version_follows"),
        ),
        sa.CheckConstraint("check_passed", name=op.f("ck_versions_check_passed")),
        sa.ForeignKeyConstraint(
            ["candidate_id", "incident", "bridge"],
            ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
            name=op.f("fk_versions_candidate_id_incident_bridge"),
        ),
        sa.ForeignKeyConstraint(
            ["incident", "bridge", "supersedes"],
            ["versions.incident", "versions.bridge", "versions.version"],
            name=op.f("fk_versions_incident_bridge_supersedes"),
        ),
        sa.ForeignKeyConstraint(
            ["profile_digest"], ["profiles.profile_digest"], name=op.f("fk_versions_profile_digest")
        ),
        sa.PrimaryKeyConstraint("incident", "bridge", "version", name=op.f("pk_versions")),
        sa.UniqueConstraint("package_id", "version", name=op.f("uq_versions_package_id_version")),
    )
    op.create_index(
        "uq_versions_current",
        "versions",
        ["incident", "bridge"],
        unique=True,
        sqlite_where=sa.text("state = 'released'"),
        postgresql_where=sa.text("state = 'released'"),
    )


def _create_findings() -> None:
    op.create_table(
        "findings",
        sa.Column("finding_id", number(), autoincrement=True, nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("version", number(), nullable=False),
        sa.Column("field_pointer", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("found_at", Instant(), nullable=False),
        sa.CheckConstraint("kind IN ('leak', 'stale', 'misleading')", name=op.f("ck_findings_kind_known")),
        sa.ForeignKeyConstraint(
            ["incident", "bridge", "version"],
            ["versions.incident", "versions.bridge", "versions.version"],
            name=op.f("fk_findings_incident_bridge_version"),
        ),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_findings")),
        sa.UniqueConstraint(
            "incident",
            "bridge",
            "version",
            "field_pointer",
            "kind",
            name=op.f("uq_findings_incident_bridge_version_field_pointer_kind"),
        ),
        sqlite_autoincrement=True,
    )


def _create_receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("receipt_id", number(), autoincrement=True, nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("version", number(), nullable=False),
        sa.Column("recipient", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("reopened_internal", sa.Boolean(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('handed_off', 'fetched', 'acknowledged', 'read_aloud', 'accepted', 'rejected')",
            name=op.f("ck_receipts_kind_known"),
        ),
        sa.CheckConstraint(
            "reopened_internal IS NULL OR kind IN ('accepted', 'rejected')",
            name=op.f("ck_receipts_answer_of_a_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["incident", "bridge", "version"],
            ["versions.incident", "versions.bridge", "versions.version"],
            name=op.f("fk_receipts_incident_bridge_version"),
        ),
        sa.PrimaryKeyConstraint("receipt_id", name=op.f("pk_receipts")),
        sa.UniqueConstraint(
            "incident",
            "bridge",
            "version",
            "recipient",
            "kind",
            name=op.f("uq_receipts_incident_bridge_version_recipient_kind"),
        ),
        sqlite_autoincrement=True,
    )
