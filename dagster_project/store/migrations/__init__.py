"""Alembic's folder: the steps by which a database came to be what `tables` says. A step, once shipped, stays."""
