"""The tables of the operational store. Column names are the glossary's words.

Belongs here: tables and the constraints that carry the invariants. Reading and writing them is for the
repository modules (`records`, `incidents`, `candidates`, `open_items`, `profiles`, `audit`); a change needs a
migration beside it. Rows hold ids, digests, codes and instants: bodies lie in blobs.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from dagster_project.store.columns import Instant, number, text

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *parts: Any, **options: Any) -> sa.Column[str]:  # noqa: ANN401 - as sa.Column
    return sa.Column(name, text(), *parts, nullable=options.pop("nullable", False), **options)


def _number(name: str, *parts: Any, **options: Any) -> sa.Column[int]:  # noqa: ANN401 - as sa.Column
    return sa.Column(name, number(), *parts, nullable=options.pop("nullable", False), **options)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Instant(), nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _one_of(column: str, values: Iterable[str]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


source_records = sa.Table(
    "source_records",
    metadata,
    _number("sequence", primary_key=True, autoincrement=True),
    _text("event_id"),
    _text("source"),
    _text("type"),
    _text("subject"),
    _text("recordid"),
    _number("recordversion"),
    _instant("recorded_at"),
    _instant("occurred_at"),
    _text("recorded_by", nullable=True),
    _text("classification"),
    _text("data_digest"),
    _text("body_digest"),
    _instant("admitted_at"),
    sa.UniqueConstraint("source", "recordid", "recordversion", "data_digest"),
    sa.UniqueConstraint("source", "event_id", "data_digest"),
    sa.Index(None, "subject"),
    sa.Index(None, "type"),
    _one_of("classification", ("customer", "internal", "restricted")),
    sqlite_autoincrement=True,
)

rejected_inputs = sa.Table(
    "rejected_inputs",
    metadata,
    _number("rejected_input_id", primary_key=True, autoincrement=True),
    _text("reason_code"),
    _text("where_pointer"),
    _text("source", nullable=True),
    _text("type", nullable=True),
    _text("subject", nullable=True),
    _text("recordid", nullable=True),
    _text("recordversion", nullable=True),
    _text("body_digest"),
    _instant("received_at"),
    _text("state"),
    sa.UniqueConstraint("body_digest", "reason_code"),
    sa.Index(None, "subject"),
    sa.Index(
        "ix_rejected_inputs_open",
        "recordid",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    _one_of("state", ("open", "admitted", "dismissed")),
    sqlite_autoincrement=True,
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    _number("delivery_id", primary_key=True, autoincrement=True),
    _text("unit"),
    _text("locator"),
    _instant("received_at"),
    _text("outcome"),
    _number("record_sequence", sa.ForeignKey("source_records.sequence"), nullable=True),
    _number("rejected_input_id", sa.ForeignKey("rejected_inputs.rejected_input_id"), nullable=True),
    sa.Index(None, "record_sequence"),
    _one_of("outcome", ("admitted", "duplicate", "conflicting_copy", "rejected")),
    # Every unit ever delivered ends somewhere: at a record or at a rejected input, never at both or at none.
    sa.CheckConstraint(
        "(outcome = 'rejected' AND record_sequence IS NULL AND rejected_input_id IS NOT NULL)"
        " OR (outcome <> 'rejected' AND record_sequence IS NOT NULL AND rejected_input_id IS NULL)",
        name="ends_somewhere",
    ),
    sqlite_autoincrement=True,
)

lagging_sources = sa.Table(
    "lagging_sources",
    metadata,
    _number("lagging_id", primary_key=True, autoincrement=True),
    _text("source"),
    _instant("since"),
    _text("reason_code"),
    _text("state"),
    sa.Index(
        "uq_lagging_sources_open",
        "source",
        "reason_code",
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    _one_of("state", ("open", "closed")),
    sqlite_autoincrement=True,
)

landing_files = sa.Table(
    "landing_files",
    metadata,
    _text("digest", primary_key=True),
    _text("name", primary_key=True),
    _text("state"),
    _number("lines"),
    _instant("picked_up_at"),
    _one_of("state", ("picked_up", "done")),
)

incidents = sa.Table(
    "incidents",
    metadata,
    _text("incident", primary_key=True),
    _number("revision"),
    _number("observed_revision"),
    _instant("pending_since", nullable=True),
    _flag("urgent"),
    _instant("registered_at"),
    _flag("severity_one"),
    sa.CheckConstraint("observed_revision BETWEEN 0 AND revision", name="observed_exists"),
    # Pending is one fact, said once by the revisions and once by the instant: they cannot disagree.
    sa.CheckConstraint(
        "(revision > observed_revision AND pending_since IS NOT NULL)"
        " OR (revision = observed_revision AND pending_since IS NULL AND NOT urgent)",
        name="pending_agrees",
    ),
    sa.Index(
        "ix_incidents_pending",
        "pending_since",
        "incident",
        sqlite_where=sa.text("pending_since IS NOT NULL"),
        postgresql_where=sa.text("pending_since IS NOT NULL"),
    ),
)

incident_subjects = sa.Table(
    "incident_subjects",
    metadata,
    _text("incident", sa.ForeignKey("incidents.incident"), primary_key=True),
    _text("subject", primary_key=True),
    sa.Index(None, "subject"),
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    _text("digest", primary_key=True),
    _text("incident", sa.ForeignKey("incidents.incident")),
    _number("log_sequence"),
    _text("body_digest"),
    _instant("created_at"),
    sa.UniqueConstraint("digest", "incident"),
)

profiles = sa.Table(
    "profiles",
    metadata,
    _text("profile_digest", primary_key=True),
    _text("name"),
    _text("channel"),
    _text("state"),
    _text("body_digest"),
    _instant("loaded_at"),
)

profile_assignments = sa.Table(
    "profile_assignments",
    metadata,
    _number("assignment_id", primary_key=True, autoincrement=True),
    _text("incident"),
    _text("bridge"),
    _text("profile_digest", sa.ForeignKey("profiles.profile_digest")),
    _instant("assigned_at"),
    sa.Index(None, "bridge", "incident"),
    sqlite_autoincrement=True,
)

candidates = sa.Table(
    "candidates",
    metadata,
    _number("candidate_id", primary_key=True, autoincrement=True),
    _text("incident"),
    _text("bridge"),
    _number("ordinal"),
    _number("content_number"),
    _flag("content_changed"),
    _text("content_digest"),
    _text("snapshot_digest"),
    _text("profile_digest", sa.ForeignKey("profiles.profile_digest")),
    _text("renderer_digest"),
    _text("tzdata_version"),
    _instant("evaluation_instant"),
    _instant("as_of", nullable=True),
    _number("predecessor_id", nullable=True),
    _text("lineage_digest"),
    _text("delta_digest"),
    _text("annex_digest"),
    _text("view_digest"),
    _number("holds"),
    _text("outcome"),
    _instant("created_at"),
    sa.UniqueConstraint("incident", "bridge", "ordinal"),
    sa.UniqueConstraint("candidate_id", "incident", "bridge"),
    # A candidate is made of its own incident's snapshot and follows a candidate of its own bridge: what belongs
    # to another customer cannot even be referred to.
    sa.ForeignKeyConstraint(["snapshot_digest", "incident"], ["snapshots.digest", "snapshots.incident"]),
    sa.ForeignKeyConstraint(
        ["predecessor_id", "incident", "bridge"],
        ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
    ),
    sa.CheckConstraint("ordinal >= 1", name="ordinal_counts"),
    sa.CheckConstraint("content_number BETWEEN 1 AND ordinal", name="content_number_counts"),
    sa.CheckConstraint("holds >= 0", name="holds_counted"),
    _one_of("outcome", ("rendered", "held")),
    sqlite_autoincrement=True,
)

refreshes = sa.Table(
    "refreshes",
    metadata,
    _number("refresh_id", primary_key=True, autoincrement=True),
    _text("incident", sa.ForeignKey("incidents.incident")),
    _number("revision"),
    _text("snapshot_digest"),
    _instant("evaluation_instant"),
    # History is judged at its own instants: gates compare with the evaluation instant instead of the clock.
    _flag("is_history"),
    _instant("started_at"),
    _text("lane"),
    # Finished once every candidate was judged; reported once the operators' UI was told of it.
    _instant("finished_at", nullable=True),
    _instant("reported_at", nullable=True),
    sa.ForeignKeyConstraint(["snapshot_digest", "incident"], ["snapshots.digest", "snapshots.incident"]),
    sa.Index(None, "incident", "refresh_id"),
    sa.Index(
        "ix_refreshes_unreported",
        "refresh_id",
        sqlite_where=sa.text("reported_at IS NULL"),
        postgresql_where=sa.text("reported_at IS NULL"),
    ),
    _one_of("lane", ("single", "bulk", "severity_one", "command")),
    sqlite_autoincrement=True,
)

refresh_candidates = sa.Table(
    "refresh_candidates",
    metadata,
    _number("refresh_id", sa.ForeignKey("refreshes.refresh_id"), primary_key=True),
    _text("bridge", primary_key=True),
    _number("candidate_id", sa.ForeignKey("candidates.candidate_id"), unique=True),
)

release_checks = sa.Table(
    "release_checks",
    metadata,
    _number("check_id", primary_key=True, autoincrement=True),
    _number("candidate_id", sa.ForeignKey("candidates.candidate_id")),
    _text("check_digest"),
    _text("content_digest"),
    _text("snapshot_digest"),
    _text("profile_digest"),
    _text("predecessor_digest", nullable=True),
    _text("deny_list_digest"),
    _text("bridge"),
    _flag("passed"),
    _text("reasons_digest", nullable=True),
    _text("check_body_digest"),
    _instant("evaluated_for"),
    _instant("valid_until", nullable=True),
    _instant("created_at"),
    sa.UniqueConstraint("candidate_id", "check_digest"),
    sa.UniqueConstraint("check_id", "candidate_id", "passed"),
    sa.Index(None, "valid_until"),
    sqlite_autoincrement=True,
)

internal_manifests = sa.Table(
    "internal_manifests",
    metadata,
    _text("manifest_digest", primary_key=True),
    _number("candidate_id", unique=True),
    _number("check_id"),
    _flag("check_passed"),
    _text("incident"),
    _text("bridge"),
    _text("body_digest"),
    _instant("created_at"),
    # The database itself refuses a manifest whose release check is absent, failed or of another candidate.
    sa.CheckConstraint("check_passed", name="check_passed"),
    sa.ForeignKeyConstraint(
        ["check_id", "candidate_id", "check_passed"],
        ["release_checks.check_id", "release_checks.candidate_id", "release_checks.passed"],
    ),
    sa.ForeignKeyConstraint(
        ["candidate_id", "incident", "bridge"],
        ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
    ),
)

open_items = sa.Table(
    "open_items",
    metadata,
    _number("open_item_id", primary_key=True, autoincrement=True),
    _text("incident", sa.ForeignKey("incidents.incident")),
    # '' where an item concerns all bridges: a NULL would slip through the unique constraint.
    _text("bridge"),
    _text("kind"),
    _text("identity_digest"),
    _text("owner_role"),
    _text("body_digest"),
    _instant("opened_at"),
    _instant("resolved_at", nullable=True),
    sa.UniqueConstraint("incident", "bridge", "kind", "identity_digest"),
    sqlite_autoincrement=True,
)

# The sequence is the place in the log: given by the writer, because a database that counts leaves gaps.
audit_entries = sa.Table(
    "audit_entries",
    metadata,
    _number("sequence", primary_key=True, autoincrement=False),
    _instant("at"),
    _text("actor"),
    _text("action"),
    _text("incident", nullable=True),
    _text("subject"),
    _text("details_digest"),
    sa.Index(None, "incident"),
)

cursors = sa.Table(
    "cursors",
    metadata,
    _text("name", primary_key=True),
    _number("position"),
    sa.CheckConstraint("position >= 0", name="position_counts"),
)

# An attempt is counted before it begins, so that one that kills its process is counted too.
refresh_attempts = sa.Table(
    "refresh_attempts",
    metadata,
    _text("incident", sa.ForeignKey("incidents.incident"), primary_key=True),
    _number("revision"),
    _number("attempts"),
    _instant("started_at"),
    _text("reason_code", nullable=True),
    sa.CheckConstraint("attempts >= 1", name="attempts_counted"),
)

# Who works a lane. The token rises with every holder, so that one who lost the lane cannot renew it.
lane_leases = sa.Table(
    "lane_leases",
    metadata,
    _text("lane", primary_key=True),
    _number("token"),
    _instant("expires_at"),
)

stale_candidates = sa.Table(
    "stale_candidates",
    metadata,
    _number("candidate_id", primary_key=True, autoincrement=False),
    _text("incident"),
    _text("bridge"),
    _instant("valid_until"),
    _instant("marked_at"),
    _instant("reported_at", nullable=True),
    sa.ForeignKeyConstraint(
        ["candidate_id", "incident", "bridge"],
        ["candidates.candidate_id", "candidates.incident", "candidates.bridge"],
    ),
)

# Where a body lies: the bodies of one transaction are one pack. Names are those of `blobs`, keys those of `body_keys`.
packed_bodies = sa.Table(
    "packed_bodies",
    metadata,
    _text("name", primary_key=True),
    _text("pack"),
    _number("start"),
    _number("length"),
    # NULL where it was stored before keys had ids.
    _text("body_key", nullable=True),
    sa.CheckConstraint("start >= 0 AND length >= 0", name="place_exists"),
    sa.Index(None, "pack"),
)
