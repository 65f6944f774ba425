"""The tables of closures, beside `tables` on the same metadata.

Belongs here: tables and the constraints that carry the invariants, as in `tables`; a change needs a migration beside
it. Rows hold ids, digests, codes and instants: events, plans, prior values, evidence and commands lie in blobs.
"""

import sqlalchemy as sa

from dagster_project.store.columns import Instant, number, text
from dagster_project.store.tables import metadata

_SETTLED = "'done', 'already_completed', 'skipped_by_operator'"

# Everything that was ever handed in, refused input included: of that only the digest and the length are kept.
closure_deliveries = sa.Table(
    "closure_deliveries",
    metadata,
    sa.Column("delivery_id", number(), primary_key=True, autoincrement=True),
    sa.Column("source", text(), nullable=True),
    sa.Column("event_id", text(), nullable=True),
    sa.Column("digest", text(), nullable=False),
    sa.Column("length", number(), nullable=False),
    sa.Column("outcome", text(), nullable=False),
    sa.Column("reason_code", text(), nullable=True),
    sa.Column("received_at", Instant(), nullable=False),
    sa.CheckConstraint("outcome IN ('admitted', 'duplicate', 'mismatch', 'refused')", name="outcome_known"),
    sa.CheckConstraint("(outcome = 'refused') = (reason_code IS NOT NULL)", name="refused_for_a_reason"),
    sqlite_autoincrement=True,
)

closure_events = sa.Table(
    "closure_events",
    metadata,
    sa.Column("event_number", number(), primary_key=True, autoincrement=True),
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
    sa.UniqueConstraint("source", "event_id"),
    sa.Index(None, "case_id"),
    sa.Index(
        "ix_closure_events_pending",
        "next_at",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
    sa.CheckConstraint("state IN ('pending', 'planned', 'already_planned', 'stopped')", name="state_known"),
    sqlite_autoincrement=True,
)

closure_plans = sa.Table(
    "closure_plans",
    metadata,
    sa.Column("plan_id", number(), primary_key=True, autoincrement=True),
    sa.Column("event_number", number(), sa.ForeignKey("closure_events.event_number"), nullable=False),
    sa.Column("case_id", text(), nullable=False),
    sa.Column("episode", text(), nullable=False),
    sa.Column("disposition_version", number(), nullable=False),
    sa.Column("plan_version", number(), nullable=False),
    sa.Column("state", text(), nullable=False),
    sa.Column("body_digest", text(), nullable=False),
    sa.Column("created_at", Instant(), nullable=False),
    sa.Column("finished_at", Instant(), nullable=True),
    # One disposition is completed once, however many events tell of it.
    sa.UniqueConstraint("case_id", "episode", "disposition_version"),
    sa.CheckConstraint("state IN ('open', 'stopped', 'complete', 'reverting', 'reverted')", name="state_known"),
    sqlite_autoincrement=True,
)

closure_steps = sa.Table(
    "closure_steps",
    metadata,
    sa.Column("plan_id", number(), sa.ForeignKey("closure_plans.plan_id"), primary_key=True),
    sa.Column("name", text(), primary_key=True),
    sa.Column("direction", text(), primary_key=True),
    sa.Column("target", text(), nullable=False),
    sa.Column("subject", text(), nullable=False),
    sa.Column("state", text(), nullable=False),
    sa.Column("key", text(), nullable=False, unique=True),
    sa.Column("request_digest", text(), nullable=True),
    sa.Column("prior_body", text(), nullable=True),
    sa.Column("expected_version", text(), nullable=True),
    sa.Column("receipt_reference", text(), nullable=True),
    sa.Column("receipt_version", text(), nullable=True),
    sa.Column("read_back_digest", text(), nullable=True),
    sa.Column("attempts", number(), nullable=False),
    sa.Column("fence", number(), nullable=True),
    # None: it waits for a person, or for nothing any more.
    sa.Column("next_at", Instant(), nullable=True),
    sa.Column("last_error", text(), nullable=True),
    sa.Column("command_digest", text(), nullable=True),
    sa.Column("finished_at", Instant(), nullable=True),
    # Kept when it is done: how long an outage lasted for a step is told apart from how long the step waited.
    sa.Column("first_held_up_at", Instant(), nullable=True),
    sa.CheckConstraint("direction IN ('apply', 'undo')", name="direction_known"),
    sa.CheckConstraint(f"state IN ('pending', 'intent', 'unknown', 'refused', {_SETTLED})", name="state_known"),
    sa.CheckConstraint(f"(state IN ({_SETTLED})) = (finished_at IS NOT NULL)", name="finished_at_an_instant"),
    # No effect without its intent, and nothing is done without a receipt and a read-back that equals the request.
    sa.CheckConstraint(
        "state NOT IN ('intent', 'unknown', 'done') OR (request_digest IS NOT NULL AND fence IS NOT NULL)",
        name="intended_first",
    ),
    sa.CheckConstraint(
        "state <> 'done' OR (receipt_reference IS NOT NULL AND read_back_digest = request_digest)", name="read_back"
    ),
    sa.CheckConstraint("state <> 'skipped_by_operator' OR command_digest IS NOT NULL", name="skipped_by_command"),
    sa.Index(
        "ix_closure_steps_due",
        "next_at",
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    ),
)

# Tokens rise over all plans: a target keeps the highest of a subject, and two plans may write to one subject.
closure_leases = sa.Table(
    "closure_leases",
    metadata,
    sa.Column("plan_id", number(), sa.ForeignKey("closure_plans.plan_id"), primary_key=True, autoincrement=False),
    sa.Column("token", number(), nullable=False, unique=True),
    sa.Column("expires_at", Instant(), nullable=False),
)

closure_breakers = sa.Table(
    "closure_breakers",
    metadata,
    sa.Column("system", text(), primary_key=True),
    sa.Column("failures", number(), nullable=False),
    sa.Column("open_until", Instant(), nullable=True),
)

closure_follow_ups = sa.Table(
    "closure_follow_ups",
    metadata,
    sa.Column("follow_up_id", number(), primary_key=True, autoincrement=True),
    sa.Column("kind", text(), nullable=False),
    sa.Column("owner_role", text(), nullable=False),
    sa.Column("case_id", text(), nullable=False),
    # 0 and '' where it is not about a plan, an event or a step: a NULL would slip through the unique index.
    sa.Column("plan_id", number(), nullable=False),
    sa.Column("event_number", number(), nullable=False),
    sa.Column("step", text(), nullable=False),
    sa.Column("body_digest", text(), nullable=False),
    sa.Column("opened_at", Instant(), nullable=False),
    sa.Column("resolved_at", Instant(), nullable=True),
    sa.Column("resolved_by", text(), nullable=True),
    sa.Column("command_digest", text(), nullable=True),
    sa.Index(None, "case_id"),
    sa.Index(
        "uq_closure_follow_ups_open",
        "kind",
        "plan_id",
        "event_number",
        "step",
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    ),
    sa.CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name="resolved_by_somebody"),
    sqlite_autoincrement=True,
)

closure_audit_rows = sa.Table(
    "closure_audit_rows",
    metadata,
    sa.Column("plan_id", number(), sa.ForeignKey("closure_plans.plan_id"), primary_key=True, autoincrement=False),
    sa.Column("body_digest", text(), nullable=False),
    sa.Column("at", Instant(), nullable=False),
)

closure_commands = sa.Table(
    "closure_commands",
    metadata,
    sa.Column("command_digest", text(), primary_key=True),
    sa.Column("act", text(), nullable=False),
    sa.Column("person", text(), nullable=False),
    sa.Column("keyid", text(), nullable=False),
    sa.Column("case_id", text(), nullable=False),
    sa.Column("body_digest", text(), nullable=False),
    sa.Column("received_at", Instant(), nullable=False),
    sa.Index(None, "case_id"),
)
