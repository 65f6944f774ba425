"""Reading records back: from rows of the log to typed records, each body verified.

Belongs here: the one way in which use cases get records out of the store.
"""

from collections.abc import Sequence

from dagster_project.sources.admission import read_record
from dagster_project.sources.record import Record
from dagster_project.store.records import RecordRow, record_bodies
from dagster_project.store.transaction import Transaction


def read_records(transaction: Transaction, rows: Sequence[RecordRow]) -> tuple[Record, ...]:
    """Return the records of `rows`.

    Raises:
        IntegrityViolation: a stored body is not what was stored.
    """
    return tuple(read_record(body) for body in record_bodies(transaction, rows))
