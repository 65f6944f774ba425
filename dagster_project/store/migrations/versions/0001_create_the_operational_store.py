"""Create the operational store."""

import sqlalchemy as sa
from alembic import op

from dagster_project.store.columns import Instant, number, text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("sequence", number(), autoincrement=True, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", text(), nullable=False),
        sa.Column("action", text(), nullable=False),
        sa.Column("incident", text(), nullable=True),
        sa.Column("subject", text(), nullable=False),
        sa.Column("details_digest", text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_entries_incident"), "audit_entries", ["incident"], unique=False)
    op.create_table(
        "cursors",
        sa.Column("name", text(), nullable=False),
        sa.Column("position", number(), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("ck_cursors_position_counts")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "incidents",
        sa.Column("incident", text(), nullable=False),
        sa.Column("revision", number(), nullable=False),
        sa.Column("observed_revision", number(), nullable=False),
        sa.Column("pending_since", Instant(), nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("registered_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "(revision > observed_revision AND pending_since IS NOT NULL)"
            " OR (revision = observed_revision AND pending_since IS NULL AND NOT urgent)",
            name=op.f("ck_incidents_pending_agrees"),
        ),
        sa.CheckConstraint("observed_revision BETWEEN 0 AND revision", name=op.f("ck_incidents_observed_exists")),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_incidents")),
    )
    op.create_table(
        "lagging_sources",
        sa.Column("lagging_id", number(), autoincrement=True, nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("reason_code", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_lagging_sources_state_known")),
        sa.PrimaryKeyConstraint("lagging_id", name=op.f("pk_lagging_sources")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_lagging_sources_open",
        "lagging_sources",
        ["source", "reason_code"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "landing_files",
        sa.Column("digest", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("lines", number(), nullable=False),
        sa.Column("picked_up_at", Instant(), nullable=False),
        sa.CheckConstraint("state IN ('picked_up', 'done')", name=op.f("ck_landing_files_state_known")),
        sa.PrimaryKeyConstraint("digest", "name", name=op.f("pk_landing_files")),
    )
    op.create_table(
        "profiles",
        sa.Column("profile_digest", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("channel", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("loaded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("profile_digest", name=op.f("pk_profiles")),
    )
    op.create_table(
        "rejected_inputs",
        sa.Column(
            "rejected_input_id",
            number(),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("reason_code", text(), nullable=False),
        sa.Column("where_pointer", text(), nullable=False),
        sa.Column("source", text(), nullable=True),
        sa.Column("type", text(), nullable=True),
        sa.Column("subject", text(), nullable=True),
        sa.Column("recordid", text(), nullable=True),
        sa.Column("recordversion", text(), nullable=True),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'admitted', 'dismissed')", name=op.f("ck_rejected_inputs_state_known")),
        sa.PrimaryKeyConstraint("rejected_input_id", name=op.f("pk_rejected_inputs")),
        sa.UniqueConstraint("body_digest", "reason_code", name=op.f("uq_rejected_inputs_body_digest_reason_code")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_rejected_inputs_subject"), "rejected_inputs", ["subject"], unique=False)
    op.create_table(
        "source_records",
        sa.Column("sequence", number(), autoincrement=True, nullable=False),
        sa.Column("event_id", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("type", text(), nullable=False),
        sa.Column("subject", text(), nullable=False),
        sa.Column("recordid", text(), nullable=False),
        sa.Column("recordversion", number(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("recorded_by", text(), nullable=True),
        sa.Column("classification", text(), nullable=False),
        sa.Column("data_digest", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("admitted_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "classification IN ('customer', 'internal', 'restricted')",
            name=op.f("ck_source_records_classification_known"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_source_records")),
        sa.UniqueConstraint(
            "source", "event_id", "data_digest", name=op.f("uq_source_records_source_event_id_data_digest")
        ),
        sa.UniqueConstraint(
            "source",
            "recordid",
            "recordversion",
            "data_digest",
            name=op.f("uq_source_records_source_recordid_recordversion_data_digest"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_source_records_subject"), "source_records", ["subject"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", number(), autoincrement=True, nullable=False),
        sa.Column("unit", text(), nullable=False),
        sa.Column("locator", text(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("outcome", text(), nullable=False),
        sa.Column("record_sequence", number(), nullable=True),
        sa.Column("rejected_input_id", number(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'rejected' AND record_sequence IS NULL AND rejected_input_id IS NOT NULL)"
            " OR (outcome <> 'rejected' AND record_sequence IS NOT NULL AND rejected_input_id IS NULL)",
            name=op.f("ck_deliveries_ends_somewhere"),
        ),
        sa.CheckConstraint(
            "outcome IN ('admitted', 'duplicate', 'conflicting_copy', 'rejected')",
            name=op.f("ck_deliveries_outcome_known"),
        ),
        sa.ForeignKeyConstraint(
            ["record_sequence"], ["source_records.sequence"], name=op.f("fk_deliveries_record_sequence")
        ),
        sa.ForeignKeyConstraint(
            ["rejected_input_id"], ["rejected_inputs.rejected_input_id"], name=op.f("fk_deliveries_rejected_input_id")
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_deliveries")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_deliveries_record_sequence"), "deliveries", ["record_sequence"], unique=False)
    op.create_table(
        "incident_subjects",
        sa.Column("incident", text(), nullable=False),
        sa.Column("subject", text(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incidents.incident"], name=op.f("fk_incident_subjects_incident")),
        sa.PrimaryKeyConstraint("incident", "subject", name=op.f("pk_incident_subjects")),
    )
    op.create_index(op.f("ix_incident_subjects_subject"), "incident_subjects", ["subject"], unique=False)
    op.create_table(
        "open_items",
        sa.Column("open_item_id", number(), autoincrement=True, nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("identity_digest", text(), nullable=False),
        sa.Column("owner_role", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("resolved_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["incident"], ["incidents.incident"], name=op.f("fk_open_items_incident")),
        sa.PrimaryKeyConstraint("open_item_id", name=op.f("pk_open_items")),
        sa.UniqueConstraint(
            "incident",
            "bridge",
            "kind",
            "identity_digest",
            name=op.f("uq_open_items_incident_bridge_kind_identity_digest"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "profile_assignments",
        sa.Column("assignment_id", number(), autoincrement=True, nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("profile_digest", text(), nullable=False),
        sa.Column("assigned_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_digest"], ["profiles.profile_digest"], name=op.f("fk_profile_assignments_profile_digest")
        ),
        sa.PrimaryKeyConstraint("assignment_id", name=op.f("pk_profile_assignments")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_profile_assignments_bridge_incident"), "profile_assignments", ["bridge", "incident"], unique=False
    )
    op.create_table(
        "snapshots",
        sa.Column("digest", text(), nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("log_sequence", number(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incidents.incident"], name=op.f("fk_snapshots_incident")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("digest", "incident", name=op.f("uq_snapshots_digest_incident")),
    )
    op.create_table(
        "candidates",
        sa.Column("candidate_id", number(), autoincrement=True, nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("ordinal", number(), nullable=False),
        sa.Column("content_number", number(), nullable=False),
        sa.Column("content_changed", sa.Boolean(), nullable=False),
        sa.Column("content_digest", text(), nullable=False),
        sa.Column("snapshot_digest", text(), nullable=False),
        sa.Column("profile_digest", text(), nullable=False),
        sa.Column("renderer_digest", text(), nullable=False),
        sa.Column("tzdata_version", text(), nullable=False),
        sa.Column("evaluation_instant", Instant(), nullable=False),
        sa.Column("as_of", Instant(), nullable=True),
        sa.Column("predecessor_id", number(), nullable=True),
        sa.Column("lineage_digest", text(), nullable=False),
        sa.Column("delta_digest", text(), nullable=False),
        sa.Column("annex_digest", text(), nullable=False),
        sa.Column("view_digest", text(), nullable=False),
        sa.Column("holds", number(), nullable=False),
        sa.Column("outcome", text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("outcome IN ('rendered', 'held')", name=op.f("ck_candidates_outcome_known")),
        sa.CheckConstraint("content_number BETWEEN 1 AND ordinal", name=op.f("ck_candidates_content_number_counts")),
        sa.CheckConstraint("holds >= 0", name=op.f("ck_candidates_holds_counted")),
        sa.CheckConstraint("ordinal >= 1", name=op.f("ck_candidates_ordinal_counts")),
        sa.ForeignKeyConstraint(
            ["predecessor_id", "incident", "bridge"],
            ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
            name=op.f("fk_candidates_predecessor_id_incident_bridge"),
        ),
        sa.ForeignKeyConstraint(
            ["profile_digest"], ["profiles.profile_digest"], name=op.f("fk_candidates_profile_digest")
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_digest", "incident"],
            ["snapshots.digest", "snapshots.incident"],
            name=op.f("fk_candidates_snapshot_digest_incident"),
        ),
        sa.PrimaryKeyConstraint("candidate_id", name=op.f("pk_candidates")),
        sa.UniqueConstraint(
            "candidate_id", "incident", "bridge", name=op.f("uq_candidates_candidate_id_incident_bridge")
        ),
        sa.UniqueConstraint("incident", "bridge", "ordinal", name=op.f("uq_candidates_incident_bridge_ordinal")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "refreshes",
        sa.Column("refresh_id", number(), autoincrement=True, nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("revision", number(), nullable=False),
        sa.Column("snapshot_digest", text(), nullable=False),
        sa.Column("evaluation_instant", Instant(), nullable=False),
        sa.Column("is_history", sa.Boolean(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incidents.incident"], name=op.f("fk_refreshes_incident")),
        sa.ForeignKeyConstraint(
            ["snapshot_digest", "incident"],
            ["snapshots.digest", "snapshots.incident"],
            name=op.f("fk_refreshes_snapshot_digest_incident"),
        ),
        sa.PrimaryKeyConstraint("refresh_id", name=op.f("pk_refreshes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_refreshes_incident_refresh_id"), "refreshes", ["incident", "refresh_id"], unique=False)
    op.create_table(
        "refresh_candidates",
        sa.Column("refresh_id", number(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("candidate_id", number(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.candidate_id"], name=op.f("fk_refresh_candidates_candidate_id")
        ),
        sa.ForeignKeyConstraint(
            ["refresh_id"], ["refreshes.refresh_id"], name=op.f("fk_refresh_candidates_refresh_id")
        ),
        sa.PrimaryKeyConstraint("refresh_id", "bridge", name=op.f("pk_refresh_candidates")),
        sa.UniqueConstraint("candidate_id", name=op.f("uq_refresh_candidates_candidate_id")),
    )
    op.create_table(
        "release_checks",
        sa.Column("check_id", number(), autoincrement=True, nullable=False),
        sa.Column("candidate_id", number(), nullable=False),
        sa.Column("check_digest", text(), nullable=False),
        sa.Column("content_digest", text(), nullable=False),
        sa.Column("snapshot_digest", text(), nullable=False),
        sa.Column("profile_digest", text(), nullable=False),
        sa.Column("predecessor_digest", text(), nullable=True),
        sa.Column("deny_list_digest", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("reasons_digest", text(), nullable=True),
        sa.Column("check_body_digest", text(), nullable=False),
        sa.Column("evaluated_for", Instant(), nullable=False),
        sa.Column("valid_until", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.candidate_id"], name=op.f("fk_release_checks_candidate_id")
        ),
        sa.PrimaryKeyConstraint("check_id", name=op.f("pk_release_checks")),
        sa.UniqueConstraint("candidate_id", "check_digest", name=op.f("uq_release_checks_candidate_id_check_digest")),
        sa.UniqueConstraint(
            "check_id", "candidate_id", "passed", name=op.f("uq_release_checks_check_id_candidate_id_passed")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "internal_manifests",
        sa.Column("manifest_digest", text(), nullable=False),
        sa.Column("candidate_id", number(), nullable=False),
        sa.Column("check_id", number(), nullable=False),
        sa.Column("check_passed", sa.Boolean(), nullable=False),
        sa.Column("incident", text(), nullable=False),
        sa.Column("bridge", text(), nullable=False),
        sa.Column("body_digest", text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("check_passed", name=op.f("ck_internal_manifests_check_passed")),
        sa.ForeignKeyConstraint(
            ["candidate_id", "incident", "bridge"],
            ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
            name=op.f("fk_internal_manifests_candidate_id_incident_bridge"),
        ),
        sa.ForeignKeyConstraint(
            ["check_id", "candidate_id", "check_passed"],
            ["release_checks.check_id", "release_checks.candidate_id", "release_checks.passed"],
            name=op.f("fk_internal_manifests_check_id_candidate_id_check_passed"),
        ),
        sa.PrimaryKeyConstraint("manifest_digest", name=op.f("pk_internal_manifests")),
        sa.UniqueConstraint("candidate_id", name=op.f("uq_internal_manifests_candidate_id")),
    )
