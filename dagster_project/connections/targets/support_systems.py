"""The support systems as SQL tables: a small database of its own, which the demo ships and tests run against.

Belongs here: its tables, setting them up, and what the people and programs of those systems enter there (records,
documents, edits by hand). Does not belong here: what a completion writes (`sql`). No table of the operational store is
here, and none of these is in the operational store.
"""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from dagster_project.closure.disposition import ArchiveReference, Disposition
from dagster_project.connections.targets.forms import (
    ARCHIVE,
    FORMS,
    LEDGER,
    NOTICES,
    QUEUE,
    TRACKER,
    Kind,
    readable,
)
from dagster_project.store.columns import number, text
from dagster_project.store.engine import create_engine_for, reading, writing

# A server that says nothing must not keep a worker for as long as the operating system would.
_CONNECT_SECONDS: Final = 10
_SILENCE_MILLISECONDS: Final = 30_000

metadata = sa.MetaData()


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, text(), primary_key=primary_key, nullable=nullable)


def _field(name: str, kind: Kind) -> sa.Column[Any]:
    types: Mapping[Kind, Any] = {Kind.TEXT: text(), Kind.NUMBER: number(), Kind.NAMES: sa.JSON(none_as_null=True)}
    return sa.Column(name, types[kind], nullable=True)


def _subjects(table: str, target: str, *own: sa.Column[Any]) -> sa.Table:
    """A table with a row for each subject of a target: the fields that may be read, and the system's own columns."""
    return sa.Table(
        table,
        metadata,
        _text("subject", primary_key=True),
        sa.Column("version", number(), nullable=False),
        *(_field(name, kind) for name, kind in readable(FORMS[target]).items()),
        *own,
    )


# `state` is the life of the escalation and of the case: no field of a form names it, so nothing of ours can touch it.
SUBJECTS: Final[Mapping[str, sa.Table]] = {
    ARCHIVE: _subjects("archive_attachments", ARCHIVE),
    TRACKER: _subjects("tracker_records", TRACKER, _text("state")),
    LEDGER: _subjects("ledger_entries", LEDGER, _text("state")),
    QUEUE: _subjects("review_queue_items", QUEUE),
    NOTICES: _subjects("coordinator_notices", NOTICES),
}

receipts = sa.Table(
    "target_receipts",
    metadata,
    _text("target", primary_key=True),
    _text("key", primary_key=True),
    _text("request_digest"),
    _text("subject"),
    _text("reference"),
    _text("version"),
)

fences = sa.Table(
    "target_fences",
    metadata,
    _text("target", primary_key=True),
    _text("subject", primary_key=True),
    sa.Column("fence", number(), nullable=False),
)

# Every write of a completion is one row more, without a unique key: what happened twice shows twice.
effects = sa.Table(
    "target_effects",
    metadata,
    sa.Column("sequence", number(), primary_key=True, autoincrement=True),
    _text("target"),
    _text("key"),
    _text("subject"),
    _text("version"),
)

case_reviews = sa.Table(
    "case_reviews",
    metadata,
    _text("case", primary_key=True),
    _text("escalation"),
    _text("episode"),
    sa.Column("disposition_version", number(), nullable=False),
    _text("state"),
    _text("closure_packet"),
    _text("closure_packet_digest"),
    _text("internal_review_note"),
    _text("internal_review_note_digest"),
    _text("tracker_record", nullable=True),
    _text("ledger_record", nullable=True),
    _text("queue_item", nullable=True),
    _text("coordinator", nullable=True),
    _text("closed_at"),
)

archive_documents = sa.Table("archive_documents", metadata, _text("reference", primary_key=True), _text("digest"))


def create_support_systems(url: str) -> Engine:
    """Open the support-systems database and make the tables that it lacks.

    Args:
        url: ``sqlite:///path`` or ``postgresql://...``; a database apart from the operational store.

    Raises:
        UsageError: not an address of one of the two.
        Unavailable: the database cannot be reached.
    """
    engine = open_support_systems(url)
    with writing(engine) as connection:
        metadata.create_all(connection)
    return engine


def open_support_systems(url: str) -> Engine:
    """Open the support-systems database without looking whether it is there: it connects when first used.

    Raises:
        UsageError: not an address of a SQLite file or PostgreSQL server.
    """
    engine = create_engine_for(url)
    if engine.dialect.name == "postgresql":
        sa.event.listen(engine, "do_connect", _bound)
    return engine


def enter_disposition(engine: Engine, disposition: Disposition) -> None:
    """Enter what the case-review system holds of a case, in place of what it held."""
    packet, note = disposition.closure_packet, disposition.internal_review_note
    row = {
        column.name: getattr(disposition, column.name) for column in case_reviews.columns if "digest" not in column.name
    }
    row |= {"closure_packet": packet.reference, "closure_packet_digest": packet.digest}
    row |= {"internal_review_note": note.reference, "internal_review_note_digest": note.digest}
    with writing(engine) as connection:
        _replace(connection, case_reviews, "case", row)


def file_document(engine: Engine, document: ArchiveReference) -> None:
    """File a document in the archive, in place of what its reference held."""
    with writing(engine) as connection:
        _replace(
            connection, archive_documents, "reference", {"reference": document.reference, "digest": document.digest}
        )


def open_subject(engine: Engine, target: str, subject: str, values: Mapping[str, object]) -> None:
    """Open a record of a target as its own people would: `values` may name any of its columns."""
    with writing(engine) as connection:
        connection.execute(sa.insert(SUBJECTS[target]).values(subject=subject, version=1, **values))


def edit_subject(engine: Engine, target: str, subject: str, values: Mapping[str, object]) -> None:
    """Edit a record as a person would, past every completion: its version moves on."""
    table = SUBJECTS[target]
    change = sa.update(table).where(table.c.subject == subject).values(version=table.c.version + 1, **values)
    with writing(engine) as connection:
        connection.execute(change)


def row_of(engine: Engine, target: str, subject: str) -> Mapping[str, object]:
    """Return all columns of a subject, the system's own included; empty where there is no such subject."""
    table = SUBJECTS[target]
    with reading(engine) as connection:
        row = connection.execute(sa.select(table).where(table.c.subject == subject)).mappings().one_or_none()
    # SQLAlchemy names the column "case" by a kind of str of its own.
    return {str(name): value for name, value in row.items()} if row is not None else {}


def count_effects(engine: Engine) -> Mapping[tuple[str, str], int]:
    """Return how many effects each (target, key) had; a key that had none is not there."""
    counted = sa.select(effects.c.target, effects.c.key, sa.func.count()).group_by(effects.c.target, effects.c.key)
    with reading(engine) as connection:
        return {(target, key): count for target, key, count in connection.execute(counted)}


def _replace(connection: Connection, table: sa.Table, key: str, row: Mapping[str, object]) -> None:
    connection.execute(sa.delete(table).where(table.c[key] == row[key]))
    connection.execute(sa.insert(table).values(**row))


def _bound(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
    parameters.setdefault("connect_timeout", _CONNECT_SECONDS)
    parameters.setdefault("tcp_user_timeout", _SILENCE_MILLISECONDS)
