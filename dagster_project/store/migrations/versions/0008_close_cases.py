"""Add closures: events, plans, steps, leases, circuit breakers, follow-ups, audit rows and commands."""

import sqlalchemy as sa
from alembic import op

from dagster_project.store.columns import Instant, number, text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_deliveries()
    _create_events()
    _create_plans()
    _create_steps()
    _create_leases()
    _create_breakers()
    _create_follow_ups()
    _create_audit_rows()
    _create_commands()


def _create_deliveries() -> None:
    op.create_table(
        "closure_deliveries",
        sa.Column("delivery_id", number(), autoincrement=True, nullable=False),
        sa.Column("source", text(), nullable=True),
        sa.Column("event_id", text(), nullable=True),
        sa.Column("digest", text(), nullable=False),
        sa.Column("length", number(), nullable=False),
        sa.Column("outcome", text(), nullable=False),
        sa.Column("reason_code", text(), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'refused') = (reason_code IS NOT NULL)", name=op.f("ck_closure_deliveries_refused_for_a_reason")
        ),
        sa.CheckConstraint(
            "outcome IN ('admitted', 'duplicate', 'mismatch', 'refused')",
            name=op.f("ck_closure_deliveries_outcome_known"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_closure_deliveries")),
        sqlite_autoincrement=True,
    )


def _create_events() -> None:
    op.create_table(
        "closure_events",
        sa.Column("event_number", number(), autoincrement=True, nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("event_id", text(), nullable=False),
        sa.Column("digest", text(), nullable=False),
        sa.Column("case_id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("attempts", number(), nullable=False),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("last_error", text(), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'planned', 'already_planned', 'stopped')", name=op.f("ck_closure_events_state_known")
        ),
        sa.PrimaryKeyConstraint("event_number", name=op.f("pk_closure_events")),
        sa.UniqueConstraint("source", "event_id", name=op.f("uq_closure_events_source_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_closure_events_case_id"), "closure_events", ["case_id"], unique=False)
    op.create_index(
        "ix_closure_events_pending",
        "closure_events",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )


def _create_plans() -> None:
    op.create_table(
        "closure_plans",
        sa.Column("plan_id", number(), autoincrement=True, nullable=False),
        sa.Column("event_number", number(), nullable=False),
        sa.Column("case_id", text(), nullable=False),
        sa.Column("episode", text(), nullable=False),
        sa.Column("disposition_version", number(), nullable=False),
        sa.Column("plan_version", number(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'stopped', 'complete', 'reverting', 'reverted')",
            name=op.f("ck_closure_plans_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["event_number"], ["closure_events.event_number"], name=op.f("fk_closure_plans_event_number")
        ),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_closure_plans")),
        sa.UniqueConstraint(
            "case_id",
            "episode",
            "disposition_version",
            name=op.f("uq_closure_plans_case_id_episode_disposition_version"),
        ),
        sqlite_autoincrement=True,
    )


def _create_steps() -> None:
    op.create_table(
        "closure_steps",
        sa.Column("plan_id", number(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("direction", text(), nullable=False),
        sa.Column("target", text(), nullable=False),
        sa.Column("subject", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("request_digest", text(), nullable=True),
        sa.Column("prior_body", text(), nullable=True),
        sa.Column("expected_version", text(), nullable=True),
        sa.Column("receipt_reference", text(), nullable=True),
        sa.Column("receipt_version", text(), nullable=True),
        sa.Column("read_back_digest", text(), nullable=True),
        sa.Column("attempts", number(), nullable=False),
        sa.Column("fence", number(), nullable=True),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("last_error", text(), nullable=True),
        sa.Column("command_digest", text(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("first_held_up_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('done', 'already_completed', 'skipped_by_operator')) = (finished_at IS NOT NULL)",
            name=op.f("ck_closure_steps_finished_at_an_instant"),
        ),
        sa.CheckConstraint("direction IN ('apply', 'undo')", name=op.f("ck_closure_steps_direction_known")),
        sa.CheckConstraint(
            "state <> 'done' OR (receipt_reference IS NOT NULL AND read_back_digest = request_digest)",
            name=op.f("ck_closure_steps_read_back"),
        ),
        sa.CheckConstraint(
            "state <> 'skipped_by_operator' OR command_digest IS NOT NULL",
            name=op.f("ck_closure_steps_skipped_by_command"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'intent', 'unknown', 'refused', 'done', 'already_completed', 'skipped_by_operator')",
            name=op.f("ck_closure_steps_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('intent', 'unknown', 'done') OR (request_digest IS NOT NULL AND fence IS NOT NULL)",
            name=op.f("ck_closure_steps_intended_first"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["closure_plans.plan_id"], name=op.f("fk_closure_steps_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "name", "direction", name=op.f("pk_closure_steps")),
        sa.UniqueConstraint("key", name=op.f("uq_closure_steps_key")),
    )
    op.create_index(
        "ix_closure_steps_due",
        "closure_steps",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )


def _create_leases() -> None:
    op.create_table(
        "closure_leases",
        sa.Column("plan_id", number(), autoincrement=False, nullable=False),
        sa.Column("token", number(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["closure_plans.plan_id"], name=op.f("fk_closure_leases_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_closure_leases")),
        sa.UniqueConstraint("token", name=op.f("uq_closure_leases_token")),
    )


def _create_breakers() -> None:
    op.create_table(
        "closure_breakers",
        sa.Column("system", text(), nullable=False),
        sa.Column("failures", number(), nullable=False),
        sa.Column("open_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("system", name=op.f("pk_closure_breakers")),
    )


def _create_follow_ups() -> None:
    op.create_table(
        "closure_follow_ups",
        sa.Column("follow_up_id", number(), autoincrement=True, nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("owner_role", text(), nullable=False),
        sa.Column("case_id", text(), nullable=False),
        sa.Column("plan_id", number(), nullable=False),
        sa.Column("event_number", number(), nullable=False),
        sa.Column("step", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("resolved_at", Instant(), nullable=True),
        sa.Column("resolved_by", text(), nullable=True),
        sa.Column("command_digest", text(), nullable=True),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolved_by IS NULL)", name=op.f("ck_closure_follow_ups_resolved_by_somebody")
        ),
        sa.PrimaryKeyConstraint("follow_up_id", name=op.f("pk_closure_follow_ups")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_closure_follow_ups_case_id"), "closure_follow_ups", ["case_id"], unique=False)
    op.create_index(
        "uq_closure_follow_ups_open",
        "closure_follow_ups",
        ["kind", "plan_id", "event_number", "step"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _create_audit_rows() -> None:
    op.create_table(
        "closure_audit_rows",
        sa.Column("plan_id", number(), autoincrement=False, nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["closure_plans.plan_id"], name=op.f("fk_closure_audit_rows_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_closure_audit_rows")),
    )


def _create_commands() -> None:
    op.create_table(
        "closure_commands",
        sa.Column("command_digest", text(), nullable=False),
        sa.Column("act", text(), nullable=False),
        sa.Column("person", text(), nullable=False),
        sa.Column("keyid", text(), nullable=False),
        sa.Column("case_id", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("command_digest", name=op.f("pk_closure_commands")),
    )
    op.create_index(op.f("ix_closure_commands_case_id"), "closure_commands", ["case_id"], unique=False)
