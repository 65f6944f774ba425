"""Add the indexes by which admission finds accounts' records and what waits for a better delivery."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_source_records_type"), "source_records", ["type"], unique=False)
    op.create_index(
        "ix_rejected_inputs_open",
        "rejected_inputs",
        ["recordid"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
