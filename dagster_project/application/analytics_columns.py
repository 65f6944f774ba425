"""The tables and views of the analytics files, as plain data: which columns they have, and who may see their rows.

Belongs here: what a reader of a file may count on. The columns of tables are those of `analytics_rows`; a view takes
columns from there and adds the few that it computes. How a view is computed is in `sql/`; a test holds the two
together. Whoever checks, documents or shows columns takes them from here, and nothing here costs an import.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from dagster_project.application import analytics_rows as rows
from dagster_project.connections.duckdb_columns import Column, columns_of, leave_out, nullable, pick

INTERNAL_FILE: Final = "internal.duckdb"
PUBLIC_FILE: Final = "public.duckdb"
FILES: Final = (INTERNAL_FILE, PUBLIC_FILE)


@dataclass(frozen=True)
class Table:
    """A table or view. No two rows agree on all columns of `unique`, if there are any; `files` may hold its rows."""

    name: str
    columns: tuple[Column, ...]
    unique: tuple[str, ...]
    files: tuple[str, ...] = (INTERNAL_FILE,)


def _by_name(*tables: Table) -> Mapping[str, Table]:
    return MappingProxyType({table.name: table for table in tables})


# What a bridge can see of a released version itself: nothing else may be in the public file.
PUBLIC_TABLES: Final = ("released_versions", "released_fields")
# The tables behind the views, in the schema `published`. Both files have all of them.
TABLES: Final = _by_name(
    *(
        Table(name, columns_of(row_type), row_type.unique, FILES if name in PUBLIC_TABLES else (INTERNAL_FILE,))
        for name, row_type in rows.TABLES.items()
    )
)

_WHICH: Final = "candidate_id incident bridge ordinal"
_CANDIDATE: Final = TABLES["candidates"].columns
_CHECK_ID: Final = pick(TABLES["release_checks"].columns, "check_id")
_VALID_UNTIL: Final = pick(TABLES["manifests"].columns, "valid_until")


def _same(name: str) -> Table:
    """Return a view that shows its table as it is."""
    return TABLES[name]


def _of_candidate(name: str) -> Table:
    """Return a view that shows its table and says of which candidate each row is."""
    table = TABLES[name]
    return Table(name, pick(_CANDIDATE, _WHICH) + leave_out(table.columns, "candidate_id"), table.unique)


def _count(name: str, description: str) -> Column:
    return Column(name, "BIGINT", nullable=False, description=description)


def _share(name: str, description: str) -> Column:
    return Column(name, "DOUBLE", nullable=True, description=description)


def _flag(name: str, description: str) -> Column:
    return Column(name, "BOOLEAN", nullable=False, description=description)


def _passed_candidates() -> Table:
    about = pick(_CANDIDATE, f"{_WHICH} content_number content_digest evaluation_instant as_of")
    gate = pick(TABLES["manifests"].columns, "manifest_digest check_id")
    columns = about + _VALID_UNTIL + pick(_CANDIDATE, "outcome") + gate
    return Table("passed_candidates", columns, ("candidate_id",))


def _failed_candidates() -> Table:
    check_id = nullable(_CHECK_ID[0], "Its latest release check; NULL where there is none yet.")
    rule, code, pointers = pick(TABLES["release_check_reasons"].columns, "rule code pointers")
    rule = replace(rule, allowed=(*rule.allowed, "gate"), description=f"{rule.description[:-1]}, or 'gate'.")
    columns = (*pick(_CANDIDATE, f"{_WHICH} evaluation_instant"), check_id, rule, code, pointers)
    return Table("failed_candidates", columns, TABLES["release_check_reasons"].unique)


def _candidates() -> Table:
    state = Column(
        "publication_state",
        "VARCHAR",
        nullable=False,
        description="'candidate' where it passed; what was released of it is in version_origins.",
        allowed=("candidate", "failed_check"),
    )
    valid_until = nullable(_VALID_UNTIL[0], "Until when its release check holds; NULL where it did not pass.")
    columns = (
        *pick(_CANDIDATE, f"{_WHICH} content_number content_changed"),
        state,
        *pick(_CANDIDATE, "outcome holds carried_forward evaluation_instant as_of"),
        valid_until,
        *pick(_CANDIDATE, "predecessor_id content_digest profile profile_digest renderer_digest tzdata_version"),
        *pick(_CANDIDATE, "snapshot_digest created_at"),
    )
    return Table("candidates", columns, ("candidate_id",))


def _incidents() -> Table:
    table = TABLES["incidents"]
    columns = (
        *pick(table.columns, "incident revision observed_revision"),
        _flag("pending", "Whether its records moved since the last refresh."),
        *pick(table.columns, "pending_since urgent registered_at"),
        _count("bridges", "How many customer bridges it has candidates for."),
        _count("candidates", "How many candidates were ever rendered for it."),
        _count("failed_candidates", "How many of them did not pass."),
        _count("open_items", "How many open items are unresolved."),
    )
    return Table("incidents", columns, table.unique)


def _manifests() -> Table:
    table = TABLES["manifests"]
    head = pick(table.columns, "manifest_digest candidate_id") + pick(_CANDIDATE, "incident bridge ordinal")
    return Table("manifests", head + leave_out(table.columns, "manifest_digest candidate_id"), table.unique)


def _open_item_evidence() -> Table:
    table = TABLES["open_item_evidence"]
    head = pick(TABLES["open_items"].columns, "open_item_id incident bridge kind")
    return Table("open_item_evidence", head + leave_out(table.columns, "open_item_id"), table.unique)


def _release_checks() -> Table:
    table = TABLES["release_checks"]
    judged = "content_digest snapshot_digest profile_digest deny_list_digest evaluated_for valid_until created_at"
    columns = (
        *_CHECK_ID,
        *pick(_CANDIDATE, _WHICH),
        *pick(table.columns, "passed"),
        _count("reasons", "How many reasons it failed for; they are in failed_candidates."),
        *pick(table.columns, judged),
    )
    return Table("release_checks", columns, table.unique)


def _acceptance() -> Table:
    columns = (
        *pick(TABLES["version_origins"].columns, "incident bridge"),
        _count("versions", "How many versions were released."),
        _count("handed_off", "How many of them are on record as handed off."),
        _count("with_verdict", "How many of those handed off have a verdict of the bridge's lead."),
        _count("accepted_without_reopening", "How many of those were accepted, and no internal system was reopened."),
        _count(
            "verdicts_without_hand_off", "How many have a verdict though no hand-off is on record; counted nowhere."
        ),
        _share("response_rate", "Is with_verdict / handed_off; NULL where nothing was handed off."),
        _share("accepted_share", "Is accepted_without_reopening / with_verdict; NULL where there is no verdict."),
    )
    return Table("acceptance", columns, ("incident", "bridge"))


def _findings_by_kind() -> Table:
    columns = (
        *pick(TABLES["findings"].columns, "kind"),
        _count("findings", "How many findings of this kind there are."),
        _count("versions_concerned", "How many different versions they are about."),
        _count("versions", "How many versions were ever released."),
        _share("findings_per_version", "Is findings / versions."),
    )
    return Table("findings_by_kind", columns, ("kind",))


def _closures() -> Table:
    table = TABLES["closure_plans"]
    columns = (
        *pick(table.columns, "plan_id event_number case_digest state audit_row"),
        _count("steps", "How many steps it has."),
        _count("finished_steps", "How many of them are finished, skipped ones included."),
        _count("skipped_steps", "How many of them an operator skipped."),
        _flag("repaired", "Whether an operator ever had to act on it, its event, or a follow-up of either."),
        _flag("waits_for_people", "Whether it is stopped, or a follow-up about it or its event is open."),
        *pick(table.columns, "created_at finished_at"),
    )
    return Table("closures", columns, table.unique)


def _closures_without_repair() -> Table:
    columns = (
        _count("closures", "How many dispositions were verified and planned."),
        _count("under_way", "How many of them are being propagated and wait for nobody."),
        _count("complete", "How many are complete."),
        _count("without_repair", "How many of the complete ones no operator ever had to act on."),
        _share("share_without_repair", "Is without_repair / (closures - under_way); NULL where all are under way."),
    )
    return Table("closures_without_repair", columns, ())


def _closure_events_caught() -> Table:
    kinds = ("duplicate", "stale", "mismapped", "conflicting", "out_of_bounds")
    columns = (
        Column("kind", "VARCHAR", nullable=False, description="What was wrong with an event.", allowed=kinds),
        _count("caught", "How many events were caught."),
        _count("before_a_write", "How many of them before anything was written for them."),
        _share("share_before_a_write", "Is before_a_write / caught; NULL where none was caught."),
    )
    return Table("closure_events_caught", columns, ("kind",))


def _closure_audit() -> Table:
    columns = (
        _count("complete", "How many closures are complete."),
        _count("filled", "How many of them have an audit row with every member filled."),
        _count("with_skipped", "How many have one in which what was skipped is typed so, with its reason."),
        _count("missing_or_wrong", "How many have none, or one that is not of its form."),
        _share("share_with_audit_row", "Is (filled + with_skipped) / complete."),
    )
    return Table("closure_audit", columns, ())


def _closure_recoveries() -> Table:
    table = TABLES["closure_steps"]
    held_up = replace(pick(table.columns, "first_held_up_at")[0], nullable=False, description=_HELD_UP)
    columns = (
        *pick(table.columns, "plan_id step direction"),
        held_up,
        *pick(table.columns, "ended finished_at"),
        Column(
            "recovered",
            "VARCHAR",
            nullable=False,
            description="Whether the step was done without an operator, after one acted on its closure, or not at all.",
            allowed=("by_itself", "after_a_command", "not_done"),
        ),
        Column(
            "seconds",
            "BIGINT",
            nullable=True,
            description="From when it was first held up until it was done; NULL where it was not.",
        ),
        _count("done_meanwhile", "How many other steps of the closure were done while it was held up."),
    )
    return Table("closure_recoveries", columns, table.unique)


_HELD_UP: Final = "When a system first could not be used for it, or refused it."
# The views, in the order in which they build on each other; one file in `sql/` each.
VIEWS: Final = _by_name(
    _passed_candidates(),
    _failed_candidates(),
    _candidates(),
    _incidents(),
    _of_candidate("fields"),
    _of_candidate("absences"),
    _of_candidate("slots"),
    _manifests(),
    _of_candidate("annexes"),
    _of_candidate("lineage"),
    _of_candidate("changes"),
    _same("open_items"),
    _open_item_evidence(),
    _release_checks(),
    _same("released_versions"),
    _same("released_fields"),
    _same("version_origins"),
    _same("decisions"),
    _same("receipts"),
    _same("findings"),
    _acceptance(),
    _findings_by_kind(),
    _same("closure_steps"),
    _same("closure_follow_ups"),
    _closures(),
    _closures_without_repair(),
    _closure_events_caught(),
    _closure_audit(),
    _closure_recoveries(),
    _same("publication"),
)
