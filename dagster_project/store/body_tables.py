"""The tables by which body keys are rotated, beside `tables` on the same metadata.

Belongs here: tables and their constraints, as in `tables`; a change needs a migration beside it. Where each body lies,
and which key seals it, is `tables.packed_bodies`. Rows hold ids of keys and names of packs.
"""

import sqlalchemy as sa

from dagster_project.store.columns import number, text
from dagster_project.store.tables import metadata

# Every key that ever sealed a body, in order: whoever writes seals under the last of them, whatever its key file says.
body_keys = sa.Table(
    "body_keys",
    metadata,
    sa.Column("place", number(), primary_key=True, autoincrement=False),
    sa.Column("body_key", text(), nullable=False, unique=True),
    sa.CheckConstraint("place >= 1", name="place_counts"),
)

# Packs whose bodies lie elsewhere by now; their files are removed after the commit that says so.
packs_to_remove = sa.Table(
    "packs_to_remove",
    metadata,
    sa.Column("pack", text(), primary_key=True),
)
