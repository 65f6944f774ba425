"""Proposals of profiles: who proposed which, to replace what. Approvals are `decisions` that refer to the profile."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dagster_project.store.release_tables import profile_proposals
from dagster_project.store.transaction import Transaction, first_row, insert_new


@dataclass(frozen=True, kw_only=True)
class ProposalRow:
    """A proposed profile; `replaces` is empty where it replaces none."""

    profile_digest: str
    proposer: str
    replaces: str
    proposed_at: datetime


def add_proposal(transaction: Transaction, new: ProposalRow) -> None:
    """Store a proposal; the first one of a profile stays, so that nobody becomes somebody else's proposer."""
    insert_new(transaction, profile_proposals, vars(new))


def find_proposal(transaction: Transaction, profile_digest: str) -> ProposalRow | None:
    """Return the proposal of a profile, or None."""
    columns = profile_proposals.c
    row = first_row(transaction, sa.select(profile_proposals).where(columns.profile_digest == profile_digest))
    return None if row is None else ProposalRow(**row)


def all_proposals(transaction: Transaction) -> list[ProposalRow]:
    """Return every proposal, oldest first."""
    columns = profile_proposals.c
    statement = sa.select(profile_proposals).order_by(columns.proposed_at, columns.profile_digest)
    return [ProposalRow(**row) for row in transaction.connection.execute(statement).mappings()]
