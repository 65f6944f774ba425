"""Subjects: which incidents a record concerns.

Belongs here: registering incidents and linking them to the accounts whose contracts open a bridge for them. An
incident is fed by its own records and by the contracts and entitlements of the accounts on its bridges.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from dagster_project.application.record_reading import read_records
from dagster_project.packaging.context import EVERY_INCIDENT
from dagster_project.packaging.holds import ACCOUNT_TYPES
from dagster_project.sources.conflicts import heads_of
from dagster_project.sources.record import Record
from dagster_project.store import incidents, records
from dagster_project.store.transaction import Transaction


def register_incident(transaction: Transaction, record: Record, at: datetime) -> None:
    """Register the incident that a record is about, and link it to the accounts on its bridges."""
    if record.type in ACCOUNT_TYPES:
        return
    if incidents.find_incident(transaction, record.subject) is None:
        incidents.raise_revision(transaction, [record.subject], at=at)
        incidents.link_subjects(transaction, record.subject, _accounts_of(transaction, record.subject))


def incidents_touched_by(transaction: Transaction, record: Record) -> set[str]:
    """Return the incidents whose packages a new record version may change, and link what a contract opens."""
    if record.type not in ACCOUNT_TYPES:
        return {record.subject}
    if record.type == "contract":
        for incident in _opened_by(transaction, record):
            incidents.link_subjects(transaction, incident, [record.subject])
    return set(incidents.incidents_fed_by(transaction, [record.subject]))


def _opened_by(transaction: Transaction, contract: Record) -> Iterator[str]:
    registered = {row.incident for row in incidents.all_incidents(transaction)}
    yield from sorted(_named(contract, registered))


def _named(contract: Record, registered: Iterable[str]) -> set[str]:
    named = {incident for bridge in contract.data["bridges"].values() for incident in bridge["incidents"]}
    return {incident for incident in registered if incident in named or EVERY_INCIDENT in named}


def _accounts_of(transaction: Transaction, incident: str) -> list[str]:
    contracts = read_records(transaction, records.records_of_type(transaction, "contract"))
    return sorted({head.subject for head in heads_of(contracts) if _named(head, [incident])})
