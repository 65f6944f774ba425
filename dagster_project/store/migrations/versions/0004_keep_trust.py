"""Add the versions of trust."""

import sqlalchemy as sa
from alembic import op

from dagster_project.store.columns import Instant, number, text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trust_versions",
        sa.Column("version", number(), nullable=False),
        sa.Column("trust_digest", text(), nullable=False),
        sa.Column("trust_body_digest", text(), nullable=False),
        sa.Column("public_body_digest", text(), nullable=False),
        sa.Column("adopted_at", Instant(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_trust_versions_version_counts")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_trust_versions")),
        sa.UniqueConstraint("trust_digest", name=op.f("uq_trust_versions_trust_digest")),
    )
