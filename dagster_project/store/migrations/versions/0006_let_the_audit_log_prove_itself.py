"""Number audit entries without gaps, and add the head of the log and its checkpoints."""

import sqlalchemy as sa
from alembic import op

from dagster_project.integrity.audit_entries import AuditEntry, leaf_of
from dagster_project.integrity.merkle import CompactRange
from dagster_project.store.columns import Instant, number, text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = "at, actor, action, incident, subject, details_digest"
_ENTRIES = sa.table(
    "audit_entries",
    sa.column("sequence", number()),
    sa.column("at", Instant()),
    *(sa.column(name, text()) for name in ("actor", "action", "incident", "subject", "details_digest")),
)


def upgrade() -> None:
    _renumber_entries()
    _create_head()
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", number(), autoincrement=False, nullable=False),
        sa.Column("note", text(), nullable=False),
        sa.Column("hashes", text(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("anchored_at", Instant(), nullable=True),
        sa.CheckConstraint("size >= 0", name=op.f("ck_audit_checkpoints_size_counts")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )


def _renumber_entries() -> None:
    """Make the table anew: PostgreSQL's sequence left a gap wherever a transaction was rolled back."""
    op.execute("ALTER TABLE audit_entries RENAME TO audit_entries_before")
    op.drop_index(op.f("ix_audit_entries_incident"), table_name="audit_entries_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE audit_entries_before RENAME CONSTRAINT pk_audit_entries TO pk_audit_entries_before")
    op.create_table(
        "audit_entries",
        sa.Column("sequence", number(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", text(), nullable=False),
        sa.Column("action", text(), nullable=False),
        sa.Column("incident", text(), nullable=True),
        sa.Column("subject", text(), nullable=False),
        sa.Column("details_digest", text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_incident"), "audit_entries", ["incident"], unique=False)
    op.execute(
        f"INSERT INTO audit_entries (sequence, {_COLUMNS}) "  # noqa: S608 - constants of this file
        f"SELECT row_number() OVER (ORDER BY sequence), {_COLUMNS} FROM audit_entries_before"
    )
    op.drop_table("audit_entries_before")


def _create_head() -> None:
    head = op.create_table(
        "audit_log_head",
        sa.Column("head", number(), autoincrement=False, nullable=False),
        sa.Column("size", number(), nullable=False),
        sa.Column("hashes", text(), nullable=False),
        sa.CheckConstraint("head = 1", name=op.f("ck_audit_log_head_one_head")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_audit_log_head_size_counts")),
        sa.PrimaryKeyConstraint("head", name=op.f("pk_audit_log_head")),
    )
    rows = op.get_bind().execute(sa.select(_ENTRIES).order_by(_ENTRIES.c.sequence)).mappings()
    log = CompactRange().appended(leaf_of(AuditEntry(**row)) for row in rows)
    hashes = ",".join(one.hex() for one in log.hashes)
    op.bulk_insert(head, [{"head": 1, "size": log.size, "hashes": hashes}])
