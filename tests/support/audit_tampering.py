"""What may be done to an audit log behind the application's back: by hand, and by an attacker who has the machine.

A clever attacker has its database, its key files and everything that follows from them, but not the anchor.
"""

from collections.abc import Callable

import sqlalchemy as sa

from dagster_project.application.audit_log import audit_key, log_origin
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.audit_entries import leaf_of
from dagster_project.integrity.checkpoints import make_kept
from dagster_project.integrity.merkle import CompactRange
from dagster_project.integrity.signatures import SigningKey
from dagster_project.store.audit import FIRST, all_entries_after, write_hashes
from dagster_project.store.audit_checkpoints import readable_checkpoints
from dagster_project.store.audit_tables import audit_checkpoints, audit_log_head
from dagster_project.store.tables import audit_entries
from tests.support.audited_logs import LOG

Tampering = Callable[[Workspace], None]
places = audit_entries.c.sequence


def edit(place: int, **values: object) -> Tampering:
    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            changed = connection.execute(sa.update(audit_entries).where(places == place).values(**values))
            assert changed.rowcount == 1

    return tamper


def delete(first: int, last: int) -> Tampering:
    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            gone = connection.execute(sa.delete(audit_entries).where(places.between(first, last)))
            assert gone.rowcount == last - first + 1

    return tamper


def copy(of: int, to: int) -> Tampering:
    """Put a copy of one entry at a place, whatever lies there."""

    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            row = dict(connection.execute(sa.select(audit_entries).where(places == of)).mappings().one())
            connection.execute(sa.delete(audit_entries).where(places == to))
            connection.execute(sa.insert(audit_entries).values(**{**row, "sequence": to}))

    return tamper


def swap(one: int, other: int) -> Tampering:
    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            for place, new in ((one, -1), (other, one), (-1, other)):
                connection.execute(sa.update(audit_entries).where(places == place).values(sequence=new))

    return tamper


def closing_the_gap(first: int, last: int) -> Tampering:
    """Take entries away and move the later ones up, so that no place is empty but at the end."""

    def tamper(workspace: Workspace) -> None:
        delete(first, last)(workspace)
        with workspace.store.engine.begin() as connection:
            for place in range(last + 1, LOG.now + 1):
                new = place - (last - first + 1)
                connection.execute(sa.update(audit_entries).where(places == place).values(sequence=new))

    return tamper


def wipe(workspace: Workspace) -> None:
    """Take away all entries, and everything that says that there were any."""
    with workspace.store.engine.begin() as connection:
        for table in (audit_entries, audit_checkpoints, audit_log_head):
            connection.execute(sa.delete(table))


def cleverly(*tamperings: Tampering) -> Tampering:
    """Tamper, and then make head and checkpoints again of what is left, signed with the deployment's own key."""

    def tamper(workspace: Workspace) -> None:
        for one in tamperings:
            one(workspace)
        key = key_of_log(workspace)
        with workspace.store.begin() as transaction:
            leaves = [leaf_of(entry) for entry in all_entries_after(transaction, FIRST)]
            head = CompactRange().appended(leaves)
            connection = transaction.connection
            connection.execute(sa.delete(audit_log_head))
            new_head = {"head": 1, "size": head.size, "hashes": write_hashes(head)}
            connection.execute(sa.insert(audit_log_head).values(**new_head))
            for size in connection.execute(sa.select(audit_checkpoints.c.size)).scalars().all():
                log = CompactRange().appended(leaves[:size])
                values = {"note": make_kept(log_origin(transaction), log, [key]).note, "hashes": write_hashes(log)}
                row = audit_checkpoints.c.size == size
                if log.size < size:
                    connection.execute(sa.delete(audit_checkpoints).where(row))
                else:
                    connection.execute(sa.update(audit_checkpoints).where(row).values(**values))

    return tamper


def without_checkpoints(first: int) -> Tampering:
    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            connection.execute(sa.delete(audit_checkpoints).where(audit_checkpoints.c.size >= first))

    return tamper


def head_at(size: int) -> Tampering:
    """Set the head back to what it was at a checkpoint."""

    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            hashes = sa.select(audit_checkpoints.c.hashes).where(audit_checkpoints.c.size == size).scalar_subquery()
            connection.execute(sa.update(audit_log_head).values(size=size, hashes=hashes))

    return tamper


def inserting_before(place: int) -> Tampering:
    """Move entries from `place` on down by one, and put a copy of the one before there."""

    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            for moved in range(LOG.now, place - 1, -1):
                connection.execute(sa.update(audit_entries).where(places == moved).values(sequence=moved + 1))
        copy(place - 1, place)(workspace)

    return tamper


def delete_all(workspace: Workspace, table: sa.Table) -> None:
    with workspace.store.engine.begin() as connection:
        connection.execute(sa.delete(table))


def key_of_log(workspace: Workspace) -> SigningKey:
    """Return the key of the service `audit`, as whoever has the machine has it."""
    key = audit_key(workspace)
    assert key is not None
    return key


def set_checkpoint(workspace: Workspace, values: dict[str, object]) -> None:
    """Change the row of the checkpoint that is signed and not anchored."""
    with workspace.store.engine.begin() as connection:
        row = audit_checkpoints.c.size == LOG.signed
        assert connection.execute(sa.update(audit_checkpoints).where(row).values(**values)).rowcount == 1


def resign(workspace: Workspace, keys: list[SigningKey], origin: str | None = None) -> None:
    """Sign that checkpoint again by other keys, or as one of another log."""
    with workspace.store.read() as transaction:
        kept = next(one for one in readable_checkpoints(transaction)[0] if one.size == LOG.signed)
        name = origin or log_origin(transaction)
    set_checkpoint(workspace, {"note": make_kept(name, kept.compact_range, keys).note})


def say(statement: str) -> Tampering:
    """Run a statement on the database."""

    def tamper(workspace: Workspace) -> None:
        with workspace.store.engine.begin() as connection:
            assert connection.execute(sa.text(statement)).rowcount >= 1

    return tamper
