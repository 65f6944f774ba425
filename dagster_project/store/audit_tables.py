"""The tables by which the audit log proves itself, beside `tables` on the same metadata.

Belongs here: tables and their constraints, as in `tables`; a change needs a migration beside it. The entries are
`tables.audit_entries`. Rows hold sizes, hashes, signed notes and instants.
"""

import sqlalchemy as sa

from dagster_project.store.columns import Instant, number, text
from dagster_project.store.tables import metadata

# How long the log is, kept apart from its entries: without their newest ones it would begin anew where they end.
audit_log_head = sa.Table(
    "audit_log_head",
    metadata,
    sa.Column("head", number(), primary_key=True, autoincrement=False),
    sa.Column("size", number(), nullable=False),
    sa.Column("hashes", text(), nullable=False),
    sa.CheckConstraint("head = 1", name="one_head"),
    sa.CheckConstraint("size >= 0", name="size_counts"),
)

audit_checkpoints = sa.Table(
    "audit_checkpoints",
    metadata,
    sa.Column("size", number(), primary_key=True, autoincrement=False),
    sa.Column("note", text(), nullable=False),
    sa.Column("hashes", text(), nullable=False),
    sa.Column("made_at", Instant(), nullable=False),
    sa.Column("anchored_at", Instant(), nullable=True),
    sa.CheckConstraint("size >= 0", name="size_counts"),
)
