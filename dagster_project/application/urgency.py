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
    for incident in names:
        heads = records.heads_for_subjects(transaction, [incident])
        stated = read_records(transaction, [row for row in heads if row.type == INCIDENT_TYPE])
        incidents.set_severity_one(
            transaction, incident, is_severity_one=any(is_severity_one(record) for record in stated)
        )
