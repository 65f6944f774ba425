"""Subjects: which incidents a record concerns.

Belongs here: registering incidents and linking them to the accounts whose contracts open a bridge for them. An
incident is fed by its own records and by the contracts and entitlements of the accounts on its bridges.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dagster_project.application.record_reading import read_records
from dagster_project.packaging.context import EVERY_INCIDENT
from dagster_project.packaging.holds import ACCOUNT_TYPES
from dagster_project.sources.conflicts import heads_of
from dagster_project.sources.record import Record
from dagster_project.store import incidents, records
from dagster_project.store.transaction import Transaction

_CONTRACT: Final = "contract"


class Accounts:
    """The newest version of every contract, and by it which accounts have a bridge for an incident.

    It serves one admission of many batches: the log is read once, and after that only what was added to it.
    """

    def __init__(self) -> None:
        self._read_until = 0
        self._heads: dict[tuple[str, str], Record] = {}
        self._by_incident: dict[str, set[str]] | None = None

    def read(self, transaction: Transaction, *, until: int) -> None:
        """Take in the contracts that the log held up to this sequence."""
        rows = records.records_of_type(transaction, _CONTRACT, after=self._read_until, until=until)
        for contract in read_records(transaction, rows):
            self.add(contract)
        self._read_until = max(until, self._read_until)

    def add(self, contract: Record) -> None:
        """Take in one version of a contract; in whatever order they come, the newest counts."""
        present = self._heads.get(contract.identity)
        (self._heads[contract.identity],) = heads_of([contract] if present is None else [present, contract])
        self._by_incident = None

    def on_bridges_of(self, incident: str) -> set[str]:
        """Return the accounts with a bridge for this incident."""
        if self._by_incident is None:
            self._by_incident = {}
            for head in self._heads.values():
                for name in _named(head):
                    self._by_incident.setdefault(name, set()).add(head.subject)
        return self._by_incident.get(incident, set()) | self._by_incident.get(EVERY_INCIDENT, set())


@dataclass(frozen=True)
class SubjectsOfBatch:
    """The incidents that the records of one batch concern; records are taken in, one after the other.

    Args:
        transaction: The batch's.
        at: When the batch was received.
        accounts: What is known of contracts.
        log_before: The newest sequence of the log before the batch.
        registered: The incidents among the batch's subjects that are registered.
    """

    transaction: Transaction
    at: datetime
    accounts: Accounts
    log_before: int
    registered: set[str]
    _new: list[str] = field(default_factory=list)

    def take(self, record: Record) -> Collection[str]:
        """Return the incidents whose packages a new record version may change, and link what a contract opens."""
        if record.type not in ACCOUNT_TYPES:
            if record.subject not in self.registered:
                self.registered.add(record.subject)
                self._new.append(record.subject)
            return (record.subject,)
        self.register()
        if record.type == _CONTRACT:
            self.accounts.add(record)
            self._link(record)
        return incidents.incidents_fed_by(self.transaction, [record.subject])

    def register(self) -> None:
        """Register the incidents that were heard of for the first time, and link them to the accounts on bridges."""
        if not self._new:
            return
        self.accounts.read(self.transaction, until=self.log_before)
        incidents.raise_revision(self.transaction, self._new, at=self.at)
        links = ((name, account) for name in self._new for account in self.accounts.on_bridges_of(name))
        incidents.link_subjects(self.transaction, links)
        self._new.clear()

    def _link(self, contract: Record) -> None:
        named = _named(contract)
        if EVERY_INCIDENT in named:
            incidents.link_to_every_incident(self.transaction, contract.subject)
            return
        known = incidents.find_incidents(self.transaction, sorted(named))
        incidents.link_subjects(self.transaction, ((name, contract.subject) for name in known))


def _named(contract: Record) -> set[str]:
    return {incident for bridge in contract.data["bridges"].values() for incident in bridge["incidents"]}
