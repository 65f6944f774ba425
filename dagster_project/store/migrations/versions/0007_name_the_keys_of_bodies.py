"""Say which key seals each body, which keys there were, and which packs are to be removed."""

import sqlalchemy as sa
from alembic import op

from dagster_project.store.columns import number, text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of bodies that are there nobody knows the key: a migration has none to try.
    op.add_column("packed_bodies", sa.Column("body_key", text(), nullable=True))
    op.create_index(op.f("ix_packed_bodies_pack"), "packed_bodies", ["pack"], unique=False)
    op.create_table(
        "body_keys",
        sa.Column("place", number(), autoincrement=False, nullable=False),
        sa.Column("body_key", text(), nullable=False),
        sa.CheckConstraint("place >= 1", name=op.f("ck_body_keys_place_counts")),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_body_keys")),
        sa.UniqueConstraint("body_key", name=op.f("uq_body_keys_body_key")),
    )
    op.create_table(
        "packs_to_remove",
        sa.Column("pack", text(), nullable=False),
        sa.PrimaryKeyConstraint("pack", name=op.f("pk_packs_to_remove")),
    )
