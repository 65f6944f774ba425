"""Add what the lanes need, and where bodies lie in packs."""

import sqlalchemy as sa
from alembic import op

from dagster_project.store.columns import Instant, number, text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _remember_severity_one()
    _say_which_lane_refreshed()
    _count_attempts()
    _lease_lanes()
    _mark_stale_candidates()
    _locate_packed_bodies()


def _remember_severity_one() -> None:
    # What is severity one is said again by the next record of the incident itself.
    with op.batch_alter_table("incidents") as table:
        table.add_column(sa.Column("severity_one", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("incidents") as table:
        table.alter_column("severity_one", server_default=None, existing_type=sa.Boolean(), existing_nullable=False)


def _say_which_lane_refreshed() -> None:
    # Before this version every refresh was a run of its own, or one that nobody had to hear of.
    with op.batch_alter_table("refreshes") as table:
        table.add_column(sa.Column("lane", text(), nullable=False, server_default="single"))
        table.add_column(sa.Column("finished_at", Instant(), nullable=True))
        table.add_column(sa.Column("reported_at", Instant(), nullable=True))
    op.execute("UPDATE refreshes SET finished_at = started_at, reported_at = started_at")
    with op.batch_alter_table("refreshes") as table:
        table.alter_column("lane", server_default=None, existing_type=text(), existing_nullable=False)
        table.create_check_constraint(
            op.f("ck_refreshes_lane_known"), "lane IN ('single', 'bulk', 'severity_one', 'command')"
        )
    op.create_index(
        "ix_refreshes_unreported",
        "refreshes",
        ["refresh_id"],
        unique=False,
        sqlite_where=sa.text("reported_at IS NULL"),
        postgresql_where=sa.text("reported_at IS NULL"),
    )
    op.create_index(op.f("ix_release_checks_valid_until"), "release_checks", ["valid_until"], unique=False)
    op.create_index(
        "ix_incidents_pending",
        "incidents",
        ["pending_since", "incident"],
        unique=False,
        sqlite_where=sa.text("pending_since IS NOT NULL"),
        postgresql_where=sa.text("pending_since IS NOT NULL"),
    )


def _count_attempts() -> None:
    op.create_table(
        "refresh_attempts",
        sa.Column("incident", text(), nullable=False),
        sa.Column("revision", number(), nullable=False),
        sa.Column("attempts", number(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("reason_code", text(), nullable=True),
        sa.CheckConstraint("attempts >= 1", name=op.f("ck_refresh_attempts_attempts_counted")),
        sa.ForeignKeyConstraint(["incident"], ["incidents.incident"], name=op.f("fk_refresh_attempts_incident")),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_refresh_attempts")),
    )


def _lease_lanes() -> None:
    op.create_table(
        "lane_leases",
        sa.Column("lane", text(), nullable=False),
        sa.Column("token", number(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_lane_leases")),
    )


def _mark_stale_candidates() -> None:
    op.create_table(
        "stale_candidates",
        sa.Column("candidate_id", number(), nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("valid_until", Instant(), nullable=False),
        sa.Column("marked_at", Instant(), nullable=False),
        sa.Column("reported_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["candidate_id", "incident", "bridge"],
            ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
            name=op.f("fk_stale_candidates_candidate_id_incident_bridge"),
        ),
        sa.PrimaryKeyConstraint("candidate_id", name=op.f("pk_stale_candidates")),
    )


def _locate_packed_bodies() -> None:
    op.create_table(
        "packed_bodies",
        sa.Column("name", text(), nullable=False),
        sa.Column("pack", text(), nullable=False),
        sa.Column("start", number(), nullable=False),
        sa.Column("length", number(), nullable=False),
        sa.CheckConstraint("start >= 0 AND length >= 0", name=op.f("ck_packed_bodies_place_exists")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_packed_bodies")),
    )
