"""Urgency: remembering which incidents are of severity one, as their own records say.

Belongs here: reading the heads of an incident's own records when one of them moved. Which terms mean severity one is
`sources.severity`.
"""

from collections.abc import Sequence

from dagster_project.application.record_reading import read_records
from dagster_project.sources.severity import INCIDENT_TYPE, is_severity_one
from dagster_project.store import incidents, records
from dagster_project.store.transaction import Transaction


def remember_severity(transaction: Transaction, names: Sequence[str]) -> None:
    """Remember of registered incidents, whose own records moved, whether they are of severity one.

    Where several sources state the incident, one that says so is enough.
    """
    heads = records.heads_by_subject(transaction, names, INCIDENT_TYPE)
    rows = [row for of_incident in heads.values() for row in of_incident]
    stated = dict(zip((row.sequence for row in rows), read_records(transaction, rows), strict=True))
    incidents.set_severity_one(
        transaction,
        {name: any(is_severity_one(stated[row.sequence]) for row in heads[name]) for name in names},
    )
