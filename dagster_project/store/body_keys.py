"""Body keys: which key seals what is written now, and the keys that open what is stored.

Belongs here: finding keys by their ids, and the rows that say in which order keys followed one another. The database
says which key seals, because all processes and machines of a deployment share it: one whose key file is behind is
refused, and never seals under a key that was given up. Moving bodies to another key is `body_rotation`.
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.keys import KeyRing
from dagster_project.store.body_tables import body_keys
from dagster_project.store.key_files import KEY_FILE_NAME, load_keys

# What rows say of a body that is for customers.
UNSEALED: Final = "none"
_CURRENT: Final = sa.select(body_keys.c.body_key).order_by(body_keys.c.place.desc()).limit(1)
_KNOWN: Final = sa.select(sa.func.count()).where(body_keys.c.body_key == sa.bindparam("body_key"))
_LAST: Final = sa.select(sa.func.coalesce(sa.func.max(body_keys.c.place), 0))


class BodyKeys:
    """The body keys of one process, by id. One that is not known is looked up in the key file again.

    So a process that runs for months follows a rotation without being started again.
    """

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder = folder
        self._keys = ring.body_keys

    @property
    def newest(self) -> str:
        """The id of the key that the key file would have seal."""
        return next(iter(self._keys))

    def every(self) -> tuple[bytes, ...]:
        """Return all keys, the newest first."""
        return tuple(self._keys.values())

    def key(self, body_key: str) -> bytes:
        """Return the key of this id.

        Raises:
            Unavailable: the key file holds no such key, or cannot be read.
        """
        if body_key not in self._keys:
            self._keys = load_keys(self._folder).body_keys
        if body_key in self._keys:
            return self._keys[body_key]
        raise Unavailable(
            "body_key_missing",
            what=f"the key file does not hold the body key {body_key}, under which bodies of this store are sealed",
            where=str(self._folder / KEY_FILE_NAME),
            what_to_do="Set CHANNELSAFE_KEYS to the keys of this store, or restore the key file from its backup. Where "
            "`channelsafe keys rotate` ran on another machine, copy the key file from there. Nothing was written.",
        )


def current_body_key(connection: Connection) -> str | None:
    """Return the id of the key under which bodies are sealed now; None while none was ever sealed."""
    found: str | None = connection.execute(_CURRENT).scalar()
    return found


def sealing_key(connection: Connection, keys: BodyKeys) -> str:
    """Return the id of the key to seal under, in a transaction that may write; the first one to seal writes it down."""
    current = current_body_key(connection)
    if current is None:
        adopt_body_key(connection, keys.newest)
        return keys.newest
    return current


def adopt_body_key(connection: Connection, body_key: str) -> None:
    """Let all that is written from now on be sealed under this key."""
    place = connection.execute(_LAST).scalar_one() + 1
    connection.execute(sa.insert(body_keys), {"place": place, "body_key": body_key})


def require_current_key(connection: Connection, keys: BodyKeys) -> None:
    """Refuse keys that are not those of the store.

    Raises:
        Unavailable: the key under which bodies are sealed now is not among them.
    """
    current = current_body_key(connection)
    if current is not None:
        keys.key(current)


def named_key(connection: Connection, keys: BodyKeys, body_key: str) -> bytes:
    """Return the key that a row names.

    Raises:
        Unavailable: the key file does not hold it.
        IntegrityViolation: no key of this store ever had that id.
    """
    try:
        return keys.key(body_key)
    except Unavailable:
        if connection.execute(_KNOWN, {"body_key": body_key}).scalar():
            raise
    raise IntegrityViolation(
        "body_not_intact",
        what="a body is said to be sealed under a key that this store never had",
        where="the rows of stored bodies",
        what_to_do="Restore the database from a backup; `channelsafe verify` lists all that is affected.",
    )
